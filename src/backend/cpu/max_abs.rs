//! Largest magnitude of a map.

use crate::program::LANES;
use crate::vector::wide;

/// `max|x|` of a block in its first `lanes` lanes.
pub(super) fn part(x: &[f32], lanes: usize) -> f64 {
    let mut largest = [0f32; LANES];
    wide(|| {
        for row in x.chunks_exact(LANES) {
            for (l, v) in largest.iter_mut().zip(row) {
                *l = l.max(v.abs());
            }
        }
    });
    f64::from(largest[..lanes].iter().copied().fold(0.0, f32::max))
}
