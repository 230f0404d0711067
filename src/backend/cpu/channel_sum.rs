//! Sum of a map per channel (the gradient of a bias).

use super::block::BlockRun;
use super::memory::Memory;
use super::step::{BlockSum, scheduled};
use super::sums::Parts;
use crate::program::{ChannelSum, LANES};
use crate::vector::wide;

scheduled!(ChannelSum: sum);

impl BlockSum for ChannelSum {
    fn width(&self, memory: &Memory) -> usize {
        memory.shape(self.x).chw().0
    }

    fn parts(&self, run: &BlockRun<'_>, parts: &mut [f64]) {
        let (channels, h, w) = run.shape(self.x).chw();
        let parts = parts.chunks_exact_mut(channels);
        for ((lanes, x), sums) in run.blocks(self.x).zip(parts) {
            part(x, h * w * LANES, lanes, sums);
        }
    }

    fn finish(&self, memory: &mut Memory, parts: Parts<'_>) {
        memory.each_chip([self.y], |m, chip, [y]| {
            for (y, sum) in y.iter_mut().zip(parts.of(m, self.y, chip).total()) {
                *y = sum as f32;
            }
        });
    }
}

/// `sums[c]` of a block of channels of `plane` values: pixel after pixel, then over the first
/// `lanes` lanes.
fn part(x: &[f32], plane: usize, lanes: usize, sums: &mut [f64]) {
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
