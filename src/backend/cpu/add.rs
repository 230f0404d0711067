//! Sum of two maps.

use crate::vector::wide;

/// `y = a + b`.
pub(super) fn add(a: &[f32], b: &[f32], y: &mut [f32]) {
    wide(|| {
        for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
            *y = a + b;
        }
    });
}
