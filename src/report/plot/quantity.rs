//! A number that every chip has and whose distribution is drawn: the accuracy, or another column.

use crate::column::{Better, Column};
use crate::report::label;
use crate::report::layout::{Layout, UNNAMED};
use crate::report::table::decimals;
use crate::report::text::{ends, percent, rounded};
use crate::sweep::result::{ChipRow, PointSummary, SweepResult};
use crate::sweep::spread::ColumnSummary;
use crate::sweep::statistics::Interval;

use super::svg::range;

/// A number of every chip.
pub(in crate::report) enum Quantity<'a> {
    /// The accuracy, shown in percent.
    Accuracy(&'a SweepResult),
    /// A column that only some experiments have.
    Value(&'a SweepResult, &'static Column),
}

impl<'a> Quantity<'a> {
    /// Its value for a chip; `NaN` where the chip has none.
    pub fn of(&self, row: &ChipRow) -> f64 {
        match self {
            Quantity::Accuracy(_) => row.accuracy,
            Quantity::Value(_, column) => row.values.get(column.name).unwrap_or(f64::NAN),
        }
    }

    pub fn result(&self) -> &'a SweepResult {
        match self {
            Quantity::Accuracy(result) | Quantity::Value(result, _) => result,
        }
    }

    fn summary(&self, point: usize) -> Option<&ColumnSummary> {
        match self {
            Quantity::Accuracy(_) => None,
            Quantity::Value(result, column) => result.points[point].columns.get(column.name),
        }
    }

    fn statistic(
        &self,
        point: usize,
        accuracy: fn(&PointSummary) -> f64,
        value: fn(&ColumnSummary) -> f64,
    ) -> f64 {
        match self {
            Quantity::Accuracy(result) => accuracy(&result.points[point]),
            Quantity::Value(..) => self.summary(point).map_or(f64::NAN, value),
        }
    }

    /// Its mean over the chips of a point.
    pub fn mean(&self, point: usize) -> f64 {
        self.statistic(point, |p| p.mean, |c| c.mean)
    }

    /// The interval of the mean.
    pub fn mean_ci95(&self, point: usize) -> Interval {
        match self {
            Quantity::Accuracy(result) => result.points[point].mean_ci95,
            Quantity::Value(..) => self.summary(point).map_or(Interval::UNKNOWN, |c| c.ci95),
        }
    }

    /// Its median over the chips of a point.
    pub fn median(&self, point: usize) -> f64 {
        self.statistic(point, |p| p.median, |c| c.median)
    }

    /// The 5 % quantile at the bad end, over the chips of a point; the 5 % quantile where no end is bad.
    pub fn bad_quantile(&self, point: usize) -> f64 {
        self.statistic(point, |p| p.q05, |c| c.bad_quantile().unwrap_or(c.q05))
    }

    /// The number of [`Quantity::bad_quantile`], per cent.
    pub fn bad_percent(&self) -> &'static str {
        match self.better() {
            Some(Better::Lower) => "95",
            Some(Better::Higher) | None => "05",
        }
    }

    fn better(&self) -> Option<Better> {
        match self {
            Quantity::Accuracy(_) => Some(Better::Higher),
            Quantity::Value(_, column) => column.better,
        }
    }

    /// Its value without variation, where that is known.
    pub fn ideal(&self, point: usize) -> Option<f64> {
        match self {
            Quantity::Accuracy(result) => Some(result.points[point].ideal),
            Quantity::Value(..) => self.summary(point).map(|c| c.ideal),
        }
        .filter(|ideal| !ideal.is_nan())
    }

    /// Name of the series of a point.
    pub fn series(&self, layout: &Layout, point: usize) -> String {
        match (self, layout.series_label(point)) {
            (Quantity::Value(_, column), UNNAMED) => label::words(column),
            (_, label) => label.to_string(),
        }
    }

    /// What it is, as a title of an axis.
    pub fn axis(&self) -> String {
        match self {
            Quantity::Accuracy(_) => "accuracy of a chip (%)".into(),
            Quantity::Value(_, column) => label::column(column),
        }
    }

    /// Name of its unit behind a word, e.g. ` (%)`.
    pub fn unit(&self) -> String {
        match self {
            Quantity::Accuracy(_) => " (%)".into(),
            Quantity::Value(_, column) => unit(column),
        }
    }

    /// Numbers on the axis for 1 of the quantity.
    pub fn factor(&self) -> f64 {
        match self {
            Quantity::Accuracy(_) => 100.0,
            Quantity::Value(..) => 1.0,
        }
    }

    /// Ends of an axis for these values.
    pub fn range(&self, values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
        match self {
            Quantity::Accuracy(_) => range(values, 0.03, 0.02, (0.0, 1.0)),
            Quantity::Value(..) => {
                let sizes = values.clone().map(f64::abs).filter(|x| x.is_finite());
                let size = sizes.fold(0.0, f64::max);
                let least = if size > 0.0 { 0.02 * size } else { 1.0 };
                range(values, 0.03, least, (f64::NEG_INFINITY, f64::INFINITY))
            }
        }
    }

    /// Step between two values that a chip can have, of the ascending values of chips alike `chip`; of columns the
    /// smallest that occurs, infinite where all are equal.
    pub fn step(&self, sorted: &[f64], chip: &ChipRow) -> f64 {
        match self {
            Quantity::Accuracy(_) => 1.0 / f64::from(chip.images.max(1)),
            Quantity::Value(..) => {
                let steps = sorted.windows(2).map(|w| w[1] - w[0]);
                steps
                    .filter(|step| *step > 0.0)
                    .fold(f64::INFINITY, f64::min)
            }
        }
    }

    /// A value as people read it.
    pub fn text(&self, x: f64) -> String {
        match self {
            Quantity::Accuracy(result) => percent(x, decimals(&result.points)),
            Quantity::Value(result, column) => rounded(x, width(result, column)),
        }
    }

    /// The interval of a point's mean as people read it; nothing where it is unknown.
    pub fn interval(&self, point: usize) -> String {
        let ci = self.mean_ci95(point);
        match self {
            Quantity::Accuracy(result) => ends(ci, decimals(&result.points)),
            Quantity::Value(..) if ci.lo.is_nan() && ci.hi.is_nan() => String::new(),
            Quantity::Value(..) => {
                format!("{} to {}", self.text(ci.lo), self.text(ci.hi))
            }
        }
    }
}

/// Half of the shortest interval that a mean of the column has: what its numbers are rounded by.
pub(in crate::report) fn width(result: &SweepResult, column: &Column) -> f64 {
    let points = result.points.iter();
    let halves = points.filter_map(|p| Some(p.columns.get(column.name)?.ci95.half()));
    halves.filter(|half| *half > 0.0).fold(f64::NAN, f64::min)
}

/// The unit of a column behind its name: ` (J)`, or nothing.
pub(in crate::report) fn unit(column: &Column) -> String {
    match column.unit {
        "" => String::new(),
        unit => format!(" ({})", label::sign(unit)),
    }
}
