//! The gradient of the sum of the digits of quantized weights: differences of the digits as they are before rounding.

use pimento::program::*;

use super::case::*;

/// Digits of a code, the lowest first.
fn digits(code: u32, slice_bits: u32) -> Vec<u32> {
    let at = (0..8).step_by(slice_bits as usize);
    at.map(|k| code >> k & ((1 << slice_bits) - 1)).collect()
}

pub fn gradients() -> Vec<Case> {
    let mut cases = Vec::new();
    for (bits, slice_bits) in [(2, 1), (4, 1), (4, 2), (8, 1), (8, 2), (8, 3), (8, 7)] {
        for (steps, run) in [(&[0.0625][..], 600), (&[0.25, 0.0, 0.125], 50)] {
            let n = 600;
            let mut case = Case::new(bits.into(), 1, 0);
            // Codes up to 1.5 Q, never at a tie, some of weights that are 0.
            let top = (1u32 << (bits - 1)) - 1;
            let d = steps[0];
            let w = case.drawn(n, Scope::Shared, |rng| {
                let code = rng.pick(0, (3 * top / 2) as usize) as f32;
                let rest = [0.0, 0.25, -0.25][rng.pick(0, 2)];
                let sign = if rng.coin() { 1.0 } else { -1.0 };
                sign * d * (code + rest)
            });
            let scale = case.shared(steps);
            let dw = case.exact(n, Scope::Shared);
            let factor = 0.5;
            case.section(vec![Op::from(SliceL1Grad {
                w,
                scale,
                run,
                dw,
                bits,
                slice_bits,
                factor,
            })]);
            let before = case.at(dw, 0, 0);
            let want = case.at(w, 0, 0).into_iter().enumerate().map(|(i, w)| {
                let d = f64::from(steps[i / run % steps.len()]);
                if d <= 0.0 {
                    return before[i];
                }
                let code = ((w / d).round_ties_even().abs() as u32).min(top);
                // What is left of the sum where rounding passes: each digit above 0 follows |w| / d at its place.
                let kept = digits(code, slice_bits);
                let sum = |w: f64| -> f64 {
                    let at = |k: usize| 2f64.powi(-(k as i32 * slice_bits as i32));
                    let of = kept.iter().enumerate().filter(|(_, digit)| **digit > 0);
                    of.map(|(k, _)| w.abs() / d * at(k)).sum()
                };
                let h = d / 8.0;
                match w == 0.0 {
                    true => before[i],
                    false => before[i] + f64::from(factor) * (sum(w + h) - sum(w - h)) / (2.0 * h),
                }
            });
            let want: Vec<f64> = want.collect();
            // Sums of a few powers of two, up to 32.
            case.want(dw, want, 32.0 * EPS);
            case.apart[0] = 64.0 * ULP;
            cases.push(case);
        }
    }
    cases
}
