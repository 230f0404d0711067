//! Fractions of chips: exact intervals and tests.
//!
//! # Which interval
//! A yield is reported with two. The *Wilson* interval ([`super::wilson_interval`], the default: it
//! is the one in tables and plots, and the one that `--until` looks at) covers 95 % on average over
//! all true yields, and is the shortest such interval in common use (Brown, Cai and DasGupta,
//! Statistical Science 16, 2001, 101-133). For some true yields it covers a little less. The
//! *Clopper-Pearson* interval covers at least 95 % whatever the true yield, and is therefore longer,
//! up to a quarter at a few hundred chips: for a yield that is promised.

use statrs::function::beta::beta_reg;

use super::{Interval, TAIL, Z975};

/// Exact interval of a fraction (Clopper and Pearson, Biometrika 26, 1934, 404-413), by the
/// quantiles of the beta distribution; unknown of no trial.
pub fn clopper_pearson_interval(successes: usize, trials: usize) -> Interval {
    if trials == 0 || successes > trials {
        return Interval::UNKNOWN;
    }
    let (k, n) = (successes as f64, trials as f64);
    Interval {
        lo: match successes {
            0 => 0.0,
            _ => beta_quantile(k, n - k + 1.0, TAIL),
        },
        hi: match trials - successes {
            0 => 1.0,
            _ => beta_quantile(k + 1.0, n - k, 1.0 - TAIL),
        },
    }
}

/// Interval of the difference of two fractions of the same trials, `(won - lost) / trials`: `won` trials succeed in the second
/// way only, `lost` in the first way only. Tango's score interval (Tango, Statistics in Medicine 17, 1998, 891-908), the
/// differences that the score test does not reject; unknown of no trial.
pub fn paired_proportions_interval(won: u64, lost: u64, trials: u64) -> Interval {
    if trials == 0 || won + lost > trials {
        return Interval::UNKNOWN;
    }
    let (b, c, n) = (won as f64, lost as f64, trials as f64);
    let score = |d: f64| {
        // Most likely probability of `lost` where the difference is d.
        let (p, q) = (-b - c + (2.0 * n - b + c) * d, -c * d * (1.0 - d));
        let lost = ((p * p - 8.0 * n * q).max(0.0).sqrt() - p) / (4.0 * n);
        let variance = (n * (2.0 * lost + d * (1.0 - d))).max(0.0);
        let off = b - c - n * d;
        match off {
            0.0 => 0.0,
            _ => off / variance.sqrt(),
        }
    };
    // The score falls with d from above the bound at one end to below it at the other.
    let end = |mut inside: f64, mut outside: f64| {
        for _ in 0..100 {
            let middle = 0.5 * (inside + outside);
            match score(middle).abs() < Z975 {
                true => inside = middle,
                false => outside = middle,
            }
        }
        0.5 * (inside + outside)
    };
    let estimate = (b - c) / n;
    Interval {
        lo: end(estimate, -1.0),
        hi: end(estimate, 1.0),
    }
}

/// Quantile of the beta distribution by bisection to the last bit but one: the distribution
/// function is good to 1e-14, its published inverse only to 1e-8 or so.
fn beta_quantile(a: f64, b: f64, p: f64) -> f64 {
    let (mut lo, mut hi) = (0.0, 1.0);
    // Each step is a bit; 1100 would reach the smallest double.
    for _ in 0..120 {
        let mid = 0.5 * (lo + hi);
        if mid <= lo || mid >= hi {
            break;
        }
        match beta_reg(a, b, mid) < p {
            true => lo = mid,
            false => hi = mid,
        }
    }
    0.5 * (lo + hi)
}

/// Two-sided exact test of a fair coin: the probability of a split at least as uneven as
/// `successes` to `failures`; 1 of no trial. The sign test; and McNemar's, of the chips that are
/// good at one of two points only.
pub fn sign_test(successes: u64, failures: u64) -> f64 {
    let (n, k) = (successes + failures, successes.min(failures));
    // Binomial coefficients relative to the largest, from the middle down to where they vanish:
    // published distribution functions lose digits in the middle of many trials.
    let middle = n / 2;
    let (mut weight, mut sum, mut tail) = (1.0f64, 0.0, 0.0);
    for i in (0..=middle).rev() {
        sum += weight;
        if i <= k {
            tail += weight;
        }
        weight *= i as f64 / (n - i + 1) as f64;
        if weight < 1e-300 {
            break;
        }
    }
    let all = match n % 2 {
        0 => 2.0 * sum - 1.0,
        _ => 2.0 * sum,
    };
    (2.0 * tail / all).min(1.0)
}
