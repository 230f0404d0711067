//! The epilogue [`Post`](crate::program::Post) of convolutions and point-wise maps.

use super::math::{sigmoid, tanh};
use super::simd::Simd;
use crate::program::{Activation, LANES, Rounding};

/// A [`Post`](crate::program::Post) with its tensors found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Epilogue<'a> {
    /// Per-channel factor.
    pub scale: Option<&'a [f32]>,
    /// Per-channel offset.
    pub shift: Option<&'a [f32]>,
    /// Added before the activation; laid out as the output.
    pub residual: Option<&'a [f32]>,
    /// Non-linearity.
    pub act: Activation,
    /// Quantizer.
    pub quant: Option<Quant>,
}

/// An activation quantizer with its step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quant {
    /// Step; nothing above 0 makes every result 0.
    pub step: f32,
    /// Lowest code.
    pub lo: f32,
    /// Highest code.
    pub hi: f32,
    /// Rounding.
    pub rounding: Rounding,
}

/// The activations as constants, so that each has its own loop.
const IDENTITY: u8 = 0;
const RELU: u8 = 1;
const TANH: u8 = 2;
const LEAKY_RELU: u8 = 3;
const CLIP: u8 = 4;
const SIGMOID: u8 = 5;
const HARD_SIGMOID: u8 = 6;
const HARD_SWISH: u8 = 7;
const ABS: u8 = 8;
const SIGN: u8 = 9;
const FLOOR: u8 = 10;

/// Twice this makes every number but 0 one of magnitude 1 at least, also the denormal ones.
const UP: f32 = (1u128 << 100) as f32;

impl Epilogue<'_> {
    /// Whether it does nothing.
    pub fn is_none(&self) -> bool {
        self.scale.is_none()
            && self.shift.is_none()
            && self.residual.is_none()
            && self.act == Activation::Identity
            && self.quant.is_none()
    }

    /// Applies it to values of channel `c` in place. `start` is their place in the output (and in
    /// the residual); the length is a multiple of [`LANES`].
    #[inline(always)]
    pub fn apply<S: Simd>(&self, s: S, c: usize, start: usize, values: &mut [f32]) {
        match self.act {
            Activation::Identity => self.with::<S, IDENTITY>(s, c, start, values),
            Activation::Relu => self.with::<S, RELU>(s, c, start, values),
            Activation::Tanh => self.with::<S, TANH>(s, c, start, values),
            Activation::LeakyRelu { .. } => self.with::<S, LEAKY_RELU>(s, c, start, values),
            Activation::Clip { .. } => self.with::<S, CLIP>(s, c, start, values),
            Activation::Sigmoid => self.with::<S, SIGMOID>(s, c, start, values),
            Activation::HardSigmoid { .. } => self.with::<S, HARD_SIGMOID>(s, c, start, values),
            Activation::HardSwish => self.with::<S, HARD_SWISH>(s, c, start, values),
            Activation::Abs => self.with::<S, ABS>(s, c, start, values),
            Activation::Sign => self.with::<S, SIGN>(s, c, start, values),
            Activation::Floor => self.with::<S, FLOOR>(s, c, start, values),
        }
    }

    /// No closures in here: a closure is a function without the caller's instruction set, and one
    /// that is not inlined calls every vector instruction.
    #[inline(always)]
    fn with<S: Simd, const ACT: u8>(&self, s: S, c: usize, start: usize, values: &mut [f32]) {
        if let Some(quant) = self.quant
            && quant.step <= 0.0
        {
            values.fill(0.0);
            return;
        }
        let mut scale = None;
        if let Some(t) = self.scale {
            scale = Some(s.splat(t[c]));
        }
        let mut shift = None;
        if let Some(t) = self.shift {
            shift = Some(s.splat(t[c]));
        }
        let [a, b] = self.act.constants();
        let (a, b) = (s.splat(a), s.splat(b));
        let (zero, one) = (s.splat(0.0), s.splat(1.0));
        let residual = self.residual.map(|r| &r[start..][..values.len()]);
        for (i, value) in values.chunks_exact_mut(LANES).enumerate() {
            let mut v = s.load(value);
            v = match (scale, shift) {
                (Some(a), Some(b)) => s.fma(a, v, b),
                (Some(a), None) => s.mul(a, v),
                (None, Some(b)) => s.add(v, b),
                (None, None) => v,
            };
            if let Some(r) = residual {
                v = s.add(v, s.load(&r[i * LANES..]));
            }
            v = match ACT {
                RELU => s.max(zero, v),
                TANH => tanh(s, v),
                // One of the two terms is 0.
                LEAKY_RELU => s.fma(a, s.min(zero, v), s.max(zero, v)),
                CLIP => s.min(b, s.max(a, v)),
                SIGMOID => sigmoid(s, v),
                HARD_SIGMOID => s.min(one, s.max(zero, s.fma(a, v, b))),
                HARD_SWISH => {
                    let gate = s.fma(v, s.splat(1.0 / 6.0), s.splat(0.5));
                    s.mul(v, s.min(one, s.max(zero, gate)))
                }
                ABS => s.max(s.mul(s.splat(-1.0), v), v),
                SIGN => {
                    let far = s.mul(s.splat(UP), s.mul(s.splat(UP), v));
                    s.min(one, s.max(s.splat(-1.0), far))
                }
                FLOOR => s.floor(v),
                _ => v,
            };
            if let Some(q) = self.quant {
                v = quantize(s, v, &q);
            }
            s.store(v, value);
        }
    }
}

/// `d clamp(round(v/d), lo, hi)` for `d > 0`.
#[inline(always)]
pub(super) fn quantize<S: Simd>(s: S, v: S::V, q: &Quant) -> S::V {
    let step = s.splat(q.step);
    let ratio = s.div(v, step);
    let code = match q.rounding {
        Rounding::Nearest => s.round(ratio),
        Rounding::Floor => s.floor(ratio),
    };
    s.mul(step, s.min(s.splat(q.hi), s.max(s.splat(q.lo), code)))
}
