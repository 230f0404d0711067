//! `{ kind = "plateau" }` of `train.controllers`.

use crate::config::section::section;

section! {
    /// Part `{ kind = "plateau" }` of `train.controllers`: after `patience` epochs of the stage in which no epoch's mean
    /// loss was below `(1 - improvement)` times the lowest before, the learning rate is multiplied by `factor`, and the
    /// count begins anew. It multiplies the rate that the schedule gives.
    pub struct Plateau {
        /// Epochs without improvement.
        patience: usize = 3, 1..=100_000, "epochs";
        /// Factor on the learning rate.
        factor: f64 = 0.3, 1e-6..=1.0;
        /// Share by which a loss must be lower to count.
        improvement: f64 = 0.0, 0.0..=0.9;
    }
}

impl Plateau {
    /// Factor on the learning rate after epochs with these mean losses.
    pub fn rate(&self, losses: impl IntoIterator<Item = f64>) -> f64 {
        let (mut lowest, mut waited, mut rate) = (f64::INFINITY, 0, 1.0);
        for loss in losses {
            if loss < (1.0 - self.improvement) * lowest {
                (lowest, waited) = (loss, 0);
                continue;
            }
            waited += 1;
            if waited == self.patience {
                (waited, rate) = (0, rate * self.factor);
            }
        }
        rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_falls_after_epochs_without_improvement() {
        let plateau = Plateau {
            patience: 2,
            factor: 0.5,
            improvement: 0.1,
        };
        let rate = |losses: &[f64]| plateau.rate(losses.iter().copied());
        assert_eq!(rate(&[]), 1.0);
        assert_eq!(rate(&[3.0, 2.0, 1.0, 0.5]), 1.0);
        // 1.85 is not a tenth below 2.
        assert_eq!(rate(&[2.0, 1.85]), 1.0);
        assert_eq!(rate(&[2.0, 1.85, 1.9]), 0.5);
        assert_eq!(rate(&[2.0, 1.85, 1.9, 1.7, 1.6]), 0.5);
        assert_eq!(rate(&[2.0, 2.0, 2.0, 2.0, 2.0]), 0.25);
    }
}
