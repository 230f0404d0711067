//! `{ kind = "slice-l1" }` of `train.loss`.

use super::composition::Problems;
use super::{Composition, LossPart};
use crate::config::Experiment;
use crate::config::section::section;

section! {
    /// Part `{ kind = "slice-l1" }` of `train.loss`: adds `weight` times the mean digit of all weights of crossbar
    /// layers and their slices (bit-slice L1, arXiv 1909.08496). The magnitude of a code is cut into slices of
    /// `slice_bits` bits; the gradient goes straight through rounding, and a digit that is 0 draws no more. Of quantized
    /// weights, after their transforms.
    pub struct SliceL1 {
        /// Factor.
        weight: f64 = 0.5, 0.0..=1e6;
        /// Bits of a slice.
        slice_bits: u32 = 2, 1..=7, "bits";
    }
}

/// What contradicts the part.
pub(super) fn problems(e: &Experiment, c: &Composition, found: &mut Problems) {
    if !c
        .loss
        .iter()
        .any(|part| matches!(part, LossPart::SliceL1(_)))
    {
        return;
    }
    if !c.quantizes_weights() || e.quantize.weight_bits < 2 {
        found.add(
            &["train.loss.slice-l1", "train.loss", "quantize.weight_bits"],
            "weights without codes of several bits have no slices; allowed: { kind = \"quantize\" } in train.weights, \
             and quantize.weight_bits from 2 to 8"
                .into(),
        );
    }
}
