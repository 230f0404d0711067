//! Parts that a training is composed of: what `train.weights`, `train.activations`, `train.noise`,
//! `train.loss` and `train.controllers` list.
//!
//! A part is a table with a `kind`. Each kind has a file here with its declaration and what contradicts it;
//! `parts!` names the kinds of a list. The order in a list is the order in which the parts are applied, and a
//! list has each kind at most once, so that a part has a path: `train.loss.l1.weight`.

mod clip;
mod composition;
mod controllers;
mod converter_bits;
mod distill;
mod feedback;
mod group_lasso;
mod heads;
mod l1;
mod learned_range;
mod list;
mod mask;
mod mask_growth;
mod noise;
mod plateau;
mod quantize;
mod shared_gain;
mod slice_l1;
#[cfg(test)]
mod tests;

pub use clip::{ClipGroup, ClipWeights, MappingRange};
pub use composition::{Composition, Gradient};
pub use controllers::{NormAfter, QuantizeAfter};
pub use converter_bits::ConverterBits;
pub use distill::Distill;
pub use feedback::{Irs, Ovf};
pub use group_lasso::{GroupLasso, LassoGroups};
pub use heads::HeadsLoss;
pub use l1::L1;
pub use learned_range::LearnedRange;
pub use mask::{MaskGroups, MaskWeights, MaskedLayer};
pub use mask_growth::MaskGrowth;
pub use noise::{Draws, FreshChips};
pub use plateau::Plateau;
pub use quantize::{QuantizeActivations, QuantizeWeights};
pub use shared_gain::SharedGain;
pub use slice_l1::SliceL1;

pub(super) use composition::problems;
pub(super) use list::{PARTS, Parts};

use super::section::Declared;
use list::{Part, parts};

parts! {
    /// Transforms from the trained weights to those of a step.
    pub enum WeightPart {
        Mask(MaskWeights) = "mask",
        Clip(ClipWeights) = "clip",
        Quantize(QuantizeWeights) = "quantize",
    }
}

parts! {
    /// Transforms of what enters a crossbar layer.
    pub enum ActivationPart {
        Quantize(QuantizeActivations) = "quantize",
        LearnedRange(LearnedRange) = "learned-range",
        SharedGain(SharedGain) = "shared-gain",
    }
}

parts! {
    /// What deviates in a step.
    pub enum NoisePart {
        Chip(FreshChips) = "chip",
        ConverterBits(ConverterBits) = "converter-bits",
    }
}

parts! {
    /// Terms of the loss besides the cross-entropy.
    pub enum LossPart {
        L1(L1) = "l1",
        GroupLasso(GroupLasso) = "group-lasso",
        SliceL1(SliceL1) = "slice-l1",
        Distill(Distill) = "distill",
        Ovf(Ovf) = "ovf",
        Irs(Irs) = "irs",
        Heads(HeadsLoss) = "heads",
    }
}

parts! {
    /// What happens to a network beside its steps.
    pub enum ControllerPart {
        Quantize(QuantizeAfter) = "quantize",
        Plateau(Plateau) = "plateau",
        MaskGrowth(MaskGrowth) = "mask-growth",
    }
}
