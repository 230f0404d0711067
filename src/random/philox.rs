//! Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random
//! numbers: as easy as 1, 2, 3" (SC 2011): four output words are a bijection of the counter under
//! the key, with no other state.

/// Multipliers of the two halves of a round.
const M: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// Weyl increments of the key between rounds (golden ratio, sqrt(3) - 1).
const W: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: u32 = 10;

/// Blocks that [`blocks`] computes at once: one AVX2 register a word.
pub(super) const WIDE: usize = 8;

/// High and low half of a 32 x 32 bit product.
#[inline(always)]
fn mul(a: u32, b: u32) -> (u32, u32) {
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

/// [`WIDE`] consecutive blocks, `counter[0]`, `counter[0] + 1`, ..; result `[word][block]`.
///
/// Inlined into callers that enable instruction sets, where the lane loops become vectors.
#[inline(always)]
pub(super) fn blocks(key: [u32; 2], counter: [u32; 4]) -> [[u32; WIDE]; 4] {
    let [mut k0, mut k1] = key;
    let mut x0 = [0u32; WIDE];
    for (lane, x) in x0.iter_mut().enumerate() {
        *x = counter[0].wrapping_add(lane as u32);
    }
    let mut x1 = [counter[1]; WIDE];
    let mut x2 = [counter[2]; WIDE];
    let mut x3 = [counter[3]; WIDE];
    for _ in 0..ROUNDS {
        for i in 0..WIDE {
            let (h0, l0) = mul(M[0], x0[i]);
            let (h1, l1) = mul(M[1], x2[i]);
            (x0[i], x1[i], x2[i], x3[i]) = (h1 ^ x1[i] ^ k0, l1, h0 ^ x3[i] ^ k1, l0);
        }
        k0 = k0.wrapping_add(W[0]);
        k1 = k1.wrapping_add(W[1]);
    }
    [x0, x1, x2, x3]
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
    fn wide_equals_single() {
        let key = [7, 9];
        let first = [u32::MAX - 2, 1, 2, 3];
        let wide = blocks(key, first);
        for lane in 0..WIDE {
            let mut counter = first;
            counter[0] = counter[0].wrapping_add(lane as u32);
            let one = block(key, counter);
            for word in 0..4 {
                assert_eq!(wide[word][lane], one[word]);
            }
        }
    }
}
