//! How far the chips and images that were seen tell what all of them would.
//!
//! The population is finite: the chips and images of the whole sweep. Chips that are alike are seen in any order, and images
//! are drawn at random, both without replacement, so counts follow the hypergeometric distribution. `tail` is the
//! probability that a bound is wrong.

use statrs::distribution::{ContinuousCDF, StudentsT};
use statrs::function::factorial::ln_factorial;

/// Logarithm of the number of ways to choose `k` of `n`.
fn ln_choose(n: u64, k: u64) -> f64 {
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

/// An urn of which a part has been drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Urn {
    /// All.
    pub total: u64,
    /// Drawn.
    pub drawn: u64,
}

impl Urn {
    /// Probability of `from` to `to` marked ones among the drawn, if `marked` of all are.
    fn probability(self, marked: u64, from: u64, to: u64) -> f64 {
        let Urn { total, drawn } = self;
        let least = (drawn + marked).saturating_sub(total);
        let (from, to) = (from.max(least), to.min(drawn).min(marked));
        let all = ln_choose(total, drawn);
        let of = |i: u64| (ln_choose(marked, i) + ln_choose(total - marked, drawn - i) - all).exp();
        (from..=to).map(of).sum()
    }

    /// Fewest of all that can be marked, where at least `seen` of the drawn are.
    pub fn least(self, seen: u64, tail: f64) -> u64 {
        let most = self.total - (self.drawn - seen);
        // More marked ones make `seen` and more likelier.
        first(seen, most, |marked| {
            self.probability(marked, seen, self.drawn) > tail
        })
    }

    /// Most of all that can be marked, where at most `seen` of the drawn are.
    pub fn most(self, seen: u64, tail: f64) -> u64 {
        let most = self.total - (self.drawn - seen);
        first(seen, most + 1, |marked| {
            marked > most || self.probability(marked, 0, seen) <= tail
        }) - 1
    }
}

/// The first number of `from..=to` that holds, `to` if none does; where a number holds, all larger ones do.
fn first(from: u64, to: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut from, mut to) = (from, to);
    while from < to {
        let middle = from + (to - from) / 2;
        match holds(middle) {
            true => to = middle,
            false => from = middle + 1,
        }
    }
    from
}

/// Half of Student's interval of the mean of all of an urn, from the standard deviation of the drawn: with the finite
/// population correction, as what was drawn is part of the whole.
pub(super) fn student(urn: Urn, deviation: f64, tail: f64) -> f64 {
    if urn.drawn == urn.total {
        return 0.0;
    }
    let (n, all) = (urn.drawn as f64, urn.total as f64);
    match StudentsT::new(0.0, 1.0, n - 1.0) {
        Ok(t) if n > 1.0 => {
            let quantile = -t.inverse_cdf(tail);
            quantile * deviation * (1.0 / n - 1.0 / all).sqrt()
        }
        _ => f64::INFINITY,
    }
}

/// Largest share of kinds that `n` chips have not shown: `(1 - share)^n = tail`.
pub(super) fn unseen(n: u64, tail: f64) -> f64 {
    (-tail.ln() / n as f64).min(1.0)
}

/// Relative entropy of two shares.
fn entropy(a: f64, b: f64) -> f64 {
    let part = |x: f64, y: f64| if x > 0.0 { x * (x / y).ln() } else { 0.0 };
    part(a, b) + part(1.0 - a, 1.0 - b)
}

/// Least and largest mean of all of an urn of numbers from 0 to 1, where the drawn have the mean `seen`: the bounds that
/// Hoeffding's inequality leaves, `drawn entropy(seen, mean) <= -ln tail`, which holds without replacement too
/// (Hoeffding, JASA 58, 1963, 13-30, theorems 1 and 4).
pub(super) fn bounded_mean(urn: Urn, seen: f64, tail: f64) -> (f64, f64) {
    if urn.drawn == urn.total {
        return (seen, seen);
    }
    let most = -tail.ln() / urn.drawn as f64;
    let seen = seen.clamp(0.0, 1.0);
    let side = |end: f64| {
        let (mut near, mut far) = (seen, end);
        for _ in 0..60 {
            let middle = 0.5 * (near + far);
            match entropy(seen, middle) <= most {
                true => near = middle,
                false => far = middle,
            }
        }
        far
    };
    (side(0.0), side(1.0))
}

/// Most chips of `chips` that may fail where a yield of at least `share` is to be shown, at 95 % one-sided: the lower end of
/// Clopper and Pearson's interval is then `share` at least. `None` where no number is small enough.
pub(super) fn most_failing(chips: u64, share: f64) -> Option<u64> {
    const TAIL: f64 = 0.05;
    if share <= 0.0 {
        return Some(chips);
    }
    let (mut sum, mut failing) = (0.0, None);
    for k in 0..=chips {
        let (bad, good) = (k as f64, (chips - k) as f64);
        let ways = ln_choose(chips, k) + good * share.ln();
        sum += match k {
            0 => ways.exp(),
            _ => (ways + bad * (1.0 - share).ln()).exp(),
        };
        // The last rounding must not decide where equality does.
        if sum > TAIL * (1.0 + 1e-12) {
            break;
        }
        failing = Some(k);
    }
    failing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Search;
    use crate::sweep::statistics::binomial::clopper_pearson_interval;

    #[test]
    fn a_yield_is_shown_where_the_interval_of_clopper_and_pearson_says_so() {
        assert_eq!(most_failing(299, 0.99), Some(0));
        assert_eq!(most_failing(298, 0.99), None);
        assert_eq!(most_failing(100, 0.9), Some(4));
        assert_eq!(most_failing(50, 0.0), Some(50));
        for share in [0.5, 0.8, 0.9, 0.95, 0.99, 0.999] {
            let n = Search::chips_for(share).unwrap() as u64;
            assert_eq!(most_failing(n, share), Some(0), "{share}");
            assert_eq!(most_failing(n - 1, share), None, "{share}");
        }
        // The two-sided interval is wider than a one-sided bound: what it shows, the bound does too.
        for (chips, share) in [(200, 0.9), (400, 0.99), (60, 0.7)] {
            let k = most_failing(chips, share).unwrap();
            let shown =
                |k: u64| clopper_pearson_interval((chips - k) as usize, chips as usize).lo >= share;
            assert!(
                !shown(k + 1) && (shown(k) || shown(k - 1)),
                "{chips} {share}"
            );
        }
    }

    #[test]
    fn bounds_of_a_drawn_part_hold_what_their_tail_says() {
        // Exact: for every number of marked ones the probability that the bound misses it.
        let urn = Urn {
            total: 40,
            drawn: 12,
        };
        for tail in [0.05, 1e-3, 1e-6] {
            for marked in 0..=40u64 {
                let of = |k: u64| urn.probability(marked, k, k);
                let above: f64 = (0..=12)
                    .filter(|&k| k <= marked && urn.most(k, tail) < marked)
                    .map(of)
                    .sum();
                let below: f64 = (0..=12)
                    .filter(|&k| k <= marked && urn.least(k, tail) > marked)
                    .map(of)
                    .sum();
                assert!(
                    above <= tail && below <= tail,
                    "{marked} {tail}: {above} {below}"
                );
            }
        }
        let all = Urn {
            total: 40,
            drawn: 40,
        };
        assert_eq!((all.least(7, 1e-9), all.most(7, 1e-9)), (7, 7));
        // What was seen is certain whatever the tail.
        assert_eq!((urn.least(3, 1e-300), urn.most(3, 1e-300)), (3, 31));
    }

    #[test]
    fn means_of_numbers_from_0_to_1_are_within_their_bounds() {
        let urn = Urn {
            total: 1000,
            drawn: 100,
        };
        let (lo, hi) = bounded_mean(urn, 0.9, 1e-3);
        // Wider than the normal interval of as many coins, narrower than Hoeffding's own.
        assert!(
            lo < 0.9 - 3.0 * 0.03 && lo > 0.9 - (1e3f64.ln() / 200.0).sqrt(),
            "{lo}"
        );
        assert!(hi > 0.9 + 2.0 * 0.03 && hi < 1.0, "{hi}");
        assert!(bounded_mean(urn, 1.0, 1e-3).1 == 1.0);
        let lowest = bounded_mean(urn, 1.0, 1e-3).0;
        assert!(
            (lowest - 1e-3f64.powf(0.01)).abs() < 1e-9,
            "p^n = tail: {lowest}"
        );
    }

    #[test]
    fn students_interval_is_that_of_a_part_of_the_whole() {
        let urn = |drawn| Urn { total: 100, drawn };
        // t of 7 degrees at 97.5 % is 2.364624, at 1 - 1e-6 it is 14.2 (tables).
        let half = student(urn(8), 1.0, 0.025);
        assert!((half - 2.364_624 * (1.0f64 / 8.0 - 0.01).sqrt()).abs() < 1e-5);
        let far = student(urn(8), 1.0, 1e-6) / (1.0f64 / 8.0 - 0.01).sqrt();
        assert!((13.5..15.0).contains(&far), "{far}");
        assert_eq!(student(urn(100), 1.0, 1e-6), 0.0);
        assert_eq!(student(urn(1), 1.0, 1e-6), f64::INFINITY);
        let mut last = 0.0;
        for tail in [1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12] {
            let half = student(urn(8), 1.0, tail);
            assert!(half.is_finite() && half > last, "{tail}: {half}");
            last = half;
        }
    }

    #[test]
    fn few_chips_hide_many() {
        assert!((unseen(299, 0.05) - 0.01).abs() < 1e-4);
        assert_eq!(unseen(2, 1e-9), 1.0);
    }
}
