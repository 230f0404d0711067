//! Product of two maps.

use crate::program::LANES;

/// `y = a * b` on maps of the same shape.
pub(super) fn multiply(a: &[f32], b: &[f32], y: &mut [f32]) {
    for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
        *y = a * b;
    }
}

/// `y = a * b` where `b` has one value per channel of `pixels` pixels.
pub(super) fn by_channel(a: &[f32], b: &[f32], pixels: usize, y: &mut [f32]) {
    let plane = pixels * LANES;
    let planes = y.chunks_exact_mut(plane).zip(a.chunks_exact(plane));
    for ((y, a), b) in planes.zip(b.chunks_exact(LANES)) {
        for (y, a) in y.chunks_exact_mut(LANES).zip(a.chunks_exact(LANES)) {
            multiply(a, b, y);
        }
    }
}
