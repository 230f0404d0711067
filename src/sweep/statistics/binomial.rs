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

use super::{Interval, TAIL};

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
