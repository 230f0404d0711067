//! Deviates of 16 repeats at once: what 16 images draw at the same addresses, image innermost.
//!
//! # Theory
//! Blocks of neighbouring images differ in the second word of the counter only. Of a round's two products one
//! sees the first word and one the third, so that most of the first three rounds is the same for all
//! images, or for all blocks:
//!
//! ```text
//! counter   (block, layer of the image, chip, purpose)
//! round 1   (by image, same for all, by block, by block)
//! round 2   (by block, by block, by image ^ by block, by image)
//! round 3   (one product by image and block, ..)
//! ```
//! Of 20 products a block and image 15 are left. The words are those of [`philox::block`].

#![cfg_attr(
    not(target_arch = "x86_64"),
    expect(
        dead_code,
        unused_imports,
        reason = "what blocks have in common is for the vector code"
    )
)]

use super::normal::standard;
use super::philox::{M, ROUNDS, W, block, mul};
use super::{Stream, repeated};

/// Images at once.
pub const IMAGES: usize = 16;
/// Words of a block of all images.
const WORDS: usize = 4 * IMAGES;
/// Blocks whose words are made, then turned into deviates: they stay in the first-level cache.
const BATCH: usize = 8;

impl Stream {
    /// Standard normal deviates of 16 repeats: `out[4 b + j][k]` is number `4 (first + b) + j` of
    /// [`Stream::repeat`]`(repeat + k)`. The length of `out` is a multiple of 64.
    ///
    /// # Panics
    /// Where it is not.
    pub fn fill_repeats(&self, repeat: u32, first: u32, out: &mut [f32]) {
        assert!(out.len().is_multiple_of(WORDS));
        let start = Start::new(self, repeat);
        #[cfg(target_arch = "x86_64")]
        {
            // SAFETY of both: the only requirement of the function is the instruction set just detected.
            if is_x86_feature_detected!("avx512f") {
                return unsafe { fill_avx512(&start, first, out) };
            }
            if is_x86_feature_detected!("avx2") {
                return unsafe { fill_avx2(&start, first, out) };
            }
        }
        fill_with(first, out, |block, words| start.words(block, words));
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn fill_avx512(start: &Start, first: u32, out: &mut [f32]) {
    fill_with(first, out, |block, words| {
        avx512::words(start, block, words)
    });
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn fill_avx2(start: &Start, first: u32, out: &mut [f32]) {
    fill_with(first, out, |block, words| avx2::words(start, block, words));
}

/// Fills from a block on; `words` is one of the versions of [`Start::words`].
#[inline(always)]
fn fill_with(mut first: u32, out: &mut [f32], words: impl Fn(u32, &mut [u32; WORDS])) {
    let mut batch = [0u32; BATCH * WORDS];
    for out in out.chunks_mut(batch.len()) {
        let batch = &mut batch[..out.len()];
        for own in batch.as_chunks_mut::<WORDS>().0 {
            words(first, own);
            first = first.wrapping_add(1);
        }
        for (o, &w) in out.iter_mut().zip(batch.iter()) {
            *o = standard(w);
        }
    }
}

/// What all blocks of 16 images have in common.
struct Start {
    key: [u32; 2],
    /// Words of the counter.
    layer: [u32; IMAGES],
    chip: u32,
    purpose: u32,
    /// High and low word of the product in round 2 that differs from image to image.
    by_image: [[u32; IMAGES]; 2],
}

/// The state before round 4.
struct Begun {
    /// Multiplied in round 3, once or-ed exclusively into `by_image[0]`.
    multiplied: u32,
    /// What the four words of the state are, or are or-ed exclusively with.
    rest: [u32; 3],
}

/// Key of a round, from 0.
#[inline(always)]
fn key(key: [u32; 2], round: u32) -> [u32; 2] {
    [0, 1].map(|i| key[i].wrapping_add(W[i].wrapping_mul(round)))
}

impl Start {
    fn new(stream: &Stream, repeat: u32) -> Self {
        let [seed, _] = key(stream.key(), 0);
        let layer: [u32; IMAGES] =
            std::array::from_fn(|k| repeated(stream.layer, repeat.wrapping_add(k as u32)));
        let (high, _) = mul(M[1], stream.chip);
        let products = layer.map(|layer| mul(M[0], high ^ layer ^ seed));
        Self {
            key: stream.key(),
            layer,
            chip: stream.chip,
            purpose: stream.purpose,
            by_image: [products.map(|p| p.0), products.map(|p| p.1)],
        }
    }

    /// The rounds of a block before images part.
    #[inline(always)]
    fn begin(&self, block: u32) -> Begun {
        let [first, second, third] = [0, 1, 2].map(|round| key(self.key, round));
        let (_, same) = mul(M[1], self.chip);
        let (high, low) = mul(M[0], block);
        let (own, one) = mul(M[1], high ^ self.purpose ^ first[1]);
        let zero = own ^ same ^ second[0];
        let (high, three) = mul(M[0], zero);
        Begun {
            multiplied: low ^ second[1],
            rest: [one ^ third[0], high ^ third[1], three],
        }
    }

    /// Four words of every image at a block, `[word][image]`.
    fn words(&self, at: u32, words: &mut [u32; WORDS]) {
        for (k, &layer) in self.layer.iter().enumerate() {
            let own = block(self.key, [at, layer, self.chip, self.purpose]);
            own.iter()
                .enumerate()
                .for_each(|(j, &word)| words[j * IMAGES + k] = word);
        }
    }
}

/// With AVX2: four images share a register, each word in the low half of a 64-bit lane (the high half holds
/// rubbish), as the product reads and writes it. Images of even and odd number are in registers of
/// their own, which a shift and a blend bring together.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::*;
    use std::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "avx2")]
    fn all(word: u32) -> __m256i {
        _mm256_set1_epi64x(i64::from(word))
    }

    /// See [`Start::words`].
    #[inline]
    #[target_feature(enable = "avx2")]
    #[expect(
        clippy::needless_range_loop,
        reason = "`h` is one half of all four words"
    )]
    pub fn words(start: &Start, block: u32, words: &mut [u32; WORDS]) {
        let [m0, m1] = M.map(|m| all(m));
        let begun = start.begin(block);
        for eight in (0..IMAGES).step_by(8) {
            let [high, low] = start.by_image.each_ref().map(|words| {
                let eight: &[u32; 8] = words[eight..].first_chunk().expect("16 images");
                // SAFETY: the array has eight words.
                let even = unsafe { _mm256_loadu_si256(eight.as_ptr().cast()) };
                [even, _mm256_srli_epi64::<32>(even)]
            });
            let mut x = [[_mm256_setzero_si256(); 2]; 4];
            for h in 0..2 {
                let p = _mm256_mul_epu32(_mm256_xor_si256(high[h], all(begun.multiplied)), m1);
                x[0][h] = _mm256_xor_si256(_mm256_srli_epi64::<32>(p), all(begun.rest[0]));
                x[1][h] = p;
                x[2][h] = _mm256_xor_si256(low[h], all(begun.rest[1]));
                x[3][h] = all(begun.rest[2]);
            }
            for round in 3..ROUNDS {
                let [key0, key1] = key(start.key, round).map(|k| all(k));
                for h in 0..2 {
                    let p0 = _mm256_mul_epu32(x[0][h], m0);
                    let p1 = _mm256_mul_epu32(x[2][h], m1);
                    let a = _mm256_xor_si256(_mm256_srli_epi64::<32>(p1), x[1][h]);
                    let b = _mm256_xor_si256(_mm256_srli_epi64::<32>(p0), x[3][h]);
                    x[0][h] = _mm256_xor_si256(a, key0);
                    x[1][h] = p1;
                    x[2][h] = _mm256_xor_si256(b, key1);
                    x[3][h] = p0;
                }
            }
            for (j, [even, odd]) in x.into_iter().enumerate() {
                let both = _mm256_blend_epi32::<0xAA>(even, _mm256_slli_epi64::<32>(odd));
                let to: &mut [u32; 8] = words[j * IMAGES + eight..]
                    .first_chunk_mut()
                    .expect("16 images a word");
                // SAFETY: the array has eight words.
                unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), both) };
            }
        }
    }
}

/// The same with AVX-512: eight images share a register, and three words are combined at once.
#[cfg(target_arch = "x86_64")]
mod avx512 {
    use super::*;
    use std::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn all(word: u32) -> __m512i {
        _mm512_set1_epi64(i64::from(word))
    }

    /// See [`Start::words`].
    #[inline]
    #[target_feature(enable = "avx512f")]
    #[expect(
        clippy::needless_range_loop,
        reason = "`h` is one half of all four words"
    )]
    pub fn words(start: &Start, block: u32, words: &mut [u32; WORDS]) {
        let [m0, m1] = M.map(|m| all(m));
        let begun = start.begin(block);
        let [high, low] = start.by_image.each_ref().map(|words| {
            // SAFETY: the array has 16 words.
            let even = unsafe { _mm512_loadu_si512(words.as_ptr().cast()) };
            [even, _mm512_srli_epi64::<32>(even)]
        });
        let mut x = [[_mm512_setzero_si512(); 2]; 4];
        for h in 0..2 {
            let p = _mm512_mul_epu32(_mm512_xor_si512(high[h], all(begun.multiplied)), m1);
            x[0][h] = _mm512_xor_si512(_mm512_srli_epi64::<32>(p), all(begun.rest[0]));
            x[1][h] = p;
            x[2][h] = _mm512_xor_si512(low[h], all(begun.rest[1]));
            x[3][h] = all(begun.rest[2]);
        }
        for round in 3..ROUNDS {
            let [key0, key1] = key(start.key, round).map(|k| all(k));
            for h in 0..2 {
                let p0 = _mm512_mul_epu32(x[0][h], m0);
                let p1 = _mm512_mul_epu32(x[2][h], m1);
                // Three-way exclusive or.
                let [a, b] = [p1, p0].map(|p| _mm512_srli_epi64::<32>(p));
                x[0][h] = _mm512_ternarylogic_epi64::<0x96>(a, x[1][h], key0);
                x[2][h] = _mm512_ternarylogic_epi64::<0x96>(b, x[3][h], key1);
                x[1][h] = p1;
                x[3][h] = p0;
            }
        }
        for ([even, odd], to) in x.into_iter().zip(words.chunks_exact_mut(IMAGES)) {
            let both = _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64::<32>(odd));
            // SAFETY: the chunk has 16 words.
            unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), both) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, RECALIBRATION};

    /// Every version makes the words of [`block`], also where addresses and images come round.
    #[test]
    fn words_are_those_of_single_images() {
        let stream = Stream::new(
            0x1234_5678_9abc_def0,
            Purpose::ReadNoise,
            RECALIBRATION,
            7,
            3,
        );
        for (repeat, block) in [(0, 0), (5, 1), (1 << 19, 77_777), (u32::MAX - 3, u32::MAX)] {
            let start = Start::new(&stream, repeat);
            let single: Vec<u32> = (0..WORDS)
                .map(|i| {
                    let image = repeat.wrapping_add((i % IMAGES) as u32);
                    let address = block.wrapping_mul(4);
                    let own = stream.repeat(image);
                    match block == u32::MAX {
                        true => {
                            super::block(own.key(), [block, own.layer, 3, own.purpose])[i / IMAGES]
                        }
                        false => own.word(address + (i / IMAGES) as u32),
                    }
                })
                .collect();
            let mut words = [0; WORDS];
            start.words(block, &mut words);
            assert_eq!(words[..], single);
            #[cfg(target_arch = "x86_64")]
            {
                if is_x86_feature_detected!("avx2") {
                    words.fill(0);
                    // SAFETY: the instructions are there.
                    unsafe { avx2::words(&start, block, &mut words) };
                    assert_eq!(words[..], single);
                }
                if is_x86_feature_detected!("avx512f") {
                    words.fill(0);
                    // SAFETY: the instructions are there.
                    unsafe { avx512::words(&start, block, &mut words) };
                    assert_eq!(words[..], single);
                }
            }
        }
    }

    /// Deviates of several batches, in order.
    #[test]
    fn deviates_are_those_of_single_images() {
        let stream = Stream::new(9, Purpose::AdcNoise, 0, 2, 1);
        let mut out = vec![f32::NAN; (2 * BATCH + 3) * WORDS];
        stream.fill_repeats(11, 500, &mut out);
        for (i, z) in out.iter().enumerate() {
            let own = stream.repeat(11 + (i % IMAGES) as u32);
            let want = own.normal(4 * 500 + (i / IMAGES) as u32);
            assert_eq!(z.to_bits(), want.to_bits());
        }
    }
}
