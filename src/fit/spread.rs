//! How wide a level is: within an array, and between reads of a cell.

use serde::Serialize;

use super::cells::{Cell, Level, Visit};
use super::intervals::{self, Estimate, MeanSquare, chi_square_above};
use super::shown::Sample;

/// How a standard deviation depends on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// In proportion to it.
    Proportional,
    /// The same at every target.
    Fixed,
    /// By a value for every target.
    Table,
}

/// A standard deviation at every level, and what it follows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spread {
    /// At every level that allows an estimate, `None` elsewhere, microsiemens.
    pub by_level: Vec<Option<Estimate>>,
    /// The form that the levels do not contradict.
    pub form: Form,
    /// Probability of levels as different as these, or more, if it were proportional; `None` where one level
    /// only has an estimate.
    pub p_proportional: Option<f64>,
    /// The same if it were fixed.
    pub p_fixed: Option<f64>,
    /// The factor of a proportional spread, relative to the target.
    pub proportional: Option<Estimate>,
    /// The value of a fixed spread, relative to the range of targets.
    pub fixed: Option<Estimate>,
}

/// A form is refused below this probability.
const REFUSED: f64 = 0.01;

/// A mean square of what is looked for, and what is in it besides with a coefficient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Parts {
    pub of: MeanSquare,
    pub less: Option<(f64, MeanSquare)>,
}

/// The same of a level in microsiemens, and relative to the conductance, where there is one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Widths {
    pub absolute: Parts,
    pub relative: Option<Parts>,
}

impl Parts {
    fn times(self, factor: f64) -> Self {
        let scaled = |ms: MeanSquare| MeanSquare {
            value: ms.value * factor,
            ..ms
        };
        Self {
            of: scaled(self.of),
            less: self.less.map(|(c, ms)| (c, scaled(ms))),
        }
    }

    /// The part that is looked for, with its degrees of freedom.
    fn rest(&self) -> MeanSquare {
        let less = self.less.unwrap_or((
            0.0,
            MeanSquare {
                value: 0.0,
                df: 1.0,
            },
        ));
        let value = (self.of.value - less.0 * less.1.value).max(0.0);
        let error =
            self.of.value.powi(2) / self.of.df + (less.0 * less.1.value).powi(2) / less.1.df;
        let df = match error > 0.0 {
            true => value * value / error,
            false => self.of.df,
        };
        MeanSquare { value, df }
    }

    fn estimate(&self) -> Estimate {
        let less: Vec<_> = self.less.into_iter().collect();
        intervals::spread(self.of, &less)
    }
}

impl Spread {
    /// From the levels; `None` where none allows an estimate.
    pub(super) fn new(levels: &[Option<Widths>], span_us: f64) -> Option<Self> {
        let known: Vec<Widths> = levels.iter().copied().flatten().collect();
        if known.is_empty() {
            return None;
        }
        let fixed: Vec<Parts> = known
            .iter()
            .map(|w| w.absolute.times(span_us.powi(-2)))
            .collect();
        let relative: Vec<Parts> = known.iter().filter_map(|w| w.relative).collect();
        // Where nothing conducts nothing may vary that is proportional.
        let varies = |w: &Widths| w.relative.is_none() && w.absolute.of.value > 0.0;
        let p_proportional = match known.iter().any(varies) {
            true => Some(0.0),
            false => agreement(&relative),
        };
        let p_fixed = agreement(&fixed);
        let form = match (p_proportional, p_fixed) {
            (Some(a), Some(b)) if a.max(b) < REFUSED => Form::Table,
            (Some(a), Some(b)) if b > a => Form::Fixed,
            _ => Form::Proportional,
        };
        let by_level = levels.iter();
        Some(Self {
            by_level: by_level
                .map(|l| l.as_ref().map(|w| w.absolute.estimate()))
                .collect(),
            form,
            p_proportional,
            p_fixed,
            proportional: pooled(&relative),
            fixed: pooled(&fixed),
        })
    }
}

/// The spread that all levels have in common.
fn pooled(known: &[Parts]) -> Option<Estimate> {
    let df: f64 = known.iter().map(|p| p.of.df).sum();
    let weight = |p: &Parts| p.of.df / df;
    let of: Vec<_> = known.iter().map(|p| (weight(p), p.of)).collect();
    let less = known.iter();
    let less: Vec<_> = less
        .filter_map(|p| p.less.map(|(c, ms)| (c * weight(p), ms)))
        .collect();
    let of = MeanSquare::pooled(&of)?;
    let less = MeanSquare::pooled(&less).map(|ms| (1.0, ms));
    Some(intervals::spread(of, less.as_slice()))
}

/// Probability of mean squares as different as these if all have the same expectation: the ratio of
/// likelihoods, with Bartlett's correction. `None` of fewer than two.
fn agreement(known: &[Parts]) -> Option<f64> {
    if known.len() < 2 {
        return None;
    }
    let rests: Vec<MeanSquare> = known
        .iter()
        .map(Parts::rest)
        .filter(|rest| rest.df > 0.0)
        .collect();
    let df: f64 = rests.iter().map(|rest| rest.df).sum();
    let mean = rests.iter().map(|rest| rest.value * rest.df).sum::<f64>() / df;
    let groups = rests.len() as f64;
    if groups < 2.0 || mean <= 0.0 {
        return Some(1.0);
    }
    let of = |rest: &MeanSquare| -rest.df * (rest.value / mean).ln();
    let statistic: f64 = rests.iter().map(of).sum();
    let inverse: f64 = rests.iter().map(|rest| 1.0 / rest.df).sum();
    let correction = 1.0 + (inverse - 1.0 / df) / (3.0 * (groups - 1.0));
    Some(chi_square_above(statistic / correction, groups - 1.0))
}

/// Groups of cells in one array of one chip.
pub(super) fn by_array(cells: &[Cell]) -> impl Iterator<Item = &[Cell]> {
    cells.chunk_by(|a, b| (a.chip, a.array) == (b.chip, b.array))
}

/// Read noise of a level, between reads of a cell at one time: of the first reads, which programming is seen by, in
/// microsiemens, and of all reads relative to what the cell then conducts.
pub(super) fn reads(level: &Level) -> Option<Widths> {
    let of = |visits: &mut dyn Iterator<Item = &Visit>, relative: bool| {
        let (mut squares, mut df) = (0.0, 0.0);
        for visit in visits {
            let scale = if relative { visit.mean() } else { 1.0 };
            squares += visit.squares() / (scale * scale);
            df += (visit.values.len() - 1) as f64;
        }
        MeanSquare::new(squares, df).map(|of| Parts { of, less: None })
    };
    let all = || level.cells.iter().flat_map(|c| &c.visits);
    let mut first = level.cells.iter().map(|c| &c.visits[0]);
    let absolute = of(&mut first, false).or_else(|| of(&mut all(), false))?;
    let conducts = level.target_us > 0.0 && all().all(|v| v.mean() > 0.0);
    Some(Widths {
        absolute,
        relative: of(&mut all(), true).filter(|_| conducts),
    })
}

/// Deviations of cells from the mean of their array at the first time, with what read noise adds.
pub(super) fn within(level: &Level) -> Option<Widths> {
    let (mut squares, mut df) = (0.0, 0.0);
    for group in by_array(&level.cells) {
        let values: Vec<f64> = group.iter().map(Cell::first).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let free = (values.len() - 1) as f64;
        squares += values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
        squares -= free * level.unseen_squares(mean);
        df += free;
    }
    let n = level.cells.len() as f64;
    let shares = level.cells.iter();
    let shares = shares.map(|c| 1.0 / c.visits[0].values.len() as f64);
    let share = shares.sum::<f64>() / n;
    let absolute = Parts {
        of: MeanSquare::new(squares.max(0.0) / (1.0 - level.still), df)?,
        less: reads(level).map(|noise| (share, noise.absolute.of)),
    };
    let conducts = level.target_us > 0.0;
    Some(Widths {
        absolute,
        relative: conducts.then(|| absolute.times(level.target_us.powi(-2))),
    })
}

/// Skewness and excess kurtosis of deviations from the mean of their array, in standard deviations of their level,
/// each with its standard error for normal deviates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Shape {
    /// Third moment.
    pub skewness: f64,
    /// Its standard error.
    pub skewness_error: f64,
    /// Fourth moment less 3.
    pub kurtosis: f64,
    /// Its standard error.
    pub kurtosis_error: f64,
}

/// Fewest deviations that have a shape.
const SHAPED: usize = 50;

/// Shape of all deviations together.
pub(super) fn shape(samples: &[Sample]) -> Option<Shape> {
    let z: Vec<f64> = samples.iter().filter_map(|s| s.deviate).collect();
    if z.len() < SHAPED {
        return None;
    }
    let n = z.len() as f64;
    let moment = |k: i32| z.iter().map(|z| z.powi(k)).sum::<f64>() / n;
    let variance = moment(2);
    Some(Shape {
        skewness: moment(3) / variance.powf(1.5),
        skewness_error: (6.0 / n).sqrt(),
        kurtosis: moment(4) / variance.powi(2) - 3.0,
        kurtosis_error: (24.0 / n).sqrt(),
    })
}
