//! What tuning costs.

use serde::{Deserialize, Serialize};

/// What the tuning of one chip costs beyond the network itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TuningCost {
    /// Extra cells on the chip (test cells, reference columns).
    pub cells: u64,
    /// Analog-to-digital conversions once per chip.
    pub conversions_once: u64,
    /// Extra conversions for every image.
    pub conversions_per_image: u64,
    /// Extra digital operations (additions and multiplications) for every image.
    pub operations_per_image: u64,
    /// Images the chip has to be shown before it can be used, the same image as often as it is shown.
    pub images_once: u64,
    /// Digital operations once per chip.
    #[serde(default)]
    pub operations_once: u64,
}
