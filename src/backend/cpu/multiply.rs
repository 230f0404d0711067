//! Product of two maps.

use super::block::BlockRun;
use super::step::{BlockOp, scheduled};
use crate::program::{LANES, Multiply};

scheduled!(Multiply: block);

impl BlockOp for Multiply {
    fn run(&self, run: &mut BlockRun<'_>) {
        let (_, h, w) = run.shape(self.a).chw();
        let one_a_channel = run.shape(self.b) != run.shape(self.a);
        run.write([self.y], |run, [y]| {
            let (a, b) = (run.image(self.a), run.image(self.b));
            match one_a_channel {
                true => by_channel(a, b, h * w, y),
                false => multiply(a, b, y),
            }
        });
    }
}

/// `y = a * b` on maps of the same shape.
fn multiply(a: &[f32], b: &[f32], y: &mut [f32]) {
    for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
        *y = a * b;
    }
}

/// `y = a * b` where `b` has one value per channel of `pixels` pixels.
fn by_channel(a: &[f32], b: &[f32], pixels: usize, y: &mut [f32]) {
    let plane = pixels * LANES;
    let planes = y.chunks_exact_mut(plane).zip(a.chunks_exact(plane));
    for ((y, a), b) in planes.zip(b.chunks_exact(LANES)) {
        for (y, a) in y.chunks_exact_mut(LANES).zip(a.chunks_exact(LANES)) {
            multiply(a, b, y);
        }
    }
}
