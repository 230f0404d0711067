//! `{ kind = "chip" }` of `train.noise`.

use crate::config::section::section;

section! {
    /// Part `{ kind = "chip" }` of `train.noise`: every step runs on `train.chips_per_batch` freshly fabricated
    /// chips, which deviate as `[variation]`, `train.variation` and `train.sigma_w` say, at `train.level`.
    pub struct FreshChips {
        /// Passes of every batch, each on fresh chips; the gradient is their mean. Batch norm moves its statistics at
        /// each.
        draws: usize = 1, 1..=64;
        /// Factor on sigma_W and sigma_B in the first epoch of the stage.
        start: f64 = 1.0, 0.0..=10.0;
        /// Epochs over which the factor goes from `start` to 1, by the same step every epoch.
        ramp: usize = 0, 0..=100_000, "epochs";
    }
}

impl FreshChips {
    /// Factor on the standard deviations in an epoch of the stage, counted from 0.
    pub fn factor(&self, epoch: usize) -> f64 {
        match epoch < self.ramp {
            true => self.start + (1.0 - self.start) * epoch as f64 / self.ramp as f64,
            false => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_goes_to_one() {
        let chips = FreshChips {
            draws: 1,
            start: 0.2,
            ramp: 4,
        };
        let factors: Vec<f64> = (0..6).map(|epoch| chips.factor(epoch)).collect();
        let want = [0.2, 0.4, 0.6, 0.8, 1.0, 1.0];
        for (factor, want) in factors.iter().zip(want) {
            assert!((factor - want).abs() < 1e-12, "{factors:?}");
        }
        assert_eq!(FreshChips::default().factor(0), 1.0);
    }
}
