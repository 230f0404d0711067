//! Largest magnitude of a map.

use rayon::prelude::*;

use super::memory::Memory;
use crate::backend::program::{LANES, TensorId};
use crate::vector::wide;

/// `max|x|` over the images and chips of the run.
pub(super) fn forward(m: &Memory, x: TensorId) -> f32 {
    let blocks = m.blocks();
    (0..m.chips_of(x) * blocks)
        .into_par_iter()
        .map(|i| {
            let (chip, block) = (i / blocks, i % blocks);
            let lanes = m.lanes(block);
            let mut largest = [0f32; LANES];
            wide(|| {
                for row in m.block(x, chip, block).chunks_exact(LANES) {
                    for (l, v) in largest.iter_mut().zip(row) {
                        *l = l.max(v.abs());
                    }
                }
            });
            largest[..lanes].iter().copied().fold(0.0, f32::max)
        })
        .reduce(|| 0.0, f32::max)
}
