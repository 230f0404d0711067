//! A number of every point that a plot shows: a statistic of the accuracy, another column, or a cost.

use super::{chips_phrase, images_phrase};
use crate::column::Column;
use crate::error::{Error, Result};
use crate::report::label;
use crate::report::table::{self, decimals};
use crate::report::text::{compact, ends, percent, rounded};
use crate::sweep::columns;
use crate::sweep::cost::COSTS;
use crate::sweep::result::{PointSummary, SweepResult};
use crate::sweep::statistics::Interval;

/// What of a point is shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::report) enum Statistic {
    /// Mean accuracy over the chips.
    Mean,
    /// Accuracy of the median chip.
    Median,
    /// The 5 % quantile of the accuracy.
    Q05,
    /// Accuracy of the worst chip.
    Worst,
    /// Share of the chips that reach the yield limit.
    Yield,
    /// Mean over the chips of a column that only some experiments have.
    Column(&'static Column),
    /// What a chip costs.
    Cost(&'static Column),
}

/// Statistics of the accuracy, by the names that users say.
const NAMED: [(&str, Statistic); 5] = [
    ("accuracy", Statistic::Mean),
    ("median", Statistic::Median),
    ("q05", Statistic::Q05),
    ("worst", Statistic::Worst),
    ("yield", Statistic::Yield),
];

impl Statistic {
    /// Every statistic that the points of a run have, by name.
    pub fn all(result: &SweepResult) -> Vec<(&'static str, Statistic)> {
        let columns = columns::all().iter();
        let columns =
            columns.filter(|c| result.points.iter().any(|p| p.columns.contains_key(c.name)));
        let costs = COSTS.iter();
        let costs = costs.filter(|c| result.points.iter().any(|p| p.costs.contains_key(c.name)));
        let columns = columns.map(|c| (c.name, Statistic::Column(c)));
        let costs = costs.map(|c| (c.name, Statistic::Cost(c)));
        // A table of chips alone has no limit.
        let has_limit = result.points.iter().any(|p| !p.yield_limit.is_nan());
        let named = NAMED.into_iter();
        let named = named.filter(|(_, s)| has_limit || *s != Statistic::Yield);
        named.chain(columns).chain(costs).collect()
    }

    /// The statistic of a name.
    ///
    /// # Errors
    /// A name that the points of the run do not have.
    pub fn named(name: &str, result: &SweepResult, option: &str) -> Result<Self> {
        let all = Self::all(result);
        let found = all.iter().find(|(own, _)| *own == name);
        found.map(|(_, statistic)| *statistic).ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
            Error::input(format!(
                "{option} {name}: the run has no such result; allowed: {}",
                names.join(", ")
            ))
        })
    }

    /// Its name in files.
    pub fn name(self) -> &'static str {
        let named = NAMED.iter().find(|(_, own)| *own == self);
        match self {
            Statistic::Column(c) | Statistic::Cost(c) => c.name,
            _ => named.map_or("accuracy", |(name, _)| name),
        }
    }

    /// What it is, with its unit: the title of an axis.
    pub fn title(self) -> String {
        match self {
            Statistic::Mean => "mean accuracy (%)".into(),
            Statistic::Median => "median accuracy (%)".into(),
            Statistic::Q05 => "5 % quantile of the accuracy (%)".into(),
            Statistic::Worst => "accuracy of the worst chip (%)".into(),
            Statistic::Yield => "yield (% of chips)".into(),
            Statistic::Column(c) => format!("mean {}", label::column(c)),
            Statistic::Cost(c) => label::column(c),
        }
    }

    /// What it is in a sentence, without unit.
    pub fn words(self) -> String {
        let title = self.title();
        match title.rsplit_once(" (") {
            Some((words, _)) => words.to_string(),
            None => title,
        }
    }

    /// Whether it is an accuracy, which the yield limit can be compared with.
    pub fn is_accuracy(self) -> bool {
        matches!(
            self,
            Statistic::Mean | Statistic::Median | Statistic::Q05 | Statistic::Worst
        )
    }

    /// Whether it is a share, shown in percent.
    fn is_share(self) -> bool {
        self.is_accuracy() || self == Statistic::Yield
    }

    /// Its value at a point; `NaN` where the point has none.
    pub fn of(self, p: &PointSummary) -> f64 {
        match self {
            Statistic::Mean => p.mean,
            Statistic::Median => p.median,
            Statistic::Q05 => p.q05,
            Statistic::Worst => p.min,
            Statistic::Yield => p.yield_fraction,
            Statistic::Column(c) => p.columns.get(c.name).map_or(f64::NAN, |c| c.mean),
            Statistic::Cost(c) => p.costs.get(c.name).copied().unwrap_or(f64::NAN),
        }
    }

    /// Its 95 % interval over chips; unknown where it has none.
    pub fn interval(self, p: &PointSummary) -> Interval {
        match self {
            Statistic::Mean => p.mean_ci95,
            Statistic::Median => p.median_ci95,
            Statistic::Q05 => p.q05_ci95,
            Statistic::Yield => p.yield_ci95,
            Statistic::Column(c) => p.columns.get(c.name).map_or(Interval::UNKNOWN, |c| c.ci95),
            Statistic::Worst | Statistic::Cost(_) => Interval::UNKNOWN,
        }
    }

    /// From the 5 % to the 95 % quantile of the chips, of means alone.
    pub fn spread(self, p: &PointSummary) -> Option<(f64, f64)> {
        match self {
            Statistic::Mean => Some((p.q05, p.q95)),
            Statistic::Column(c) => p.columns.get(c.name).map(|c| (c.q05, c.q95)),
            _ => None,
        }
    }

    /// Its value without variation; `NaN` where there is none.
    pub fn ideal(self, p: &PointSummary) -> f64 {
        match self {
            s if s.is_accuracy() => p.ideal,
            Statistic::Column(c) => p.columns.get(c.name).map_or(f64::NAN, |c| c.ideal),
            _ => f64::NAN,
        }
    }

    /// Numbers on an axis for 1 of it.
    pub fn factor(self) -> f64 {
        if self.is_share() { 100.0 } else { 1.0 }
    }

    /// A value as people read it.
    pub fn text(self, x: f64, result: &SweepResult) -> String {
        match self.is_share() {
            true => percent(x, decimals(&result.points)),
            false => rounded(x, self.width(result)),
        }
    }

    /// A value with its interval at a point.
    pub fn text_at(self, p: &PointSummary, result: &SweepResult) -> String {
        let (value, ci) = (self.text(self.of(p), result), self.interval(p));
        let unit = if self.is_share() { " %" } else { "" };
        match (ci.lo.is_nan() && ci.hi.is_nan(), self.is_share()) {
            (true, _) => format!("{value}{unit}"),
            (false, true) => format!("{value}{unit} ({})", ends(ci, decimals(&result.points))),
            (false, false) => {
                let [lo, hi] = [ci.lo, ci.hi].map(|end| self.text(end, result));
                format!("{value} ({lo} to {hi})")
            }
        }
    }

    /// Half of the shortest interval: what numbers are rounded by.
    fn width(self, result: &SweepResult) -> f64 {
        let halves = result.points.iter().map(|p| self.interval(p).half());
        halves.filter(|half| *half > 0.0).fold(f64::NAN, f64::min)
    }

    /// Ends of an axis for these values.
    pub fn range(self, values: impl Iterator<Item = f64> + Clone, pad: f64) -> (f64, f64) {
        if self.is_share() {
            return super::svg::range(values, pad, 0.02, (0.0, 1.0));
        }
        let size = values.clone().filter(|x| x.is_finite()).map(f64::abs);
        let size = size.fold(0.0, f64::max);
        let least = if size > 0.0 { 0.02 * size } else { 1.0 };
        super::svg::range(values, pad, least, (f64::NEG_INFINITY, f64::INFINITY))
    }

    /// What the interval is, as in `95 % interval of the mean`.
    pub fn interval_words(self) -> &'static str {
        match self {
            Statistic::Mean | Statistic::Column(_) => "95 % interval of the mean",
            Statistic::Median | Statistic::Q05 => "95 % interval of the quantile",
            Statistic::Yield => "95 % interval of the yield",
            Statistic::Worst | Statistic::Cost(_) => "",
        }
    }

    /// How many chips and images the numbers are of, how the intervals are made, and what is not in them.
    pub fn basis(self, result: &SweepResult) -> String {
        let points = &result.points;
        let (chips, images) = (chips_phrase(points), images_phrase(points));
        let replicates = points.iter().any(|p| p.stratified);
        let how = match (self, replicates) {
            (Statistic::Cost(_) | Statistic::Worst, _) => "no interval",
            (_, true) => "95 % intervals over replicates of stratified chips",
            (Statistic::Mean | Statistic::Column(_), _) => "95 % intervals over chips (Student t)",
            (Statistic::Median | Statistic::Q05, _) => {
                "95 % intervals over chips (order statistics)"
            }
            (Statistic::Yield, _) => "95 % intervals over chips (Wilson)",
        };
        let mut text = match self {
            Statistic::Cost(_) => return "The same for all chips of a point: no interval.".into(),
            _ => format!(
                "n = {chips} at each point, {images} each; {how}, for these images and these trained networks."
            ),
        };
        if self.is_accuracy() {
            text.push(' ');
            text.push_str(table::of_images(points).trim_end());
        }
        if self == Statistic::Mean && points.iter().any(|p| !p.mean_unseen.is_nan()) {
            text.push_str(" Their lower ends leave room for failing chips not yet seen.");
        }
        if self == Statistic::Yield || self.is_accuracy() {
            let limits = || points.iter().map(|p| p.yield_limit);
            let (lo, hi) = (
                limits().fold(f64::NAN, f64::min),
                limits().fold(f64::NAN, f64::max),
            );
            if self == Statistic::Yield && lo == hi {
                text.push_str(&format!(
                    " Yield: chips with at least {} %.",
                    compact(100.0 * lo, 2)
                ));
            }
        }
        text
    }
}
