//! Copies of values to other places of a map.

use super::block::BlockRun;
use super::step::{BlockOp, scheduled};
use crate::program::{LANES, NO_SOURCE, Rearrange};

scheduled!(Rearrange: block);

impl BlockOp for Rearrange {
    fn run(&self, run: &mut BlockRun<'_>) {
        let (from, to) = (run.shape(self.x).len(), run.shape(self.y).len());
        run.write([self.y], |run, [y]| {
            copy(self, from, to, run.image(self.x), y)
        });
    }
}

/// Copies on all blocks, of `from` values an image to `to` values. Places that follow each other in both
/// maps are one copy.
fn copy(op: &Rearrange, from: usize, to: usize, x: &[f32], y: &mut [f32]) {
    let mut at = 0;
    while at < op.table.len() {
        let source = op.table[at];
        let rest = &op.table[at..];
        let follows = |(i, &s): (usize, &u32)| match source {
            NO_SOURCE => s == NO_SOURCE,
            _ => s != NO_SOURCE && s as usize == source as usize + i,
        };
        let run = rest.iter().enumerate().take_while(|&e| follows(e)).count();
        let target = (op.first + at) * LANES;
        let blocks = x.chunks_exact(from * LANES);
        for (x, y) in blocks.zip(y.chunks_exact_mut(to * LANES)) {
            let y = &mut y[target..][..run * LANES];
            match source {
                NO_SOURCE => y.fill(op.fill),
                _ => y.copy_from_slice(&x[source as usize * LANES..][..run * LANES]),
            }
        }
        at += run;
    }
}
