//! How the rows and pixels of a product are cut into register tiles.

use super::simd::Simd;

/// Rows cut into tiles of at most `most` rows that differ by at most one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tiles {
    rows: usize,
    /// Number of tiles.
    pub count: usize,
}

impl Tiles {
    /// Cuts `rows`.
    #[inline(always)]
    pub fn new(rows: usize, most: usize) -> Self {
        let count = rows.div_ceil(most);
        Self { rows, count }
    }

    /// Rows of tile `t`.
    #[inline(always)]
    pub fn rows(self, t: usize) -> std::ops::Range<usize> {
        self.rows * t / self.count..self.rows * (t + 1) / self.count
    }
}

/// Pixels at once for a tile of `m` rows.
pub(super) const fn pixels_at_once<S: Simd>(m: usize) -> usize {
    match S::ACCUMULATORS / m {
        0 | 1 => 1,
        2 => 2,
        3 => 3,
        4 | 5 => 4,
        6 | 7 => 6,
        _ => 8,
    }
}
