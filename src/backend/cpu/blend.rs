//! Weighted sum of maps.

use super::block::BlockRun;
use super::step::{BlockOp, scheduled};
use crate::program::Blend;
use crate::vector::wide;

scheduled!(Blend: block);

impl BlockOp for Blend {
    fn run(&self, run: &mut BlockRun<'_>) {
        run.write([self.y], |run, [y]| {
            let (a, f) = self.a;
            match self.b {
                Some((b, g)) => blend((run.image(a), f), (run.image(b), g), y),
                None => scale((run.image(a), f), y),
            }
        });
    }
}

/// `y = f a + g b`.
fn blend((a, f): (&[f32], f32), (b, g): (&[f32], f32), y: &mut [f32]) {
    wide(|| {
        for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
            *y = f * a + g * b;
        }
    });
}

/// `y = f a`.
fn scale((a, f): (&[f32], f32), y: &mut [f32]) {
    wide(|| {
        for (y, a) in y.iter_mut().zip(a) {
            *y = f * a;
        }
    });
}
