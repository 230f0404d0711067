//! How long kernel calls take, learned from submissions that were measured.
//!
//! A call of which nothing is known begins with few workgroups and goes on with up to [`GROWTH`] times as many
//! as were measured together, until a submission of the wanted length is known. So not even the first run
//! of a program holds a card for long. What is known is an estimate for the next run and never touches a
//! result.

use std::sync::Mutex;

use super::faults::lock;

/// What a submission should take, seconds.
pub(super) const AIM: f64 = 0.05;

/// A kernel call of which more is expected is split, seconds.
pub(super) const SPLIT: f64 = 2.0 * AIM;

/// What no submission should take, seconds: desktops reset a card whose submission takes some seconds.
pub(super) const LONG: f64 = 0.2;

/// Workgroups of a call of which nothing is known: fewer than any card does side by side.
const FIRST: u64 = 8;

/// How many times as many workgroups are tried as were measured together.
const GROWTH: u64 = 16;

/// How an estimate follows measurements: the part of a larger and of a smaller one that it takes over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Easing {
    up: f64,
    down: f64,
}

/// A card that becomes slower is believed at once, as too long a submission is what must not be.
pub(super) const CARD: Easing = Easing {
    up: 1.0,
    down: 0.25,
};

/// A software adapter shares processors with everything else: what was quick once is what a call takes, and the
/// rest of a longer measurement is others' work, which smaller submissions would only make longer.
pub(super) const SOFTWARE: Easing = Easing {
    up: 0.05,
    down: 1.0,
};

/// What is known of a kernel call; shared by all sessions that make it.
#[derive(Debug, Default)]
pub(super) struct Rate(Mutex<Known>);

#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// Seconds of a workgroup.
    seconds: f64,
    /// Most workgroups that were measured together; 0 where nothing is known.
    seen: u64,
}

/// What to do with a kernel call next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Next {
    /// All that is left may share a submission with others; the seconds that it is expected to take.
    Whole(f64),
    /// So many workgroups in a submission of their own.
    Part(u64),
    /// So many in a submission of their own, which must be measured before others follow.
    Probe(u64),
}

impl Rate {
    /// What to do with `left` workgroups; `begun`: some were done before in this run.
    pub fn next(&self, left: u64, begun: bool) -> Next {
        let known = *lock(&self.0);
        if known.seen == 0 {
            return Next::Probe(left.min(FIRST));
        }
        let dared = known.seen.saturating_mul(GROWTH);
        let seconds = known.seconds * left as f64;
        if left <= dared && !begun && seconds <= SPLIT {
            return Next::Whole(seconds);
        }
        let fits = ((AIM / known.seconds) as u64).max(1);
        if fits > dared {
            return Next::Probe(left.min(dared));
        }
        // Parts of about one size.
        Next::Part(left.div_ceil(left.div_ceil(fits)))
    }

    /// What is expected of so many workgroups, seconds.
    pub fn expect(&self, groups: u64) -> f64 {
        lock(&self.0).seconds * groups as f64
    }

    /// So many workgroups took `seconds`, alone or, by what was expected, as their part of a submission.
    pub fn learn(&self, groups: u64, seconds: f64, easing: Easing) {
        let mut known = lock(&self.0);
        let measured = seconds / groups.max(1) as f64;
        let first = known.seen == 0;
        // More together than ever: that tells more than few, which never fill a card.
        let more = groups > known.seen;
        let part = match measured > known.seconds {
            true => easing.up,
            false => easing.down,
        };
        let part = if first || more { 1.0 } else { part };
        known.seconds += part * (measured - known.seconds);
        known.seen = known.seen.max(groups);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goes through a call whose workgroups take `each` seconds, and `start` every submission.
    fn run(rate: &Rate, groups: u64, each: f64, start: f64) -> Vec<u64> {
        let (mut left, mut parts) = (groups, Vec::new());
        while left > 0 {
            let n = match rate.next(left, left < groups) {
                Next::Whole(_) => left,
                Next::Part(n) | Next::Probe(n) => n,
            };
            assert!(n > 0 && n <= left);
            rate.learn(n, start + each * n as f64, CARD);
            parts.push(n);
            left -= n;
        }
        parts
    }

    #[test]
    fn the_first_run_feels_its_way() {
        // A microsecond of each of a million, and a tenth of a millisecond for every submission.
        let rate = Rate::default();
        let first = run(&rate, 1_000_000, 1e-6, 1e-4);
        assert_eq!(first[..2], [8, 128]);
        assert!(first.iter().all(|&n| n as f64 * 1e-6 < LONG), "{first:?}");
        let again = run(&rate, 1_000_000, 1e-6, 1e-4);
        assert!((10..=21).contains(&again.len()), "{again:?}");
        let [least, most] = [again.iter().min(), again.iter().max()].map(|n| *n.unwrap());
        assert!(most - least <= 20, "{again:?}");
    }

    #[test]
    fn short_calls_are_whole_from_the_second_run_on() {
        let rate = Rate::default();
        assert_eq!(run(&rate, 100, 1e-6, 1e-4), [8, 92]);
        assert!(matches!(rate.next(100, false), Next::Whole(s) if s < 1e-3));
        // Another number of images.
        assert!(matches!(rate.next(1000, false), Next::Whole(_)));
    }

    #[test]
    fn a_workgroup_longer_than_a_submission_goes_alone() {
        let rate = Rate::default();
        run(&rate, 8, 0.3, 0.0);
        assert_eq!(rate.next(5, false), Next::Part(1));
    }

    #[test]
    fn of_a_card_slower_counts_at_once_and_faster_by_and_by() {
        let rate = Rate::default();
        let learn = |seconds| rate.learn(128, seconds, CARD);
        let close = |wanted: f64| (rate.expect(128) - wanted).abs() < 1e-9;
        learn(1.0 / 128.0);
        learn(1.0 / 32.0);
        assert!(close(1.0 / 32.0));
        learn(1.0 / 128.0);
        assert!(close(1.0 / 32.0 - 0.25 * 3.0 / 128.0));
    }

    #[test]
    fn of_software_faster_counts_at_once_and_slower_by_and_by() {
        let rate = Rate::default();
        let learn = |seconds| rate.learn(128, seconds, SOFTWARE);
        let close = |wanted: f64| (rate.expect(128) - wanted).abs() < 1e-9;
        learn(0.5);
        learn(0.01);
        assert!(close(0.01));
        learn(0.5);
        assert!(close(0.01 + 0.05 * 0.49));
        (0..200).for_each(|_| learn(0.5));
        assert!((rate.expect(128) - 0.5).abs() < 1e-3);
    }
}
