//! Estimators: how the reads of test cells or columns become one number `m`, its moments for a given
//! common deviation, and the gain of the line from `m` to the estimate ([`super::reads`]). All that an
//! estimator is stands here; its name and meaning are in [`Estimator`].

use super::reads::{Moments, Part, WIDEST};
use crate::config::Estimator;

/// Slopes below this say that reads do not follow the common deviation.
const FLAT: f64 = 1e-6;

/// The reads of a chip or of an array, given the common deviation.
pub(super) struct Given<'a> {
    /// Distribution of a read.
    pub parts: &'a [Part],
    /// Mean and mean square of a read.
    pub read: [f64; 2],
    /// How many reads there are.
    pub n: usize,
    /// Their resolution; 0: exact.
    pub resolution: f64,
}

impl Estimator {
    /// The number that reads become.
    pub(super) fn combine(self, reads: &mut [f64]) -> f64 {
        match self {
            Self::Mean | Self::Mmse => reads.iter().sum::<f64>() / reads.len() as f64,
            Self::Median => {
                let middle = rank(reads.len()) - 1;
                *reads.select_nth_unstable_by(middle, f64::total_cmp).1
            }
        }
    }

    /// Mean of that number for a given common deviation, and its variance times the number of reads.
    pub(super) fn moments(self, given: &Given) -> [f64; 2] {
        match self {
            Self::Mean | Self::Mmse => {
                let [mean, square] = given.read;
                [mean, (square - mean * mean).max(0.0)]
            }
            Self::Median => given.median(),
        }
    }

    /// What the distance of the number from its mean over chips is multiplied by.
    pub(super) fn gain(self, m: &Moments) -> f64 {
        match self {
            // Nothing is known from reads that do not move.
            Self::Mean if m.slope.abs() < FLAT => 0.0,
            Self::Mean => 1.0 / m.slope,
            Self::Mmse if m.variance > 0.0 => m.covariance / m.variance,
            Self::Mmse => 0.0,
            Self::Median if m.prior == 0.0 => 1.0 / m.slope,
            Self::Median if m.covariance.abs() < FLAT * m.prior => 0.0,
            Self::Median => m.prior / m.covariance,
        }
    }
}

/// Which of `n` reads in order is the median, from 1 on: the lower one of two in the middle.
fn rank(n: usize) -> usize {
    n.div_ceil(2)
}

/// Steps of a standard deviation of the median in which it is looked at where reads are exact.
const STEPS: f64 = 16.0;

impl Given<'_> {
    /// `P(X > t)` of a read before it is rounded.
    fn above(&self, t: f64) -> f64 {
        self.parts.iter().map(|p| p.weight * p.above(t)).sum()
    }

    /// Ends of what reads can show.
    fn ends(&self) -> [f64; 2] {
        let low = |p: &Part| p.from.min(p.to) - WIDEST * p.noise;
        let high = |p: &Part| p.from.max(p.to) + WIDEST * p.noise;
        [
            self.parts.iter().map(low).fold(f64::INFINITY, f64::min),
            self.parts
                .iter()
                .map(high)
                .fold(f64::NEG_INFINITY, f64::max),
        ]
    }

    /// Two places between which `P(X > t)` falls to a probability.
    fn around(&self, [mut low, mut high]: [f64; 2], probability: f64) -> [f64; 2] {
        for _ in 0..12 {
            let t = 0.5 * (low + high);
            match self.above(t) > probability {
                true => low = t,
                false => high = t,
            }
        }
        [low, high]
    }

    /// Mean of the median, and its variance times the number of reads. It lies above a threshold `t` where
    /// enough reads do,
    ///
    /// ```text
    /// P(m > t) = I(P(X > t); n - k + 1, k)      I: the regularized incomplete beta function, k: the rank
    /// ```
    ///
    /// and its moments are sums over the thresholds of the resolution, as those of a read
    /// ([`super::reads`]); where reads are exact, of a resolution that is fine against the median's spread.
    fn median(&self) -> [f64; 2] {
        let (n, k) = (self.n as f64, rank(self.n) as f64);
        let ends = self.ends();
        // The share of reads above the median is 1/2 within a few standard deviations.
        let reach = (0.5 * WIDEST / n.sqrt() + 1.0 / n).min(0.5);
        let [low, _] = self.around(ends, 0.5 + reach);
        let [_, high] = self.around(ends, 0.5 - reach);
        let exact = self.resolution == 0.0;
        let q = match exact {
            true => (high - low) / (2.0 * WIDEST * STEPS),
            false => self.resolution,
        };
        if q == 0.0 {
            return [low, 0.0];
        }
        let first = (low / q).round() - 1.0;
        let last = (high / q).round() + 1.0;
        // Relative to the first step, so that nothing is lost in squares.
        let (mut sum, mut square) = (0.0, 0.0);
        for j in 0..(last - first) as usize {
            let above = self.above((first + j as f64 + 0.5) * q).clamp(0.0, 1.0);
            let p = statrs::function::beta::beta_reg(n - k + 1.0, k, above);
            sum += p;
            square += (2.0 * j as f64 + 1.0) * p;
        }
        // Sheppard's correction of a resolution that is not there.
        let own = if exact { 1.0 / 12.0 } else { 0.0 };
        let variance = (square - sum * sum - own).max(0.0);
        [q * (first + sum), q * q * variance * n]
    }
}
