//! One-bit activations: a sign and a magnitude that a channel or an image shares.

use super::block::BlockRun;
use super::step::{BlockOp, scheduled};
use crate::program::{BinarizeAct, BinarizeActGrad, BinaryGroup, LANES};
use crate::vector::wide;

scheduled!(BinarizeAct: block);

impl BlockOp for BinarizeAct {
    fn run(&self, run: &mut BlockRun<'_>) {
        let (c, h, w) = run.shape(self.x).chw();
        run.write([self.y], |run, [y]| {
            forward(run.image(self.x), h * w, c * h * w, self.group, y)
        });
    }
}

scheduled!(BinarizeActGrad: block);

impl BlockOp for BinarizeActGrad {
    fn run(&self, run: &mut BlockRun<'_>) {
        run.write([self.dx], |run, [dx]| {
            grad(run.image(self.x), run.image(self.dy), dx)
        });
    }
}

/// `y = a sign(x)` of whole blocks `[block][c][position][lane]`; `positions = h*w`, `values` those
/// of an image, `a` the mean of `|x|` over the group in each lane.
fn forward(x: &[f32], positions: usize, values: usize, group: BinaryGroup, y: &mut [f32]) {
    let n = match group {
        BinaryGroup::Channel => positions,
        BinaryGroup::Image => values,
    };
    let parts = x.chunks_exact(n * LANES).zip(y.chunks_exact_mut(n * LANES));
    wide(|| {
        for (x, y) in parts {
            let mut sums = [0f64; LANES];
            for row in x.chunks_exact(LANES) {
                for (s, v) in sums.iter_mut().zip(row) {
                    *s += f64::from(v.abs());
                }
            }
            let means = sums.map(|s| (s / n as f64) as f32);
            for (x, y) in x.chunks_exact(LANES).zip(y.chunks_exact_mut(LANES)) {
                for ((y, &x), &a) in y.iter_mut().zip(x).zip(&means) {
                    // No sign at 0, as in the reference code.
                    *y = if x == 0.0 { 0.0 } else { a.copysign(x) };
                }
            }
        }
    });
}

/// `dx = dy` where `|x| <= 1`, else 0.
fn grad(x: &[f32], dy: &[f32], dx: &mut [f32]) {
    wide(|| {
        for ((dx, &x), &dy) in dx.iter_mut().zip(x).zip(dy) {
            *dx = if x.abs() <= 1.0 { dy } else { 0.0 };
        }
    });
}
