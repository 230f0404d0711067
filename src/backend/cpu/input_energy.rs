//! What driving inputs takes, one block of images at a time.

use super::block::BlockRun;
use super::simd::{Kernel, Simd};
use super::step::{BlockOp, OnCpu, Step, Target};
use crate::error::Result;
use crate::program::{INPUT_CODES, InputEnergy, LANES};

/// Places that are added in `f32` before the sum goes on in `f64`.
const RUN: usize = 64;

impl OnCpu for InputEnergy {
    fn step(self, _: Target) -> Result<Step> {
        let mut table = Box::new([0.0; INPUT_CODES]);
        table[..self.table.len()].copy_from_slice(&self.table);
        Step::block(Ready { op: self, table })
    }
}

/// The operator with a table whose length the compiler knows.
struct Ready {
    op: InputEnergy,
    table: Box<[f32; INPUT_CODES]>,
}

impl BlockOp for Ready {
    fn run(&self, run: &mut BlockRun<'_>) {
        let op = &self.op;
        run.write([op.y], |run, [y]| {
            let (step, load) = (run.flat(op.x_step)[0], run.flat(op.load));
            for ((_, x), y) in run.blocks(op.x).zip(y.chunks_exact_mut(LANES)) {
                run.isa().run(Block {
                    x,
                    // Where there is no step all codes are 0. Else values are multiples of it: their quotients are as near to
                    // codes as their products with its inverse.
                    inverse: if step > 0.0 { 1.0 / step } else { 0.0 },
                    load,
                    table: &self.table,
                    lo: op.lo as f32,
                    hi: (op.lo + op.table.len() as i32 - 1) as f32,
                    y,
                });
            }
        });
    }
}

/// One block.
struct Block<'a> {
    /// `[place][lane]`.
    x: &'a [f32],
    inverse: f32,
    load: &'a [f32],
    table: &'a [f32; INPUT_CODES],
    /// Lowest and highest code.
    lo: f32,
    hi: f32,
    /// A number a lane, written.
    y: &'a mut [f32],
}

impl Kernel for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let mut total = [0.0f64; LANES];
        for (x, load) in self.x.chunks(RUN * LANES).zip(self.load.chunks(RUN)) {
            let mut sum = [0.0f32; LANES];
            for (x, load) in x.chunks_exact(LANES).zip(load) {
                let mut at = [0i32; LANES];
                for (at, x) in at.iter_mut().zip(x) {
                    let code = (x * self.inverse).round_ties_even();
                    *at = (code.clamp(self.lo, self.hi) - self.lo) as i32;
                }
                for (sum, at) in sum.iter_mut().zip(at) {
                    *sum += self.table[at as usize % INPUT_CODES] * load;
                }
            }
            for (total, sum) in total.iter_mut().zip(sum) {
                *total += f64::from(sum);
            }
        }
        for (y, total) in self.y.iter_mut().zip(total) {
            *y = total as f32;
        }
    }
}
