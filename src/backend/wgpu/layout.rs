//! How values lie in buffers: halves in words, images in blocks.

use crate::backend::storage;
use crate::program::LANES;

/// How a tensor's values lie in its buffer, whose slabs (one a chip, or one) are padded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Slabs of `n` values, as 32-bit words or as halves.
    Flat {
        slabs: usize,
        slab: usize,
        n: usize,
        halves: bool,
    },
    /// Slabs of `images` images of `len` values in blocks.
    Blocks {
        slabs: usize,
        slab: usize,
        len: usize,
        images: usize,
    },
}

impl Layout {
    /// 32-bit words from the beginning of the buffer on.
    pub fn floats(&self) -> u64 {
        match *self {
            Layout::Flat { slabs, slab, .. } | Layout::Blocks { slabs, slab, .. } => {
                slabs as u64 * slab as u64
            }
        }
    }

    /// The values of these words in logical order.
    pub fn logical(&self, words: Vec<f32>) -> Vec<f32> {
        match *self {
            Layout::Flat {
                slab, n, halves, ..
            } => {
                let rows = words.chunks_exact(slab);
                match halves {
                    true => rows.flat_map(|row| from_halves(row, n)).collect(),
                    false if slab == n => words,
                    false => rows.flat_map(|row| &row[..n]).copied().collect(),
                }
            }
            Layout::Blocks {
                slabs,
                slab,
                len,
                images,
            } => {
                let mut out = Vec::with_capacity(slabs * images * len);
                for blocks in words.chunks_exact(slab) {
                    from_blocks(blocks, len, images, &mut out);
                }
                out
            }
        }
    }
}

/// Words of the nearest halves, the first value lowest; the last word may end with a zero.
pub(super) fn to_halves(values: &[f32]) -> Vec<f32> {
    let mut halves = vec![0; values.len().next_multiple_of(2)];
    storage::round(values, &mut halves[..values.len()]);
    let word = |pair: &[u16]| f32::from_bits(u32::from(pair[0]) | u32::from(pair[1]) << 16);
    halves.chunks_exact(2).map(word).collect()
}

/// The first `n` values in words of halves.
fn from_halves(words: &[f32], n: usize) -> Vec<f32> {
    let bits = words.iter().map(|w| w.to_bits());
    let halves = bits.flat_map(|w| [w as u16, (w >> 16) as u16]);
    let halves: Vec<u16> = halves.take(n).collect();
    let mut values = vec![0.0; n];
    storage::expand(&halves, &mut values);
    values
}

/// `[image][value]` to `[block][value][lane]`; lanes without an image become 0.
pub(super) fn to_blocks(images: &[f32], len: usize) -> Vec<f32> {
    let n = images.len() / len;
    let mut out = vec![0.0; n.div_ceil(LANES) * LANES * len];
    for (i, image) in images.chunks_exact(len).enumerate() {
        let block = &mut out[i / LANES * LANES * len..];
        for (j, v) in image.iter().enumerate() {
            block[j * LANES + i % LANES] = *v;
        }
    }
    out
}

/// The inverse of [`to_blocks`] for the first `n` images, appended to `out`.
fn from_blocks(blocks: &[f32], len: usize, n: usize, out: &mut Vec<f32>) {
    for i in 0..n {
        let block = &blocks[i / LANES * LANES * len..];
        out.extend((0..len).map(|j| block[j * LANES + i % LANES]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_and_back() {
        for values in [&[0.5, -1.75, 3.0][..], &[65504.0, 0.0]] {
            let words = to_halves(values);
            assert_eq!(words.len(), values.len().div_ceil(2));
            assert_eq!(words[0].to_bits() & 0xffff, half_of(values[0]));
            assert_eq!(from_halves(&words, values.len()), values);
        }
    }

    fn half_of(v: f32) -> u32 {
        let mut half = [0];
        storage::round(&[v], &mut half);
        half[0].into()
    }

    #[test]
    fn blocks_and_back() {
        let images: Vec<f32> = (0..19 * 3).map(|v| v as f32).collect();
        let blocks = to_blocks(&images, 3);
        assert_eq!(blocks.len(), 2 * 3 * LANES);
        assert_eq!(blocks[LANES + 2], images[2 * 3 + 1]);
        let mut back = Vec::new();
        from_blocks(&blocks, 3, 19, &mut back);
        assert_eq!(back, images);
    }
}
