//! Exact counts of whole numbers.

use std::collections::BTreeMap;

/// Magnitudes below this have a counter each; larger ones are kept by value.
const DENSE: u64 = 1 << 16;

/// How often every magnitude occurred, and the smallest and the largest number.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Counts {
    dense: Vec<u64>,
    rest: BTreeMap<u64, u64>,
    ends: Option<[i64; 2]>,
}

impl Counts {
    /// Counts a number.
    pub fn push(&mut self, value: i64) {
        let magnitude = value.unsigned_abs();
        if magnitude < DENSE {
            let at = magnitude as usize;
            if at >= self.dense.len() {
                self.dense.resize(at + 1, 0);
            }
            self.dense[at] += 1;
        } else {
            *self.rest.entry(magnitude).or_default() += 1;
        }
        let [lo, hi] = self.ends.unwrap_or([value; 2]);
        self.ends = Some([lo.min(value), hi.max(value)]);
    }

    /// Magnitudes with their counts, ascending.
    fn ascending(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let dense = (0..).zip(self.dense.iter().copied());
        let dense = dense.filter(|(_, n)| *n > 0);
        dense.chain(self.rest.iter().map(|(m, n)| (*m, *n)))
    }

    /// Numbers that were counted.
    pub fn n(&self) -> u64 {
        self.ascending().map(|(_, n)| n).sum()
    }

    /// Zeros among them.
    pub fn zeros(&self) -> u64 {
        self.dense.first().copied().unwrap_or(0)
    }

    /// Smallest number; 0 of none.
    pub fn lowest(&self) -> i64 {
        self.ends.map_or(0, |[lo, _]| lo)
    }

    /// Largest number; 0 of none.
    pub fn highest(&self) -> i64 {
        self.ends.map_or(0, |[_, hi]| hi)
    }

    /// Largest magnitude; 0 of none.
    pub fn max(&self) -> u64 {
        self.ascending().last().map_or(0, |(m, _)| m)
    }

    /// Mean magnitude; `NaN` of none.
    pub fn mean(&self) -> f64 {
        let sum: u128 = self
            .ascending()
            .map(|(m, n)| u128::from(m) * u128::from(n))
            .sum();
        sum as f64 / self.n() as f64
    }

    /// The smallest magnitude that at least `share` ten-thousandths of the numbers do not exceed; 0 of none.
    pub fn quantile(&self, share: u64) -> u64 {
        let wanted = (u128::from(self.n()) * u128::from(share)).div_ceil(10_000);
        let mut seen = 0u128;
        for (magnitude, n) in self.ascending() {
            seen += u128::from(n);
            if seen >= wanted {
                return magnitude;
            }
        }
        0
    }

    /// How many magnitudes do not fit 0, 1, 2, .. bits, up to the first 0.
    pub fn beyond(&self) -> Vec<u64> {
        let mut beyond = vec![0; bits(self.max()) + 1];
        for (magnitude, n) in self.ascending() {
            beyond[..bits(magnitude)].iter_mut().for_each(|b| *b += n);
        }
        beyond
    }
}

/// Bits of a whole number without sign: `ceil(log2(magnitude + 1))`.
pub(super) fn bits(magnitude: u64) -> usize {
    (u64::BITS - magnitude.leading_zeros()) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_statistics_are_exact() {
        let mut counts = Counts::default();
        assert_eq!((counts.n(), counts.max(), counts.quantile(9999)), (0, 0, 0));
        assert!(counts.mean().is_nan());
        assert_eq!(counts.beyond(), [0]);
        // 1 to 10000, half of them negative, some beyond what has counters of its own.
        for i in 1..=10_000i64 {
            let value = if i > 9_990 { i * 1_000_000 } else { i };
            counts.push(if i % 2 == 0 { -value } else { value });
        }
        assert_eq!(counts.n(), 10_000);
        assert_eq!(
            [5_000, 9_000, 9_990].map(|q| counts.quantile(q)),
            [5_000, 9_000, 9_990]
        );
        assert_eq!(counts.quantile(9_999), 9_999_000_000);
        assert_eq!(counts.max(), 10_000_000_000);
        assert_eq!(
            (counts.lowest(), counts.highest()),
            (-10_000_000_000, 9_999_000_000)
        );
        let sum: i64 = (1..=9_990).sum::<i64>() + (9_991..=10_000).sum::<i64>() * 1_000_000;
        assert_eq!(counts.mean(), sum as f64 / 1e4);
        // One in ten thousand of 9999 is one number: it must be inside.
        let mut counts = Counts::default();
        (0..9_999).for_each(|i| counts.push(i64::from(i == 0)));
        assert_eq!(counts.quantile(9_999), 1);
        counts.push(0);
        assert_eq!((counts.quantile(9_999), counts.zeros()), (0, 9_999));
    }

    #[test]
    fn bits_hold_a_magnitude_and_no_less() {
        for (magnitude, want) in [
            (0, 0),
            (1, 1),
            (2, 2),
            (3, 2),
            (4, 3),
            (7, 3),
            (8, 4),
            (384, 9),
        ] {
            assert_eq!(bits(magnitude), want, "{magnitude}");
        }
        let mut counts = Counts::default();
        [0, 0, 1, -2, 3, 4, -7]
            .into_iter()
            .for_each(|v| counts.push(v));
        assert_eq!(counts.beyond(), [5, 4, 2, 0]);
    }
}
