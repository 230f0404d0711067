//! Uniform activation quantizer and its straight-through gradients.

use rayon::prelude::*;

use super::block::BlockRun;
use super::memory::Memory;
use super::step::{BlockOp, OnCpu, Step, Target, WholeOp, scheduled};
use crate::error::Result;
use crate::program::{
    ActQuant, LANES, QuantizeAct, QuantizeActGrad, Rounding, RunArgs, StraightThrough, TensorId,
};
use crate::quantize::activation::{Codes, quantize};
use crate::quantize::{lower_end, upper_end};
use crate::vector::wide;

scheduled!(QuantizeAct: block);

impl BlockOp for QuantizeAct {
    fn run(&self, run: &mut BlockRun<'_>) {
        run.write([self.y], |run, [y]| {
            let d = run.flat(self.quant.scale)[0];
            forward(run.image(self.x), d, &self.quant, y)
        });
    }
}

impl OnCpu for QuantizeActGrad {
    fn step(self, _: Target) -> Result<Step> {
        match self.dscale {
            None => Step::block(self),
            Some(dscale) => Step::whole(WithStep { grad: self, dscale }),
        }
    }
}

impl BlockOp for QuantizeActGrad {
    fn run(&self, run: &mut BlockRun<'_>) {
        run.write([self.dx], |run, [dx]| {
            let d = run.flat(self.quant.scale)[0];
            let (x, dy) = (run.image(self.x), run.image(self.dy));
            grad(x, d, dy, &self.quant, self.ste, dx)
        });
    }
}

/// With the gradient of the step, which sums over the whole batch.
struct WithStep {
    grad: QuantizeActGrad,
    dscale: TensorId,
}

impl WholeOp for WithStep {
    fn run(&self, memory: &mut Memory, _: &RunArgs) {
        let Self { grad: op, dscale } = self;
        memory.each_block([op.dx], |m, chip, block, [dx]| {
            let (x, dy) = (m.block(op.x, chip, block), m.block(op.dy, chip, block));
            grad(x, m.flat(op.quant.scale, 0)[0], dy, &op.quant, op.ste, dx)
        });
        memory.each_chip([*dscale], |m, _, [dscale]| {
            dscale[0] = grad_scale(m, op.x, op.dy, &op.quant)
        });
    }
}

/// The quantizer without its step.
fn codes(quant: &ActQuant) -> Codes {
    Codes {
        lo: quant.lo,
        hi: quant.hi,
        floor: quant.rounding == Rounding::Floor,
    }
}

/// `y = q(x)` with step `d`.
fn forward(x: &[f32], d: f32, quant: &ActQuant, y: &mut [f32]) {
    let codes = codes(quant);
    wide(|| match codes.floor {
        // The rounding decided outside the loop, so that the loop is a vector's.
        true => {
            let codes = Codes {
                floor: true,
                ..codes
            };
            for (y, &x) in y.iter_mut().zip(x) {
                *y = quantize(x, d, codes);
            }
        }
        false => {
            let codes = Codes {
                floor: false,
                ..codes
            };
            for (y, &x) in y.iter_mut().zip(x) {
                *y = quantize(x, d, codes);
            }
        }
    });
}

/// `dx = dy * mask`, the mask 1, or 1 where `lo d <= x <= hi d`.
fn grad(x: &[f32], d: f32, dy: &[f32], quant: &ActQuant, ste: StraightThrough, dx: &mut [f32]) {
    if ste == StraightThrough::Identity {
        dx.copy_from_slice(dy);
        return;
    }
    let (lo, hi) = (lower_end(quant.lo as f32, d), upper_end(quant.hi as f32, d));
    wide(|| {
        for ((dx, &x), &dy) in dx.iter_mut().zip(x).zip(dy) {
            *dx = if x >= lo && x <= hi { dy } else { 0.0 };
        }
    });
}

/// LSQ gradient of the step over all images and chips of the run:
/// `g sum dy (round(x/d) - x/d inside, lo or hi outside)`, `g = 1/sqrt(n max(hi, 1))`, `n` the
/// values per image.
fn grad_scale(m: &Memory, x: TensorId, dy: TensorId, quant: &ActQuant) -> f32 {
    let d = m.flat(quant.scale, 0)[0];
    if d <= 0.0 {
        return 0.0;
    }
    let blocks = m.blocks();
    let chips = m.chips_of(x).max(m.chips_of(dy));
    let partial = |i: usize| {
        let (chip, block) = (i / blocks, i % blocks);
        let lanes = m.lanes(block);
        let (x, dy) = (m.block(x, chip, block), m.block(dy, chip, block));
        let rows = x.chunks_exact(LANES).zip(dy.chunks_exact(LANES));
        let values = rows.flat_map(|(x, dy)| x.iter().zip(dy).take(lanes));
        values
            .map(|(&x, &dy)| f64::from(dy) * f64::from(slope(x, d, quant)))
            .sum::<f64>()
    };
    // One part a block: the order of the sum depends on the shape only.
    let sums: Vec<f64> = (0..chips * blocks).into_par_iter().map(partial).collect();
    let n = m.shape(x).len() as f64;
    let g = 1.0 / (n * f64::from(quant.hi.max(1))).sqrt();
    (g * sums.iter().sum::<f64>()) as f32
}

/// Derivative of the quantized value by the step `d`, which is positive.
fn slope(x: f32, d: f32, quant: &ActQuant) -> f32 {
    let (lo, hi) = (quant.lo as f32, quant.hi as f32);
    if x < lower_end(lo, d) {
        lo
    } else if x > upper_end(hi, d) {
        hi
    } else {
        let v = x / d;
        match quant.rounding {
            Rounding::Nearest => v.round_ties_even() - v,
            Rounding::Floor => v.floor() - v,
        }
    }
}
