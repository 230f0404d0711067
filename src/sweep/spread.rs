//! Statistics of a column over the chips of a point, and of the differences between two points.
//!
//! Chips are taken in by ascending index, so that every sum is the same whatever waves, shards or adapters they
//! came from. Nothing grows with their number: moments, those of 16 replicates, and at most
//! [`sketch::MOST`](super::statistics::sketch::MOST) bins.

use serde::{Deserialize, Serialize};

use super::statistics::binomial::sign_test;
use super::statistics::replicates::{ReplicateMeans, least_variance};
use super::statistics::sketch::Sketch;
use super::statistics::{Interval, Moments, Ranked, null_as_nan, quantile};
use crate::column::{Better, Column};

/// How many of the worst chips are named.
const WORST: usize = 5;

/// Statistics of a column over the chips of a point: an entry of `columns` in `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnSummary {
    /// Unit of all values; empty for ratios and plain counts.
    pub unit: String,
    /// Good direction, where there is one.
    #[serde(default)]
    pub better: Option<Better>,
    /// Value without variation, of metrics; `NaN` of other columns.
    #[serde(default = "nan", deserialize_with = "null_as_nan")]
    pub ideal: f64,
    /// Chips that have a value. Fewer than the point's chips where some were measured by a run without the
    /// column, or have none.
    pub n: u64,
    /// Mean over these chips.
    #[serde(deserialize_with = "null_as_nan")]
    pub mean: f64,
    /// Sample standard deviation over chips.
    #[serde(deserialize_with = "null_as_nan")]
    pub std: f64,
    /// Standard error of the mean: over chips, or over replicates where eps_B is stratified.
    #[serde(deserialize_with = "null_as_nan")]
    pub se: f64,
    /// Student-t 95 % interval of the mean, likewise. It has no part for chips not yet seen.
    pub ci95: Interval,
    /// Smallest value.
    #[serde(deserialize_with = "null_as_nan")]
    pub min: f64,
    /// 5 % quantile; see [`ColumnSummary::error`].
    #[serde(deserialize_with = "null_as_nan")]
    pub q05: f64,
    /// Lower quartile, likewise.
    #[serde(deserialize_with = "null_as_nan")]
    pub q25: f64,
    /// Median, likewise.
    #[serde(deserialize_with = "null_as_nan")]
    pub median: f64,
    /// Upper quartile, likewise.
    #[serde(deserialize_with = "null_as_nan")]
    pub q75: f64,
    /// 95 % quantile, likewise.
    #[serde(deserialize_with = "null_as_nan")]
    pub q95: f64,
    /// Largest value.
    #[serde(deserialize_with = "null_as_nan")]
    pub max: f64,
    /// How far the values that the quantiles are made of may be off, relative to their size: 0 up to 4,096
    /// different values ([`super::statistics::sketch`]).
    #[serde(deserialize_with = "null_as_nan")]
    pub error: f64,
    /// The chips at the bad end, the worst first; empty where no direction is good.
    pub worst: Vec<WorstValue>,
}

impl ColumnSummary {
    /// The quantile that 95 % of the chips are better than: 5 % where higher values are better, 95 % where
    /// lower ones are. `None` where no direction is good.
    pub fn bad_quantile(&self) -> Option<f64> {
        self.better.map(|better| match better {
            Better::Higher => self.q05,
            Better::Lower => self.q95,
        })
    }
}

fn nan() -> f64 {
    f64::NAN
}

/// One of the chips at the bad end of a column.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WorstValue {
    /// Index of the chip.
    pub chip: u32,
    /// Its value.
    pub value: f64,
}

/// Values of chips, taken in by ascending index.
#[derive(Debug, Clone, PartialEq, Default)]
struct Spread {
    moments: Moments,
    replicates: ReplicateMeans,
    sketch: Sketch,
}

impl Spread {
    fn push(&mut self, chip: u32, value: f64) {
        self.moments.push(value);
        self.replicates.push(chip, value);
        self.sketch.push(value);
    }

    /// Standard error and 95 % interval of the mean.
    fn mean_interval(&self, stratified: bool) -> (f64, Interval) {
        let m = &self.moments;
        match stratified {
            true => {
                let least = least_variance(self.sketch.values(), m.variance());
                self.replicates.interval(m.mean(), least)
            }
            false => (m.se(), m.mean_interval()),
        }
    }
}

/// What the chips of a point have in one column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnCensus {
    column: &'static Column,
    spread: Spread,
    min: f64,
    max: f64,
    /// The worst first; of equal chips the first.
    worst: Vec<WorstValue>,
}

impl ColumnCensus {
    /// No chips.
    pub fn new(column: &'static Column) -> Self {
        Self {
            column,
            spread: Spread::default(),
            min: f64::NAN,
            max: f64::NAN,
            worst: vec![],
        }
    }

    /// Takes in the value of a chip, a finite number.
    pub fn push(&mut self, chip: u32, value: f64) {
        self.spread.push(chip, value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        let Some(better) = self.column.better else {
            return;
        };
        let before = |w: &WorstValue| !better.prefers(w.value, value);
        let place = self.worst.partition_point(before);
        if place < WORST {
            self.worst.insert(place, WorstValue { chip, value });
            self.worst.truncate(WORST);
        }
    }

    /// The statistics. `stratified`: the chips' eps_B are.
    pub fn summary(&self, stratified: bool) -> ColumnSummary {
        let (m, sketch) = (&self.spread.moments, &self.spread.sketch);
        let (se, ci95) = self.spread.mean_interval(stratified);
        let sorted: Ranked = sketch.values().collect();
        // The middle of an outermost bin may lie beyond all values.
        let quantile = |p| quantile(&sorted, p).max(self.min).min(self.max);
        ColumnSummary {
            unit: self.column.unit.into(),
            better: self.column.better,
            ideal: f64::NAN,
            n: m.n(),
            mean: m.mean(),
            std: m.std(),
            se,
            ci95,
            min: self.min,
            q05: quantile(0.05),
            q25: quantile(0.25),
            median: quantile(0.5),
            q75: quantile(0.75),
            q95: quantile(0.95),
            max: self.max,
            error: sketch.error(),
            worst: self.worst.clone(),
        }
    }
}

/// How two points differ in a column, chip by chip.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ColumnDifference {
    /// Chips that have a value at both points.
    pub n: u64,
    /// Mean of `b - a`.
    #[serde(deserialize_with = "null_as_nan")]
    pub mean: f64,
    /// Sample standard deviation of the differences.
    #[serde(deserialize_with = "null_as_nan")]
    pub std: f64,
    /// Standard error of the mean difference.
    #[serde(deserialize_with = "null_as_nan")]
    pub se: f64,
    /// Student-t 95 % interval of the mean difference: over chips, or over replicates where eps_B is stratified.
    pub ci95: Interval,
    /// Share of the chips that are better at `b`, in the column's good direction; `NaN` where it has none.
    #[serde(deserialize_with = "null_as_nan")]
    pub better: f64,
    /// Share of the chips that are worse at `b`, likewise.
    #[serde(deserialize_with = "null_as_nan")]
    pub worse: f64,
    /// Sign test, two-sided and exact: p of as many better (or worse) chips if both were as likely; `NaN` without
    /// a good direction.
    #[serde(deserialize_with = "null_as_nan")]
    pub sign_p: f64,
}

/// The differences `b - a` of a column over the chips that two points have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnPairs {
    column: &'static Column,
    spread: Spread,
    better: u64,
    worse: u64,
}

impl ColumnPairs {
    /// No chips.
    pub fn new(column: &'static Column) -> Self {
        Self {
            column,
            spread: Spread::default(),
            better: 0,
            worse: 0,
        }
    }

    /// Takes in the value of a chip at `a` and at `b`, finite numbers.
    pub fn push(&mut self, chip: u32, a: f64, b: f64) {
        self.spread.push(chip, b - a);
        if let Some(better) = self.column.better {
            self.better += u64::from(better.prefers(b, a));
            self.worse += u64::from(better.prefers(a, b));
        }
    }

    /// The statistics. `stratified`: the chips' eps_B are.
    pub fn summary(&self, stratified: bool) -> ColumnDifference {
        let m = &self.spread.moments;
        let (se, ci95) = self.spread.mean_interval(stratified);
        let directed = |x: f64| match self.column.better {
            Some(_) => x,
            None => f64::NAN,
        };
        ColumnDifference {
            n: m.n(),
            mean: m.mean(),
            std: m.std(),
            se,
            ci95,
            better: directed(self.better as f64 / m.n() as f64),
            worse: directed(self.worse as f64 / m.n() as f64),
            sign_p: directed(sign_test(self.better, self.worse)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::Kind;

    fn column(better: Option<Better>) -> &'static Column {
        Box::leak(Box::new(Column {
            title: "",
            name: "x",
            unit: "J",
            about: "",
            kind: Kind::Optional,
            better,
        }))
    }

    fn census(better: Option<Better>, values: &[f64]) -> ColumnCensus {
        let mut census = ColumnCensus::new(column(better));
        for (chip, &x) in values.iter().enumerate() {
            census.push(chip as u32, x);
        }
        census
    }

    const VALUES: [f64; 7] = [3.0, -1.0, 2.0, 9.0, -1.0, 2.5, 0.0];

    #[test]
    fn the_bad_end_is_where_the_direction_says() {
        let worst = |better| census(better, &VALUES).summary(false).worst;
        let named = |better| worst(better).iter().map(|w| w.chip).collect::<Vec<_>>();
        assert_eq!(named(Some(Better::Higher)), [1, 4, 6, 2, 5]);
        assert_eq!(named(Some(Better::Lower)), [3, 0, 5, 2, 6]);
        assert!(named(None).is_empty());
        let bad = |better| census(better, &VALUES).summary(false).bad_quantile();
        assert_eq!(bad(Some(Better::Higher)), Some(-1.0));
        // Type 7: 0.7 of the way from the second largest to the largest.
        let upper = bad(Some(Better::Lower)).unwrap();
        assert!((upper - (3.0 + 0.7 * 6.0)).abs() < 1e-12, "{upper}");
        assert_eq!(bad(None), None);
    }

    #[test]
    fn statistics_of_few_values_are_those_of_the_closed_form() {
        let s = census(None, &VALUES).summary(false);
        let n = VALUES.len() as f64;
        let mean = VALUES.iter().sum::<f64>() / n;
        let variance = VALUES.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
        assert_eq!((s.n, s.min, s.max, s.median), (7, -1.0, 9.0, 2.0));
        assert_eq!((s.error, s.unit.as_str()), (0.0, "J"));
        // Rounding of a few sums.
        assert!((s.mean - mean).abs() < 1e-14 && (s.std - variance.sqrt()).abs() < 1e-13);
        assert!((s.se - (variance / n).sqrt()).abs() < 1e-13);
        assert!(s.ci95.lo < mean && mean < s.ci95.hi);
    }

    /// eps_B decides all: every replicate has the same mean, which chance would not give.
    #[test]
    fn stratified_chips_have_the_interval_of_their_replicates() {
        let values: Vec<f64> = (0..160).map(|chip| f64::from(chip / 16)).collect();
        let (over_chips, over_replicates) = (
            census(None, &values).summary(false),
            census(None, &values).summary(true),
        );
        assert_eq!(over_chips.mean, over_replicates.mean);
        assert!(over_replicates.se > 0.0 && over_replicates.se < over_chips.se / 2.0);
        // 15 chips leave a replicate empty.
        assert!(census(None, &values[..15]).summary(true).se.is_nan());
    }

    #[test]
    fn differences_follow_the_direction() {
        let pairs = |better| {
            let mut pairs = ColumnPairs::new(column(better));
            for (chip, (a, b)) in [(1.0, 2.0), (1.0, 3.0), (2.0, 2.0), (5.0, 4.0)]
                .into_iter()
                .enumerate()
            {
                pairs.push(chip as u32, a, b);
            }
            pairs.summary(false)
        };
        let higher = pairs(Some(Better::Higher));
        assert_eq!((higher.n, higher.mean), (4, 0.5));
        assert_eq!((higher.better, higher.worse), (0.5, 0.25));
        let lower = pairs(Some(Better::Lower));
        assert_eq!((lower.better, lower.worse), (0.25, 0.5));
        assert_eq!(lower.sign_p, higher.sign_p);
        assert!(pairs(None).better.is_nan() && pairs(None).sign_p.is_nan());
    }
}
