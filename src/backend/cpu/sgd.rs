//! Stochastic gradient descent.

use rayon::prelude::*;

use crate::vector::wide;

/// Coefficients of [`step`].
pub(super) struct Sgd {
    /// Learning rate.
    pub lr: f32,
    /// Momentum.
    pub momentum: f32,
    /// L2 coefficient.
    pub weight_decay: f32,
    /// Nesterov variant.
    pub nesterov: bool,
    /// Quantizer steps.
    pub positive: bool,
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

/// One update; the equations are at [`crate::program::Op::Sgd`].
pub(super) fn step(w: &mut [f32], g: &[f32], m: &mut [f32], c: &Sgd) {
    let parts = w.par_chunks_mut(PART).zip(g.par_chunks(PART));
    parts.zip(m.par_chunks_mut(PART)).for_each(|((w, g), m)| {
        wide(|| {
            for ((w, &g), m) in w.iter_mut().zip(g).zip(m) {
                let g = g + c.weight_decay * *w;
                *m = c.momentum * *m + g;
                let direction = if c.nesterov { g + c.momentum * *m } else { *m };
                let moved = *w - c.lr * direction;
                *w = if c.positive {
                    within_factor(*w, moved)
                } else {
                    moved
                };
            }
        })
    });
}
