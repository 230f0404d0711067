//! What is known of a measure of a design: where its value of the whole sweep lies.

use std::collections::BTreeMap;

use serde::Serialize;

use super::bounds::{Urn, bounded_mean, student, unseen};
use crate::choice::Choice;
use crate::config::Measure;
use crate::config::goal::{ChipMean, PlannedCost};
use crate::sweep::result::ChipRow;
use crate::sweep::statistics::Moments;

/// Where the value of a measure lies that the whole sweep would have: all chips on all images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Known {
    /// Least value.
    pub lo: f64,
    /// Largest value.
    pub hi: f64,
    /// Value of the chips and images that were seen; `NaN` before any were.
    pub estimate: f64,
}

impl Known {
    /// Nothing but the range.
    fn within(lo: f64, hi: f64) -> Self {
        Self {
            lo,
            hi,
            estimate: f64::NAN,
        }
    }

    /// The value itself.
    pub fn exactly(value: f64) -> Self {
        Self {
            lo: value,
            hi: value,
            estimate: value,
        }
    }

    /// Whether it is the value itself.
    pub fn is_exact(&self) -> bool {
        self.lo == self.hi
    }

    /// With what more chips say. Bounds only become narrower; where later ones leave nothing of earlier ones, later ones
    /// count.
    fn and(self, later: Known) -> Known {
        let (lo, hi) = (self.lo.max(later.lo), self.hi.min(later.hi));
        match lo <= hi {
            true => Known { lo, hi, ..later },
            false => later,
        }
    }
}

/// How chips and images of a space are looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Chips of the whole sweep.
    pub chips: u32,
    /// Images of the whole sweep.
    pub images: usize,
    /// Whether chips are alike, so that the first ones stand for the others.
    pub alike: bool,
    /// Accuracy of a chip that guesses; absent where chips not yet seen have no part.
    pub chance: Option<f64>,
    /// Probability that the bounds of one measure at one look are wrong.
    pub risk: f64,
}

/// Costs of a design before any chip, by name.
pub type Costs = BTreeMap<String, f64>;

/// What is known before any chip.
pub(super) fn planned(measure: Measure, costs: &Costs) -> Known {
    let cost = |name: PlannedCost| costs.get(name.name()).copied();
    let from = |name| Known::within(cost(name).unwrap_or(0.0), f64::INFINITY);
    match measure {
        Measure::Cost(name) => cost(name).map_or(Known::within(0.0, f64::INFINITY), Known::exactly),
        Measure::Yield { .. } | Measure::Mean(ChipMean::Accuracy | ChipMean::Top5) => {
            Known::within(0.0, 1.0)
        }
        Measure::Mean(ChipMean::Brier) => Known::within(0.0, 2.0),
        // Beside the arrays, which take what they take.
        Measure::Mean(ChipMean::EnergyLow) => from(PlannedCost::PeripheryLow),
        Measure::Mean(ChipMean::EnergyHigh) => from(PlannedCost::PeripheryHigh),
        Measure::Mean(ChipMean::Loss | ChipMean::EnergyArray) => Known::within(0.0, f64::INFINITY),
    }
}

impl Look {
    /// What is known with these rows of the first chips, all of them on as many images.
    pub(super) fn known(&self, measure: Measure, before: Known, rows: &[ChipRow]) -> Known {
        let Some(seen) = rows.first() else {
            return before;
        };
        let images = Urn {
            total: self.images as u64,
            drawn: u64::from(seen.images),
        };
        let chips = Urn {
            total: self.chips.into(),
            drawn: rows.len() as u64,
        };
        match measure {
            Measure::Cost(_) => before,
            Measure::Yield { limit } => before.and(self.share(limit, rows, chips, images)),
            Measure::Mean(mean) => {
                let values = rows.iter().filter_map(|row| row.value(mean.name()));
                let mut moments = Moments::default();
                values.for_each(|x| moments.push(x));
                before.and(self.mean(mean, &moments, chips, images, before))
            }
        }
    }

    /// A yield: every chip is good, bad, or either as its images have not all been seen.
    fn share(&self, limit: f64, rows: &[ChipRow], chips: Urn, images: Urn) -> Known {
        let all_images = images.drawn == images.total;
        // Half of the risk for images, of every chip and either end; half for chips.
        let (of_images, of_chips) = match all_images {
            true => (0.0, self.risk / 2.0),
            false => (self.risk / (4.0 * chips.drawn as f64), self.risk / 4.0),
        };
        let is_good = |correct: u64| correct as f64 / images.total as f64 >= limit;
        let (mut good, mut bad, mut passing) = (0, 0, 0);
        for row in rows {
            let correct = u64::from(row.correct);
            let (least, most) = match all_images {
                true => (correct, correct),
                false => (
                    images.least(correct, of_images),
                    images.most(correct, of_images),
                ),
            };
            good += u64::from(is_good(least));
            bad += u64::from(!is_good(most));
            passing += u64::from(row.accuracy >= limit);
        }
        let perhaps = chips.drawn - good;
        let (least, most) = match self.alike {
            true => (chips.least(bad, of_chips), chips.most(perhaps, of_chips)),
            false => (bad, perhaps + (chips.total - chips.drawn)),
        };
        let part = |bad: u64| (chips.total - bad) as f64 / chips.total as f64;
        Known {
            lo: part(most),
            hi: part(least),
            estimate: passing as f64 / chips.drawn as f64,
        }
    }

    fn mean(&self, mean: ChipMean, m: &Moments, chips: Urn, images: Urn, before: Known) -> Known {
        let value = m.mean();
        let all_images = images.drawn == images.total;
        if all_images && chips.drawn == chips.total {
            return Known::exactly(value);
        }
        let unknown = Known {
            estimate: value,
            ..before
        };
        let share = matches!(mean, ChipMean::Accuracy | ChipMean::Top5);
        // Chips that are not alike say nothing of others, and images nothing of others where values have no bound.
        if m.n() != chips.drawn || !(self.alike || share) || !(all_images || share && self.alike) {
            return unknown;
        }
        let certain = |lo: f64, hi: f64| {
            // Even if all other chips were at the ends of the scale.
            let part = chips.drawn as f64 / chips.total as f64;
            match share && all_images {
                true => (lo.max(part * value), hi.min(part * value + 1.0 - part)),
                false => (lo, hi),
            }
        };
        if !self.alike {
            let (lo, hi) = certain(0.0, 1.0);
            return Known {
                lo,
                hi,
                estimate: value,
            };
        }
        let risk = if all_images {
            self.risk
        } else {
            self.risk / 2.0
        };
        let chance = self.chance.filter(|_| mean == ChipMean::Accuracy);
        let of_spread = if chance.is_some() { risk / 2.0 } else { risk };
        // Accuracies are counts of images: chips that agree may still differ by a part of an image.
        let least = if share {
            0.5 / images.drawn as f64
        } else {
            0.0
        };
        let half = student(chips, m.std().max(least), of_spread / 2.0);
        let (below, above) = chance.map_or((0.0, 0.0), |chance| {
            let unseen = unseen(chips.drawn, risk / 4.0);
            let below = unseen * (value - chance).max(0.0);
            (below, below.min(unseen * (1.0 - value)))
        });
        let (mut lo, mut hi) = certain(value - half - below, value + half + above);
        if !all_images {
            lo = bounded_mean(images, lo.clamp(0.0, 1.0), risk / 2.0).0;
            hi = bounded_mean(images, hi.clamp(0.0, 1.0), risk / 2.0).1;
        }
        Known {
            lo,
            hi,
            estimate: value,
        }
    }
}
