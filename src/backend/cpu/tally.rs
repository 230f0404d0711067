//! Sums over the images of a run.

use super::memory::Memory;
use super::step::{WholeOp, scheduled};
use crate::program::{LANES, RunArgs, Tally, TensorId};

scheduled!(Tally: whole);

impl WholeOp for Tally {
    fn run(&self, memory: &mut Memory, _: &RunArgs) {
        memory.each_chip([self.tally], |m, chip, [tally]| {
            accumulate(m, &self.values, chip, tally)
        });
    }
}

/// Adds the sums of a chip's values over the run's images: the lanes of a block by a fixed
/// tree, then block after block in `f32`. The order is that of the images alone, so the sums do
/// not depend on how a chip's images are cut into runs; the shader adds in the same order.
fn accumulate(m: &Memory, values: &[TensorId], chip: usize, tally: &mut [f32]) {
    for (sum, &t) in tally.iter_mut().zip(values) {
        for block in 0..m.blocks() {
            let used = m.lanes(block);
            let mut v = [0f32; LANES];
            v[..used].copy_from_slice(&m.block(t, chip, block)[..used]);
            let quad = |i: usize| (v[i] + v[i + 1]) + (v[i + 2] + v[i + 3]);
            *sum += (quad(0) + quad(4)) + (quad(8) + quad(12));
        }
    }
}
