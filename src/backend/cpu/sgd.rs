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
}

/// Values a task updates.
const PART: usize = 1 << 14;

/// `g' = g + decay w`, `m = momentum m + g'`, `w -= lr m` (Nesterov: `w -= lr (g' + momentum m)`).
pub(super) fn step(w: &mut [f32], g: &[f32], m: &mut [f32], c: &Sgd) {
    let parts = w.par_chunks_mut(PART).zip(g.par_chunks(PART));
    parts.zip(m.par_chunks_mut(PART)).for_each(|((w, g), m)| {
        wide(|| {
            for ((w, &g), m) in w.iter_mut().zip(g).zip(m) {
                let g = g + c.weight_decay * *w;
                *m = c.momentum * *m + g;
                let direction = if c.nesterov { g + c.momentum * *m } else { *m };
                *w -= c.lr * direction;
            }
        })
    });
}
