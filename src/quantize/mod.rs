//! Quantizers as pure functions: how codes are made of values, and how the step is chosen.
//!
//! # Theory
//! A weight of `b` bits is `d clamp(round(w/d), -Q, Q)` with `Q = 2^(b-1) - 1`: symmetric, so that
//! zero is a code and a differential pair of cells represents both signs alike; two bits are
//! ternary. One bit is `+-d` with `d = mean|w|`, the least squares magnitude of a sign vector
//! (Rastegari et al., arXiv 1603.05279). Ties go to even, as the hardware's and WGSL's `round` do.
//!
//! Step choices: the largest magnitude (nothing clips), a percentile of it, or the least squared
//! error among candidates. All sums are `f64` in a fixed order.
//!
//! # Practice
//! [`weight`] is used by the native operators `weight_scale` and `quantize_weight`, [`activation`]
//! by calibration on samples and by `quantize_act`.
//!
//! # Examples
//! ```
//! use pimento::program::Step;
//! use pimento::quantize::weight;
//!
//! let weights = [0.7, -0.2, 0.31];
//! // Three bits have the codes -3 to 3.
//! let step = weight::step(&weights, 3, Step::MaxAbs);
//! let codes = weights.map(|w| (weight::quantize(w, step, 3) / step).round());
//! assert_eq!(codes, [3.0, -1.0, 1.0]);
//! ```

pub mod activation;
pub mod weight;

use std::sync::atomic::{AtomicU64, Ordering};

use crate::program::Step;

/// Slack of the ends of a quantizer's range, relative. What sets a step (the largest magnitude over
/// the highest code) is inside the range that it sets, however the quotient and the product round:
/// each by half a unit in the last place on a processor, by 2.5 units in WGSL.
const SLACK: f32 = 1.0 / 1048576.0;

/// The largest value that counts as at or below the end `code * d` of a range. With a step of 0 zero
/// is inside: weights that are all 0 have to be able to leave it.
#[inline(always)]
pub(crate) fn upper_end(code: f32, d: f32) -> f32 {
    let end = code * d.max(0.0);
    end + (end.abs() * SLACK + f32::MIN_POSITIVE)
}

/// The smallest value that counts as at or above the end `code * d` of a range.
#[inline(always)]
pub(crate) fn lower_end(code: f32, d: f32) -> f32 {
    -upper_end(-code, d)
}

/// Largest magnitude, 0 for no values. A NaN is skipped.
pub fn max_abs(values: &[f32]) -> f32 {
    let mut lanes = [0f32; 16];
    let mut chunks = values.chunks_exact(16);
    for chunk in &mut chunks {
        for (m, v) in lanes.iter_mut().zip(chunk) {
            *m = m.max(v.abs());
        }
    }
    let rest = chunks.remainder().iter().map(|v| v.abs());
    lanes.into_iter().chain(rest).fold(0.0, f32::max)
}

/// Mean magnitude, 0 for no values.
pub fn mean_abs(values: &[f32]) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let sum: f64 = values.iter().map(|v| f64::from(v.abs())).sum();
    (sum / values.len() as f64) as f32
}

/// Percentile (in percent, limited to 0 to 100) of the magnitudes, linear interpolation between
/// order statistics; 0 for no values.
pub fn percentile_abs(values: &[f32], percent: f32) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let mut magnitudes: Vec<f32> = values.iter().map(|v| v.abs()).collect();
    let rank = f64::from(percent.clamp(0.0, 100.0)) / 100.0 * (values.len() - 1) as f64;
    let k = (rank as usize).min(values.len() - 1);
    let (_, &mut low, above) = magnitudes.select_nth_unstable_by(k, f32::total_cmp);
    let high = above.iter().copied().min_by(f32::total_cmp).unwrap_or(low);
    (f64::from(low) + (rank - k as f64) * (f64::from(high) - f64::from(low))) as f32
}

/// Lower median of the magnitudes; 0 for no values.
pub fn median_abs(values: &[f32]) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let mut magnitudes: Vec<f32> = values.iter().map(|v| v.abs()).collect();
    let k = (values.len() - 1) / 2;
    *magnitudes.select_nth_unstable_by(k, f32::total_cmp).1
}

/// The steps that `step` compares, for a highest code `top`; the first one that is best wins.
fn candidates(values: &[f32], top: f32, step: Step) -> Vec<f32> {
    let max = max_abs(values) / top;
    match step {
        Step::MaxAbs => vec![max],
        Step::Percentile(p) => vec![percentile_abs(values, p) / top],
        Step::LineSearch => {
            let median = median_abs(values) / top;
            (0..10)
                .map(|i| max + (median - max) * (i as f32 / 9.0))
                .collect()
        }
        Step::Mse => (1..=100).rev().map(|i| max * (i as f32 / 100.0)).collect(),
    }
}

/// The candidate with the least `error`, the first on ties. `error(d, least)` may end early and
/// return infinity as soon as it is above the least error of a candidate so far.
fn best(candidates: Vec<f32>, error: impl Fn(f32, &Least) -> f64 + Sync) -> f32 {
    use rayon::prelude::*;
    if let [only] = candidates[..] {
        return only;
    }
    let least = Least::default();
    let of = |&d: &f32| {
        let found = error(d, &least);
        least.take_in(found);
        found
    };
    let errors: Vec<f64> = candidates.par_iter().map(of).collect();
    let mut best = 0;
    for (i, e) in errors.iter().enumerate() {
        if *e < errors[best] {
            best = i;
        }
    }
    candidates[best]
}

/// The least error of all candidates that were looked at to their end, by any thread.
struct Least(AtomicU64);

impl Default for Least {
    fn default() -> Self {
        Self(AtomicU64::new(f64::INFINITY.to_bits()))
    }
}

impl Least {
    /// Errors are not negative, so their bits are in the order of their values.
    fn take_in(&self, error: f64) {
        self.0.fetch_min(error.to_bits(), Ordering::Relaxed);
    }

    /// Whether a sum that only grows cannot become the least any more. The slack is far above what the
    /// rounding of such sums may be.
    fn is_below(&self, sum: f64) -> bool {
        sum > (1.0 + 1e-9) * f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

/// Values between two looks at whether a candidate can still be the best; a multiple of the sums.
const LOOK: usize = 1 << 12;

/// `sum (v - q(v))^2` in eight interleaved `f64` sums, so that the loop can be a vector's; infinity
/// where it is above `least` before its end.
fn squared_error(values: &[f32], least: &Least, q: impl Fn(f32) -> f32) -> f64 {
    let mut lanes = [0f64; 8];
    for part in values.chunks(LOOK) {
        crate::vector::wide(|| add_squared_errors(&mut lanes, part, &q));
        if least.is_below(lanes.iter().sum()) {
            return f64::INFINITY;
        }
    }
    lanes.iter().sum()
}

#[inline(always)]
fn add_squared_errors(lanes: &mut [f64; 8], values: &[f32], q: impl Fn(f32) -> f32) {
    let mut sums = *lanes;
    let mut chunks = values.chunks_exact(8);
    for chunk in &mut chunks {
        for (s, &v) in sums.iter_mut().zip(chunk) {
            let e = f64::from(v - q(v));
            *s += e * e;
        }
    }
    for (s, &v) in sums.iter_mut().zip(chunks.remainder()) {
        let e = f64::from(v - q(v));
        *s += e * e;
    }
    *lanes = sums;
}

#[cfg(test)]
mod tests;
