//! Two points on the same chips.
//!
//! Chip `k` draws the same random numbers at every point (common random numbers), so what all
//! points share cancels chip by chip, and the interval of the mean difference is much shorter than
//! that of two independent samples. The differences are counts of images, so a table of how often
//! each occurs is all that any statistic needs: nothing grows with the number of chips.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use super::binomial::sign_test;
use super::replicates::{Replicates, least_variance};
use super::{Interval, Moments};

/// The differences `b - a` of the chips that two points have in common.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Paired {
    chips: u64,
    /// Chips by the difference of correct images.
    counts: BTreeMap<i64, u64>,
    replicates: Replicates,
    /// Chips that yield at `a` only, and at `b` only.
    only: [u64; 2],
}

/// What the differences say. Accuracies are fractions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairedSummary {
    /// Chips that both points have.
    pub chips: u64,
    /// Mean of `b - a`.
    #[serde(deserialize_with = "super::null_as_nan")]
    pub mean: f64,
    /// Sample standard deviation of the differences.
    #[serde(deserialize_with = "super::null_as_nan")]
    pub std: f64,
    /// Standard error of the mean difference.
    #[serde(deserialize_with = "super::null_as_nan")]
    pub se: f64,
    /// Its 95 % interval, inside -1 to 1: Student t over chips, or over replicates where eps_B is
    /// stratified. Chips not yet seen that fail at one of the two points only have no part in it.
    pub mean_ci95: Interval,
    /// Share of the chips that are better at `b`.
    #[serde(deserialize_with = "super::null_as_nan")]
    pub better: f64,
    /// Share of the chips that are worse at `b`; the others are equal.
    #[serde(deserialize_with = "super::null_as_nan")]
    pub worse: f64,
    /// Sign test, two-sided and exact: p of as many better (or worse) chips if both were as likely.
    pub sign_p: f64,
    /// Wilcoxon's signed-rank test, two-sided: p of such ranks if the differences were symmetric
    /// around 0. Normal approximation with ties; equal chips left out (Wilcoxon 1945).
    pub wilcoxon_p: f64,
    /// Chips that yield at `b` but not at `a`.
    pub yield_gained: u64,
    /// Chips that yield at `a` but not at `b`.
    pub yield_lost: u64,
    /// McNemar's test, two-sided and exact: p of such a split of the chips that yield at one only.
    pub mcnemar_p: f64,
}

impl Paired {
    /// Takes in a chip: its correct images, and whether it yields, at `a` and at `b`.
    pub fn push(&mut self, chip: u32, correct: [u32; 2], yields: [bool; 2]) {
        let d = i64::from(correct[1]) - i64::from(correct[0]);
        self.chips += 1;
        *self.counts.entry(d).or_default() += 1;
        self.replicates.push(chip, d);
        self.only[0] += u64::from(yields[0] && !yields[1]);
        self.only[1] += u64::from(yields[1] && !yields[0]);
    }

    /// The statistics; each chip classified `images` images. `stratified`: the chips' eps_B are.
    pub fn summary(&self, images: u32, stratified: bool) -> PairedSummary {
        let m = Moments::of_counts(self.counts.iter().map(|(&d, &n)| (d, n)), images);
        let (se, mean_ci95) = match stratified {
            true => {
                let counts = || self.counts.iter().map(|(&d, &n)| (d, n));
                let variance = Moments::of_counts(counts(), 1).variance();
                let least = least_variance(counts().map(|(d, n)| (d as f64, n)), variance);
                self.replicates.interval(images, least)
            }
            false => (m.se(), m.mean_interval()),
        };
        let share = |n: u64| n as f64 / self.chips as f64;
        let better: u64 = self.counts.range(1..).map(|(_, n)| n).sum();
        let worse: u64 = self.counts.range(..0).map(|(_, n)| n).sum();
        PairedSummary {
            chips: self.chips,
            mean: m.mean(),
            std: m.std(),
            se,
            mean_ci95: mean_ci95.within(-1.0, 1.0),
            better: share(better),
            worse: share(worse),
            sign_p: sign_test(better, worse),
            wilcoxon_p: self.wilcoxon(),
            yield_gained: self.only[1],
            yield_lost: self.only[0],
            mcnemar_p: sign_test(self.only[1], self.only[0]),
        }
    }

    fn wilcoxon(&self) -> f64 {
        let mut by_size: BTreeMap<u64, [u64; 2]> = BTreeMap::new();
        for (&d, &n) in self.counts.iter().filter(|(d, _)| **d != 0) {
            by_size.entry(d.unsigned_abs()).or_default()[usize::from(d > 0)] += n;
        }
        let (mut before, mut positive, mut ties) = (0.0, 0.0, 0.0);
        for [below, above] in by_size.values().map(|n| n.map(|n| n as f64)) {
            let t = below + above;
            // Equal sizes share their mean rank.
            positive += above * (before + (t + 1.0) / 2.0);
            ties += t * t * t - t;
            before += t;
        }
        let n = before;
        let variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - ties / 48.0;
        if variance <= 0.0 {
            return 1.0;
        }
        let z = (positive - n * (n + 1.0) / 4.0) / variance.sqrt();
        2.0 * Normal::standard().sf(z.abs())
    }
}
