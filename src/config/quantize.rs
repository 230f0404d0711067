//! Resolution of weights and activations.

use std::ops::RangeInclusive;

use super::network::Activation;
use super::reader::Section;
use super::rule::Any;
use super::section::section;
use crate::choice::choices;
use crate::program::{BinaryGroup, Rounding, StraightThrough};

choices! {
    /// Where the defaults of the section come from.
    pub enum Profile {
        /// Ours: rounding to nearest, unsigned codes after ReLU, clipped straight-through.
        Pimento = "pimento",
        /// What the reference code does, quirks included (see [`Quantize`]).
        Reference = "reference",
    }
}

choices! {
    /// Choice of the weight step `d`, with `Q = 2^(bits-1) - 1`.
    pub enum WeightStep {
        /// `max|w| / Q`.
        MaxAbs = "max-abs",
        /// `percentile(|w|) / Q`, see [`Quantize::weight_percentile`].
        Percentile = "percentile",
        /// Best of 10 candidates between `max|w|/Q` and `median|w|/Q` (reference code).
        LineSearch = "line-search",
        /// Least squared error over 100 candidates up to `max|w|/Q`.
        Mse = "mse",
        /// Learned step size (LSQ, arXiv 1902.08153).
        Lsq = "lsq",
    }
}

choices! {
    /// Choice of the activation step.
    pub enum ActivationStep {
        /// Moving average of `max|x|` over batches, divided by the largest code.
        MaxAbs = "max-abs",
        /// A percentile of `|x|` over the calibration batches.
        Percentile = "percentile",
        /// Least squared error over the calibration batches.
        Mse = "mse",
        /// Learned step size (LSQ).
        Lsq = "lsq",
    }
}

choices! {
    /// Codes of the activation quantizer.
    pub enum ActivationRange {
        /// `0 .. 2^b - 1`.
        Unsigned = "unsigned",
        /// `-(2^(b-1) - 1) .. 2^(b-1) - 1`.
        Signed = "signed",
    }
}

choices! {
    /// Whether the inputs of fully connected layers are quantized.
    pub enum LinearInputs {
        /// As the inputs of convolutions.
        Quantized = "quantized",
        /// In full precision (the reference code computes but does not use the quantized ones).
        Float = "float",
    }
}

choices! {
    /// Over what the magnitude of a one-bit weight is averaged.
    pub enum BinaryWeightGroup {
        /// Over the layer.
        Layer = "layer",
        /// In convolutions over the kernels that read one input channel; fully connected layers
        /// have one magnitude.
        InputChannel = "input-channel",
    }
}

section! {
    /// Section `[quantize]`: uniform quantizers of weights and activations.
    ///
    /// A weight of `b >= 2` bits is `d clamp(round(w/d), -Q, Q)`, `Q = 2^(b-1) - 1` (2 bits are
    /// ternary); one bit is `mean|w| sign(w)` with the mean over [`Quantize::binary_weight_group`]. An activation of `b >= 2` bits is
    /// `d clamp(round(x/d), lo, hi)`; one bit is `mean|x| sign(x)` with the mean over
    /// [`Quantize::binary_group`]. 0 bits: not quantized. The largest representable weight is also
    /// what one full conductance stands for, so the weight step decides how large the layer-fixed
    /// deviations are.
    ///
    /// The profile only sets defaults. `reference` is the public code behind the tables that
    /// `experiments/lenet5_mnist_a1w1.toml` reproduces: line-search steps, activations rounded down on
    /// a signed range even after ReLU, straight-through without mask, inputs of linear layers in
    /// full precision.
    pub struct Quantize {
        /// Where the defaults come from.
        profile: Profile = Profile::Pimento;
        /// Bits of a weight; 0: not quantized.
        weight_bits: u32 = 4, BITS, "bits";
        /// Choice of the weight step.
        weight_step: WeightStep = WeightStep::Mse;
        /// Percentile of weight_step "percentile".
        weight_percentile: f64 = 99.9, PERCENT, "%";
        /// One step per output channel instead of one per layer.
        per_channel: bool = false;
        /// Bits of an activation; 0: not quantized.
        activation_bits: u32 = 8, BITS, "bits";
        /// Choice of the activation step.
        activation_step: ActivationStep = ActivationStep::MaxAbs;
        /// Percentile of activation_step "percentile".
        activation_percentile: f64 = 99.9, PERCENT, "%";
        /// Rounding of activations.
        activation_rounding: Rounding = Rounding::Nearest;
        /// Codes of activations. Signed by default after tanh.
        activation_range: ActivationRange = ActivationRange::Unsigned;
        /// Gradient of both quantizers from two bits on. One bit always passes it where the magnitude is
        /// at most 1, nothing beyond, as in the reference code.
        straight_through: StraightThrough = StraightThrough::Clip;
        /// Whether linear layers see quantized inputs.
        linear_inputs: LinearInputs = LinearInputs::Quantized;
        /// Bits of the network's input (the images); 0: not quantized. Codes are those of non-negative
        /// values where `data.mean` is 0 (floats: and no training image is negative), else signed ones,
        /// whatever `activation_range` says.
        input_bits: u32 = 0, BITS, "bits";
        /// Values that share the magnitude of a one-bit activation in front of a convolution. In front of a
        /// fully connected layer, and where channels are single values, it is the image.
        binary_group: BinaryGroup = BinaryGroup::Channel;
        /// Values that share the magnitude of a one-bit weight.
        [quiet] binary_weight_group: BinaryWeightGroup = BinaryWeightGroup::Layer;
    }
}

impl Quantize {
    /// The defaults of a profile for a network with the given non-linearity.
    pub fn of(profile: Profile, activation: Activation) -> Self {
        let mut d = Self {
            profile,
            ..Self::default()
        };
        if activation == Activation::Tanh {
            d.activation_range = ActivationRange::Signed;
        }
        match profile {
            Profile::Pimento => d,
            Profile::Reference => Self {
                weight_step: WeightStep::LineSearch,
                activation_rounding: Rounding::Floor,
                activation_range: ActivationRange::Signed,
                straight_through: StraightThrough::Identity,
                linear_inputs: LinearInputs::Float,
                ..d
            },
        }
    }

    /// The defaults of the section, which its profile and the network's non-linearity decide.
    pub(super) fn defaults(s: &Section, activation: Activation) -> Self {
        Self::of(
            s.peek("profile", &Any).unwrap_or(Profile::Pimento),
            activation,
        )
    }
}

/// Bits of a quantizer.
const BITS: RangeInclusive<u32> = 0..=8;

/// Below 50 % more than half of the values would clip.
const PERCENT: RangeInclusive<f64> = 50.0..=100.0;
