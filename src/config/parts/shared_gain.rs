//! `{ kind = "shared-gain" }` of `train.activations`.

use super::composition::Problems;
use super::{Composition, Gradient};
use crate::config::quantize::WeightStep;
use crate::config::section::section;
use crate::config::{ActivationStep, Experiment, Fidelity};

section! {
    /// Part `{ kind = "shared-gain" }` of `train.activations`: the gain that all converters share (`chip.adc.shared`) is
    /// learned, as AnalogNets do (arXiv 2111.06503). The range of a layer's converters is the reference r of the
    /// chip, in current, times the step of its weights and that of its inputs, so it is tied to theirs.
    ///
    /// r starts from what `chip.adc.range` says, of the layer that needs most; with "calibrated" once, at the beginning of the
    /// stage. Its gradient goes straight through the rounding: a sum v in converters of step d, proportional to r, adds
    /// `(code - v/d) dd/dr` inside the range and `code dd/dr` where it is clipped (as LSQ, arXiv 1902.08153); learned
    /// ranges of inputs get what the converters' have of them. Gradients of weights and inputs go straight through clipped
    /// sums, too. r is part of the network, and chips of a sweep have it.
    pub struct SharedGain {}
}

/// What contradicts the part.
pub(super) fn problems(e: &Experiment, c: &Composition, found: &mut Problems) {
    if !c.learns_gain() {
        return;
    }
    let fields: &[&str] = &["train.activations.shared-gain", "train.activations"];
    if e.train.level == Fidelity::Weight {
        found.add(
            fields,
            "learns the gain of converters, and steps at level \"weight\" have none; allowed with train.level = \"cell\""
                .into(),
        );
        return;
    }
    if !e.chip.adc.converts() && !e.layer.sets("chip.adc.bits") {
        found.add(
            &[
                "train.activations.shared-gain",
                "train.activations",
                "chip.adc.bits",
            ],
            "learns the gain of converters, and there are none; allowed with chip.adc.bits above 0"
                .into(),
        );
    }
    if !e.chip.adc.shared {
        found.add(
            &["train.activations.shared-gain", "train.activations", "chip.adc.shared"],
            "learns a gain that all converters share, and these have their own; allowed with chip.adc.shared = true"
                .into(),
        );
    }
    if c.gradient == Gradient::Clean {
        found.add(
            &["train.gradient", "train.activations"],
            "\"clean\" is a backward pass without converters, which has no gradient of their gain; allowed: \
             \"straight-through\", \"rescale\", or no { kind = \"shared-gain\" }"
                .into(),
        );
    }
    let q = &e.quantize;
    if q.activation_step == ActivationStep::Lsq || q.weight_step == WeightStep::Lsq {
        found.add(
            fields,
            "the ranges of converters are tied to steps, and \"lsq\" learns these by a gradient that knows no converters; \
             allowed: other rules for steps, and { kind = \"learned-range\" }"
                .into(),
        );
    }
}
