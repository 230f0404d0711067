//! Means, fractions and quantiles over stratified chips, with intervals that hold for them.
//!
//! Chips whose eps_B is stratified (`variation.sampling = "stratified"`) are not independent: their
//! spread says nothing about the error of their mean, which is much smaller. But the chips with the
//! same index modulo [`REPLICATES`] have a scrambling of their own, so the means of these
//! replicates are independent estimates of the same mean, and their spread does (Owen, Monte Carlo
//! theory, methods and examples, 2013, chapter 17: randomised quasi-Monte Carlo).
//!
//! # Fractions
//! The good chips of the replicates are independent counts too. Their sample variance `v` says what
//! the chips are worth: as many as `n' = n b / v` independent ones, with the binomial variance
//! `b = m p (1 - p)` of the `m` chips of a replicate. With so many, fewer by the square of the ratio
//! of the normal and the Student quantile, Wilson's interval is taken (Korn and Graubard, Survey
//! Methodology 24, 1998, 193-201, who do it for clustered samples and with Clopper and Pearson's).
//! Two limits keep a lucky `v` from promising too much:
//!
//! * Where eps_B decides alone, a replicate has `floor(m p)` or one more good chips, with a variance
//!   of 1/6 on average over all `p`; and 16 equal counts do happen at 2.5 % when `m p` is 0.21 off.
//!   So `v` is at least the smaller of 1/6 and `b`.
//! * Where all chips are good, or none, the chips count as independent.
//!
//! # Means
//! The mean of every replicate is an estimate of its own, and Student's t of the 16 gives the
//! interval. A lucky variance has the same limit as above, in the units of the mean: in the sorted
//! values a replicate's chips stand one in each stretch of 16, and which value of its stretch each
//! takes is chance. A stretch with values that are a jump of `g` apart adds `g^2 f (1 - f)` to the
//! variance of a replicate's sum, with `f` the part of the stretch before the jump: on average over
//! `f` a sixth of `g^2`, as a fraction's 1/6 is of 1. So the variance is at least a sixth of the sum
//! of the squared differences over all stretches ([`least_variance`]), or that of independent chips,
//! if that is less.
//!
//! # Quantiles
//! Woodruff's interval (JASA 47, 1952, 635-646): the values at which `p` is inside the interval of
//! the fraction of chips up to and with the value.

use std::sync::LazyLock;

use super::{Interval, Moments, Z975, wilson, wilson_interval};
pub use crate::chip::stratified::REPLICATES;

/// Least variance of the number of good chips of a replicate, where chips are not all alike.
const LEAST: f64 = 1.0 / 6.0;

/// Chips by replicate.
pub type Chips = [u32; REPLICATES as usize];

/// 97.5 % quantile of Student's t with one degree of freedom fewer than replicates; found once, as
/// a quantile's interval asks for it at every value that occurs.
static STUDENT: LazyLock<f64> = LazyLock::new(|| super::student_t975(u64::from(REPLICATES) - 1));

/// 95 % interval of the fraction of chips that are good, `good` of `chips`; as of independent chips
/// while a replicate has none.
pub fn fraction_interval(good: &Chips, chips: &Chips) -> Interval {
    let sum = |of: &Chips| of.iter().map(|&n| u64::from(n)).sum::<u64>() as usize;
    let (k, n) = (sum(good), sum(chips));
    if k == 0 || k == n || chips.contains(&0) {
        return wilson_interval(k, n);
    }
    let (r, n) = (f64::from(REPLICATES), n as f64);
    let p = k as f64 / n;
    let binomial = n / r * p * (1.0 - p);
    let residuals = good.iter().zip(chips);
    let residuals = residuals.map(|(&k, &m)| (f64::from(k) - p * f64::from(m)).powi(2));
    let variance = residuals.sum::<f64>() / (r - 1.0);
    let variance = variance.max(LEAST.min(binomial));
    wilson(p, n * binomial / variance * (Z975 / *STUDENT).powi(2))
}

/// 95 % interval of quantile `p`. `values` are ascending and different, each with its chips; a side
/// that so few chips cannot bound is open (`NaN`).
pub fn quantile_interval<'a>(
    values: impl Iterator<Item = (f64, &'a Chips)>,
    chips: &Chips,
    p: f64,
) -> Interval {
    let mut up_to = Chips::default();
    let mut found = Interval::UNKNOWN;
    // A quantile below all chips is possible: then that side is open.
    let open = fraction_interval(&up_to, chips).hi >= p;
    for (x, own) in values {
        for (sum, own) in up_to.iter_mut().zip(own) {
            *sum += own;
        }
        let fraction = fraction_interval(&up_to, chips);
        if found.lo.is_nan() && fraction.hi >= p {
            found.lo = x;
        }
        if fraction.lo >= p {
            found.hi = x;
            break;
        }
    }
    if open {
        found.lo = f64::NAN;
    }
    found
}

/// Least variance of the sum of a replicate's values. `values` are ascending and different, each with its number
/// of chips; `variance` is the sample variance over chips.
pub fn least_variance(values: impl Iterator<Item = (f64, u64)> + Clone, variance: f64) -> f64 {
    let stretch = u64::from(REPLICATES);
    let (mut chips, mut begins, mut squares) = (0u64, 0u64, 0.0);
    let mut before: Option<f64> = None;
    let mut jump = |from: Option<f64>, to: f64| {
        squares += from.map_or(0.0, |from| (to - from).powi(2));
    };
    for (value, n) in values.clone() {
        chips += n;
        if begins < chips {
            jump(before, value);
            before = Some(value);
            begins = chips.next_multiple_of(stretch);
        }
    }
    if let Some((last, _)) = values.clone().last() {
        jump(before, last);
    }
    let independent = chips as f64 / stretch as f64 * variance;
    (LEAST * squares).min(independent)
}

/// Standard error of a mean over all chips from the mean of every replicate with its number of chips; `NaN` while
/// a replicate has no chip.
///
/// A replicate weighs as many chips as it has. They differ by one at most. `least` is the least variance of
/// the sum of a replicate's values, whatever these 16 say ([`least_variance`]).
fn standard_error(replicates: [(u64, f64); REPLICATES as usize], mean: f64, least: f64) -> f64 {
    if replicates.iter().any(|(n, _)| *n == 0) {
        return f64::NAN;
    }
    let chips: u64 = replicates.iter().map(|(n, _)| n).sum();
    let spread = replicates.iter().map(|&(n, of_replicate)| {
        let n = n as f64;
        (n * (of_replicate - mean)).powi(2)
    });
    let r = f64::from(REPLICATES);
    let of_sums = (spread.sum::<f64>() / (r - 1.0)).max(least);
    let variance = of_sums * r / (chips as f64).powi(2);
    variance.sqrt()
}

/// Student's interval of a mean with this standard error (one degree of freedom fewer than replicates); unknown
/// without one.
fn student_interval(mean: f64, se: f64) -> Interval {
    match se.is_nan() {
        true => Interval::UNKNOWN,
        false => Interval::around(mean, *STUDENT * se),
    }
}

/// Means of any numbers by replicate, taken in by ascending chips.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ReplicateMeans([Moments; REPLICATES as usize]);

impl ReplicateMeans {
    /// Takes in the value of a chip.
    pub fn push(&mut self, chip: u32, value: f64) {
        self.0[(chip % REPLICATES) as usize].push(value);
    }

    /// Standard error and Student-t interval of `mean`, that of all chips; unknown while a replicate has no
    /// chip. `least` as [`least_variance`] gives it.
    pub fn interval(&self, mean: f64, least: f64) -> (f64, Interval) {
        let se = standard_error(self.0.map(|m| (m.n(), m.mean())), mean, least);
        (se, student_interval(mean, se))
    }
}

/// Sums of counts by replicate: exact, and the same in whatever order chips come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replicates([(u64, i128); REPLICATES as usize]);

impl Replicates {
    /// Takes in the count of a chip.
    pub fn push(&mut self, chip: u32, count: i64) {
        let (n, sum) = &mut self.0[(chip % REPLICATES) as usize];
        *n += 1;
        *sum += i128::from(count);
    }

    /// Standard error and Student-t interval of the mean of `count / images` over all chips; unknown while a
    /// replicate has no chip. `least` as [`least_variance`] gives it, in counts.
    pub fn interval(&self, images: u32, least: f64) -> (f64, Interval) {
        let chips: u64 = self.0.iter().map(|(n, _)| n).sum();
        let total: i128 = self.0.iter().map(|(_, sum)| sum).sum();
        let means = self.0.map(|(n, sum)| (n, sum as f64 / n as f64));
        let mean = total as f64 / chips as f64;
        let images = f64::from(images);
        let se = standard_error(means, mean, least) / images;
        (se, student_interval(mean / images, se))
    }
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{ContinuousCDF, Normal};

    use super::*;
    use crate::chip::stratified::word;
    use crate::random::{Purpose, Stream, normal};
    use crate::sweep::census::{Basis, Census};
    use crate::sweep::result::ChipRow;

    const IMAGES: u32 = 10_000;
    const REPEATS: u64 = 2000;

    /// Images that a chip gets right whose deviations make it `y` standard deviations good.
    fn correct(y: f64) -> u32 {
        (f64::from(IMAGES) * (0.5 + y / 12.0)).round() as u32
    }

    /// Chips of which eps_B decides the share `share` of the variance.
    fn sample(seed: u64, chips: u32, share: f64) -> Census {
        let noise = Stream::new(seed, Purpose::ChipCommon, 0, 0, 0);
        let mut census = Census::default();
        for chip in 0..chips {
            let (eps_b, own) = (normal(word(seed, chip)), normal(noise.word(chip)));
            let y = share.sqrt() * f64::from(eps_b) + (1.0 - share).sqrt() * f64::from(own);
            census.push(&ChipRow::scored(chip, correct(y), IMAGES));
        }
        census
    }

    /// Shares that cover the truth, and lengths relative to the intervals of independent chips.
    #[derive(Default)]
    struct Seen {
        inside: u64,
        length: f64,
        independent: f64,
    }

    impl Seen {
        fn note(&mut self, truth: f64, [own, independent]: [Interval; 2]) {
            let below = own.lo.is_nan() || own.lo <= truth;
            self.inside += u64::from(below && (own.hi.is_nan() || truth <= own.hi));
            if own.half().is_finite() && independent.half().is_finite() {
                self.length += own.half();
                self.independent += independent.half();
            }
        }
    }

    /// Covers 95 % but for the bar of six standard errors; 1 % is allowed for what Wilson's interval
    /// itself swings and for the normal approximation of few bad chips. Gives the lengths relative
    /// to intervals as of independent chips.
    fn lengths(chips: u32, share: f64) -> [f64; 6] {
        let p = [0.05, 0.5, 0.9];
        let unit = Normal::new(0.0, 1.0).unwrap();
        let at = p.map(|p| correct(unit.inverse_cdf(p)));
        let mut seen: [Seen; 6] = Default::default();
        for seed in 0..REPEATS {
            let census = sample(seed, chips, share);
            let intervals = [true, false].map(|s| census.quantile_intervals(p, s));
            for i in 0..p.len() {
                let limit = f64::from(at[i]) / f64::from(IMAGES);
                seen[i].note(limit, intervals.map(|s| s[i]));
                // A chip is good from the middle between two counts on.
                let y = 12.0 * ((f64::from(at[i]) - 0.5) / f64::from(IMAGES) - 0.5);
                let truth = 1.0 - unit.cdf(y);
                let yields = [true, false].map(|s| census.yield_interval(limit, s));
                seen[3 + i].note(truth, yields);
            }
        }
        let bar = 6.0 * (0.95 * 0.05 / REPEATS as f64).sqrt() + 0.01;
        let what = ["quantile 0.05", "0.5", "0.9", "yield 0.95", "0.5", "0.1"];
        let mut what = what.into_iter();
        seen.map(|s| {
            let what = what.next().unwrap_or_default();
            let covered = s.inside as f64 / REPEATS as f64;
            let ratio = s.length / s.independent;
            println!(
                "{chips} chips, share {share}, {what}: {covered:.3} covered, length {ratio:.2}"
            );
            assert!(
                covered > 0.95 - bar,
                "{chips} chips, share {share}: {covered}"
            );
            ratio
        })
    }

    #[test]
    fn intervals_of_stratified_chips_cover_and_are_shorter_where_eps_b_decides() {
        for ratio in lengths(160, 0.0) {
            // The Student factor, where stratifying changes nothing.
            assert!(ratio > 0.9 && ratio < 1.2, "{ratio}");
        }
        for ratio in lengths(160, 0.9) {
            assert!(ratio < 0.95, "{ratio}");
        }
        for ratio in lengths(320, 1.0) {
            assert!(ratio < 0.7, "{ratio}");
        }
    }

    /// Share of the repeats whose interval of the mean covers it: of chips that are at 10 % where
    /// eps_B is below its quantile `p` and at 90 % elsewhere.
    fn mean_covered(chips: u32, p: f64, chance: Option<f64>) -> f64 {
        let limit = Normal::standard().inverse_cdf(p);
        let truth = 0.9 - 0.8 * p;
        let basis = Basis {
            stratified: true,
            chance,
        };
        let mut inside = 0u64;
        for seed in 0..REPEATS {
            let mut census = Census::default();
            for chip in 0..chips {
                let fails = f64::from(normal(word(seed, chip))) < limit;
                let correct = if fails {
                    IMAGES / 10
                } else {
                    9 * (IMAGES / 10)
                };
                census.push(&ChipRow::scored(chip, correct, IMAGES));
            }
            let i = census.mean_interval(basis).ci95;
            inside += u64::from(i.lo <= truth && truth <= i.hi);
        }
        let covered = inside as f64 / REPEATS as f64;
        println!("{chips} chips, {p} fail by eps_B, chance {chance:?}: {covered:.4}");
        covered
    }

    #[test]
    fn a_mean_over_replicates_covers_where_eps_b_alone_decides() {
        // The promise is 93 %; six standard errors of 2,000 repeats are 3.4 %.
        let bar = 0.93 - 6.0 * (0.93 * 0.07 / REPEATS as f64).sqrt();
        // The variance that 16 replicates happen to have covers 85 % here.
        for (chips, p) in [(128, 0.1), (512, 0.1), (128, 0.13), (256, 0.2)] {
            let covered = mean_covered(chips, p, None);
            assert!(covered > bar, "{chips} chips, {p}: {covered}");
        }
        // Failures too rare to be seen: 23 % without the part for chips not yet seen.
        for (chips, p) in [(128, 0.002), (128, 0.01), (512, 0.005)] {
            let covered = mean_covered(chips, p, Some(0.1));
            assert!(covered > bar, "{chips} chips, {p}: {covered}");
        }
    }

    #[test]
    fn the_least_variance_is_a_sixth_of_the_squared_stretches() {
        let of = |counts: &[(i64, u64)]| {
            let variance = Moments::of_counts(counts.iter().copied(), 1).variance();
            least_variance(counts.iter().map(|&(c, n)| (c as f64, n)), variance)
        };
        let near = |x: f64, want: f64| assert!((x - want).abs() < 1e-9 * want, "{x} {want}");
        // 16 chips at 10, 48 at 90: one stretch holds the jump.
        near(of(&[(10, 16), (90, 48)]), 6400.0 / 6.0);
        // 0, 1, 2, ..., 63: three stretches of 16, the last of 15.
        let line: Vec<(i64, u64)> = (0..64).map(|c| (c, 1)).collect();
        near(of(&line), (3.0 * 256.0 + 225.0) / 6.0);
        // Two of 64 chips fail: independent chips vary less, 4 * s^2.
        let s2 = 6400.0 * (2.0 * 62.0 / 64.0) / 63.0;
        near(of(&[(10, 2), (90, 62)]), 4.0 * s2);
        assert_eq!(of(&[(5, 64)]), 0.0);
    }

    #[test]
    fn chips_that_are_all_alike_count_as_independent() {
        let (none, all) = ([0; 16], [10; 16]);
        assert_eq!(fraction_interval(&all, &all), wilson_interval(160, 160));
        assert_eq!(fraction_interval(&none, &all), wilson_interval(0, 160));
        // A replicate without chips: too early.
        let mut few = [1; 16];
        few[3] = 0;
        assert_eq!(fraction_interval(&few, &few), wilson_interval(15, 15));
        assert!(fraction_interval(&none, &none).lo.is_nan());
        // Equal counts are no certainty: 0.21 of a chip in each replicate.
        let i = fraction_interval(&[5; 16], &all);
        assert!((i.half() * 10.0 - 0.217).abs() < 0.01, "{i:?}");
    }
}
