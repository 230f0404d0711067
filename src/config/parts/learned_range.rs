//! `{ kind = "learned-range" }` of `train.activations`.

use super::composition::Problems;
use super::{ActivationPart, Composition};
use crate::config::section::section;
use crate::config::{ActivationStep, Experiment};

section! {
    /// Part `{ kind = "learned-range" }` of `train.activations`: steps see quantized images and activations, as
    /// `[quantize]` says, but the range r of every layer's inputs, its highest code times its step, is learned.
    ///
    /// It starts from `train.calibration_batches` batches and then follows what is cut off: with g the gradient of the
    /// loss by an input, its own is `sum over x >= r of min(g, 0) - sum over x <= -r of max(g, 0)`, so a range grows where
    /// larger inputs would lower the loss. It shrinks by `decay`. Up to a factor r on the first
    /// part it is the rule of AIHWKIT-Lightning, by which the analog foundation models of IBM are trained, with 18 standard
    /// deviations, a decay of 0.01 and a share of 0.95.
    pub struct LearnedRange {
        /// The range at first, in standard deviations of the inputs.
        sigmas: f64 = 3.0, 0.1..=100.0, "standard deviations";
        /// Added to the gradient, times the range, where more than `inside` of a batch's inputs are below the range.
        decay: f64 = 0.01, 0.0..=100.0;
        /// Share of the inputs that a range does not shrink below.
        inside: f64 = 0.95, 0.0..=1.0;
    }
}

/// What contradicts the part.
pub(super) fn problems(e: &Experiment, c: &Composition, found: &mut Problems) {
    if c.learned_range().is_none() {
        return;
    }
    let fields: &[&str] = &["train.activations.learned-range", "train.activations"];
    let twice = |part: &ActivationPart| match part {
        ActivationPart::Quantize(_) => true,
        ActivationPart::LearnedRange(_) | ActivationPart::SharedGain(_) => false,
    };
    if c.activations.iter().any(twice) {
        found.add(
            fields,
            "{ kind = \"quantize\" } quantizes the same inputs by steps of another rule; allowed: one of both".into(),
        );
    }
    if e.quantize.activation_bits == 1 {
        found.add(
            fields,
            "activations of one bit have a magnitude and no range; allowed: quantize.activation_bits 0 or 2 to 8"
                .into(),
        );
    }
    if e.quantize.activation_step != ActivationStep::MaxAbs {
        found.add(
            &["quantize.activation_step", "train.activations"],
            format!(
                "\"{}\" chooses steps, and {{ kind = \"learned-range\" }} learns them; allowed: \"max-abs\", or \
                 {{ kind = \"quantize\" }}",
                e.quantize.activation_step
            ),
        );
    }
}
