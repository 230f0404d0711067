//! Compiles plain loops for wider vectors than the target's minimum.

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
