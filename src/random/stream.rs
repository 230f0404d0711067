//! Streams: the numbers of one purpose of one layer of one chip, by address.

use super::normal::{lognormal, squeezed, standard, uniform};
use super::{Purpose, philox, repeated};
use rand::rand_core::TryRng;
use std::convert::Infallible;

/// The random numbers of one purpose of one layer of one chip: a function of the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    /// Key of the experiment.
    pub seed: u64,
    /// [`Purpose`], possibly with [`super::TRAINING`].
    pub purpose: u32,
    /// Layer address.
    pub layer: u32,
    /// Chip index (or what the purpose counts instead).
    pub chip: u32,
}

impl Stream {
    /// The stream of a purpose; `flags` (0 or [`super::TRAINING`]) are or-ed into the purpose word.
    pub fn new(seed: u64, purpose: Purpose, flags: u32, layer: u32, chip: u32) -> Self {
        Self {
            seed,
            purpose: purpose as u32 | flags,
            layer,
            chip,
        }
    }

    /// The stream that draws the same numbers anew, for the `n`-th time from 0: independent of this one for
    /// `n > 0`. The repeats of a conversion are the images.
    #[must_use]
    pub fn repeat(self, n: u32) -> Self {
        Self {
            layer: repeated(self.layer, n),
            ..self
        }
    }

    #[inline(always)]
    pub(super) fn key(&self) -> [u32; 2] {
        [self.seed as u32, (self.seed >> 32) as u32]
    }

    #[inline(always)]
    fn counter(&self, block: u32) -> [u32; 4] {
        [block, self.layer, self.chip, self.purpose]
    }

    /// The 32-bit word at an address.
    #[inline]
    pub fn word(&self, address: u32) -> u32 {
        philox::block(self.key(), self.counter(address / 4))[(address % 4) as usize]
    }

    /// The standard normal deviate at an address.
    #[inline]
    pub fn normal(&self, address: u32) -> f32 {
        standard(self.word(address))
    }

    /// `out[i] = normal(first + i)`.
    pub fn fill_normals(&self, first: u32, out: &mut [f32]) {
        fill(self, first, Kind::Normal, out);
    }

    /// `out[i] = truncated(word(first + i), squeeze)`, see [`super::truncated`].
    pub fn fill_truncated(&self, first: u32, squeeze: f32, out: &mut [f32]) {
        fill(self, first, Kind::Truncated { squeeze }, out);
    }

    /// `out[i] = lognormal(normal(first + i), shape)`, see [`super::lognormal_shape`].
    pub fn fill_lognormal(&self, first: u32, shape: [f32; 2], out: &mut [f32]) {
        fill(self, first, Kind::Lognormal { shape }, out);
    }

    /// The uniform deviate at an address, see [`super::uniform`].
    #[inline]
    pub fn uniform(&self, address: u32) -> f32 {
        uniform(self.word(address))
    }

    /// `out[i] = uniform(first + i)`.
    pub fn fill_uniforms(&self, first: u32, out: &mut [f32]) {
        fill(self, first, Kind::Uniform, out);
    }

    /// A generator that reads the words from an address on, for `rand`'s algorithms.
    pub fn rng(&self, first: u32) -> StreamRng {
        StreamRng {
            stream: *self,
            next: first,
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Normal,
    Truncated { squeeze: f32 },
    Lognormal { shape: [f32; 2] },
    Uniform,
}

/// Words made, then turned into deviates, at a time: stays in the first-level cache, and long
/// enough for the second loop to be vectorised as a loop.
const BATCH: usize = 8 * philox::GROUP;

/// Runs the widest version this processor has; all give the same bits.
fn fill(stream: &Stream, first: u32, kind: Kind, out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY of both: the only requirement of the function is the instruction set just detected.
        if is_x86_feature_detected!("avx512f") {
            return unsafe { fill_avx512(stream, first, kind, out) };
        }
        if is_x86_feature_detected!("avx2") {
            return unsafe { fill_avx2(stream, first, kind, out) };
        }
    }
    fill_with(stream, first, kind, out, philox::fill);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn fill_avx512(stream: &Stream, first: u32, kind: Kind, out: &mut [f32]) {
    fill_with(stream, first, kind, out, |k, c, w| {
        philox::fill_avx512(k, c, w)
    });
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn fill_avx2(stream: &Stream, first: u32, kind: Kind, out: &mut [f32]) {
    fill_with(stream, first, kind, out, |k, c, w| {
        philox::fill_avx2(k, c, w)
    });
}

/// Fills from an address on; `words` is one of the versions of [`philox::fill`].
#[inline(always)]
fn fill_with(
    stream: &Stream,
    first: u32,
    kind: Kind,
    mut out: &mut [f32],
    words: impl Fn([u32; 2], [u32; 4], &mut [u32]),
) {
    let mut batch = [0u32; BATCH];
    let mut made = [0.0f32; BATCH];
    let mut block = first / 4;
    // Words of the first block that come before the address.
    let mut skipped = (first % 4) as usize;
    while !out.is_empty() {
        let (now, later) = out.split_at_mut(out.len().min(BATCH - skipped));
        // Whole groups, so that no deviate is made outside the vector loop.
        let used = (skipped + now.len()).next_multiple_of(philox::GROUP);
        let (batch, made) = (&mut batch[..used], &mut made[..used]);
        words(stream.key(), stream.counter(block), batch);
        match kind {
            Kind::Normal => {
                for (o, &w) in made.iter_mut().zip(batch.iter()) {
                    *o = standard(w);
                }
            }
            Kind::Truncated { squeeze } => {
                for (o, &w) in made.iter_mut().zip(batch.iter()) {
                    *o = squeezed(w, squeeze);
                }
            }
            Kind::Lognormal { shape } => {
                for (o, &w) in made.iter_mut().zip(batch.iter()) {
                    *o = lognormal(standard(w), shape);
                }
            }
            Kind::Uniform => {
                for (o, &w) in made.iter_mut().zip(batch.iter()) {
                    *o = uniform(w);
                }
            }
        }
        now.copy_from_slice(&made[skipped..][..now.len()]);
        out = later;
        skipped = 0;
        block = block.wrapping_add((BATCH / 4) as u32);
    }
}

/// `rand` generator over a [`Stream`]; made by [`Stream::rng`].
#[derive(Debug, Clone)]
pub struct StreamRng {
    stream: Stream,
    next: u32,
}

impl TryRng for StreamRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let word = self.stream.word(self.next);
        self.next = self.next.wrapping_add(1);
        Ok(word)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let low = self.try_next_u32()?;
        let high = self.try_next_u32()?;
        Ok(u64::from(high) << 32 | u64::from(low))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        for chunk in dst.chunks_mut(4) {
            let word = self.try_next_u32()?.to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}
