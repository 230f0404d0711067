//! `{ kind = "mask-growth" }` of `train.controllers`.

use super::Composition;
use super::composition::Problems;
use crate::config::Train;
use crate::config::section::section;

section! {
    /// Part `{ kind = "mask-growth" }` of `train.controllers`: the stage's mask grows. In epoch `e` of the stage, counted
    /// from 0, it removes `1 - (1 - start) (1 - e/epochs)^power` times the shares that it says, from epoch
    /// `epochs` on all of them (gradual pruning, Zhu and Gupta, arXiv 1710.01878, whose power is 3). At the beginning of an
    /// epoch groups are chosen anew by the weights at that time; what is removed stays removed.
    pub struct MaskGrowth {
        /// Epochs until the mask removes all that it says: fewer than the stage has.
        epochs: usize = 5, 1..=100_000, "epochs";
        /// Part of the shares that is removed at the beginning.
        start: f64 = 0.0, 0.0..=1.0;
        /// How much faster it grows at first than in the end; 1: evenly.
        power: f64 = 3.0, 0.1..=10.0;
    }
}

impl MaskGrowth {
    /// Factor on the shares of the mask in an epoch.
    pub fn factor(&self, epoch: usize) -> f64 {
        match epoch < self.epochs {
            true => {
                let left = 1.0 - epoch as f64 / self.epochs as f64;
                1.0 - (1.0 - self.start) * left.powf(self.power)
            }
            false => 1.0,
        }
    }

    /// Whether the mask is another one in an epoch than in the epoch before.
    pub fn grows_at(&self, epoch: usize) -> bool {
        (1..=self.epochs).contains(&epoch)
    }
}

/// What contradicts the part.
pub(super) fn problems(t: &Train, c: &Composition, found: &mut Problems) {
    const FIELDS: &[&str] = &[
        "train.controllers.mask-growth.epochs",
        "train.controllers.mask-growth",
        "train.controllers",
    ];
    let Some(growth) = c.mask_growth() else {
        return;
    };
    if c.mask().is_none() {
        found.add(
            &["train.controllers.mask-growth", "train.controllers"],
            "no mask that could grow; allowed: with { kind = \"mask\" } in train.weights".into(),
        );
    }
    if growth.epochs >= t.epochs {
        found.add(
            FIELDS,
            format!(
                "the mask grows for {} epochs, and with {} in all none is trained with the whole of it; allowed: fewer \
                 than train.epochs",
                growth.epochs, t.epochs
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_goes_from_the_start_to_one() {
        let growth = MaskGrowth {
            epochs: 4,
            start: 0.2,
            power: 3.0,
        };
        let factors: Vec<f64> = (0..6).map(|epoch| growth.factor(epoch)).collect();
        // 1 - 0.8 (1, 27/64, 8/64, 1/64, 0).
        for (factor, want) in factors.iter().zip([0.2, 0.6625, 0.9, 0.9875, 1.0, 1.0]) {
            assert!((factor - want).abs() < 1e-12, "{factors:?}");
        }
        let grows: Vec<bool> = (0..6).map(|epoch| growth.grows_at(epoch)).collect();
        assert_eq!(grows, [false, true, true, true, true, false]);
        let even = MaskGrowth {
            epochs: 2,
            start: 0.0,
            power: 1.0,
        };
        assert_eq!([0, 1, 2].map(|e| even.factor(e)), [0.0, 0.5, 1.0]);
    }
}
