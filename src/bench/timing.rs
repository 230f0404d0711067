//! Warm-up, repeats, best and median.

use std::time::{Duration, Instant};

use crate::error::Result;

/// Fewest repeats of a row.
const LEAST_REPEATS: usize = 3;
/// Most repeats of a row.
const MOST_REPEATS: usize = 15;

/// How long a row may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// Shortest repeat worth timing: long against the clock and the wake-up of threads.
    repeat: Duration,
    /// All repeats of a row together, but never fewer than three.
    row: Duration,
    /// Each measurement of a peak.
    pub peak: Duration,
}

impl Budget {
    pub fn new(quick: bool) -> Self {
        let ms = Duration::from_millis;
        if quick {
            Self {
                repeat: ms(10),
                row: ms(60),
                peak: ms(60),
            }
        } else {
            Self {
                repeat: ms(100),
                row: ms(1500),
                peak: ms(500),
            }
        }
    }
}

/// Seconds of one repetition.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Times {
    /// The fastest repeat: the one that other work disturbed least.
    pub best: f64,
    /// The median repeat.
    pub median: f64,
    /// Repeats that were timed.
    pub repeats: usize,
}

/// Times `work(n)`, which does `n` repetitions and waits for them.
pub(super) fn measure(budget: &Budget, mut work: impl FnMut(u32) -> Result<()>) -> Result<Times> {
    // The first call compiles kernels and wakes threads.
    work(1)?;
    let mut n = 1;
    let mut last = time(&mut work, n)?;
    while last < budget.repeat {
        // At most eight times more, as the first times are long ones.
        let want = budget.repeat.as_secs_f64() / last.as_secs_f64().max(1e-9) * 1.1;
        n = ((f64::from(n) * want.min(8.0)).ceil() as u32).max(n + 1);
        last = time(&mut work, n)?;
    }
    let mut times = vec![last.as_secs_f64() / f64::from(n)];
    let start = Instant::now();
    while times.len() < LEAST_REPEATS
        || (times.len() < MOST_REPEATS && start.elapsed() < budget.row)
    {
        times.push(time(&mut work, n)?.as_secs_f64() / f64::from(n));
    }
    times.sort_by(f64::total_cmp);
    Ok(Times {
        best: times[0],
        median: median(&times),
        repeats: times.len(),
    })
}

fn time(work: &mut impl FnMut(u32) -> Result<()>, n: u32) -> Result<Duration> {
    let start = Instant::now();
    work(n)?;
    Ok(start.elapsed())
}

/// Of sorted values; the mean of the middle two where their number is even.
fn median(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[half]
    } else {
        0.5 * (sorted[half - 1] + sorted[half])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_repetition_is_timed_alone_and_at_least_thrice() {
        let budget = Budget {
            repeat: Duration::ZERO,
            row: Duration::ZERO,
            peak: Duration::ZERO,
        };
        let mut calls = vec![];
        let times = measure(&budget, |n| {
            calls.push(n);
            Ok(())
        })
        .unwrap();
        assert_eq!(times.repeats, LEAST_REPEATS);
        assert!(calls.iter().all(|&n| n == 1));
        assert!(times.best <= times.median);
    }

    #[test]
    fn a_failure_ends_the_measurement() {
        let mut left = 2;
        let result = measure(&Budget::new(true), |_| {
            left -= 1;
            match left {
                0 => Err(crate::Error::device("gone")),
                _ => Ok(()),
            }
        });
        assert!(matches!(result, Err(crate::Error::Device(_))));
    }

    #[test]
    fn median_of_odd_and_even_numbers() {
        assert_eq!(median(&[1.0, 2.0, 9.0]), 2.0);
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), 3.0);
    }
}
