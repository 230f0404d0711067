//! Resolution of weights and activations.

use super::network::Activation;
use super::reader::Section;
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
        /// As those of convolutions.
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
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Quantize {
    /// Where the defaults come from.
    pub profile: Profile,
    /// Bits of a weight, 0 to 8.
    pub weight_bits: u32,
    /// Choice of the weight step.
    pub weight_step: WeightStep,
    /// For [`WeightStep::Percentile`], in percent.
    pub weight_percentile: f64,
    /// One step per output channel instead of one per layer.
    pub per_channel: bool,
    /// Bits of an activation, 0 to 8.
    pub activation_bits: u32,
    /// Choice of the activation step.
    pub activation_step: ActivationStep,
    /// For [`ActivationStep::Percentile`], in percent.
    pub activation_percentile: f64,
    /// Rounding of activations.
    pub activation_rounding: Rounding,
    /// Codes of activations. Signed by default after tanh.
    pub activation_range: ActivationRange,
    /// Gradient of both quantizers from two bits on. One bit always passes it where the magnitude is
    /// at most 1, nothing beyond, as in the reference code.
    pub straight_through: StraightThrough,
    /// Whether linear layers see quantized inputs.
    pub linear_inputs: LinearInputs,
    /// Bits of the network's input (the images), 0 to 8. Codes are those of non-negative values where
    /// [`super::Data::mean`] is 0 (floats: and no training image is negative), else signed ones,
    /// whatever [`Quantize::activation_range`] says.
    pub input_bits: u32,
    /// What shares the magnitude of a one-bit activation in front of a convolution. In front of a fully
    /// connected layer, and where channels are single values, it is the image.
    pub binary_group: BinaryGroup,
    /// What shares the magnitude of a one-bit weight. Left out of results where it is the layer.
    #[serde(skip_serializing_if = "is_layer")]
    pub binary_weight_group: BinaryWeightGroup,
}

impl Quantize {
    /// The defaults of a profile for a network with the given non-linearity.
    pub fn of(profile: Profile, activation: Activation) -> Self {
        let reference = profile == Profile::Reference;
        Self {
            profile,
            weight_bits: 4,
            weight_step: if reference {
                WeightStep::LineSearch
            } else {
                WeightStep::Mse
            },
            weight_percentile: 99.9,
            per_channel: false,
            activation_bits: 8,
            activation_step: ActivationStep::MaxAbs,
            activation_percentile: 99.9,
            activation_rounding: if reference {
                Rounding::Floor
            } else {
                Rounding::Nearest
            },
            activation_range: if reference || activation == Activation::Tanh {
                ActivationRange::Signed
            } else {
                ActivationRange::Unsigned
            },
            straight_through: if reference {
                StraightThrough::Identity
            } else {
                StraightThrough::Clip
            },
            linear_inputs: if reference {
                LinearInputs::Float
            } else {
                LinearInputs::Quantized
            },
            input_bits: 0,
            binary_group: BinaryGroup::Channel,
            binary_weight_group: BinaryWeightGroup::Layer,
        }
    }

    pub(super) fn read(mut s: Section, activation: Activation) -> Self {
        let d = Self::of(s.choice("profile", Profile::Pimento), activation);
        let quantize = Self {
            profile: d.profile,
            weight_bits: s.u32("weight_bits", d.weight_bits, 0..=BITS),
            weight_step: s.choice("weight_step", d.weight_step),
            weight_percentile: s.real("weight_percentile", d.weight_percentile, PERCENT),
            per_channel: s.bool("per_channel", d.per_channel),
            activation_bits: s.u32("activation_bits", d.activation_bits, 0..=BITS),
            activation_step: s.choice("activation_step", d.activation_step),
            activation_percentile: s.real(
                "activation_percentile",
                d.activation_percentile,
                PERCENT,
            ),
            activation_rounding: s.choice("activation_rounding", d.activation_rounding),
            activation_range: s.choice("activation_range", d.activation_range),
            straight_through: s.choice("straight_through", d.straight_through),
            linear_inputs: s.choice("linear_inputs", d.linear_inputs),
            input_bits: s.u32("input_bits", d.input_bits, 0..=BITS),
            binary_group: s.choice("binary_group", d.binary_group),
            binary_weight_group: s.choice("binary_weight_group", d.binary_weight_group),
        };
        s.finish();
        quantize
    }
}

fn is_layer(group: &BinaryWeightGroup) -> bool {
    *group == BinaryWeightGroup::Layer
}

/// Most bits of a quantizer.
pub(super) const BITS: u32 = 8;

/// Below 50 % more than half of the values would clip.
const PERCENT: std::ops::RangeInclusive<f64> = 50.0..=100.0;

impl Default for Quantize {
    fn default() -> Self {
        Self::of(Profile::Pimento, Activation::Relu)
    }
}
