//! Copies of a few rows of a map with zeros around them.
//!
//! # Theory
//! A window that begins before the map or ends behind it reads zeros there. Convolutions read
//! them from a copy of the rows at hand, a *strip*: it stays in the second-level cache, where a copy
//! of the whole map would go to memory and come back.
//!
//! # Practice
//! Channels of a strip are an odd number of cache lines apart. Those of most maps are a power of
//! two apart, and then a pixel's channels would all compete for the same few places of the cache.

use crate::program::LANES;

/// Bytes of a strip that leave room for weights and outputs in a common second-level cache.
pub(super) const STRIP_BYTES: usize = 256 << 10;

/// Shape of the strips of a map.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strip {
    /// Rows and columns of the map.
    h: usize,
    w: usize,
    /// Zeros in front of a row.
    left: usize,
    /// Columns with zeros.
    pub cols: usize,
    /// Rows.
    pub rows: usize,
}

impl Strip {
    /// Strips of `rows` rows of a map of `h x w` between `left` and `right` zeros.
    pub fn new((h, w): (usize, usize), [left, right]: [usize; 2], rows: usize) -> Self {
        let cols = left + w + right;
        Self {
            h,
            w,
            left,
            cols,
            rows,
        }
    }

    /// Values from one channel to the next.
    pub fn plane(&self) -> usize {
        ((self.rows * self.cols) | 1) * LANES
    }

    /// Copies the rows from `first` on (counted in the map, which begins at 0) of consecutive
    /// channels, as many as `to` holds.
    pub fn copy(&self, x: &[f32], first: isize, to: &mut [f32]) {
        let (row, padded) = (self.w * LANES, self.cols * LANES);
        let (start, end) = (self.left * LANES, self.left * LANES + row);
        let channels = x.chunks_exact(self.h * row);
        for (x, to) in channels.zip(to.chunks_exact_mut(self.plane())) {
            for (i, to) in to.chunks_exact_mut(padded).take(self.rows).enumerate() {
                match usize::try_from(first + i as isize) {
                    Ok(y) if y < self.h => {
                        to[..start].fill(0.0);
                        to[start..end].copy_from_slice(&x[y * row..][..row]);
                        to[end..].fill(0.0);
                    }
                    _ => to.fill(0.0),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two channels of 2 x 3 pixels numbered from 1, strips of two rows, from the row above.
    #[test]
    fn a_strip_is_the_map_between_zeros() {
        let strip = Strip::new((2, 3), [1, 0], 2);
        assert_eq!((strip.cols, strip.plane()), (4, 9 * LANES));
        let x: Vec<f32> = (0..12 * LANES).map(|i| (i / LANES + 1) as f32).collect();
        let mut to = vec![9.0; 2 * strip.plane()];
        let pixels = |to: &[f32]| -> Vec<f32> {
            let channels = to.chunks(strip.plane());
            channels
                .flat_map(|c| c.iter().step_by(LANES).copied().take(8))
                .collect()
        };
        strip.copy(&x, -1, &mut to);
        assert_eq!(
            pixels(&to),
            [
                0., 0., 0., 0., 0., 1., 2., 3., 0., 0., 0., 0., 0., 7., 8., 9.
            ]
        );
        strip.copy(&x, 1, &mut to);
        assert_eq!(
            pixels(&to),
            [
                0., 4., 5., 6., 0., 0., 0., 0., 0., 10., 11., 12., 0., 0., 0., 0.
            ]
        );
    }
}
