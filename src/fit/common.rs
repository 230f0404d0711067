//! What cells of a chip, and of an array, have in common.

use serde::Serialize;

use super::cells::{Cell, Level};
use super::intervals::{self, Estimate, MeanSquare};
use super::spread::{by_array, within};
use crate::program::Law;

/// Deviations that cells share.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Common {
    /// What a shared deviation multiplies, as the levels say.
    pub law: Law,
    /// How much better that law describes the levels than the other one: difference of the weighted squares that remain.
    /// Below [`Common::TOLD_APART`] the measurements do not tell; `None` with one level.
    pub better_by: Option<f64>,
    /// Between chips, relative.
    pub chip: Option<Estimate>,
    /// Between the arrays of a chip, relative.
    pub array: Option<Estimate>,
    /// Chips have one array each, so that what arrays share is in `chip`.
    pub together: bool,
}

impl Common {
    /// A difference of squares that chance rarely makes: that of 5 % for one degree of freedom.
    pub const TOLD_APART: f64 = 3.84;
}

/// An array's deviations at all levels: chip, array, and at every level deviation and variance of its mean.
struct Array {
    chip: u32,
    levels: Vec<(usize, f64, f64)>,
}

/// A shared deviation of an array.
#[derive(Debug, Clone, Copy)]
struct Shared {
    chip: u32,
    value: f64,
    variance: f64,
    squares: f64,
}

impl Array {
    /// The deviation `e` that explains those of the levels as `scale e`, weighted by what is known of them.
    fn shared(&self, scale: impl Fn(usize) -> f64) -> Option<Shared> {
        let (mut xx, mut xy) = (0.0, 0.0);
        for &(level, d, variance) in &self.levels {
            xx += scale(level).powi(2) / variance;
            xy += scale(level) * d / variance;
        }
        let value = xy / xx;
        let squares = self.levels.iter();
        (xx > 0.0).then(|| Shared {
            chip: self.chip,
            value,
            variance: 1.0 / xx,
            squares: squares
                .map(|&(level, d, variance)| (d - scale(level) * value).powi(2) / variance)
                .sum(),
        })
    }
}

/// From the levels; `None` where no two arrays can be compared. `span_us` is the range of the targets.
pub(super) fn common(levels: &[Level], span_us: f64) -> Option<Common> {
    let (arrays, df) = arrays(levels);
    let by_target = |level: usize| levels[level].target_us;
    let by_span = |_: usize| span_us;
    let all = |scale: &dyn Fn(usize) -> f64| -> Vec<Shared> {
        arrays
            .iter()
            .filter_map(|array| array.shared(scale))
            .collect()
    };
    let (proportional, fixed) = (all(&by_target), all(&by_span));
    let squares = |shared: &[Shared]| shared.iter().map(|s| s.squares).sum::<f64>();
    let seen = arrays.iter().flat_map(|a| a.levels.iter().map(|l| l.0));
    let several = seen.clone().min() != seen.max();
    let less = squares(&fixed) - squares(&proportional);
    let law = match several && less < 0.0 {
        true => Law::LayerFixed,
        false => Law::WeightProportional,
    };
    let shared = match law {
        Law::LayerFixed => fixed,
        Law::WeightProportional => proportional,
    };
    let (chip, array, together) = parts(&shared, df)?;
    Some(Common {
        law,
        better_by: several.then_some(less.abs()),
        chip,
        array,
        together,
    })
}

/// Deviations of arrays from the mean of all at every level, and the degrees of freedom of their variances.
fn arrays(levels: &[Level]) -> (Vec<Array>, f64) {
    let mut found: Vec<((u32, u32), Array)> = vec![];
    let mut df = 0.0;
    for (at, level) in levels.iter().enumerate() {
        let Some(within) = within(level) else {
            continue;
        };
        let parts = within.absolute;
        df += parts.of.df;
        let groups: Vec<&[Cell]> = by_array(&level.cells).collect();
        let mean = |g: &[Cell]| g.iter().map(Cell::first).sum::<f64>() / g.len() as f64;
        let middle = groups.iter().map(|g| mean(g)).sum::<f64>() / groups.len() as f64;
        // Cells that are exactly alike leave nothing to weigh by.
        let floor = (1e-9 * level.target_us).powi(2).max(f64::MIN_POSITIVE);
        for g in groups {
            let variance = (parts.of.value / g.len() as f64).max(floor);
            let seen = (at, mean(g) - middle, variance);
            let place = (g[0].chip, g[0].array);
            match found.iter_mut().find(|(known, _)| *known == place) {
                Some((_, array)) => array.levels.push(seen),
                None => found.push((
                    place,
                    Array {
                        chip: place.0,
                        levels: vec![seen],
                    },
                )),
            }
        }
    }
    found.sort_by_key(|(place, _)| *place);
    (found.into_iter().map(|(_, array)| array).collect(), df)
}

/// Spread between chips, between arrays of a chip, and whether the first holds the second.
type Between = (Option<Estimate>, Option<Estimate>, bool);

fn parts(shared: &[Shared], df: f64) -> Option<Between> {
    if shared.len() < 2 {
        return None;
    }
    let of_chips: Vec<&[Shared]> = shared.chunk_by(|a, b| a.chip == b.chip).collect();
    let mean = |s: &[Shared]| s.iter().map(|s| s.value).sum::<f64>() / s.len() as f64;
    let error = |s: &[Shared]| s.iter().map(|s| s.variance).sum::<f64>() / s.len() as f64;
    let noise = MeanSquare {
        value: error(shared),
        df,
    };
    let around = |s: &&[Shared]| {
        let middle = mean(s);
        s.iter().map(|s| (s.value - middle).powi(2)).sum::<f64>()
    };
    let squares: f64 = of_chips.iter().map(around).sum();
    let free: usize = of_chips.iter().map(|s| s.len() - 1).sum();
    let arrays = MeanSquare::new(squares, free as f64);
    let array = arrays.map(|ms| intervals::spread(ms, &[(1.0, noise)]));
    let chips = of_chips.len() as f64;
    let middle = of_chips.iter().map(|s| mean(s)).sum::<f64>() / chips;
    let squares: f64 = of_chips.iter().map(|s| (mean(s) - middle).powi(2)).sum();
    let share = of_chips.iter().map(|s| 1.0 / s.len() as f64).sum::<f64>() / chips;
    let below = match arrays {
        Some(ms) => (share, ms),
        None => (1.0, noise),
    };
    let chip = MeanSquare::new(squares, chips - 1.0).map(|ms| intervals::spread(ms, &[below]));
    Some((chip, array, arrays.is_none()))
}
