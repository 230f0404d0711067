//! `{ kind = "chip" }` of `train.noise`.

use crate::config::section::section;

section! {
    /// Part `{ kind = "chip" }` of `train.noise`: every step runs on `train.chips_per_batch` freshly fabricated
    /// chips, which deviate as `[variation]`, `train.variation` and `train.sigma_w` say, at `train.level`.
    pub struct FreshChips {}
}
