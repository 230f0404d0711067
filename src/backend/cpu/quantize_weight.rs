//! Weight quantizer and its straight-through gradients.

use crate::backend::program::StraightThrough;
use crate::quantize::weight::{highest_code, multi_bit, quantize};
use crate::vector::wide;

/// `q` from `w`; weights share the steps of `scale` in equal consecutive groups.
pub(super) fn forward(w: &[f32], scale: &[f32], bits: u32, q: &mut [f32]) {
    let group = (w.len() / scale.len().max(1)).max(1);
    let top = highest_code(bits);
    for ((w, q), &d) in w.chunks(group).zip(q.chunks_mut(group)).zip(scale) {
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
pub(super) fn grad(
    w: &[f32],
    scale: &[f32],
    dq: &[f32],
    bits: u32,
    ste: StraightThrough,
    dw: &mut [f32],
) {
    if ste == StraightThrough::Identity || bits == 0 {
        dw.copy_from_slice(dq);
        return;
    }
    let group = (w.len() / scale.len().max(1)).max(1);
    let parts = w
        .chunks(group)
        .zip(dq.chunks(group))
        .zip(dw.chunks_mut(group));
    for (((w, dq), dw), &d) in parts.zip(scale) {
        // One bit clips at 1, not at a multiple of the step.
        let (d, limit) = if bits == 1 {
            (1.0, 1.0)
        } else {
            (d, highest_code(bits))
        };
        wide(|| {
            for ((dw, &w), &dq) in dw.iter_mut().zip(w).zip(dq) {
                *dw = if (w / d).abs() <= limit { dq } else { 0.0 };
            }
        });
    }
}

/// LSQ gradient of the steps: `g sum dq (q(w)/d - w/d inside the range, +-Q outside)`,
/// `g = 1/sqrt(n Q)`. One bit: `g sum dq sign(w)`, the derivative of `d sign(w)`; no bits: 0.
pub(super) fn grad_scale(w: &[f32], scale: &[f32], dq: &[f32], bits: u32, dscale: &mut [f32]) {
    let group = (w.len() / scale.len().max(1)).max(1);
    let top = highest_code(bits);
    let g = 1.0 / (group as f64 * f64::from(top)).sqrt();
    let parts = w.chunks(group).zip(dq.chunks(group)).zip(scale);
    for (((w, dq), &d), dscale) in parts.zip(dscale) {
        let slope = |w: f32| match bits {
            0 => 0.0,
            1 => quantize(w, 1.0, 1),
            _ => {
                let v = w / d;
                if v.abs() <= top {
                    v.round_ties_even() - v
                } else if v > 0.0 {
                    top
                } else if v < 0.0 {
                    -top
                } else {
                    0.0
                }
            }
        };
        let sum: f64 = w
            .iter()
            .zip(dq)
            .map(|(&w, &dq)| f64::from(dq) * f64::from(slope(w)))
            .sum();
        *dscale = (g * sum) as f32;
    }
}
