//! `{ kind = "heads" }` of `train.loss`.

use crate::config::section::section;

section! {
    /// Part `{ kind = "heads" }` of `train.loss`: adds `weight` times the sum of the cross-entropies of the network's
    /// heads (`[[network.head]]`), so that inner maps tell the classes apart (Lee et al., arXiv 1409.5185).
    pub struct HeadsLoss {
        /// Factor.
        weight: f64 = 0.3, 0.0..=1e3;
    }
}
