//! `{ kind = "quantize" }` of `train.weights` and `train.activations`.

use super::composition::Problems;
use super::{Composition, WeightPart};
use crate::config::Experiment;
use crate::config::section::section;

section! {
    /// Part `{ kind = "quantize" }` of `train.weights`: steps see quantized weights, as `[quantize]` says. The
    /// last transform.
    pub struct QuantizeWeights {}
}

section! {
    /// Part `{ kind = "quantize" }` of `train.activations`: steps see quantized images and activations, as
    /// `[quantize]` says.
    pub struct QuantizeActivations {}
}

/// What contradicts the parts.
pub(super) fn problems(e: &Experiment, c: &Composition, found: &mut Problems) {
    let is_quantizer = |part: &WeightPart| matches!(part, WeightPart::Quantize(_));
    let at = c.weights.iter().position(is_quantizer);
    if at.is_some_and(|at| at + 1 < c.weights.len()) {
        found.add(
            &["train.weights"],
            "what comes after the quantizer would not leave its codes; allowed: \
             { kind = \"quantize\" } as the last part"
                .into(),
        );
    }
    let q = &e.quantize;
    let bits = q.weight_bits.max(q.activation_bits).max(q.input_bits);
    if c.sees_quantizers() && bits == 0 {
        found.add(
            &["train.weights", "train.activations", "quantize.weight_bits"],
            "{ kind = \"quantize\" } with nothing quantized; allowed: lists without it, or \
             weight_bits, activation_bits or input_bits above 0"
                .into(),
        );
    }
}
