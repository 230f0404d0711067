//! Stochastic gradient descent.

use rayon::prelude::*;

use super::memory::Memory;
use super::step::{WholeOp, scheduled};
use crate::program::{RunArgs, Sgd};
use crate::vector::wide;

scheduled!(Sgd: whole);

impl WholeOp for Sgd {
    fn run(&self, memory: &mut Memory, args: &RunArgs) {
        memory.each_chip([self.w, self.m], |memory, chip, [w, m]| {
            step(w, memory.flat(self.g, chip), m, self, args.lr)
        });
    }
}

/// What a positive value becomes where an update would make it `moved`: at least half of it and at
/// most twice of it, so that it stays positive.
#[inline(always)]
pub(super) fn within_factor(old: f32, moved: f32) -> f32 {
    // Where it all but vanishes or overflows there is a way back.
    let least = moved.max(0.5 * old);
    least.min(2.0 * old).clamp(1e-30, 1e30)
}

/// Values a task updates.
const PART: usize = 1 << 14;

/// One update with learning rate `lr`.
fn step(w: &mut [f32], g: &[f32], m: &mut [f32], c: &Sgd, lr: f32) {
    let parts = w.par_chunks_mut(PART).zip(g.par_chunks(PART));
    parts.zip(m.par_chunks_mut(PART)).for_each(|((w, g), m)| {
        wide(|| {
            for ((w, &g), m) in w.iter_mut().zip(g).zip(m) {
                let g = g + c.weight_decay * *w;
                *m = c.momentum * *m + g;
                let direction = if c.nesterov { g + c.momentum * *m } else { *m };
                let moved = *w - lr * direction;
                *w = if c.positive {
                    within_factor(*w, moved)
                } else {
                    moved
                };
            }
        })
    });
}
