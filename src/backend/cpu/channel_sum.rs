//! Sum of a map per channel (the gradient of a bias).

use rayon::prelude::*;

use super::Memory;
use crate::backend::program::{LANES, TensorId};

/// `y[c]` of `chip`, or of all chips when `y` is shared: `f64`, chip after chip, block after block,
/// pixel after pixel, lanes first.
pub(super) fn channel_sum(m: &Memory, x: TensorId, shared: bool, chip: usize, y: &mut [f32]) {
    let (channels, h, w) = m.shape(x).chw();
    let plane = h * w * LANES;
    let chips = if shared {
        0..m.chips_of(x)
    } else {
        chip..chip + 1
    };
    debug_assert_eq!(channels, y.len());
    y.par_iter_mut().enumerate().for_each(|(c, y)| {
        let mut sum = 0.0;
        for chip in chips.clone() {
            for block in 0..m.blocks() {
                let lanes = m.lanes(block);
                let map = &m.block(x, chip, block)[c * plane..][..plane];
                let mut partial = [0.0f64; LANES];
                for pixel in map.chunks_exact(LANES) {
                    for (p, &v) in partial.iter_mut().zip(pixel) {
                        *p += f64::from(v);
                    }
                }
                sum += partial[..lanes].iter().sum::<f64>();
            }
        }
        *y = sum as f32;
    });
}
