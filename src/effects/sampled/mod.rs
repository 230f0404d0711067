//! Measured cells: a cell ends where one ended that was measured (docs/cells.md 2).
//!
//! A table has the deviations of measured cells from their targets, `n_l` of target `T_l`, sorted. With a uniform `u` of
//! the cell ([`Purpose::CellSample`]) and `T_l <= g <= T_(l+1)`:
//!
//! ```text
//! q_l(u) = deviation floor(u n_l) of target l
//! g'     = g + (1 - t) q_l(u) + t q_(l+1)(u)      t = (g - T_l)/(T_(l+1) - T_l), 0 or 1 beyond the ends
//! ```
//!
//! At a measured target a cell is one of those that were measured, each as likely; between two it is at the same quantile
//! of both.

mod cpu;

use std::sync::Arc;

use super::{Cell, Curve, Draws, Effect, Layer, Lines, Numbers, Step, Target};
use crate::random::Purpose;

/// Where cells of a table end; the default has none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sampled {
    /// The table.
    pub table: Option<Samples>,
}

/// Deviations of measured cells, relative to `G_max`.
///
/// # Examples
/// ```
/// use pimento::effects::Samples;
///
/// let table = Samples::new(&[(0.0, vec![0.0]), (1.0, vec![0.25, -0.5])]);
/// assert_eq!(table.ends(), [0.0, 1.0]);
/// assert_eq!(table.mean(0.5), -0.0625);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// Targets, rising.
    targets: Curve,
    /// Where the deviations of every target begin, and where the last ones end; whole numbers.
    starts: Curve,
    /// Deviations, target after target, each sorted.
    deviations: Curve,
    /// Mean deviation at every target.
    means: Arc<[f64]>,
}

/// Most deviations of a table: their places are whole numbers of `f32`.
pub const MOST_SAMPLES: usize = 1 << 24;

impl Samples {
    /// From targets in rising order, at least one, with the deviations of their cells, at least one each and at most
    /// [`MOST_SAMPLES`] together; all relative to `G_max`.
    pub fn new(levels: &[(f64, Vec<f64>)]) -> Self {
        let mut starts = vec![0.0f32];
        let (mut deviations, mut means) = (vec![], vec![]);
        for (_, own) in levels {
            let mut own: Vec<f32> = own.iter().map(|d| *d as f32).collect();
            own.sort_unstable_by(f32::total_cmp);
            let sum: f64 = own.iter().map(|d| f64::from(*d)).sum();
            means.push(sum / own.len() as f64);
            deviations.extend(own);
            starts.push(deviations.len() as f32);
        }
        Self {
            targets: levels.iter().map(|(target, _)| *target as f32).collect(),
            starts: starts.into(),
            deviations: deviations.into(),
            means: means.into(),
        }
    }

    /// Lowest and highest target.
    pub fn ends(&self) -> [f32; 2] {
        [self.targets[0], self.targets[self.targets.len() - 1]]
    }

    /// Mean deviation of cells with a target.
    pub fn mean(&self, g: f64) -> f64 {
        let ([a, b], t) = self.around(g);
        (1.0 - t) * self.means[a] + t * self.means[b]
    }

    /// The deviations, times a factor.
    pub fn scale(&mut self, times: f32) {
        self.deviations = self.deviations.iter().map(|d| times * d).collect();
        self.means = self.means.iter().map(|d| f64::from(times) * d).collect();
    }

    /// Targets around a conductance, and the share of the second one.
    fn around(&self, g: f64) -> ([usize; 2], f64) {
        let last = self.targets.len() - 1;
        let inner = &self.targets[..last];
        let below = inner.partition_point(|t| f64::from(*t) <= g).max(1) - 1;
        let above = (below + 1).min(last);
        let [low, high] = [below, above].map(|i| f64::from(self.targets[i]));
        let t = match high > low {
            true => ((g - low) / (high - low)).clamp(0.0, 1.0),
            false => 0.0,
        };
        ([below, above], t)
    }

    /// Quantile of the deviations at a target.
    fn quantile(&self, target: usize, u: f32) -> f32 {
        let [from, to] = [target, target + 1].map(|i| self.starts[i] as usize);
        let own = &self.deviations[from..to];
        own[((u * own.len() as f32) as usize).min(own.len() - 1)]
    }
}

impl Effect for Sampled {
    fn name(&self) -> &'static str {
        "sampled"
    }

    fn is_off(&self) -> bool {
        let table = self.table.as_ref();
        table.is_none_or(|table| table.deviations.iter().all(|d| *d == 0.0))
    }

    fn make_nominal(&mut self) {
        self.table = None;
    }

    fn exact(&self, _: &Target, draws: &dyn Draws, cell: &mut Cell) {
        let Some(table) = &self.table else { return };
        let u = draws.uniform(Purpose::CellSample);
        let (around, t) = table.around(cell.g);
        let [a, b] = around.map(|i| f64::from(table.quantile(i, u)));
        cell.g += (1.0 - t) * a + t * b;
    }

    fn expected(&self, _: &Target, g: f64) -> f64 {
        g + self.table.as_ref().map_or(0.0, |table| table.mean(g))
    }

    fn on_cpu<'a>(&'a self, layer: &'a Layer<'a>) -> Option<Box<dyn Step + 'a>> {
        let table = self.table.as_ref().filter(|_| !self.is_off())?;
        Some(Box::new(cpu::Drawn { table, layer }))
    }

    fn in_shader(&self, _: &Lines, n: &mut Numbers) {
        let table = self.table.as_ref().filter(|_| !self.is_off());
        n.flag("HAS_SAMPLES", table.is_some());
        n.curve(["targets_at", "targets_len"], table.map(|t| &t.targets));
        n.curve(["starts_at", "starts_len"], table.map(|t| &t.starts));
        let deviations = table.map(|t| &t.deviations);
        n.curve(["deviations_at", "deviations_len"], deviations);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::{Deviate, Draw};

    struct At(f32);

    impl Draws for At {
        fn deviation(&self, _: Purpose, _: Deviate, _: f64) -> f64 {
            unreachable!("only uniform numbers are drawn")
        }

        fn uniform(&self, purpose: Purpose) -> f32 {
            assert_eq!(purpose, Purpose::CellSample);
            self.0
        }

        fn line(&self, _: Draw, _: Purpose) -> Option<f32> {
            None
        }
    }

    fn drawn(sampled: &Sampled, g: f64, u: f32) -> f64 {
        let target = Target {
            g,
            common: 0.0,
            g_min: 0.0,
        };
        let mut cell = Cell {
            g,
            programmed: g,
            connected: true,
        };
        sampled.exact(&target, &At(u), &mut cell);
        cell.g
    }

    /// At a target every measured cell has its share of the uniform numbers; between two, quantiles are mixed; beyond
    /// the ends deviations are those of the end.
    #[test]
    fn a_cell_is_one_that_was_measured() {
        let table = Samples::new(&[
            (0.25, vec![0.125, -0.125]),
            (0.5, vec![0.0, 0.25, -0.25, 0.5]),
            (1.0, vec![0.0]),
        ]);
        let sampled = Sampled { table: Some(table) };
        for (g, u, want) in [
            (0.25, 0.0, 0.125),
            (0.25, 0.4999, 0.125),
            (0.25, 0.5, 0.375),
            (0.5, 0.0, 0.25),
            (0.5, 0.25, 0.5),
            (0.5, 0.999_999, 1.0),
            (1.0, 0.7, 1.0),
            (0.375, 0.0, 0.375 - 0.1875),
            (0.375, 0.6, 0.375 + 0.5 * 0.125 + 0.5 * 0.25),
            (0.75, 0.8, 0.75 + 0.25),
            (0.0, 0.6, 0.125),
            (1.5, 0.3, 1.5),
        ] {
            assert_eq!(drawn(&sampled, g, u), want, "{g} {u}");
        }
        let target = Target {
            g: 0.5,
            common: 0.0,
            g_min: 0.0,
        };
        assert_eq!(sampled.expected(&target, 0.5), 0.625);
    }

    #[test]
    fn a_table_of_targets_changes_nothing() {
        let table = Samples::new(&[(0.0, vec![0.0; 3]), (1.0, vec![0.0])]);
        assert!(Sampled { table: Some(table) }.is_off());
        assert!(Sampled::default().is_off());
    }
}
