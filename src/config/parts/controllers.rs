//! `{ kind = "quantize" }` of `train.controllers`.

use super::composition::Problems;
use super::{Composition, ControllerPart};
use crate::choice::choices;
use crate::config::section::section;

choices! {
    /// What becomes of batch norm when a trained network is quantized.
    pub enum NormAfter {
        /// Its statistics are measured again, quantized and on chips of the training.
        Measure = "measure",
        /// It stays as it is.
        Keep = "keep",
    }
}

section! {
    /// Part `{ kind = "quantize" }` of `train.controllers`: the trained network is quantized as `[quantize]` says;
    /// its steps saw no quantizers.
    pub struct QuantizeAfter {
        /// What becomes of batch norm.
        batch_norm: NormAfter = NormAfter::Measure;
    }
}

/// What contradicts the part.
pub(super) fn problems(c: &Composition, found: &mut Problems) {
    let afterwards = |part: &ControllerPart| matches!(part, ControllerPart::Quantize(_));
    if c.controllers.iter().any(afterwards) && c.sees_quantizers() {
        found.add(
            &[
                "train.controllers.quantize",
                "train.controllers",
                "train.weights",
            ],
            "quantizes what its steps have quantized; allowed: { kind = \"quantize\" } in the \
             controllers, or in weights and activations"
                .into(),
        );
    }
}
