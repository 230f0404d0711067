//! The test of an adapter's matrices, on hardware that is imitated.

use super::*;
use crate::backend::storage;

/// Terms of a matrix product.
const SIDE: usize = 16;

/// Steps of a part of a sum, as in `shaders/shared/conv2d_coop.wgsl`.
const PART: usize = 8;

/// Hardware by what becomes of an exact sum, and the steps of a part.
struct Imitated {
    kept: fn(f64) -> f32,
    part: usize,
}

/// The nearest half.
fn half(v: f32) -> f32 {
    let (mut halves, mut values) = ([0], [0.0]);
    storage::round(&[v], &mut halves);
    storage::expand(&halves, &mut values);
    values[0]
}

/// Towards zero.
fn cut(v: f64) -> f32 {
    let near = v as f32;
    match f64::from(near).abs() > v.abs() {
        true => f32::from_bits(near.to_bits() - 1),
        false => near,
    }
}

/// The two halves of weights whose largest is below one, times `2^13`.
fn halves(w: f32) -> [f64; 2] {
    let scaled = w * 8192.0;
    let high = half(scaled);
    [high, half(scaled - high)].map(f64::from)
}

impl Imitated {
    /// A sum of matrix products, low halves first.
    fn sum(&self, weights: &[[f64; 2]], codes: &[f32]) -> f32 {
        let mut total = 0f32;
        let steps: Vec<_> = weights.chunks(SIDE).zip(codes.chunks(SIDE)).collect();
        for part in steps.chunks(self.part) {
            let mut sum = 0f32;
            for (w, x) in part {
                for half in [1, 0] {
                    let terms = w.iter().zip(*x);
                    let product: f64 = terms.map(|(w, x)| w[half] * f64::from(*x)).sum();
                    sum = (self.kept)(f64::from(sum) + product);
                }
            }
            total += sum;
        }
        total / 8192.0
    }

    fn judged(&self) -> std::result::Result<(), String> {
        judge(|test| {
            // Weights are brought below one as the kernels do.
            let most = test.weights.iter().fold(1f32, |m, w| m.max(w.abs()));
            let up = 2f32.powi(most.log2().ceil() as i32 + 1);
            let weights = test.weights.iter().map(|w| halves(w / up));
            let weights: Vec<[f64; 2]> = weights.collect();
            let sums = test.codes.chunks(test.terms).flat_map(|x| {
                let rows = weights.chunks(test.terms);
                rows.map(|w| up * self.sum(w, x)).collect::<Vec<_>>()
            });
            Ok(sums.collect())
        })
    }
}

#[test]
fn rounding_passes_and_cutting_passes_in_parts_only() {
    let round = |v: f64| v as f32;
    for part in [PART, usize::MAX] {
        assert_eq!(Imitated { kept: round, part }.judged(), Ok(()));
    }
    let in_parts = Imitated {
        kept: cut,
        part: PART,
    };
    assert_eq!(in_parts.judged(), Ok(()));
    let whole = Imitated {
        kept: cut,
        part: usize::MAX,
    };
    let why = whole.judged().expect_err("a long sum is cut too often");
    assert!(why.contains("times as inexact"), "{why}");
}

#[test]
fn sums_of_fewer_bits_are_refused() {
    // Sums in halves, and in f32 without its last two bits.
    let coarse: fn(f64) -> f32 = |v| half(v as f32);
    let short: fn(f64) -> f32 = |v| f32::from_bits((v as f32).to_bits() & !3);
    for kept in [coarse, short] {
        let why = Imitated { kept, part: PART }.judged();
        let why = why.expect_err("too few bits");
        assert!(why.contains("whole numbers"), "{why}");
    }
}
