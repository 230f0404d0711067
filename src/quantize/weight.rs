//! Weight quantizers.

use super::{Least, Step, best, candidates, max_abs, mean_abs, percentile_abs, squared_error};

/// Highest code of `bits` bits, `Q = 2^(bits-1) - 1`; 1 for one bit (and for 0, unquantized).
pub fn highest_code(bits: u32) -> f32 {
    match bits {
        0 | 1 => 1.0,
        _ => ((1u32 << (bits.min(24) - 1)) - 1) as f32,
    }
}

/// The step for weights that share one; see [`Step`]. `bits = 0`: 1; `bits = 1`: `mean|w|`
/// whatever the choice. A percentile is that of the weights that are not 0: those that a mask removed would
/// otherwise make it 0 as soon as they are the majority that it asks for.
pub fn step(w: &[f32], bits: u32, step: Step) -> f32 {
    match bits {
        0 => 1.0,
        1 => mean_abs(w),
        _ => {
            let top = highest_code(bits);
            if let Step::Percentile(p) = step {
                let kept: Vec<f32> = w.iter().copied().filter(|&v| v != 0.0).collect();
                return percentile_abs(&kept, p) / top;
            }
            best(candidates(w, top, step), |d, least| {
                error_below(w, d, bits, least)
            })
        }
    }
}

/// Largest representable magnitude `Q d`; for `bits = 0` (nothing limits it) `max|w|`.
pub fn full_scale(w: &[f32], step: f32, bits: u32) -> f32 {
    match bits {
        0 => max_abs(w),
        _ => highest_code(bits) * step.max(0.0),
    }
}

/// Quantized value: `d clamp(round(w/d), -Q, Q)`, ties to even, 0 where `d <= 0`; one bit: `d` where
/// `w >= 0`, else `-d`; 0 bits: `w`.
#[inline(always)]
pub fn quantize(w: f32, d: f32, bits: u32) -> f32 {
    match bits {
        0 => w,
        1 => {
            if w >= 0.0 {
                d
            } else {
                -d
            }
        }
        _ => multi_bit(w, d, highest_code(bits)),
    }
}

/// Two bits and more, highest code `top`.
#[inline(always)]
pub(crate) fn multi_bit(w: f32, d: f32, top: f32) -> f32 {
    let code = (w / d).round_ties_even().max(-top).min(top);
    if d > 0.0 { d * code } else { 0.0 }
}

/// Squared quantization error `sum (w - q(w))^2`.
pub fn error(w: &[f32], d: f32, bits: u32) -> f64 {
    error_below(w, d, bits, &Least::default())
}

fn error_below(w: &[f32], d: f32, bits: u32, least: &Least) -> f64 {
    let top = highest_code(bits);
    match bits {
        0 | 1 => squared_error(w, least, |v| quantize(v, d, bits)),
        _ => squared_error(w, least, |v| multi_bit(v, d, top)),
    }
}
