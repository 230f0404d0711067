//! Adam and AdamW.

use rayon::prelude::*;

use super::memory::Memory;
use super::sgd::within_factor;
use super::step::{WholeOp, scheduled};
use crate::program::{Adam, RunArgs};
use crate::vector::wide;

scheduled!(Adam: whole);

impl WholeOp for Adam {
    fn run(&self, memory: &mut Memory, args: &RunArgs) {
        memory.each_chip([self.w, self.m, self.v], |memory, chip, [w, m, v]| {
            step(w, memory.flat(self.g, chip), m, v, self, args)
        });
    }
}

/// Values a task updates.
const PART: usize = 1 << 14;

/// One update.
fn step(w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], c: &Adam, args: &RunArgs) {
    let (t, lr) = (f64::from(args.step) + 1.0, args.lr);
    let correction = |beta: f32| (1.0 - f64::from(beta).powf(t)) as f32;
    let (c1, c2) = (correction(c.beta1), correction(c.beta2));
    let (coupled, shrink) = match c.decoupled {
        true => (0.0, lr * c.weight_decay),
        false => (c.weight_decay, 0.0),
    };
    let parts = w.par_chunks_mut(PART).zip(g.par_chunks(PART));
    let moments = m.par_chunks_mut(PART).zip(v.par_chunks_mut(PART));
    parts.zip(moments).for_each(|((w, g), (m, v))| {
        wide(|| {
            for (((w, &g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
                // The gradient of the logarithm.
                let g = if c.positive { g * *w } else { g + coupled * *w };
                *w -= shrink * *w;
                *m = c.beta1 * *m + (1.0 - c.beta1) * g;
                *v = c.beta2 * *v + (1.0 - c.beta2) * g * g;
                let change = lr * (*m / c1) / ((*v / c2).sqrt() + c.eps);
                *w = match c.positive {
                    true => within_factor(*w, *w - change * *w),
                    false => *w - change,
                };
            }
        })
    });
}
