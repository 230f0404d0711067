//! Normal, truncated normal and lognormal deviates from one 32-bit word each, by inverse CDF in
//! `f32` arithmetic that WGSL can repeat.
//!
//! # Theory
//! The word's top bit is the sign, the other 31 bits `m` choose the tail probability
//! `q = (m + 1/2) 2^-32` in `(0, 1/2)`; `z = Phi^-1(1 - q)`. With `x = 1 - 2q` the quotient `z/x` is
//! a smooth function of `w = -log2(4 q (1-q))` alone (`4 q (1-q) = (1-x)(1+x)`), from
//! `sqrt(pi/2)` at `w = 0` to 6.2 at `w = 31`, so one rational function of degree 6 over 5
//! (minimax to 8.5e-9 of `max(1, z)`, fitted by Lawson's iteration) covers the body and the tail
//! to 6.34 standard deviations, without a branch. Both `x` and `2q` come from integers (`m` and its
//! complement), so neither suffers cancellation.
//!
//! # Practice
//! Only `+ - * /`, integer operations and integer-to-float conversions are used, no library
//! function, no fused multiply-add: every CPU gives the same bits. A WGSL compiler may contract or
//! divide with 2.5 ulp, hence "a few ulp" there. All coefficients of the rational function are
//! positive, so rounding errors do not grow: the error against `f64` is below
//! [`NORMAL_TOLERANCE`].

/// Bound on `|z - Phi^-1| / max(1, |z|)`: 6 roundings of `f32` (2^-24 each) beyond the fit.
pub const NORMAL_TOLERANCE: f64 = 4.5e-7;

/// Numerator of `z/x` in powers of `w`.
const P: [f32; 7] = [
    1.253_314,
    0.309_899_5,
    0.043_693_386,
    0.004_169_586_6,
    0.000_262_787_48,
    9.589_134e-6,
    2.164_267_5e-8,
];
/// Denominator of `z/x` in powers of `w`.
const Q: [f32; 6] = [
    1.0,
    0.065_798_074,
    0.016_661_968,
    0.000_767_722_26,
    5.767_779_7e-5,
    6.072_376e-7,
];
/// `log2(1 + f) / f` on `1 + f` in `[sqrt(1/2), sqrt(2))`, absolute error of the logarithm 5e-8.
const L: [f32; 8] = [
    1.442_694_8,
    -0.721_357_17,
    0.480_939_45,
    -0.360_087_22,
    0.286_707_46,
    -0.250_069_08,
    0.236_890_45,
    -0.145_744_44,
];
/// `(exp(r) - 1 - r) / r^2` on `|r| <= ln(2)/2`, relative error of `exp(r) - 1` 1.3e-8.
const E: [f32; 5] = [
    0.499_999_97,
    0.166_665_43,
    0.041_667_2,
    0.008_366_514,
    0.001_388_252_2,
];
/// `ln 2` in two parts, the first exact in 12 bits so that `k * LN2_HIGH` is exact.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;

/// Bits of `sqrt(1/2)`: subtracting them makes the exponent field that of the nearest power of two.
const SQRT_HALF: i32 = 0x3f35_04f3;
const TWO_POW_MINUS_31: f32 = 4.656_613e-10;
const MAGNITUDE: u32 = 0x7fff_ffff;

/// `log2(p)` for a positive normal `p`.
#[inline(always)]
fn log2(p: f32) -> f32 {
    let bits = p.to_bits() as i32;
    let exponent = (bits - SQRT_HALF) >> 23;
    let f = f32::from_bits((bits - (exponent << 23)) as u32) - 1.0;
    let mut s = L[7];
    for c in [L[6], L[5], L[4], L[3], L[2], L[1], L[0]] {
        s = s * f + c;
    }
    exponent as f32 + s * f
}

/// Normal deviate of a word, `x` squeezed by `1 - squeeze` (0: none), see [`squeeze`].
#[inline(always)]
pub(super) fn squeezed(word: u32, squeeze: f32) -> f32 {
    let [full, tail] = ends(word);
    let cut = full * squeeze;
    deviate(word, full - cut, tail + cut)
}

/// The same without squeezing.
#[inline(always)]
pub(super) fn standard(word: u32) -> f32 {
    let [full, tail] = ends(word);
    deviate(word, full, tail)
}

/// `[1 - 2q, 2q]` of a word.
#[inline(always)]
fn ends(word: u32) -> [f32; 2] {
    let m = word & MAGNITUDE;
    [m ^ MAGNITUDE, m].map(|m| (m as i32 as f32 + 0.5) * TWO_POW_MINUS_31)
}

/// The deviate at `x`, `tail = 1 - x`, with the sign of the word.
#[inline(always)]
fn deviate(word: u32, x: f32, tail: f32) -> f32 {
    let w = -log2(tail * (1.0 + x));
    let mut p = P[6];
    for c in [P[5], P[4], P[3], P[2], P[1], P[0]] {
        p = p * w + c;
    }
    let mut q = Q[5];
    for c in [Q[4], Q[3], Q[2], Q[1], Q[0]] {
        q = q * w + c;
    }
    let z = x * (p / q);
    f32::from_bits(z.to_bits() ^ (word & !MAGNITUDE))
}

/// Standard normal deviate of a word; from -6.34 to 6.34.
#[inline]
pub fn normal(word: u32) -> f32 {
    standard(word)
}

/// `2 Phi(-at)`, the probability that a normal truncated at `|z| <= at` leaves out, which
/// [`truncated`] and the shader take: `x' = x (1 - squeeze)`, `1 - x' = 2q + x squeeze`.
pub fn squeeze(at: f32) -> f32 {
    statrs::function::erf::erfc(f64::from(at) * std::f64::consts::FRAC_1_SQRT_2) as f32
}

/// Standard normal deviate restricted to `|z| <= at` by squeezing the uniform, not by rejection:
/// one word a deviate. `squeeze` comes from [`squeeze`]`(at)`.
#[inline]
pub fn truncated(word: u32, squeeze: f32) -> f32 {
    squeezed(word, squeeze)
}

/// `[t, t^2/2]` with `t^2 = ln(1 + sigma^2)`: parameters of a lognormal factor of mean 1 and
/// standard deviation `sigma`.
pub fn lognormal_shape(sigma: f32) -> [f32; 2] {
    let t2 = (f64::from(sigma) * f64::from(sigma)).ln_1p();
    [t2.sqrt() as f32, (0.5 * t2) as f32]
}

/// `exp(t z - t^2/2) - 1`: relative deviation of a lognormal factor, from a normal deviate `z` and
/// [`lognormal_shape`]. Mean 0, standard deviation `sigma`, above -1.
#[inline(always)]
pub fn lognormal(z: f32, shape: [f32; 2]) -> f32 {
    exp_m1(shape[0] * z - shape[1])
}

/// `exp(u) - 1`, relative error 2e-7 also near 0; `u` is limited to `[-80, 80]`.
#[inline(always)]
fn exp_m1(u: f32) -> f32 {
    let u = u.clamp(-80.0, 80.0);
    // A float added to and subtracted from 1.5 * 2^23 would be shorter but a shader compiler may
    // simplify it away.
    let k = (u * std::f32::consts::LOG2_E).round_ties_even();
    let r = (u - k * LN2_HIGH) - k * LN2_LOW;
    let mut s = E[4];
    for c in [E[3], E[2], E[1], E[0]] {
        s = s * r + c;
    }
    let f = r + r * r * s;
    // The low bits of k + 1.5 * 2^23 are those of the integer k: a conversion that, unlike Rust's
    // saturating one, becomes a vector instruction.
    let power = f32::from_bits((k + 12_582_912.0).to_bits().wrapping_add(127) << 23);
    power * f + (power - 1.0)
}

/// Uniform deviate in `[0, 1)` with 24 bits, exact on every device.
#[inline]
pub fn uniform(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}
