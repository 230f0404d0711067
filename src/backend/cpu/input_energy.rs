//! What driving inputs takes, one block of images at a time.

use super::block::BlockRun;
use super::step::{BlockOp, scheduled};
use crate::program::{InputEnergy, LANES};

scheduled!(InputEnergy: block);

/// Places that are added in `f32` before the sum goes on in `f64`.
const RUN: usize = 64;

impl BlockOp for InputEnergy {
    fn run(&self, run: &mut BlockRun<'_>) {
        run.write([self.y], |run, [y]| {
            let (step, load) = (run.flat(self.x_step)[0], run.flat(self.load));
            for ((_, x), y) in run.blocks(self.x).zip(y.chunks_exact_mut(LANES)) {
                self.block(x, step, load, y);
            }
        });
    }
}

impl InputEnergy {
    /// One block.
    fn block(&self, x: &[f32], step: f32, load: &[f32], y: &mut [f32]) {
        let top = self.table.len() as i32 - 1;
        let (inverse, none) = (1.0 / step, step <= 0.0);
        let mut total = [0.0f64; LANES];
        for (x, load) in x.chunks(RUN * LANES).zip(load.chunks(RUN)) {
            let mut sum = [0.0f32; LANES];
            for (x, load) in x.chunks_exact(LANES).zip(load) {
                for (sum, x) in sum.iter_mut().zip(x) {
                    // Multiples of the step: the quotient is as near to a code as the product.
                    let code = if none {
                        0.0
                    } else {
                        (x * inverse).round_ties_even()
                    };
                    let at = (code as i32).saturating_sub(self.lo).clamp(0, top);
                    *sum += self.table[at as usize] * load;
                }
            }
            for (total, sum) in total.iter_mut().zip(sum) {
                *total += f64::from(sum);
            }
        }
        for (y, total) in y.iter_mut().zip(total) {
            *y = total as f32;
        }
    }
}
