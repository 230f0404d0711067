//! `{ kind = "chip" }` of `train.noise`.

use std::ops::RangeInclusive;

use toml::de::DeValue;

use super::Composition;
use super::composition::Problems;
use crate::config::rule::{Allowed, Any, List, Maybe, Read, Rule, either};
use crate::config::section::section;
use crate::config::sigma_profile::for_single_cells;
use crate::config::{Experiment, Fidelity, SigmaProfile, Variation};
use crate::program::Law;

/// Passes of a batch, each on fresh chips.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum Draws {
    /// A number of passes whose chips deviate as usual.
    Alike(usize),
    /// One for every factor on the deviations of its chips.
    Factors(Vec<f64>),
}

/// Passes of a batch.
const DRAWS: RangeInclusive<usize> = 1..=64;
/// Factors on the deviations of every pass.
const FACTORS: List<RangeInclusive<f64>> = List {
    each: 0.0..=10.0,
    length: 1..=64,
};

impl Draws {
    /// The factor of every pass, in order.
    pub fn factors(&self) -> Vec<f64> {
        match self {
            Draws::Alike(number) => vec![1.0; *number],
            Draws::Factors(factors) => factors.clone(),
        }
    }
}

impl Rule<Draws> for Any {
    fn read(&self, value: &DeValue) -> Read<Draws> {
        match value.as_array() {
            Some(_) => FACTORS.read(value).map(Draws::Factors),
            None => DRAWS.read(value).map(Draws::Alike),
        }
    }

    fn allowed(&self) -> Allowed {
        let number = Rule::<usize>::allowed(&DRAWS);
        either(&number, &Rule::<Vec<f64>>::allowed(&FACTORS))
    }
}

section! {
    /// Part `{ kind = "chip" }` of `train.noise`: every step runs on `train.chips_per_batch` freshly fabricated
    /// chips, which deviate as `[variation]`, `train.variation` and `train.sigma_w` say, at `train.level`.
    pub struct FreshChips {
        /// Passes of every batch, each on fresh chips; the gradient is their mean. Batch norm moves its statistics at
        /// each. A list has a pass for every value, a factor on sigma_W, sigma_B
        /// and `chip.programming.sigma` of its chips, as `start` is. `[1.0, 0.5, 0.0]` trains on chips, on better ones and on nominal ones at
        /// once. Calibration passes have factor 1.
        draws: Draws = Draws::Alike(1), Any;
        /// Factor on sigma_W, sigma_B and `chip.programming.sigma` in the first epoch of the stage.
        start: f64 = 1.0, 0.0..=10.0;
        /// Epochs over which the factor goes from `start` to 1, by the same step every epoch.
        ramp: usize = 0, 0..=100_000, "epochs";
        /// Variance model of these chips; absent: `variation.law`.
        [quiet] law: Option<Law> = None, Maybe(Any);
        /// How the cells' own deviations on these chips depend on what they hold; absent: `variation.sigma_profile`, that
        /// of the chips of a sweep.
        [quiet] sigma_profile: Option<SigmaProfile> = None, Maybe(Any);
        /// Age of these chips at `train.level = "cell"`; absent: `chip.drift.time_s`. Where `[tuning]` corrects what cells lose with
        /// time, a network trained on aged and uncorrected cells is one for other chips: 0 trains on cells as they were programmed.
        [quiet] time_s: Option<f64> = None, Maybe(0.0..=1e10), "s";
    }
}

impl FreshChips {
    /// The variation of these chips where those of a sweep have another.
    pub(in crate::config) fn deviating(&self, usual: &Variation) -> Variation {
        let mut own = usual.clone();
        own.law = self.law.unwrap_or(own.law);
        if let Some(profile) = &self.sigma_profile {
            own.sigma_profile = profile.clone();
        }
        own
    }

    /// Factor on the standard deviations in an epoch of the stage, counted from 0.
    pub fn factor(&self, epoch: usize) -> f64 {
        match epoch < self.ramp {
            true => self.start + (1.0 - self.start) * epoch as f64 / self.ramp as f64,
            false => 1.0,
        }
    }
}

/// What contradicts the part.
pub(super) fn problems(e: &Experiment, c: &Composition, found: &mut Problems) {
    let Some(chips) = c.chips() else {
        return;
    };
    if e.train.level == Fidelity::Weight {
        if chips.time_s.is_some() {
            found.add(
                &["train.noise.chip.time_s", "train.noise"],
                "only cells have an age; allowed with train.level = \"cell\"".into(),
            );
        }
        return;
    }
    let Some(profile) = &chips.sigma_profile else {
        return;
    };
    let fields = &["train.noise.chip.sigma_profile", "train.noise"];
    if profile.is_of_whole_weights() {
        let allowed = for_single_cells();
        found.add(
            fields,
            format!(
                "is of whole weights, and each cell holds a slice of one; allowed with level = \"cell\": {allowed}, or \
                 a curve"
            ),
        );
    }
    if e.chip.programming.sigma.is_some() && *profile != SigmaProfile::FLAT {
        found.add(
            fields,
            "both it and chip.programming.sigma say how deviations depend on conductances; allowed with \
             level = \"cell\": \"flat\", or chip.programming.sigma = \"none\""
                .into(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_goes_to_one() {
        let chips = FreshChips {
            start: 0.2,
            ramp: 4,
            ..FreshChips::default()
        };
        let factors: Vec<f64> = (0..6).map(|epoch| chips.factor(epoch)).collect();
        let want = [0.2, 0.4, 0.6, 0.8, 1.0, 1.0];
        for (factor, want) in factors.iter().zip(want) {
            assert!((factor - want).abs() < 1e-12, "{factors:?}");
        }
        assert_eq!(FreshChips::default().factor(0), 1.0);
    }
}
