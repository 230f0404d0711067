//! Activation quantizers: `d clamp(round(x/d), lo, hi)`, 0 where `d <= 0`.

use super::{Least, Step, best, candidates, squared_error};

/// Codes and rounding of a uniform activation quantizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codes {
    /// Lowest code: 0 after ReLU, `-hi` for signed values.
    pub lo: i32,
    /// Highest code.
    pub hi: i32,
    /// Rounds down instead of to the nearest (ties to even), as the reference code does.
    pub floor: bool,
}

impl Codes {
    /// Unsigned codes of `bits` bits, `0 ..= 2^bits - 1`.
    pub fn unsigned(bits: u32) -> Self {
        Self {
            lo: 0,
            hi: ((1u64 << bits.min(24)) - 1) as i32,
            floor: false,
        }
    }

    /// Symmetric signed codes of `bits >= 2` bits, `-Q ..= Q` with `Q = 2^(bits-1) - 1`.
    pub fn signed(bits: u32) -> Self {
        let hi = super::weight::highest_code(bits) as i32;
        Self {
            lo: -hi,
            hi,
            floor: false,
        }
    }

    /// The same codes with rounding down.
    pub fn with_floor(mut self) -> Self {
        self.floor = true;
        self
    }
}

/// The step for calibration samples, see [`Step`]. With only unsigned codes, negative samples do
/// not widen the range.
pub fn step(samples: &[f32], codes: Codes, step: Step) -> f32 {
    let kept: Vec<f32>;
    let magnitudes = if codes.lo >= 0 {
        kept = samples.iter().map(|v| v.max(0.0)).collect();
        &kept[..]
    } else {
        samples
    };
    let top = codes.hi.max(1) as f32;
    best(candidates(magnitudes, top, step), |d, least| {
        error_below(magnitudes, d, codes, least)
    })
}

/// Quantized value.
#[inline(always)]
pub fn quantize(x: f32, d: f32, codes: Codes) -> f32 {
    let v = x / d;
    let code = if codes.floor {
        v.floor()
    } else {
        v.round_ties_even()
    };
    let code = code.max(codes.lo as f32).min(codes.hi as f32);
    if d > 0.0 { d * code } else { 0.0 }
}

/// Squared quantization error `sum (x - q(x))^2`.
pub fn error(x: &[f32], d: f32, codes: Codes) -> f64 {
    error_below(x, d, codes, &Least::default())
}

fn error_below(x: &[f32], d: f32, codes: Codes, least: &Least) -> f64 {
    squared_error(x, least, |v| quantize(v, d, codes))
}
