//! Adam and AdamW.

use rayon::prelude::*;

use super::sgd::within_factor;
use crate::vector::wide;

/// Coefficients of [`step`].
pub(super) struct Adam {
    /// Learning rate.
    pub lr: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the denominator.
    pub eps: f32,
    /// Decay coefficient.
    pub weight_decay: f32,
    /// AdamW.
    pub decoupled: bool,
    /// Quantizer steps.
    pub positive: bool,
    /// Updates made before this one.
    pub step: u32,
}

/// Values a task updates.
const PART: usize = 1 << 14;

/// One update; the equations are at [`crate::program::Op::Adam`].
pub(super) fn step(w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], c: &Adam) {
    let t = f64::from(c.step) + 1.0;
    let correction = |beta: f32| (1.0 - f64::from(beta).powf(t)) as f32;
    let (c1, c2) = (correction(c.beta1), correction(c.beta2));
    let (coupled, shrink) = match c.decoupled {
        true => (0.0, c.lr * c.weight_decay),
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
                let change = c.lr * (*m / c1) / ((*v / c2).sqrt() + c.eps);
                *w = match c.positive {
                    true => within_factor(*w, *w - change * *w),
                    false => *w - change,
                };
            }
        })
    });
}
