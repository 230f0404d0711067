//! Choice of a weight's quantization step.

use std::borrow::Cow;

use rayon::prelude::*;

use super::memory::Memory;
use super::step::{WholeOp, scheduled};
use crate::program::{RunArgs, WeightScale};
use crate::quantize::weight;

scheduled!(WeightScale: whole);

impl WholeOp for WeightScale {
    fn run(&self, memory: &mut Memory, _: &RunArgs) {
        memory.each_chip([self.scale, self.full_scale], |m, chip, [scale, full]| {
            forward(self, m.flat(self.w, chip), scale, full)
        });
    }
}

/// Writes the step of every group of weights (runs of `run` weights take the steps in turn) and
/// the largest representable magnitude; `scale` is read where the step is kept.
fn forward(op: &WeightScale, w: &[f32], scale: &mut [f32], full_scale: &mut [f32]) {
    let &WeightScale {
        run,
        bits,
        step: choice,
        ..
    } = op;
    let groups = scale.len();
    let steps = scale.par_iter_mut().zip(full_scale).enumerate();
    steps.for_each(|(group, (scale, full))| {
        let w = members(w, run, groups, group);
        match choice {
            Some(choice) => *scale = weight::step(&w, bits, choice),
            None if bits == 0 => *scale = 1.0,
            None => {}
        }
        *full = weight::full_scale(&w, *scale, bits);
    });
}

/// The weights of a group, in order.
fn members(w: &[f32], run: usize, groups: usize, group: usize) -> Cow<'_, [f32]> {
    if run * groups == w.len() {
        return Cow::Borrowed(&w[group * run..][..run]);
    }
    let runs = w.chunks(run).skip(group).step_by(groups);
    Cow::Owned(runs.flatten().copied().collect())
}
