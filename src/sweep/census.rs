//! What the chips of a point add up to.

use std::collections::BTreeMap;

use super::result::{ChipRow, WorstChip};
use super::spread::{ColumnCensus, ColumnSummary};
use super::statistics::replicates::{self, Chips, REPLICATES, Replicates};
use super::statistics::unseen::{MeanInterval, chance};
use super::statistics::{self, Interval, Moments, Ranked, accuracy_moments};
use crate::config::{Experiment, Sampling};
use serde::{Deserialize, Serialize};

/// What the intervals of a point rest on, beside its chips.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Basis {
    /// Whether the chips' eps_B is stratified: intervals are then over replicates.
    pub stratified: bool,
    /// Accuracy of a chip that guesses, which chips not yet seen may have; absent where the
    /// interval of the mean leaves them out.
    pub chance: Option<f64>,
}

impl Basis {
    /// The basis of an experiment whose images have `classes` classes.
    pub fn new(experiment: &Experiment, classes: usize) -> Self {
        Self {
            stratified: experiment.variation.sampling == Sampling::Stratified,
            chance: experiment.sweep.unseen.then(|| chance(classes)),
        }
    }
}

/// How many of the worst chips are named.
const WORST: usize = 5;

/// All that the statistics of a point need of its chips. Chips are taken in one by one, in
/// ascending order, so that every sum is the same whatever waves, shards or adapters they came
/// from.
///
/// It grows with the number of *different* counts of correct images (at most one more than there
/// are images), not with the number of chips; other columns take a bounded number of bins.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Census {
    images: u32,
    chips: u64,
    /// Chips by the number of correct images, and by replicate: 64 bytes a number.
    counts: BTreeMap<u32, Chips>,
    replicates: Replicates,
    loss: Moments,
    errors: Moments,
    /// The worst first; of equal chips the first.
    worst: Vec<WorstChip>,
    /// Columns that only some experiments have, by name.
    columns: BTreeMap<&'static str, ColumnCensus>,
}

impl Census {
    /// Takes in a chip. All chips of a point have seen the same images.
    pub fn push(&mut self, row: &ChipRow) {
        self.images = row.images;
        self.chips += 1;
        let alike = self.counts.entry(row.correct).or_default();
        alike[(row.chip % REPLICATES) as usize] += 1;
        self.replicates.push(row.chip, row.correct.into());
        self.loss.push(row.loss);
        if row.eps_hat.is_finite() {
            self.errors.push(row.eps_hat - row.eps_common);
        }
        let place = self.worst.partition_point(|w| w.accuracy <= row.accuracy);
        if place < WORST {
            self.worst.insert(place, WorstChip::from(row));
            self.worst.truncate(WORST);
        }
        for (column, value) in row.values.iter().filter(|(_, x)| x.is_finite()) {
            let own = self.columns.entry(column.name);
            let own = own.or_insert_with(|| ColumnCensus::new(column));
            own.push(row.chip, value);
        }
    }

    /// Statistics of the columns that only some experiments have, by name. `stratified`: the chips' eps_B
    /// are.
    pub fn column_summaries(&self, stratified: bool) -> BTreeMap<String, ColumnSummary> {
        let columns = self.columns.iter();
        columns
            .map(|(name, own)| (name.to_string(), own.summary(stratified)))
            .collect()
    }

    /// Standard error and 95 % interval of the mean accuracy: over chips, or over replicates where
    /// the chips' eps_B is stratified; with a part for chips not yet seen.
    pub fn mean_interval(&self, basis: Basis) -> MeanInterval {
        let m = self.accuracy();
        let student = match basis.stratified {
            true => {
                let counts = || self.counts.iter().map(|(&c, chips)| (c, total(chips)));
                let variance = accuracy_moments(counts(), 1).variance();
                let counts = counts().map(|(c, n)| (f64::from(c), n));
                let least = replicates::least_variance(counts, variance);
                self.replicates.interval(self.images, least)
            }
            false => (m.se(), m.mean_interval()),
        };
        MeanInterval::new(m.mean(), student, basis.chance, self.chips)
    }

    /// 95 % interval of the fraction of chips whose accuracy is at least `limit`: Wilson's, or that
    /// over replicates where the chips' eps_B is stratified.
    pub fn yield_interval(&self, limit: f64, stratified: bool) -> Interval {
        if !stratified {
            return statistics::wilson_interval(self.at_least(limit) as usize, self.chips as usize);
        }
        let mut good = Chips::default();
        for (_, chips) in self.by_replicate().filter(|&(a, _)| a >= limit) {
            add(&mut good, chips);
        }
        replicates::fraction_interval(&good, &self.all_by_replicate())
    }

    /// 95 % intervals of quantiles of the accuracy: by order statistics, or over replicates where
    /// the chips' eps_B is stratified.
    pub fn quantile_intervals<const N: usize>(
        &self,
        p: [f64; N],
        stratified: bool,
    ) -> [Interval; N] {
        if !stratified {
            let sorted: Ranked = self.values().collect();
            return p.map(|p| statistics::quantile_interval(&sorted, p));
        }
        let chips = self.all_by_replicate();
        p.map(|p| replicates::quantile_interval(self.by_replicate(), &chips, p))
    }

    fn all_by_replicate(&self) -> Chips {
        let mut all = Chips::default();
        self.counts.values().for_each(|own| add(&mut all, own));
        all
    }

    /// Every accuracy that occurs, ascending, with its chips by replicate.
    fn by_replicate(&self) -> impl Iterator<Item = (f64, &Chips)> {
        let images = f64::from(self.images);
        let accuracy = move |count: u32| f64::from(count) / images;
        self.counts
            .iter()
            .map(move |(&c, chips)| (accuracy(c), chips))
    }

    /// The worst chips, the worst first.
    pub fn worst(&self) -> &[WorstChip] {
        &self.worst
    }

    /// Chips taken in.
    pub fn chips(&self) -> u64 {
        self.chips
    }

    /// Images that every chip classified; 0 without chips.
    pub fn images(&self) -> u32 {
        self.images
    }

    /// Moments of the accuracy, from exact integer sums.
    pub fn accuracy(&self) -> Moments {
        accuracy_moments(self.counts.iter().map(|(&c, n)| (c, total(n))), self.images)
    }

    /// Moments of the mean cross-entropy, nats.
    pub fn loss(&self) -> &Moments {
        &self.loss
    }

    /// Moments of `eps_hat - eps_common` over the chips that have an estimate.
    pub fn errors(&self) -> &Moments {
        &self.errors
    }

    /// Chips whose accuracy is at least `limit`.
    pub fn at_least(&self, limit: f64) -> u64 {
        let good = self.values().filter(|&(accuracy, _)| accuracy >= limit);
        good.map(|(_, n)| n).sum()
    }

    /// Every accuracy that occurs, ascending, with its number of chips.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = (f64, u64)> + '_ {
        let images = f64::from(self.images);
        self.counts
            .iter()
            .map(move |(&c, n)| (f64::from(c) / images, total(n)))
    }
}

fn total(chips: &Chips) -> u64 {
    chips.iter().map(|&n| u64::from(n)).sum()
}

fn add(sum: &mut Chips, more: &Chips) {
    for (sum, more) in sum.iter_mut().zip(more) {
        *sum += more;
    }
}

impl<'a> FromIterator<&'a ChipRow> for Census {
    fn from_iter<I: IntoIterator<Item = &'a ChipRow>>(rows: I) -> Self {
        let mut census = Census::default();
        for row in rows {
            census.push(row);
        }
        census
    }
}
