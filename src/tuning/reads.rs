//! What some reads tell about a common deviation.
//!
//! # Theory
//! A chip has the common deviation `e`, over chips with mean 0 and variance `S^2`. Given `e`, reads
//! `r_i` are independent, each rounded to multiples of a resolution `q`. Their mean `m` over `N` has
//!
//! ```text
//! E m = E M(e)      Cov(e, m) = E e M(e)      Var m = Var M(e) + E V(e)/N
//! M(e) = E(r | e),  V(e) = Var(r | e)
//! ```
//! Cells that spread little against the resolution are rounded alike: `M(e)` is then a staircase, whose
//! distance from the line does not become smaller with `N`. Only where the reads of a chip
//! spread over some steps (their standard deviation is more than about `q/2`) is rounding the familiar
//! independent error of variance `q^2/12` (Widrow, Kollar, Quantization Noise, Cambridge 2008,
//! chapters 4 and 5: the error is uniform and uncorrelated as far as the characteristic function
//! vanishes at multiples of `2 pi/q`). Here the moments are computed as they are: with `X` what is rounded,
//! thresholds `b_k = (k + 1/2) q`,
//!
//! ```text
//! E r = q (k_0 + sum_(k >= k_0) P(X > b_k)),   E r^2 = q^2 (k_0^2 + sum_(k >= k_0) (2k + 1) P(X > b_k))
//! ```
//! for a `k_0` below everything, and over chips by the trapezoid rule for a normal `e`.
//! Estimates are linear in `m`:
//!
//! ```text
//! e_hat = a (m - m_0),    Var(e_hat - e) = a^2 Var m - 2 a Cov(e, m) + S^2
//! mean   m_0 = E m, 1/a: slope of the line through M(e) of unrounded reads
//! MMSE   m_0 = E m, a = Cov(e, m)/Var m: the linear estimate of least mean squared error
//! ```
//! Neither has a bias over chips. The mean knows nothing of what rounding does to its slope: where reads are rounded
//! alike the slope of `e_hat` on `e` is not 1 (cells that do not spread, `q = 0.1`: 0.99 for `S = 0.05`, 0.66 for
//! 0.03, 3e-5 for 0.01), which `Var(e_hat - e)` holds. MMSE is the estimator for coarse reads.

use super::estimator::Given;
use crate::config::Estimator;

/// Part of the distribution of a read, given the common deviation: uniform between two values (which may
/// be equal), plus normal noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Part {
    /// Probability.
    pub weight: f64,
    /// One end.
    pub from: f64,
    /// The other end.
    pub to: f64,
    /// Standard deviation of the noise.
    pub noise: f64,
    /// Whether it counts for how far reads spread by themselves: stuck cells, and columns that have some, do not.
    pub moves: bool,
}

/// Moments over chips of the number `m` that reads become.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moments {
    /// `S^2`.
    pub prior: f64,
    /// `E m`.
    pub mean: f64,
    /// `Cov(e, m)`.
    pub covariance: f64,
    /// `Var m`.
    pub variance: f64,
    /// `E Var(m | e)`.
    pub noise: f64,
    /// Of the mean of a read without rounding: `Cov(e, M(e))/S^2`, or the derivative where `S` is 0.
    pub slope: f64,
}

/// A linear estimate `gain (m - zero)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    /// Factor.
    pub gain: f64,
    /// What chips show on average.
    pub zero: f64,
    /// `Var(e_hat - e)`.
    pub error: f64,
}

impl Line {
    /// The estimate from the mean of the reads.
    pub fn estimate(&self, m: f64) -> f64 {
        self.gain * (m - self.zero)
    }
}

/// Widest normal deviate that is counted.
pub(super) const WIDEST: f64 = 8.5;
/// Standard deviations of a read, in steps of the resolution, from which rounding is independent of what is
/// rounded: what remains of a normal is `exp(-2 pi^2 2^2) = 5e-35`.
const SMOOTH: f64 = 2.0;
/// Most chips of the sum over chips.
const MOST_CHIPS: f64 = 20_000.0;

/// Distribution function of the standard normal.
pub(super) fn below(x: f64) -> f64 {
    0.5 * statrs::function::erf::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

impl Part {
    fn mean(&self) -> f64 {
        0.5 * (self.from + self.to)
    }

    fn square(&self) -> f64 {
        let (a, b) = (self.from, self.to);
        (a * a + a * b + b * b) / 3.0 + self.noise * self.noise
    }

    /// `P(X > t)`.
    pub(super) fn above(&self, t: f64) -> f64 {
        let (a, b) = (self.from.min(self.to) - t, self.from.max(self.to) - t);
        let width = b - a;
        if self.noise > 0.0 && width <= 1e-3 * self.noise {
            return below(0.5 * (a + b) / self.noise);
        }
        if width == 0.0 {
            // Half of it where it lies on the threshold.
            return 0.5 * (1.0 + a.partial_cmp(&0.0).map_or(0.0, |o| f64::from(o as i8)));
        }
        // Integral of P(N > -x noise) up to x.
        let integral = |x: f64| match self.noise > 0.0 {
            true => {
                let u = x / self.noise;
                self.noise * (u * below(u) + density(u))
            }
            false => x.max(0.0),
        };
        (integral(b) - integral(a)) / width
    }

    /// Mean and mean square after rounding to multiples of `q`.
    fn rounded(&self, q: f64) -> [f64; 2] {
        let (low, high) = (self.from.min(self.to), self.from.max(self.to));
        let reach = WIDEST * self.noise;
        let first = ((low - reach) / q).round();
        let mut sums = [first, first * first];
        let mut k = first;
        while (k + 0.5) * q < high + reach {
            let p = self.above((k + 0.5) * q);
            sums[0] += p;
            sums[1] += (2.0 * k + 1.0) * p;
            k += 1.0;
        }
        [q * sums[0], q * q * sums[1]]
    }
}

/// Parts of a normal deviate limited to `|z| <= at`: boundaries and probabilities of `2 n` pieces, so
/// placed that a uniform distribution in each piece has the variance of the normal.
pub(super) fn pieces(at: f64, n: usize) -> Vec<(f64, f64, f64)> {
    let at = at.min(WIDEST);
    let h = at / n as f64;
    // A normal that is spread over pieces of width h has the variance 1 + h^2/6.
    let shrink = 1.0 / (1.0 + h * h / 6.0).sqrt();
    let all = 1.0 - 2.0 * below(-at);
    (0..2 * n)
        .map(|i| {
            let (a, b) = (h * i as f64 - at, h * (i + 1) as f64 - at);
            // From the nearer tail.
            let p = match a < 0.0 {
                true => below(b) - below(a),
                false => below(-a) - below(-b),
            };
            (shrink * a, shrink * b, p / all)
        })
        .collect()
}

/// Nodes and weights of the trapezoid rule for a standard normal.
pub(super) fn nodes(step: f64) -> Vec<(f64, f64)> {
    let n = (WIDEST / step).ceil() as i64;
    let nodes = (-n..=n).map(|i| i as f64 * step);
    let sum: f64 = nodes.clone().map(density).sum();
    nodes.map(|x| (x, density(x) / sum)).collect()
}

/// The reads of a chip or of an array.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reads {
    /// How many.
    pub n: usize,
    /// Their resolution; 0: exact.
    pub resolution: f64,
    /// What is made of them.
    pub estimator: Estimator,
}

/// Moments of what the estimator makes of reads. `given` gives the distribution of a read for a common
/// deviation.
pub(super) fn moments(prior: f64, reads: &Reads, given: impl Fn(f64, &mut Vec<Part>)) -> Moments {
    let q = reads.resolution;
    let mut parts = Vec::new();
    let exact = |e: f64, parts: &mut Vec<Part>| {
        parts.clear();
        given(e, parts);
        let mean: f64 = parts.iter().map(|p| p.weight * p.mean()).sum();
        let square: f64 = parts.iter().map(|p| p.weight * p.square()).sum();
        [mean, square]
    };
    exact(0.0, &mut parts);
    let spread = spread(&parts);
    let smooth = q == 0.0 || spread >= SMOOTH * q;
    let s = prior.sqrt();
    let step = match smooth {
        true => 0.25,
        // A staircase of steps q, whose edges are as wide as the reads spread.
        false => (q / 64.0).max((spread / 3.0).min(q / 16.0)).min(0.25 * s) / s,
    };
    let chips = match s > 0.0 {
        true => nodes(step.max(2.0 * WIDEST / MOST_CHIPS)),
        false => vec![(0.0, 1.0)],
    };
    let mut sums = [0.0; 4];
    let mut linear = 0.0;
    for (u, weight) in chips {
        let e = s * u;
        let [plain, plain_square] = exact(e, &mut parts);
        let read = match smooth {
            true => [plain, plain_square + q * q / 12.0],
            false => parts.iter().fold([0.0; 2], |[m, s], p| {
                let [a, b] = p.rounded(q);
                [m + p.weight * a, s + p.weight * b]
            }),
        };
        let [mean, variance] = reads.estimator.moments(&Given {
            parts: &parts,
            read,
            n: reads.n,
            resolution: q,
        });
        let terms = [mean, e * mean, mean * mean, variance];
        for (sum, term) in sums.iter_mut().zip(terms) {
            *sum += weight * term;
        }
        linear += weight * e * plain;
    }
    let [mean, covariance, square, noise] = sums;
    let slope = match prior > 0.0 {
        true => linear / prior,
        false => {
            let by = 1e-4;
            (exact(by, &mut parts)[0] - exact(-by, &mut parts)[0]) / (2.0 * by)
        }
    };
    let noise = noise / reads.n as f64;
    Moments {
        prior,
        mean,
        covariance,
        variance: (square - mean * mean).max(0.0) + noise,
        noise,
        slope,
    }
}

/// Standard deviation of the parts that move with the common deviation.
fn spread(parts: &[Part]) -> f64 {
    let moving = || parts.iter().filter(|p| p.moves);
    let sum = |of: fn(&Part) -> f64| moving().map(|p| p.weight * of(p)).sum::<f64>();
    let all = sum(|_| 1.0).max(f64::MIN_POSITIVE);
    let mean = sum(Part::mean) / all;
    (sum(Part::square) / all - mean * mean).max(0.0).sqrt()
}

impl Moments {
    /// The estimator's line.
    pub fn line(&self, estimator: Estimator) -> Line {
        let gain = estimator.gain(self);
        let error = gain * gain * self.variance - 2.0 * gain * self.covariance + self.prior;
        Line {
            gain,
            zero: self.mean,
            error: error.max(0.0),
        }
    }
}
