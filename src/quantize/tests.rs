//! Against definitions written out and against brute force.

use super::activation::Codes;
use super::*;
use crate::random::{Purpose, Stream};

fn weights(n: usize) -> Vec<f32> {
    let mut w = vec![0.0; n];
    Stream::new(3, Purpose::Init, 0, 0, 0).fill_normals(0, &mut w);
    w
}

#[test]
fn magnitudes() {
    let w = [-3.0, 1.0, 0.5, -2.0, 0.0];
    assert_eq!(max_abs(&w), 3.0);
    assert_eq!(mean_abs(&w), 1.3);
    assert_eq!(median_abs(&w), 1.0);
    assert_eq!(median_abs(&w[..4]), 1.0);
    assert_eq!(percentile_abs(&w, 0.0), 0.0);
    assert_eq!(percentile_abs(&w, 100.0), 3.0);
    assert_eq!(percentile_abs(&w, 50.0), 1.0);
    assert_eq!(percentile_abs(&w, 87.5), 2.5);
    for f in [max_abs, mean_abs, median_abs] {
        assert_eq!(f(&[]), 0.0);
    }
    assert_eq!(max_abs(&[f32::NAN, -2.0]), 2.0);
}

#[test]
fn codes_round_to_even_and_clip() {
    let q = |w: f32| weight::quantize(w, 0.5, 3);
    for (w, want) in [
        (0.25, 0.0),
        (0.75, 1.0),
        (-0.25, 0.0),
        (-0.75, -1.0),
        (1.25, 1.0),
        (9.0, 1.5),
        (-9.0, -1.5),
    ] {
        assert_eq!(q(w), want, "{w}");
    }
    assert_eq!(weight::quantize(0.7, 0.0, 4), 0.0);
    assert_eq!(weight::quantize(0.0, 0.3, 1), 0.3);
    assert_eq!(weight::quantize(-1e-9, 0.3, 1), -0.3);
    assert_eq!(weight::quantize(0.123, 1.0, 0), 0.123);
    let top: Vec<f32> = (0..=8).map(weight::highest_code).collect();
    assert_eq!(top, [1.0, 1.0, 1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 127.0]);
}

#[test]
fn activation_codes() {
    let u = Codes::unsigned(2);
    assert_eq!((u.lo, u.hi), (0, 3));
    let s = Codes::signed(3);
    assert_eq!((s.lo, s.hi), (-3, 3));
    let q = activation::quantize;
    assert_eq!(q(1.5, 1.0, u), 2.0);
    assert_eq!(q(2.5, 1.0, u), 2.0);
    assert_eq!(q(7.0, 1.0, u), 3.0);
    assert_eq!(q(-1.0, 1.0, u), 0.0);
    assert_eq!(q(-1.2, 1.0, s), -1.0);
    assert_eq!(q(-1.2, 1.0, s.with_floor()), -2.0);
    assert_eq!(q(2.9, 1.0, u.with_floor()), 2.0);
    assert_eq!(q(2.9, 0.0, u), 0.0);
    assert_eq!(q(2.9, -1.0, u), 0.0);
}

#[test]
fn steps_are_what_they_are_called() {
    // Enough for candidates that are given up before their end.
    let w = weights(20_000);
    for bits in 2..=8 {
        let top = weight::highest_code(bits);
        assert_eq!(weight::step(&w, bits, Step::MaxAbs), max_abs(&w) / top);
        let p = weight::step(&w, bits, Step::Percentile(99.0));
        assert_eq!(p, percentile_abs(&w, 99.0) / top);
        // The searches, by the definition.
        let line = (0..10).map(|i| {
            let (a, b) = (max_abs(&w) / top, median_abs(&w) / top);
            a + (b - a) * (i as f32 / 9.0)
        });
        let mse = (0..100).map(|i| max_abs(&w) / top * ((100 - i) as f32 / 100.0));
        let brute = |candidates: &mut dyn Iterator<Item = f32>| {
            let mut best = (f64::INFINITY, 0.0);
            for d in candidates {
                let e: f64 = w
                    .iter()
                    .map(|&v| {
                        let q = d * (v / d).round_ties_even().clamp(-top, top);
                        f64::from(v - q).powi(2)
                    })
                    .sum();
                if e < best.0 {
                    best = (e, d);
                }
            }
            best.1
        };
        assert_eq!(
            weight::step(&w, bits, Step::LineSearch),
            brute(&mut line.into_iter())
        );
        assert_eq!(
            weight::step(&w, bits, Step::Mse),
            brute(&mut mse.into_iter())
        );
    }
    assert_eq!(weight::step(&w, 1, Step::MaxAbs), mean_abs(&w));
    assert_eq!(weight::step(&w, 0, Step::Mse), 1.0);
    assert_eq!(weight::full_scale(&w, 1.0, 0), max_abs(&w));
    assert_eq!(weight::full_scale(&w, 0.5, 4), 3.5);
}

/// The least squares step of a normal weight at two bits (ternary) is known: the optimal
/// threshold is 0.612 sigma, the level 1.224 sigma (Max 1960, three levels, uniform spacing).
#[test]
fn the_searched_step_is_the_known_optimum() {
    let w = weights(100_000);
    let d = weight::step(&w, 2, Step::Mse);
    // The candidates are 1 % of the largest magnitude (4.4 sigma) apart.
    assert!((d - 1.224).abs() < 0.05, "{d}");
}

#[test]
fn activation_steps() {
    let x = weights(5000);
    let codes = Codes::unsigned(4);
    let positive = x.iter().copied().fold(0.0, f32::max);
    assert_eq!(activation::step(&x, codes, Step::MaxAbs), positive / 15.0);
    let signed = Codes::signed(4);
    assert_eq!(
        activation::step(&x, signed, Step::MaxAbs),
        max_abs(&x) / 7.0
    );
    let d = activation::step(&x, signed, Step::Mse);
    for i in 1..=100 {
        let other = max_abs(&x) / 7.0 * (i as f32 / 100.0);
        assert!(activation::error(&x, d, signed) <= activation::error(&x, other, signed));
    }
}

#[test]
fn nothing_and_zero_give_a_zero_step() {
    for step in [
        Step::MaxAbs,
        Step::Percentile(99.9),
        Step::LineSearch,
        Step::Mse,
    ] {
        for w in [&[][..], &[0.0; 7]] {
            for bits in 1..=8 {
                assert_eq!(weight::step(w, bits, step), 0.0);
            }
            assert_eq!(activation::step(w, Codes::unsigned(8), step), 0.0);
        }
    }
}
