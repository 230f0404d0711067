//! Weight quantizer and its straight-through gradients.

use super::memory::Memory;
use super::step::{WholeOp, scheduled};
use crate::program::{QuantizeWeight, QuantizeWeightGrad, RunArgs, StraightThrough};
use crate::quantize::upper_end;
use crate::quantize::weight::{highest_code, multi_bit, quantize};
use crate::vector::wide;

scheduled!(QuantizeWeight: whole);

impl WholeOp for QuantizeWeight {
    fn run(&self, memory: &mut Memory, _: &RunArgs) {
        memory.each_chip([self.q], |m, chip, [q]| {
            let (w, scale) = (m.flat(self.w, chip), m.flat(self.scale, chip));
            forward(w, scale, self.run, self.bits, q)
        });
    }
}

scheduled!(QuantizeWeightGrad: whole);

impl WholeOp for QuantizeWeightGrad {
    fn run(&self, memory: &mut Memory, _: &RunArgs) {
        memory.each_chip([self.dw], |m, chip, [dw]| {
            let [w, scale, dq] = [self.w, self.scale, self.dq].map(|t| m.flat(t, chip));
            grad(self, w, scale, dq, dw)
        });
        if let Some(dscale) = self.dscale {
            memory.each_chip([dscale], |m, chip, [dscale]| {
                let [w, scale, dq] = [self.w, self.scale, self.dq].map(|t| m.flat(t, chip));
                grad_scale(self, w, scale, dq, dscale)
            });
        }
    }
}

/// `q` from `w`; runs of `run` weights take the steps of `scale` in turn.
fn forward(w: &[f32], scale: &[f32], run: usize, bits: u32, q: &mut [f32]) {
    let top = highest_code(bits);
    let runs = w.chunks(run).zip(q.chunks_mut(run));
    for ((w, q), &d) in runs.zip(scale.iter().cycle()) {
        if bits >= 2 {
            wide(|| {
                for (q, &w) in q.iter_mut().zip(w) {
                    *q = multi_bit(w, d, top);
                }
            });
        } else {
            for (q, &w) in q.iter_mut().zip(w) {
                *q = quantize(w, d, bits);
            }
        }
    }
}

/// `dw = dq * mask`.
fn grad(op: &QuantizeWeightGrad, w: &[f32], scale: &[f32], dq: &[f32], dw: &mut [f32]) {
    let &QuantizeWeightGrad { run, bits, .. } = op;
    if op.ste == StraightThrough::Identity || bits == 0 {
        dw.copy_from_slice(dq);
        return;
    }
    let runs = w.chunks(run).zip(dq.chunks(run)).zip(dw.chunks_mut(run));
    for (((w, dq), dw), &d) in runs.zip(scale.iter().cycle()) {
        // One bit clips at 1, not at a multiple of the step.
        let limit = match bits {
            1 => 1.0,
            _ => upper_end(highest_code(bits), d),
        };
        wide(|| {
            for ((dw, &w), &dq) in dw.iter_mut().zip(w).zip(dq) {
                *dw = if w.abs() <= limit { dq } else { 0.0 };
            }
        });
    }
}

/// LSQ gradient of the steps: `g sum dq (q(w)/d - w/d inside the range, +-Q outside)`,
/// `g = 1/sqrt(n Q)`. One bit: `g sum dq sign(w)`, the derivative of `d sign(w)`; no bits: 0.
fn grad_scale(op: &QuantizeWeightGrad, w: &[f32], scale: &[f32], dq: &[f32], dscale: &mut [f32]) {
    let &QuantizeWeightGrad { run, bits, .. } = op;
    let groups = scale.len().max(1);
    let top = highest_code(bits);
    let g = 1.0 / ((w.len() / groups) as f64 * f64::from(top)).sqrt();
    for (group, (&d, dscale)) in scale.iter().zip(dscale).enumerate() {
        let (limit, safe) = (upper_end(top, d), if d > 0.0 { d } else { 1.0 });
        let slope = |w: f32| match bits {
            0 => 0.0,
            1 => quantize(w, 1.0, 1),
            _ if w.abs() <= limit => {
                let v = w / safe;
                v.round_ties_even() - v
            }
            _ => top.copysign(w),
        };
        let runs = w.chunks(run).zip(dq.chunks(run));
        let sum: f64 = runs
            .skip(group)
            .step_by(groups)
            .flat_map(|(w, dq)| w.iter().zip(dq))
            .map(|(&w, &dq)| f64::from(dq) * f64::from(slope(w)))
            .sum();
        *dscale = (g * sum) as f32;
    }
}
