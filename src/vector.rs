//! Plain loops for wider vectors than the target's minimum, and what such loops call.

/// Runs `f` compiled for AVX2 where the processor has it.
///
/// Only loops inlined into `f` profit. Fused multiply-add is left off on purpose: the results are
/// the same bits on every processor.
#[inline(always)]
pub(crate) fn wide<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        #[target_feature(enable = "avx2")]
        fn avx2<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        // SAFETY: the only requirement of the function is the instruction set just detected.
        return unsafe { avx2(f) };
    }
    f()
}

/// Below this `e^x` is no normal `f32`, and 0 here.
const EXP_LIMIT: f32 = -87.33;

/// `e^x` for `x <= 0` (0 below -87.33), relative error below 2e-7; NaN stays NaN. `e^x = 2^n e^r` with
/// `x = n ln 2 + r`, `|r| <= ln 2 / 2`, and Taylor's series of degree 7 for `e^r` (the rest is 6e-9 of
/// it): plain code that the compiler vectorises, the same bits on every processor.
#[inline(always)]
pub(crate) fn exp_negative(x: f32) -> f32 {
    const LN_2_HI: f32 = 0.693_359_4;
    const LN_2_LO: f32 = -2.121_944_4e-4;
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer.
    const MAGIC: f32 = 12_582_912.0;
    let tiny = x < EXP_LIMIT;
    let x = if tiny { EXP_LIMIT } else { x };
    let shifted = x * std::f32::consts::LOG2_E + MAGIC;
    let n = shifted - MAGIC;
    let r = (x - n * LN_2_HI) - n * LN_2_LO;
    let mut e = 1.0 / 5040.0;
    for c in [
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        e = e * r + c;
    }
    // The last bits of the shifted number are n; 127 is the bias of an exponent.
    let two_n = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    if tiny { 0.0 } else { e * two_n }
}
