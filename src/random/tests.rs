//! Accuracy against `f64` and statistics with standard errors (bar: [`Z`] of them).

use super::*;
use rand::seq::SliceRandom;
use statrs::function::erf::{erfc, erfc_inv};
use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

/// Standard errors a statistic may be off: a correct generator fails once in 5e8 statistics.
const Z: f64 = 6.0;
const N: usize = 1 << 18;

fn stream(purpose: Purpose, layer: u32, chip: u32) -> Stream {
    Stream::new(20_240_607, purpose, 0, layer, chip)
}

fn normals(s: Stream) -> Vec<f32> {
    let mut v = vec![0.0; N];
    s.fill_normals(0, &mut v);
    v
}

/// Probability above `z`.
fn upper(z: f64) -> f64 {
    0.5 * erfc(z * FRAC_1_SQRT_2)
}

fn check(name: &str, value: f64, want: f64, standard_error: f64) {
    let z = (value - want) / standard_error;
    assert!(
        z.abs() < Z,
        "{name}: {value} instead of {want}, {z:.1} s.e."
    );
}

/// Words from the far tail to the centre: every scale of `m`.
fn magnitudes() -> impl Iterator<Item = u32> {
    let fine = (0..4096u32).chain((1..512).map(|i| (1 << 31) - i));
    let coarse =
        (12..31).flat_map(|e| (0..997u32).map(move |i| (1 << e) + ((i * (1 << (e - 10))) & !7)));
    fine.chain(coarse).filter(|&m| m < 1 << 31)
}

#[test]
fn normal_is_the_inverse_cdf() {
    for m in magnitudes() {
        let q = (f64::from(m) + 0.5) / 2f64.powi(32);
        let want = SQRT_2 * erfc_inv(2.0 * q);
        let got = f64::from(normal(m));
        let error = (got - want).abs() / want.max(1.0);
        assert!(error < NORMAL_TOLERANCE, "m {m}: {got} for {want}");
        assert_eq!(normal(m | 1 << 31), -normal(m), "symmetry at {m}");
    }
    assert!(normal(0) > 6.33 && normal(0) < 6.35);
    assert!(normal(u32::MAX >> 1) > 0.0);
}

#[test]
fn tail_probabilities_are_right_to_six_sigma() {
    for tenth in 5..=60 {
        let k = f64::from(tenth) / 10.0;
        // The words above k are those below a threshold.
        let (mut low, mut high) = (0u32, 1 << 31);
        while high - low > 1 {
            let mid = low + (high - low) / 2;
            if f64::from(normal(mid)) > k {
                low = mid;
            } else {
                high = mid;
            }
        }
        let got = f64::from(high) / 2f64.powi(32);
        // dQ/Q = -(k + 1/k..) dz, and one word is the resolution.
        let bar = (k + 1.0 / k) * NORMAL_TOLERANCE * k.max(1.0) + 1.0 / f64::from(high);
        assert!((got / upper(k) - 1.0).abs() < bar, "{k} sigma: {got:e}");
    }
}

#[test]
fn truncated_is_the_inverse_cdf_of_the_truncated_normal() {
    for at in [0.5f32, 2.0, 3.0, 5.0] {
        let s = squeeze(at);
        let cut = upper(f64::from(at));
        for m in magnitudes() {
            let q = (f64::from(m) + 0.5) / 2f64.powi(32);
            let want = SQRT_2 * erfc_inv(2.0 * (cut + q * (1.0 - 2.0 * cut)));
            let got = f64::from(truncated(m, s));
            assert!(
                (got - want).abs() < NORMAL_TOLERANCE * want.max(1.0),
                "at {at}, m {m}: {got} for {want}"
            );
            assert!(got <= f64::from(at) * (1.0 + NORMAL_TOLERANCE));
        }
    }
    assert_eq!(squeeze(f32::INFINITY), 0.0);
}

#[test]
fn lognormal_is_exp_minus_one() {
    /// Four roundings of `f32` and the fit.
    const TOLERANCE: f64 = 3e-7;
    for sigma in [1e-4f32, 0.05, 0.3, 1.0, 3.0] {
        let shape = lognormal_shape(sigma);
        for i in -640..=640 {
            let z = i as f32 / 100.0;
            let u = f64::from(shape[0]) * f64::from(z) - f64::from(shape[1]);
            let got = f64::from(lognormal(z, shape));
            // The argument is rounded to f32 before the exponential.
            let argument = u.abs().max(f64::from(shape[1])) * 2f64.powi(-23) * u.exp();
            let bar = TOLERANCE * u.exp_m1().abs() + argument;
            assert!((got - u.exp_m1()).abs() <= bar, "{sigma} {z}: {got}");
            assert!(got >= -1.0);
        }
    }
}

#[test]
fn moments_and_distribution() {
    let v = normals(stream(Purpose::Cell, 3, 17));
    let n = N as f64;
    let mean = |p: i32| v.iter().map(|&x| f64::from(x).powi(p)).sum::<f64>() / n;
    check("mean", mean(1), 0.0, (1.0 / n).sqrt());
    check("variance", mean(2), 1.0, (2.0 / n).sqrt());
    check("third moment", mean(3), 0.0, (15.0 / n).sqrt());
    check("fourth moment", mean(4), 3.0, (96.0 / n).sqrt());
    for k in [1.0, 2.0, 3.0, 4.0] {
        let p = 2.0 * upper(k);
        let count = v.iter().filter(|x| f64::from(x.abs()) > k).count() as f64;
        check("tail", count, n * p, (n * p * (1.0 - p)).sqrt());
    }
    let mut sorted = v;
    sorted.sort_by(f32::total_cmp);
    let d = sorted
        .iter()
        .enumerate()
        .map(|(i, &x)| {
            let f = 1.0 - upper(f64::from(x));
            (f - i as f64 / n).abs().max((f - (i + 1) as f64 / n).abs())
        })
        .fold(0.0, f64::max);
    // Kolmogorov: P(sqrt(n) D > 3.22) = 2 exp(-2 3.22^2) = 2e-9, the probability of z = 6.
    assert!(d * n.sqrt() < 3.22, "Kolmogorov-Smirnov {}", d * n.sqrt());
}

#[test]
fn truncated_and_lognormal_moments() {
    let n = N as f64;
    let moments = |v: &[f32]| {
        let mean = v.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let central = |p: i32| {
            v.iter()
                .map(|&x| (f64::from(x) - mean).powi(p))
                .sum::<f64>()
                / n
        };
        let (m2, m4) = (central(2), central(4));
        (mean, m2, (m2 / n).sqrt(), ((m4 - m2 * m2) / n).sqrt())
    };
    let mut v = vec![0.0; N];
    for at in [1.0f32, 2.0] {
        stream(Purpose::Cell, 0, 0).fill_truncated(0, squeeze(at), &mut v);
        let a = f64::from(at);
        let density = (-0.5 * a * a).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let variance = 1.0 - 2.0 * a * density / (1.0 - 2.0 * upper(a));
        let (m, s2, se_m, se_s2) = moments(&v);
        check("truncated mean", m, 0.0, se_m);
        check("truncated variance", s2, variance, se_s2);
    }
    for sigma in [0.1f32, 0.5] {
        stream(Purpose::Cell, 0, 1).fill_lognormal(0, lognormal_shape(sigma), &mut v);
        let (m, s2, se_m, se_s2) = moments(&v);
        check("lognormal mean", m, 0.0, se_m);
        check("lognormal variance", s2, f64::from(sigma).powi(2), se_s2);
        assert!(v.iter().all(|&x| x > -1.0));
    }
}

#[test]
fn streams_are_uncorrelated() {
    let base = stream(Purpose::Cell, 3, 17);
    let a = normals(base);
    let correlation = |b: &[f32], shift: usize| {
        let n = N - shift;
        let sum: f64 = a
            .iter()
            .zip(&b[shift..])
            .map(|(&x, &y)| f64::from(x) * f64::from(y))
            .sum();
        sum / (n as f64).sqrt()
    };
    for lag in [1, 2, 3, 4, 5, 8, 32, 1024] {
        check("lag", correlation(&a, lag), 0.0, 1.0);
    }
    let squares: f64 = a
        .windows(2)
        .map(|p| (f64::from(p[0]).powi(2) - 1.0) * (f64::from(p[1]).powi(2) - 1.0))
        .sum();
    check(
        "squares of neighbours",
        squares / (N as f64).sqrt(),
        0.0,
        2.0,
    );
    for other in [
        Stream { chip: 18, ..base },
        Stream { chip: 16, ..base },
        Stream { layer: 4, ..base },
        base.repeat(1),
        base.repeat(2),
        Stream {
            layer: 17,
            chip: 3,
            ..base
        },
        Stream {
            purpose: Purpose::CellNegative as u32,
            ..base
        },
        Stream {
            purpose: base.purpose | TRAINING,
            ..base
        },
        Stream {
            seed: base.seed + 1,
            ..base
        },
        Stream {
            seed: base.seed + (1 << 32),
            ..base
        },
    ] {
        let b = normals(other);
        for shift in [0, 1, 4] {
            check(&format!("{other:?}"), correlation(&b, shift), 0.0, 1.0);
        }
    }
}

/// The first repeat draws what has always been drawn; known answers of the others.
#[test]
fn repeats_begin_where_everything_is_and_are_pinned() {
    let base = stream(Purpose::CellProgram, 3, 17);
    assert_eq!(base.repeat(0), base);
    let words = |repeat: u32| [0, 1, 5].map(|address| base.repeat(repeat).word(address));
    let block = |repeat: u32, block: u32| {
        let counter = [block, 3 + 4096 * repeat, 17, Purpose::CellProgram as u32];
        philox::block([20_240_607, 0], counter)
    };
    for repeat in [0, 1, 2, (1 << 20) - 1] {
        let (first, second) = (block(repeat, 0), block(repeat, 1));
        assert_eq!(words(repeat), [first[0], first[1], second[1]]);
    }
    let all: std::collections::HashSet<u32> = (0..1000).flat_map(words).collect();
    // Of 3,000 words of 32 bits two are the same once in 1,000 seeds.
    assert_eq!(all.len(), 3000);
}

/// Across chips at one address: the chip axis is a sequence of its own.
#[test]
fn the_common_deviate_over_chips_is_normal() {
    let n = 1 << 16;
    let z: Vec<f64> = (0..n)
        .map(|chip| f64::from(stream(Purpose::ChipCommon, 0, chip).normal(0)))
        .collect();
    let n = f64::from(n);
    let sum = |f: &dyn Fn(f64) -> f64| z.iter().map(|&x| f(x)).sum::<f64>() / n;
    check("mean", sum(&|x| x), 0.0, (1.0 / n).sqrt());
    check("variance", sum(&|x| x * x), 1.0, (2.0 / n).sqrt());
    let neighbours = z.windows(2).map(|p| p[0] * p[1]).sum::<f64>() / n.sqrt();
    check("neighbouring chips", neighbours, 0.0, 1.0);
}

#[test]
fn filling_equals_single_numbers_from_any_address() {
    let s = stream(Purpose::Cell, 1, 2);
    for first in [0u32, 1, 2, 3, 5, 4001] {
        for len in [0usize, 1, 3, 4, 31, 32, 33, 97] {
            let mut v = vec![f32::NAN; len];
            let word = |i: usize| s.word(first + i as u32);
            s.fill_normals(first, &mut v);
            assert!((0..len).all(|i| v[i].to_bits() == normal(word(i)).to_bits()));
            s.fill_truncated(first, squeeze(2.0), &mut v);
            let q = squeeze(2.0);
            assert!((0..len).all(|i| v[i].to_bits() == truncated(word(i), q).to_bits()));
            let shape = lognormal_shape(0.4);
            s.fill_lognormal(first, shape, &mut v);
            assert!(
                (0..len).all(|i| v[i].to_bits() == lognormal(normal(word(i)), shape).to_bits())
            );
        }
    }
}

#[test]
fn uniform_and_shuffle() {
    assert_eq!(uniform(0), 0.0);
    assert!(uniform(u32::MAX) < 1.0);
    let s = stream(Purpose::Shuffle, 0, 5);
    let mut order: Vec<u32> = (0..1000).collect();
    order.shuffle(&mut s.rng(0));
    let mut again: Vec<u32> = (0..1000).collect();
    again.shuffle(&mut s.rng(0));
    assert_eq!(order, again);
    assert_ne!(order[..8], [0, 1, 2, 3, 4, 5, 6, 7]);
    order.sort_unstable();
    assert_eq!(order, (0..1000).collect::<Vec<_>>());
}
