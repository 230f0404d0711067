//! What is done with single values: non-linearities, quantizers, epilogues, moving averages.

use super::TensorId;
#[cfg(doc)]
use super::{ActivationGrad, Lerp, RunArgs};
use crate::choice::choices;

/// Element-wise non-linearity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// `f(v) = v`.
    Identity,
    /// `f(v) = max(v, 0)`; derivative 0 at 0.
    Relu,
    /// `f(v) = tanh(v)`.
    Tanh,
    /// `f(v) = v` where `v > 0`, else `slope v`; derivative `slope` at 0.
    LeakyRelu {
        /// Slope of the negative side, at least 0 (so that the output has the input's sign).
        slope: f32,
    },
    /// `f(v) = min(max(v, lo), hi)`; derivative 1 strictly inside, else 0. ReLU6 is `[0, 6]`; a
    /// limit may be infinite.
    Clip {
        /// Lower limit.
        lo: f32,
        /// Upper limit, above `lo`.
        hi: f32,
    },
    /// `f(v) = 1 / (1 + exp(-v))`.
    Sigmoid,
    /// `f(v) = min(max(slope v + offset, 0), 1)`; derivative `slope` strictly inside, else 0.
    HardSigmoid {
        /// Slope of the middle, above 0.
        slope: f32,
        /// Value at 0.
        offset: f32,
    },
    /// `f(v) = v min(max(v/6 + 1/2, 0), 1)`. It does not rise everywhere, so its
    /// derivative needs the input: 0 up to -3, `v/3 + 1/2` between, 1 from 3 on.
    HardSwish,
    /// `f(v) = |v|`; its derivative needs the input too: the sign of it, 0 at 0.
    Abs,
    /// `f(v) = 1, 0, -1`, as `v` is above, at or below 0; derivative 0.
    Sign,
    /// `f(v)`: the largest whole number that is not above `v`; derivative 0.
    Floor,
}

impl Activation {
    /// Whether the constants are of the documented kind, none of them NaN.
    pub fn is_possible(self) -> bool {
        match self {
            Activation::LeakyRelu { slope } => slope >= 0.0 && slope.is_finite(),
            Activation::Clip { lo, hi } => lo < hi,
            Activation::HardSigmoid { slope, offset } => {
                slope > 0.0 && slope.is_finite() && offset.is_finite()
            }
            Activation::Identity
            | Activation::Relu
            | Activation::Tanh
            | Activation::Sigmoid
            | Activation::HardSwish
            | Activation::Abs
            | Activation::Sign
            | Activation::Floor => true,
        }
    }

    /// Whether [`ActivationGrad`] takes the derivative from the input instead of the output.
    pub fn derivative_from_input(self) -> bool {
        matches!(self, Activation::HardSwish | Activation::Abs)
    }

    /// Whether the derivative is 0 wherever there is one: nothing in front of it can be trained.
    pub fn is_step(self) -> bool {
        matches!(self, Activation::Sign | Activation::Floor)
    }

    /// The two constants kernels take: slope; limits; slope and offset; else zeros.
    pub fn constants(self) -> [f32; 2] {
        match self {
            Activation::LeakyRelu { slope } => [slope, 0.0],
            Activation::Clip { lo, hi } => [lo, hi],
            Activation::HardSigmoid { slope, offset } => [slope, offset],
            Activation::Identity
            | Activation::Relu
            | Activation::Tanh
            | Activation::Sigmoid
            | Activation::HardSwish
            | Activation::Abs
            | Activation::Sign
            | Activation::Floor => [0.0; 2],
        }
    }

    /// Whether no output is negative.
    pub fn is_non_negative(self) -> bool {
        match self {
            Activation::Relu
            | Activation::Sigmoid
            | Activation::HardSigmoid { .. }
            | Activation::Abs => true,
            Activation::Clip { lo, .. } => lo >= 0.0,
            Activation::Identity
            | Activation::Tanh
            | Activation::LeakyRelu { .. }
            | Activation::HardSwish
            | Activation::Sign
            | Activation::Floor => false,
        }
    }
}

choices! {
    /// Rounding of a quantizer.
    pub enum Rounding {
        /// Nearest integer, ties to even.
        Nearest = "nearest",
        /// Next integer below (the reference code's activation quantizer).
        Floor = "floor",
    }
}

choices! {
    /// Gradient of a quantizer with respect to its input.
    pub enum StraightThrough {
        /// 1 inside the representable range, 0 outside. For 1 bit the range is `[-1, 1]`.
        Clip = "clip",
        /// 1 everywhere (the reference code for 2 bits and more).
        Identity = "identity",
    }
}

/// How a quantizer's step `d` is chosen from values `x`, `Q` being its highest code.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// `d = max|x| / Q`: the largest magnitude becomes the highest code.
    MaxAbs,
    /// `d = percentile_p(|x|) / Q`, `p` in percent, linear interpolation between order statistics; of weights only
    /// those that are not 0 count.
    Percentile(f32),
    /// The reference code's search: 10 evenly spaced candidates from `max|x|/Q` down to
    /// `median|x|/Q` (lower median), both included; the one with the least squared error
    /// `sum (x - d clamp(round(x/d), -Q, Q))^2` wins, the first on ties.
    LineSearch,
    /// Least squared error over 100 candidates `i/100 * max|x|/Q`, `i = 100, 99, .., 1`; the first
    /// on ties.
    Mse,
}

/// Post-processing of a pre-activation value, in this order, each part optional:
/// `v = scale[c] * v + shift[c]`, `v = v + residual`, `v = act(v)`,
/// `v = d * clamp(round(v/d), lo, hi)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Post {
    /// Per-channel factor, `Flat(c)`, shared or per chip.
    pub scale: Option<TensorId>,
    /// Per-channel offset, `Flat(c)`, shared or per chip.
    pub shift: Option<TensorId>,
    /// Map of the output's shape added before the activation.
    pub residual: Option<TensorId>,
    /// Non-linearity.
    pub act: Activation,
    /// Activation quantizer with a given step.
    pub quant: Option<ActQuant>,
}

impl Post {
    /// Does nothing.
    pub const NONE: Post = Post {
        scale: None,
        shift: None,
        residual: None,
        act: Activation::Identity,
        quant: None,
    };

    /// Whether this is [`Post::NONE`].
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}

/// Uniform activation quantizer `q(v) = d * clamp(round(v/d), lo, hi)`. Where `d <= 0` (nothing
/// calibrated, or an all-zero layer) the result is 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ActQuant {
    /// Step `d`: `Flat(1)`, shared.
    pub scale: TensorId,
    /// Lowest code.
    pub lo: i32,
    /// Highest code.
    pub hi: i32,
    /// Rounding.
    pub rounding: Rounding,
}

choices! {
    /// Over what the magnitude of a one-bit activation is averaged.
    pub enum BinaryGroup {
        /// Per image and channel, over the map.
        Channel = "channel",
        /// Per image, over all values.
        Image = "image",
    }
}

/// How fast [`Lerp`] moves. `step` is [`RunArgs::step`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// `state += rate (value - state)`.
    Fixed(f32),
    /// As [`Rate::Fixed`], but the value replaces the state at step 0.
    FixedFromFirst(f32),
    /// The running mean of all values: rate `1/(step + 1)`.
    Cumulative,
    /// No average: `state += value`.
    Sum,
}
