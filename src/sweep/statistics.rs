//! Statistics over chips, with the uncertainty of each.
//!
//! # Which error is which
//! A sweep samples twice. *Chips* are drawn from all that could be fabricated: the standard error
//! of the mean over chips, its Student-t interval ([`Moments::mean_interval`]), the order-statistic
//! interval of a quantile ([`quantile_interval`]) and the Wilson interval of a yield
//! ([`wilson_interval`]) say how well this many chips stand for all of them, *for the test images
//! used*. *Images* are drawn too: [`image_standard_error`] says how far the accuracy may lie from
//! that over all images. More chips do not reduce it. All points of a sweep use the same images
//! and the same chips, so both errors cancel to a great part when two points are compared:
//! compare them with [`paired`], not by looking whether two intervals overlap.
//!
//! # Choices
//! * Standard deviations are sample ones (`n - 1`).
//! * Quantiles are type 7 of Hyndman and Fan (The American Statistician 50, 1996, 361-365): linear
//!   interpolation between order statistics at `h = (n-1)p`, the default of NumPy and R.
//! * Intervals have a confidence of 95 %, both tails alike. That of a mean accuracy has a part for
//!   chips that no sample has shown yet besides ([`unseen`]).

pub mod binomial;
pub mod paired;
pub mod replicates;
pub mod sketch;
pub mod unseen;

use serde::{Deserialize, Deserializer, Serialize};
use statrs::distribution::{Binomial, ChiSquared, ContinuousCDF, DiscreteCDF, StudentsT};

/// Probability below the lower, and above the upper end of every interval here.
const TAIL: f64 = 0.025;

/// 97.5 % quantile of the standard normal distribution.
const Z975: f64 = 1.959_963_984_540_054;

/// A 95 % confidence interval. `NaN` means: no bound on this side can be given from so few
/// chips; it is `null` in JSON, where an interval is the array `[lo, hi]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(into = "[f64; 2]")]
pub struct Interval {
    /// Lower end.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
}

impl Interval {
    /// No bound on either side.
    pub const UNKNOWN: Interval = Interval {
        lo: f64::NAN,
        hi: f64::NAN,
    };

    /// `centre - half ..= centre + half`.
    pub fn around(centre: f64, half: f64) -> Interval {
        Interval {
            lo: centre - half,
            hi: centre + half,
        }
    }

    /// The interval without what lies outside `lo..=hi`, which holds every possible value.
    pub fn within(self, lo: f64, hi: f64) -> Interval {
        Interval {
            lo: self.lo.clamp(lo, hi),
            hi: self.hi.clamp(lo, hi),
        }
    }

    /// How far the interval reaches from `centre` to its farther end.
    pub fn reach(&self, centre: f64) -> f64 {
        let (below, above) = (centre - self.lo, self.hi - centre);
        if below > above { below } else { above }
    }

    /// Half of the interval's length.
    pub fn half(&self) -> f64 {
        (self.hi - self.lo) / 2.0
    }
}

impl From<Interval> for [f64; 2] {
    fn from(i: Interval) -> Self {
        [i.lo, i.hi]
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let [lo, hi] = <[Option<f64>; 2]>::deserialize(d)?;
        Ok(Interval {
            lo: lo.unwrap_or(f64::NAN),
            hi: hi.unwrap_or(f64::NAN),
        })
    }
}

/// Count, mean and sum of squared deviations of a stream (Welford, Technometrics 4, 1962,
/// 419-420): nothing grows with the number of values.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Moments {
    n: u64,
    mean: f64,
    m2: f64,
}

impl Moments {
    /// Takes one value in.
    pub fn push(&mut self, x: f64) {
        self.n += 1;
        let d = x - self.mean;
        self.mean += d / self.n as f64;
        self.m2 += d * (x - self.mean);
    }

    /// Takes in what another stream has seen (Chan, Golub and LeVeque, The American Statistician
    /// 37, 1983, 242-247).
    pub fn merge(&mut self, other: &Moments) {
        if other.n == 0 {
            return;
        }
        let (a, b) = (self.n as f64, other.n as f64);
        let d = other.mean - self.mean;
        self.n += other.n;
        self.mean += d * b / (a + b);
        self.m2 += other.m2 + d * d * a * b / (a + b);
    }

    /// Moments of `count / images` from exact integer sums; each count with its number of chips.
    pub fn of_counts(counts: impl IntoIterator<Item = (i64, u64)>, images: u32) -> Moments {
        let (mut n, mut sum, mut squares) = (0u64, 0i128, 0i128);
        for (count, chips) in counts {
            let (c, k) = (i128::from(count), i128::from(chips));
            n += chips;
            sum += k * c;
            squares += k * c * c;
        }
        if n == 0 {
            return Moments::default();
        }
        let images = f64::from(images);
        // Chips and counts are below 2^32 in size, and so few chips exist that no product overflows.
        let spread = i128::from(n) * squares - sum * sum;
        Moments {
            n,
            mean: sum as f64 / (n as f64 * images),
            m2: spread as f64 / (n as f64 * images * images),
        }
    }

    /// Number of values.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Mean; `NaN` of no value.
    pub fn mean(&self) -> f64 {
        if self.n == 0 { f64::NAN } else { self.mean }
    }

    /// Sample variance; `NaN` of fewer than two values.
    pub fn variance(&self) -> f64 {
        if self.n < 2 {
            f64::NAN
        } else {
            self.m2 / (self.n - 1) as f64
        }
    }

    /// Sample standard deviation; `NaN` of fewer than two values.
    pub fn std(&self) -> f64 {
        self.variance().sqrt()
    }

    /// Standard error of the mean; `NaN` of fewer than two values.
    pub fn se(&self) -> f64 {
        self.std() / (self.n as f64).sqrt()
    }

    /// Student-t interval of the mean: exact for normal values, and by the central limit theorem
    /// good for any others from some tens of chips on; unknown from fewer than two values.
    pub fn mean_interval(&self) -> Interval {
        if self.n < 2 {
            return Interval::UNKNOWN;
        }
        Interval::around(self.mean, student_t975(self.n - 1) * self.se())
    }

    /// Chi-squared interval of the variance: exact for normal values only; unknown from fewer
    /// than two values.
    pub fn variance_interval(&self) -> Interval {
        let Some(chi) = (self.n > 1)
            .then(|| ChiSquared::new((self.n - 1) as f64).ok())
            .flatten()
        else {
            return Interval::UNKNOWN;
        };
        Interval {
            lo: self.m2 / chi.inverse_cdf(1.0 - TAIL),
            hi: self.m2 / chi.inverse_cdf(TAIL),
        }
    }
}

impl FromIterator<f64> for Moments {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut m = Moments::default();
        for x in values {
            m.push(x);
        }
        m
    }
}

/// Moments of `correct / images` over chips from exact integer sums: the same to the last bit in
/// whatever order the chips come. `counts` are numbers of correct images, each with its number of
/// chips.
pub fn accuracy_moments(counts: impl IntoIterator<Item = (u32, u64)>, images: u32) -> Moments {
    Moments::of_counts(counts.into_iter().map(|(c, n)| (i64::from(c), n)), images)
}

/// 97.5 % quantile of Student's t distribution.
pub fn student_t975(freedom: u64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom as f64).map_or(f64::NAN, |t| t.inverse_cdf(1.0 - TAIL))
}

/// Values in ascending order.
pub trait Ascending {
    /// How many.
    fn count(&self) -> usize;

    /// The `i`-th smallest, from 0; `i` is below [`Ascending::count`].
    fn at(&self, i: usize) -> f64;
}

impl<T: AsRef<[f64]> + ?Sized> Ascending for T {
    fn count(&self) -> usize {
        self.as_ref().len()
    }

    fn at(&self, i: usize) -> f64 {
        self.as_ref()[i]
    }
}

/// Values of which many are equal: each different one once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ranked {
    /// Ascending, each with the number of values up to and with it.
    values: Vec<(f64, usize)>,
}

impl FromIterator<(f64, u64)> for Ranked {
    /// From different values in ascending order, each with how often it occurs.
    fn from_iter<I: IntoIterator<Item = (f64, u64)>>(values: I) -> Self {
        let mut up_to = 0;
        let values = values.into_iter().map(|(x, n)| {
            up_to += n as usize;
            (x, up_to)
        });
        Self {
            values: values.collect(),
        }
    }
}

impl Ascending for Ranked {
    fn count(&self) -> usize {
        self.values.last().map_or(0, |v| v.1)
    }

    fn at(&self, i: usize) -> f64 {
        self.values[self.values.partition_point(|v| v.1 <= i)].0
    }
}

/// Type-7 quantile `p` in 0..=1 of ascending values; `NaN` of none.
pub fn quantile<S: Ascending + ?Sized>(sorted: &S, p: f64) -> f64 {
    let Some(last) = sorted.count().checked_sub(1) else {
        return f64::NAN;
    };
    let h = last as f64 * p;
    let i = (h.floor() as usize).min(last);
    let (this, next) = (sorted.at(i), sorted.at((i + 1).min(last)));
    this + (h - i as f64) * (next - this)
}

/// Distribution-free interval of quantile `p`: two order statistics that enclose it with at least
/// 95 % (David and Nagaraja, Order Statistics, 2003, 7.1). With `B ~ Binomial(n, p)` the lower end
/// is `x_(l)` with the largest `l` such that `P(B < l) <= 2.5 %`, the upper `x_(u)` with the
/// smallest `u` such that `P(B >= u) <= 2.5 %`. Where no order statistic will do the side is open
/// (`NaN`): the 5 % quantile has a lower bound from 72 chips on.
pub fn quantile_interval<S: Ascending + ?Sized>(sorted: &S, p: f64) -> Interval {
    let (l, u) = order_statistics(sorted.count(), p);
    Interval {
        lo: l.map_or(f64::NAN, |i| sorted.at(i)),
        hi: u.map_or(f64::NAN, |i| sorted.at(i)),
    }
}

/// Zero-based indices of the order statistics that enclose quantile `p` of `n` values.
fn order_statistics(n: usize, p: f64) -> (Option<usize>, Option<usize>) {
    let Ok(b) = Binomial::new(p, n as u64) else {
        return (None, None);
    };
    // Both ends are found by bisection on the number k of values below the quantile.
    let first = |holds: &dyn Fn(u64) -> bool| {
        let (mut lo, mut hi) = (0u64, n as u64 + 1);
        while lo < hi {
            let mid = lo + (hi - lo) / 2;
            if holds(mid) {
                hi = mid;
            } else {
                lo = mid + 1;
            }
        }
        lo
    };
    // Smallest k with P(B <= k) > 2.5 %: the largest l is k, one-based.
    let l = first(&|k| b.cdf(k) > TAIL) as usize;
    // Smallest k with P(B <= k) >= 97.5 %: u = k + 1, one-based.
    let u = first(&|k| b.cdf(k) >= 1.0 - TAIL) as usize;
    (l.checked_sub(1), (u < n).then_some(u))
}

/// Wilson score interval of a fraction (Wilson, JASA 22, 1927, 209-212), without continuity
/// correction; unknown of no trial.
pub fn wilson_interval(successes: usize, trials: usize) -> Interval {
    if trials == 0 {
        return Interval::UNKNOWN;
    }
    let n = trials as f64;
    let wilson = wilson(successes as f64 / n, n);
    // At 0 and n successes one end is 0 or 1 exactly; rounding must not move it.
    Interval {
        lo: if successes == 0 { 0.0 } else { wilson.lo },
        hi: if successes == trials { 1.0 } else { wilson.hi },
    }
}

/// Wilson's interval of the fraction `p` of `n` trials, of which there need not be a whole number.
fn wilson(p: f64, n: f64) -> Interval {
    let z2 = Z975 * Z975;
    let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z975 / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    Interval::around(centre, half)
}

/// Binomial standard error of an accuracy over `images` independent test images,
/// `sqrt(a (1-a) / images)`. Exact for one chip. For the mean over chips it is an upper bound:
/// chips differ in which images they get wrong, which evens out part of it.
pub fn image_standard_error(accuracy: f64, images: u32) -> f64 {
    (accuracy * (1.0 - accuracy) / f64::from(images)).sqrt()
}

/// JSON has no NaN: it is written as `null`, and read back here.
pub(super) fn null_as_nan<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(d)?.unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests;
