//! Largest magnitude of a map.

use super::block::BlockRun;
use super::memory::Memory;
use super::step::{BlockSum, scheduled};
use super::sums::Parts;
use crate::program::{LANES, MaxAbs};
use crate::vector::wide;

scheduled!(MaxAbs: sum);

impl BlockSum for MaxAbs {
    fn width(&self, _: &Memory) -> usize {
        1
    }

    fn parts(&self, run: &BlockRun<'_>, parts: &mut [f64]) {
        for ((lanes, x), largest) in run.blocks(self.x).zip(parts) {
            *largest = part(x, lanes);
        }
    }

    fn finish(&self, memory: &mut Memory, parts: Parts<'_>) {
        memory.each_chip([self.out], |_, _, [out]| {
            let largest = parts.values.iter().copied().fold(0.0, f64::max);
            out[0] = largest as f32 / self.divisor;
        });
    }
}

/// `max|x|` of a block in its first `lanes` lanes.
fn part(x: &[f32], lanes: usize) -> f64 {
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
