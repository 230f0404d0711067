//! Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random
//! numbers: as easy as 1, 2, 3" (SC 2011): four output words are a bijection of the counter under
//! the key, with no other state.

/// Multipliers of the two halves of a round.
pub(super) const M: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// Weyl increments of the key between rounds (golden ratio, sqrt(3) - 1).
pub(super) const W: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
pub(super) const ROUNDS: u32 = 10;

/// [`fill`] makes multiples of so many words: eight blocks, two AVX2 registers a word or one of AVX-512.
pub(super) const GROUP: usize = 32;

/// High and low half of a 32 x 32 bit product.
#[inline(always)]
pub(super) fn mul(a: u32, b: u32) -> (u32, u32) {
    let p = u64::from(a) * u64::from(b);
    ((p >> 32) as u32, p as u32)
}

/// One block of four random words.
///
/// `key` and `counter` are little-endian word orders of the 64-bit key and the 128-bit counter.
#[inline]
pub fn block(key: [u32; 2], counter: [u32; 4]) -> [u32; 4] {
    let [mut k0, mut k1] = key;
    let [mut x0, mut x1, mut x2, mut x3] = counter;
    for _ in 0..ROUNDS {
        let (h0, l0) = mul(M[0], x0);
        let (h1, l1) = mul(M[1], x2);
        (x0, x1, x2, x3) = (h1 ^ x1 ^ k0, l1, h0 ^ x3 ^ k1, l0);
        k0 = k0.wrapping_add(W[0]);
        k1 = k1.wrapping_add(W[1]);
    }
    [x0, x1, x2, x3]
}

/// Words of consecutive blocks, `counter`, `counter + 1` (in its first word, wrapping), ..;
/// `words.len()` is a multiple of [`GROUP`].
#[inline(always)]
pub(super) fn fill(key: [u32; 2], counter: [u32; 4], words: &mut [u32]) {
    let [first, c1, c2, c3] = counter;
    for (i, o) in words.chunks_exact_mut(4).enumerate() {
        o.copy_from_slice(&block(key, [first.wrapping_add(i as u32), c1, c2, c3]));
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::fill as fill_avx2;

/// The same with AVX2: four blocks share a register, each word in the low half of a 64-bit lane
/// (the high half holds rubbish), as the 32 x 32 -> 64 bit product reads and writes it without a
/// shuffle. Compilers do not find this form by themselves.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{GROUP, M, ROUNDS, W};
    use std::arch::x86_64::*;

    /// See [`super::fill`].
    #[target_feature(enable = "avx2")]
    pub fn fill(key: [u32; 2], counter: [u32; 4], words: &mut [u32]) {
        let [first, c1, c2, c3] = counter;
        let m0 = _mm256_set1_epi64x(i64::from(M[0]));
        let m1 = _mm256_set1_epi64x(i64::from(M[1]));
        for (i, o) in words.chunks_exact_mut(GROUP).enumerate() {
            let base = _mm256_set1_epi64x(i64::from(first.wrapping_add((i * GROUP / 4) as u32)));
            let mut x0 = [
                _mm256_add_epi64(base, _mm256_set_epi64x(3, 2, 1, 0)),
                _mm256_add_epi64(base, _mm256_set_epi64x(7, 6, 5, 4)),
            ];
            let mut x1 = [_mm256_set1_epi64x(i64::from(c1)); 2];
            let mut x2 = [_mm256_set1_epi64x(i64::from(c2)); 2];
            let mut x3 = [_mm256_set1_epi64x(i64::from(c3)); 2];
            let [mut k0, mut k1] = key;
            for _ in 0..ROUNDS {
                let key0 = _mm256_set1_epi64x(i64::from(k0));
                let key1 = _mm256_set1_epi64x(i64::from(k1));
                for h in 0..2 {
                    let p0 = _mm256_mul_epu32(x0[h], m0);
                    let p1 = _mm256_mul_epu32(x2[h], m1);
                    let a = _mm256_xor_si256(_mm256_srli_epi64::<32>(p1), x1[h]);
                    let b = _mm256_xor_si256(_mm256_srli_epi64::<32>(p0), x3[h]);
                    x0[h] = _mm256_xor_si256(a, key0);
                    x1[h] = p1;
                    x2[h] = _mm256_xor_si256(b, key1);
                    x3[h] = p0;
                }
                k0 = k0.wrapping_add(W[0]);
                k1 = k1.wrapping_add(W[1]);
            }
            for h in 0..2 {
                // Words (0, 1) and (2, 3) of four blocks, then whole blocks in order.
                let a = _mm256_blend_epi32::<0xAA>(x0[h], _mm256_slli_epi64::<32>(x1[h]));
                let b = _mm256_blend_epi32::<0xAA>(x2[h], _mm256_slli_epi64::<32>(x3[h]));
                let even = _mm256_unpacklo_epi64(a, b);
                let odd = _mm256_unpackhi_epi64(a, b);
                let low = _mm256_permute2x128_si256::<0x20>(even, odd);
                let high = _mm256_permute2x128_si256::<0x31>(even, odd);
                let half = o[16 * h..16 * h + 16].as_mut_ptr();
                // SAFETY: `half` starts 16 words, of which these two unaligned stores write eight
                // each.
                unsafe {
                    _mm256_storeu_si256(half.cast(), low);
                    _mm256_storeu_si256(half.add(8).cast(), high);
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use avx512::fill as fill_avx512;

/// The same with AVX-512: eight blocks share a register, and three words are combined at once.
#[cfg(target_arch = "x86_64")]
mod avx512 {
    use super::{GROUP, M, ROUNDS, W};
    use std::arch::x86_64::*;

    /// See [`super::fill`].
    #[target_feature(enable = "avx512f")]
    pub fn fill(key: [u32; 2], counter: [u32; 4], words: &mut [u32]) {
        let [first, c1, c2, c3] = counter;
        let m0 = _mm512_set1_epi64(i64::from(M[0]));
        let m1 = _mm512_set1_epi64(i64::from(M[1]));
        let steps = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
        for (i, o) in words.chunks_exact_mut(GROUP).enumerate() {
            let base = _mm512_set1_epi64(i64::from(first.wrapping_add((i * GROUP / 4) as u32)));
            let mut x0 = _mm512_add_epi64(base, steps);
            let mut x1 = _mm512_set1_epi64(i64::from(c1));
            let mut x2 = _mm512_set1_epi64(i64::from(c2));
            let mut x3 = _mm512_set1_epi64(i64::from(c3));
            let [mut k0, mut k1] = key;
            for _ in 0..ROUNDS {
                let key0 = _mm512_set1_epi64(i64::from(k0));
                let key1 = _mm512_set1_epi64(i64::from(k1));
                let p0 = _mm512_mul_epu32(x0, m0);
                let p1 = _mm512_mul_epu32(x2, m1);
                // Three-way exclusive or.
                x0 = _mm512_ternarylogic_epi64::<0x96>(_mm512_srli_epi64::<32>(p1), x1, key0);
                x2 = _mm512_ternarylogic_epi64::<0x96>(_mm512_srli_epi64::<32>(p0), x3, key1);
                x1 = p1;
                x3 = p0;
                k0 = k0.wrapping_add(W[0]);
                k1 = k1.wrapping_add(W[1]);
            }
            // Words (0, 1) and (2, 3) of eight blocks, then whole blocks in order.
            let a = _mm512_mask_blend_epi32(0xAAAA, x0, _mm512_slli_epi64::<32>(x1));
            let b = _mm512_mask_blend_epi32(0xAAAA, x2, _mm512_slli_epi64::<32>(x3));
            let low = _mm512_permutex2var_epi64(a, _mm512_set_epi64(11, 3, 10, 2, 9, 1, 8, 0), b);
            let high =
                _mm512_permutex2var_epi64(a, _mm512_set_epi64(15, 7, 14, 6, 13, 5, 12, 4), b);
            let to = o.as_mut_ptr();
            // SAFETY: `to` starts 32 words, of which these two unaligned stores write sixteen each.
            unsafe {
                _mm512_storeu_si512(to.cast(), low);
                _mm512_storeu_si512(to.add(16).cast(), high);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The philox4x32-10 lines of Random123's `kat_vectors`.
    #[test]
    fn known_answers() {
        let ones = u32::MAX;
        for (key, counter, want) in [
            (
                [0, 0],
                [0; 4],
                [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8],
            ),
            (
                [ones; 2],
                [ones; 4],
                [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
            ),
            (
                [0xa409_3822, 0x299f_31d0],
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ] {
            assert_eq!(block(key, counter), want);
        }
    }

    #[test]
    fn equals_an_independent_implementation() {
        let mut state = 1u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 32) as u32
        };
        for _ in 0..1000 {
            let key = [next(), next()];
            let counter = [next(), next(), next(), next()];
            assert_eq!(
                block(key, counter),
                rand_philox::philox4x32_10(counter, key)
            );
        }
    }

    #[test]
    fn filling_equals_single_blocks() {
        let key = [7, u32::MAX];
        let first = [u32::MAX - 2, 1, u32::MAX, 3];
        let want: Vec<u32> = (0..2 * GROUP as u32 / 4)
            .flat_map(|i| {
                block(
                    key,
                    [first[0].wrapping_add(i), first[1], first[2], first[3]],
                )
            })
            .collect();
        let mut words = [0; 2 * GROUP];
        fill(key, first, &mut words);
        assert_eq!(words[..], want);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            words.fill(0);
            // SAFETY: the only requirement of the function is the instruction set just detected.
            unsafe { fill_avx2(key, first, &mut words) };
            assert_eq!(words[..], want);
        }
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f") {
            words.fill(0);
            // SAFETY: as before.
            unsafe { fill_avx512(key, first, &mut words) };
            assert_eq!(words[..], want);
        }
    }
}
