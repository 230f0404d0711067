//! Elementary functions, the same formula on every processor and in
//! `shaders/shared/activation.wgsl`.
//!
//! `tanh(x) = x P(x^2) / Q(x^2)` with `P` and `Q` of degree 4, fitted to a relative error of
//! 2.1e-8 on `|x| <= 9` (minimax by iteratively reweighted least squares in 50 digits); `x` is
//! clamped to that range, where `tanh` rounds to 1. All coefficients are positive, so nothing
//! cancels: evaluated in `f32` the error is at most 6 units in the last place (3.3e-7 near 1) without
//! fused multiply-add and less with it, and the magnitude never exceeds 1.
//!
//! The sigmoid is `1/(1 + e^-|x|)`, times `e^-|x|` on the negative side, so that it is as accurate near
//! 0 as near 1.

use super::simd::Simd;
use crate::program::LANES;
use crate::vector::exp_negative;

/// Beyond this magnitude `tanh` is 1 in `f32`.
pub(super) const TANH_LIMIT: f32 = 9.0;
/// Coefficients of `P`, constant first.
pub(super) const TANH_P: [f32; 5] = [
    0.999_999_98,
    0.133_810_36,
    3.495_600_5e-3,
    2.060_927_2e-5,
    1.335_49e-8,
];
/// Coefficients of `Q`, constant first.
pub(super) const TANH_Q: [f32; 5] = [1.0, 0.467_143_5, 2.587_703e-2, 3.285_654_4e-4, 7.776_661e-7];

/// Hyperbolic tangent of 16 lanes; NaN stays NaN.
#[inline(always)]
pub(super) fn tanh<S: Simd>(s: S, x: S::V) -> S::V {
    let limit = s.splat(TANH_LIMIT);
    let x = s.min(limit, s.max(s.splat(-TANH_LIMIT), x));
    let u = s.mul(x, x);
    let y = s.div(s.mul(x, horner(s, TANH_P, u)), horner(s, TANH_Q, u));
    s.min(s.splat(1.0), s.max(s.splat(-1.0), y))
}

/// `1 / (1 + e^-x)` of 16 lanes, at most 4 units in the last place off; NaN stays NaN.
#[inline(always)]
pub(super) fn sigmoid<S: Simd>(s: S, x: S::V) -> S::V {
    let mut lanes = [0.0; LANES];
    s.store(x, &mut lanes);
    for v in &mut lanes {
        let t = exp_negative(-v.abs());
        let above = if *v < 0.0 { t } else { 1.0 };
        *v = above / (1.0 + t);
    }
    s.load(&lanes)
}

/// `c[0] + c[1] u + ... + c[4] u^4`.
#[inline(always)]
fn horner<S: Simd>(s: S, c: [f32; 5], u: S::V) -> S::V {
    let mut v = s.splat(c[4]);
    v = s.fma(v, u, s.splat(c[3]));
    v = s.fma(v, u, s.splat(c[2]));
    v = s.fma(v, u, s.splat(c[1]));
    s.fma(v, u, s.splat(c[0]))
}
