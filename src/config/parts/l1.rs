//! `{ kind = "l1" }` of `train.loss`.

use crate::config::section::section;

section! {
    /// Part `{ kind = "l1" }` of `train.loss`: adds `weight` times the sum of the magnitudes of all weights of
    /// crossbar layers, before any transform.
    pub struct L1 {
        /// Factor.
        weight: f64 = 1e-5, 0.0..=1e3;
    }
}
