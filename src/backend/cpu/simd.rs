//! Instruction sets: one trait of 16-lane vectors, so that every kernel is written once.
//!
//! A value of a type that implements [`Simd`] is a proof that the processor has the instructions:
//! it is only handed out by [`Isa::run`], after detection. Kernels are `#[inline(always)]`
//! functions generic over `S: Simd`, called through [`Isa::run`], which compiles them once per
//! instruction set.
//!
//! The portable version works on arrays; the compiler vectorises it for what the target always
//! has (SSE2 on x86-64, NEON on AArch64).

use crate::error::{Error, Result};

/// Environment variable that picks an instruction set: `portable`, `avx2` or `avx512`.
pub const ISA_VARIABLE: &str = "PIMENTO_CPU_ISA";

/// An instruction set this processor has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// All instruction sets of this processor, the best one last.
    pub fn available() -> Vec<Isa> {
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut))]
        let mut all = vec![Isa(Kind::Portable)];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            all.push(Isa(Kind::Avx2));
            if is_x86_feature_detected!("avx512f") {
                all.push(Isa(Kind::Avx512));
            }
        }
        all
    }

    /// The one named by [`ISA_VARIABLE`], else the best.
    ///
    /// # Errors
    /// [`Error::Input`] when the variable names none that this processor has.
    pub fn from_environment() -> Result<Isa> {
        let all = Self::available();
        let best = all[all.len() - 1];
        let Ok(name) = std::env::var(ISA_VARIABLE) else {
            return Ok(best);
        };
        let names: Vec<_> = all.iter().map(|isa| isa.name()).collect();
        all.iter()
            .find(|isa| isa.name() == name)
            .copied()
            .ok_or_else(|| {
                Error::input(format!(
                    "{ISA_VARIABLE}={name}: this processor has {}",
                    names.join(", ")
                ))
            })
    }

    /// `portable`, `avx2` or `avx512`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512",
        }
    }

    /// Most rows of a matrix product's register tile, see [`Simd::ROWS`].
    pub(super) fn rows(self) -> usize {
        match self.0 {
            Kind::Portable => Portable::ROWS,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => x86::Avx2::ROWS,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => x86::Avx512::ROWS,
        }
    }

    /// Whether [`Simd::permute`] is one instruction.
    pub(super) fn permutes(self) -> bool {
        match self.0 {
            Kind::Portable => false,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => false,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => true,
        }
    }

    /// Runs a kernel, compiled for this instruction set.
    pub(super) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            Kind::Portable => kernel.run(Portable(())),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => {
                #[target_feature(enable = "avx2,fma")]
                fn with<K: Kernel>(kernel: K) -> K::Output {
                    kernel.run(x86::Avx2(()))
                }
                // SAFETY: `Kind::Avx2` is made by `available` only, after detection.
                unsafe { with(kernel) }
            }
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => {
                #[target_feature(enable = "avx512f,avx2,fma")]
                fn with<K: Kernel>(kernel: K) -> K::Output {
                    kernel.run(x86::Avx512(()))
                }
                // SAFETY: `Kind::Avx512` is made by `available` only, after detection.
                unsafe { with(kernel) }
            }
        }
    }
}

/// Code that is compiled for every instruction set. `run` must be `#[inline(always)]`.
pub(super) trait Kernel {
    /// What it returns.
    type Output;
    /// The code.
    fn run<S: Simd>(self, s: S) -> Self::Output;
}

/// Operations on 16 lanes. `max` and `min` return the second operand when one is NaN.
pub(super) trait Simd: Copy {
    /// 16 lanes.
    type V: Copy;
    /// Accumulators of 16 lanes that fit the registers beside the operands.
    const ACCUMULATORS: usize;
    /// Most rows of a matrix product's register tile.
    const ROWS: usize;
    /// Register tile of a product whose common axis is innermost: most rows and columns. There must be
    /// registers for the accumulators, the columns and all the rows: compilers load them all first.
    const DOTS: (usize, usize);

    /// Runs a kernel as a function of its own, compiled for this instruction set: an inner loop that
    /// needs every register must not share them with what the compiler keeps for the code around.
    fn call<K: Kernel>(self, kernel: K) -> K::Output;

    /// The same value in all lanes.
    fn splat(self, x: f32) -> Self::V;
    /// # Safety
    /// `p` must be valid for reading 16 values.
    unsafe fn load_at(self, p: *const f32) -> Self::V;
    /// # Safety
    /// `p` must be valid for writing 16 values.
    unsafe fn store_at(self, v: Self::V, p: *mut f32);
    /// `a + b`
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a / b`
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, fused where the processor can.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Larger one.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// Smaller one.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// Nearest integer, ties to even.
    fn round(self, a: Self::V) -> Self::V;
    /// Next integer below.
    fn floor(self, a: Self::V) -> Self::V;

    /// `table[i]` for the lowest four bits `i` of every lane's bits.
    #[inline(always)]
    fn permute(self, table: Self::V, index: Self::V) -> Self::V {
        let (mut values, mut at) = ([0.0; 16], [0.0; 16]);
        self.store(table, &mut values);
        self.store(index, &mut at);
        for i in &mut at {
            *i = values[(i.to_bits() & 15) as usize];
        }
        self.load(&at)
    }

    /// Every lane's bits four places down: the next index for [`Simd::permute`].
    #[inline(always)]
    fn shift_index(self, index: Self::V) -> Self::V {
        let mut at = [0.0; 16];
        self.store(index, &mut at);
        for i in &mut at {
            *i = f32::from_bits(i.to_bits() >> 4);
        }
        self.load(&at)
    }

    /// 16 values of a slice.
    #[inline(always)]
    fn load(self, from: &[f32]) -> Self::V {
        assert!(from.len() >= 16);
        // SAFETY: the slice has 16 values.
        unsafe { self.load_at(from.as_ptr()) }
    }

    /// Writes 16 values of a slice.
    #[inline(always)]
    fn store(self, v: Self::V, to: &mut [f32]) {
        assert!(to.len() >= 16);
        // SAFETY: the slice has 16 values.
        unsafe { self.store_at(v, to.as_mut_ptr()) }
    }
}

/// What the target always has.
#[derive(Clone, Copy)]
pub(super) struct Portable(());

/// Whether the target always fuses.
const FUSED: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

#[inline(always)]
fn each(f: impl Fn(usize) -> f32) -> [f32; 16] {
    let mut v = [0.0; 16];
    for (i, v) in v.iter_mut().enumerate() {
        *v = f(i);
    }
    v
}

impl Simd for Portable {
    type V = [f32; 16];
    const ACCUMULATORS: usize = if cfg!(target_arch = "aarch64") { 6 } else { 3 };
    const ROWS: usize = Self::ACCUMULATORS;
    const DOTS: (usize, usize) = (Self::ACCUMULATORS, 1);

    fn call<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }
    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        [x; 16]
    }
    #[inline(always)]
    unsafe fn load_at(self, p: *const f32) -> Self::V {
        // SAFETY: the caller guarantees 16 values.
        unsafe { p.cast::<[f32; 16]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store_at(self, v: Self::V, p: *mut f32) {
        // SAFETY: the caller guarantees 16 values.
        unsafe { p.cast::<[f32; 16]>().write_unaligned(v) }
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        each(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        each(|i| a[i] - b[i])
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        each(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        each(|i| a[i] / b[i])
    }
    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        match FUSED {
            true => each(|i| a[i].mul_add(b[i], c[i])),
            false => each(|i| a[i] * b[i] + c[i]),
        }
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        each(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        each(|i| if a[i] < b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn round(self, a: Self::V) -> Self::V {
        each(|i| a[i].round_ties_even())
    }
    #[inline(always)]
    fn floor(self, a: Self::V) -> Self::V {
        each(|i| a[i].floor())
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    //! Every `unsafe` block below calls instructions that the token `self` proves to exist:
    //! `Avx2` and `Avx512` are made in [`super::Isa::run`] only.

    use std::arch::x86_64::*;

    use super::{Kernel, Simd};

    /// Proof of AVX2 and FMA.
    #[derive(Clone, Copy)]
    pub struct Avx2(pub(super) ());

    /// Proof of AVX-512F.
    #[derive(Clone, Copy)]
    pub struct Avx512(pub(super) ());

    /// 16 lanes in two registers.
    type Pair = (__m256, __m256);

    /// A lane-wise operation on both registers.
    macro_rules! pairwise {
        ($name:ident, $intrinsic:ident, $($x:ident),+) => {
            #[inline(always)]
            fn $name(self, $($x: Pair),+) -> Pair {
                // SAFETY: the token proves AVX2 and FMA.
                unsafe { ($intrinsic($($x.0),+), $intrinsic($($x.1),+)) }
            }
        };
    }

    impl Simd for Avx2 {
        type V = Pair;
        const ACCUMULATORS: usize = 6;
        const ROWS: usize = 6;
        const DOTS: (usize, usize) = (3, 2);

        #[inline(always)]
        fn call<K: Kernel>(self, kernel: K) -> K::Output {
            #[target_feature(enable = "avx2,fma")]
            #[inline(never)]
            fn alone<K: Kernel>(kernel: K) -> K::Output {
                kernel.run(Avx2(()))
            }
            // SAFETY: the token proves AVX2 and FMA.
            unsafe { alone(kernel) }
        }

        #[inline(always)]
        fn splat(self, x: f32) -> Pair {
            // SAFETY: the token proves AVX2 and FMA.
            let v = unsafe { _mm256_set1_ps(x) };
            (v, v)
        }
        #[inline(always)]
        unsafe fn load_at(self, p: *const f32) -> Pair {
            // SAFETY: the token proves AVX2; the caller guarantees 16 values.
            unsafe { (_mm256_loadu_ps(p), _mm256_loadu_ps(p.add(8))) }
        }
        #[inline(always)]
        unsafe fn store_at(self, v: Pair, p: *mut f32) {
            // SAFETY: the token proves AVX2; the caller guarantees 16 values.
            unsafe {
                _mm256_storeu_ps(p, v.0);
                _mm256_storeu_ps(p.add(8), v.1);
            }
        }
        pairwise!(add, _mm256_add_ps, a, b);
        pairwise!(sub, _mm256_sub_ps, a, b);
        pairwise!(mul, _mm256_mul_ps, a, b);
        pairwise!(div, _mm256_div_ps, a, b);
        pairwise!(fma, _mm256_fmadd_ps, a, b, c);
        pairwise!(max, _mm256_max_ps, a, b);
        pairwise!(min, _mm256_min_ps, a, b);
        pairwise!(floor, _mm256_floor_ps, a);
        #[inline(always)]
        fn round(self, a: Pair) -> Pair {
            const EVEN: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
            // SAFETY: the token proves AVX2 and FMA.
            unsafe { (_mm256_round_ps::<EVEN>(a.0), _mm256_round_ps::<EVEN>(a.1)) }
        }
    }

    /// A lane-wise operation.
    macro_rules! lanewise {
        ($name:ident, $intrinsic:ident, $($x:ident),+) => {
            #[inline(always)]
            fn $name(self, $($x: __m512),+) -> __m512 {
                // SAFETY: the token proves AVX-512F.
                unsafe { $intrinsic($($x),+) }
            }
        };
    }

    impl Simd for Avx512 {
        type V = __m512;
        const ACCUMULATORS: usize = 24;
        const ROWS: usize = 12;
        const DOTS: (usize, usize) = (6, 3);

        #[inline(always)]
        fn call<K: Kernel>(self, kernel: K) -> K::Output {
            #[target_feature(enable = "avx512f,avx2,fma")]
            #[inline(never)]
            fn alone<K: Kernel>(kernel: K) -> K::Output {
                kernel.run(Avx512(()))
            }
            // SAFETY: the token proves AVX-512F.
            unsafe { alone(kernel) }
        }

        #[inline(always)]
        fn splat(self, x: f32) -> __m512 {
            // SAFETY: the token proves AVX-512F.
            unsafe { _mm512_set1_ps(x) }
        }
        #[inline(always)]
        unsafe fn load_at(self, p: *const f32) -> __m512 {
            // SAFETY: the token proves AVX-512F; the caller guarantees 16 values.
            unsafe { _mm512_loadu_ps(p) }
        }
        #[inline(always)]
        unsafe fn store_at(self, v: __m512, p: *mut f32) {
            // SAFETY: the token proves AVX-512F; the caller guarantees 16 values.
            unsafe { _mm512_storeu_ps(p, v) }
        }
        lanewise!(add, _mm512_add_ps, a, b);
        lanewise!(sub, _mm512_sub_ps, a, b);
        lanewise!(mul, _mm512_mul_ps, a, b);
        lanewise!(div, _mm512_div_ps, a, b);
        lanewise!(fma, _mm512_fmadd_ps, a, b, c);
        lanewise!(max, _mm512_max_ps, a, b);
        lanewise!(min, _mm512_min_ps, a, b);
        #[inline(always)]
        fn permute(self, table: __m512, index: __m512) -> __m512 {
            // SAFETY: the token proves AVX-512F.
            unsafe { _mm512_permutexvar_ps(_mm512_castps_si512(index), table) }
        }
        #[inline(always)]
        fn shift_index(self, index: __m512) -> __m512 {
            // SAFETY: the token proves AVX-512F.
            unsafe { _mm512_castsi512_ps(_mm512_srli_epi32::<4>(_mm512_castps_si512(index))) }
        }
        #[inline(always)]
        fn round(self, a: __m512) -> __m512 {
            // SAFETY: the token proves AVX-512F.
            unsafe { _mm512_roundscale_ps::<0x08>(a) }
        }
        #[inline(always)]
        fn floor(self, a: __m512) -> __m512 {
            // SAFETY: the token proves AVX-512F.
            unsafe { _mm512_roundscale_ps::<0x09>(a) }
        }
    }
}
