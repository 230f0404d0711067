//! Gradient of the sum of the digits of quantized weights.

use super::memory::Memory;
use super::step::{WholeOp, scheduled};
use crate::program::{RunArgs, SliceL1Grad};
use crate::quantize::weight::highest_code;

scheduled!(SliceL1Grad: whole);

impl WholeOp for SliceL1Grad {
    fn run(&self, memory: &mut Memory, _: &RunArgs) {
        memory.each_chip([self.dw], |m, chip, [dw]| {
            add(self, m.flat(self.w, chip), m.flat(self.scale, chip), dw)
        });
    }
}

/// Adds the gradient; runs of weights take the steps in turn.
fn add(op: &SliceL1Grad, w: &[f32], scale: &[f32], dw: &mut [f32]) {
    let top = highest_code(op.bits);
    let runs = w.chunks(op.run).zip(dw.chunks_mut(op.run));
    for ((w, dw), &d) in runs.zip(scale.iter().cycle()) {
        if d <= 0.0 {
            continue;
        }
        for (dw, &w) in dw.iter_mut().zip(w) {
            let code = (w / d).round_ties_even().abs().min(top) as u32;
            *dw += (op.factor / d).copysign(w) * pull(code, op.slice_bits);
        }
    }
}

/// Sum over the digits above 0 of what one of their codes is in them.
fn pull(code: u32, slice_bits: u32) -> f32 {
    let (mut rest, mut each, mut sum) = (code, 1.0, 0.0);
    let base = 1 << slice_bits;
    while rest > 0 {
        if rest % base > 0 {
            sum += each;
        }
        rest /= base;
        each /= base as f32;
    }
    sum
}
