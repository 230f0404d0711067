//! Sum of a map per channel (the gradient of a bias).

use crate::program::LANES;
use crate::vector::wide;

/// `sums[c]` of a block of channels of `plane` values: pixel after pixel, then over the first
/// `lanes` lanes.
pub(super) fn part(x: &[f32], plane: usize, lanes: usize, sums: &mut [f64]) {
    for (map, sum) in x.chunks_exact(plane).zip(sums) {
        let mut partial = [0.0f64; LANES];
        wide(|| {
            for pixel in map.chunks_exact(LANES) {
                for (p, &v) in partial.iter_mut().zip(pixel) {
                    *p += f64::from(v);
                }
            }
        });
        *sum = partial[..lanes].iter().sum();
    }
}
