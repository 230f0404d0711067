//! Sum of two maps.

use super::block::BlockRun;
use super::step::{BlockOp, scheduled};
use crate::program::Add;
use crate::vector::wide;

scheduled!(Add: block);

impl BlockOp for Add {
    fn run(&self, run: &mut BlockRun<'_>) {
        run.write([self.y], |run, [y]| {
            add(run.image(self.a), run.image(self.b), y)
        });
    }
}

/// `y = a + b`.
fn add(a: &[f32], b: &[f32], y: &mut [f32]) {
    wide(|| {
        for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
            *y = a + b;
        }
    });
}
