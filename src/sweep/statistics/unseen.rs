//! A part of a mean's interval for chips that no sample has shown yet.
//!
//! A Student-t interval knows the spread that was seen. Where a small share of the chips fails, a
//! sample without one has a small spread and its interval misses the truth. No method can tell from
//! such a sample how many chips fail, but that they are few: with `n` chips and none that fails,
//! less than `3/n` of all chips do, at 95 % (rule of three: Hanley and Lippman-Hand, JAMA 249,
//! 1983, 1743-1745; `(1 - p)^n = 0.05` gives `p` about `-ln(0.05) / n`).
//!
//! The worst that a chip does is to guess: its accuracy is the chance level, one over the number of
//! classes. So `3/n` of the chips at chance level lower the mean by [`below`], and the interval
//! reaches as much further down. It is added whatever was seen: a sample with one such chip says
//! little more about their share than a sample without.
//!
//! Upwards the same holds of chips that are better than any seen, which are rare where nearly all
//! chips fail; they gain at most what is missing to 100 % ([`above`]). Between chance level and the
//! middle of the scale that is as much as below, near 100 % it is little.

use super::Interval;

/// Chips that may be of a kind that `n` chips do not show: 3 of `n`.
const RULE_OF_THREE: f64 = 3.0;

/// Accuracy of a chip that guesses one of `classes` classes.
pub fn chance(classes: usize) -> f64 {
    1.0 / classes.max(1) as f64
}

/// Share of all chips that `chips` chips may have failed to show, at most 1.
fn share(chips: u64) -> f64 {
    (RULE_OF_THREE / chips as f64).min(1.0)
}

/// How much lower the mean accuracy may be for chips not yet seen: 3/n of its distance to `chance`,
/// 0 where it is below that.
pub fn below(mean: f64, chance: f64, chips: u64) -> f64 {
    share(chips) * (mean - chance).max(0.0)
}

/// How much higher it may be: as much as it may be lower, and at most 3/n of what is missing to
/// 100 %.
pub fn above(mean: f64, chance: f64, chips: u64) -> f64 {
    below(mean, chance, chips).min(share(chips) * (1.0 - mean))
}

/// Mean accuracy of chips: how well it is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanInterval {
    /// Standard error of the mean.
    pub se: f64,
    /// 95 % interval, inside 0 to 1: Student's t, and beyond it [`below`] and [`above`].
    pub ci95: Interval,
    /// [`below`]; `NaN` where chips not yet seen are left out.
    pub unseen: f64,
}

impl MeanInterval {
    /// From a mean with its standard error and Student-t interval; `chance` is absent where chips
    /// not yet seen are left out.
    pub fn new(mean: f64, (se, student): (f64, Interval), chance: Option<f64>, chips: u64) -> Self {
        let [unseen, above] = match chance {
            Some(chance) if chips > 0 => [below, above].map(|side| side(mean, chance, chips)),
            Some(_) | None => [f64::NAN, 0.0],
        };
        let below = if unseen.is_nan() { 0.0 } else { unseen };
        let wide = Interval {
            lo: student.lo - below,
            hi: student.hi + above,
        };
        Self {
            se,
            ci95: wide.within(0.0, 1.0),
            unseen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounding of a few operations near 1.
    const ROUNDING: f64 = 1e-15;

    #[test]
    fn a_share_of_three_chips_is_at_chance_level() {
        assert!((below(0.9, 0.1, 100) - 0.024).abs() < ROUNDING);
        // What is missing to 100 % is less.
        assert!((above(0.9, 0.1, 100) - 0.003).abs() < ROUNDING);
        assert!((above(0.3, 0.1, 100) - 0.006).abs() < ROUNDING);
        // Fewer than three chips say nothing: all others may be at chance level.
        assert!((below(0.9, 0.1, 2) - 0.8).abs() < ROUNDING);
        assert_eq!(below(0.05, 0.1, 100), 0.0);
        assert_eq!((chance(10), chance(0)), (0.1, 1.0));
    }

    #[test]
    fn the_interval_is_students_and_what_is_unseen_inside_0_to_1() {
        let student = (0.01, Interval::around(0.9, 0.02));
        let with = MeanInterval::new(0.9, student, Some(0.1), 100);
        assert!((with.ci95.lo - (0.88 - 0.024)).abs() < ROUNDING);
        assert!((with.ci95.hi - (0.92 + 0.003)).abs() < ROUNDING);
        let without = MeanInterval::new(0.9, student, None, 100);
        assert_eq!(without.ci95, student.1);
        assert!(without.unseen.is_nan());
        let wide = (0.5, Interval::around(0.5, 0.9));
        let i = MeanInterval::new(0.5, wide, Some(0.1), 100).ci95;
        assert_eq!((i.lo, i.hi), (0.0, 1.0));
        let unknown = (f64::NAN, Interval::UNKNOWN);
        let one = MeanInterval::new(0.5, unknown, Some(0.1), 1);
        assert!(one.ci95.lo.is_nan() && one.ci95.hi.is_nan());
    }
}
