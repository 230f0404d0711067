//! Estimates with 95 % intervals: means, standard deviations, differences of mean squares, shares.

use serde::Serialize;
use statrs::distribution::{Beta, ContinuousCDF, Normal, StudentsT};
use statrs::function::gamma::{gamma_lr, ln_gamma};

/// Both tails together.
const OUTSIDE: f64 = 0.05;

/// A number that was estimated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Its 95 % interval.
    pub interval: [f64; 2],
    /// Degrees of freedom of what it was estimated from; of a share, how many were counted.
    pub df: f64,
}

impl Estimate {
    /// The same in another unit.
    pub fn times(self, factor: f64) -> Self {
        Self {
            value: self.value * factor,
            interval: self.interval.map(|end| end * factor),
            df: self.df,
        }
    }
}

/// A mean square: `df value / expectation` has a chi-square distribution of `df` degrees of freedom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanSquare {
    /// Sum of squares over degrees of freedom.
    pub value: f64,
    /// Degrees of freedom.
    pub df: f64,
}

impl MeanSquare {
    /// Of a sum of squares; `None` without degrees of freedom.
    pub fn new(squares: f64, df: f64) -> Option<Self> {
        (df > 0.0).then(|| Self {
            value: squares / df,
            df,
        })
    }

    /// A quantile of what its expectation may be: `value df / chi2`.
    fn pivot(self, p: f64) -> f64 {
        self.value * self.df / chi_square(p, self.df)
    }

    /// Mean of several, each with a weight; degrees of freedom by Satterthwaite.
    pub fn pooled(parts: &[(f64, MeanSquare)]) -> Option<Self> {
        let value: f64 = parts.iter().map(|(w, ms)| w * ms.value).sum();
        let error: f64 = parts
            .iter()
            .map(|(w, ms)| (w * ms.value).powi(2) / ms.df)
            .sum();
        let df = match error > 0.0 {
            true => value * value / error,
            false => parts.iter().map(|(_, ms)| ms.df).sum(),
        };
        (df > 0.0).then_some(Self { value, df })
    }
}

/// The mean of values, by Student's distribution; `None` for fewer than two.
pub fn mean(values: &[f64]) -> Option<Estimate> {
    let n = values.len() as f64;
    if values.len() < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    let t = StudentsT::new(0.0, 1.0, n - 1.0).ok()?;
    let half = t.inverse_cdf(1.0 - OUTSIDE / 2.0) * (squares / (n - 1.0) / n).sqrt();
    Some(Estimate {
        value: mean,
        interval: [mean - half, mean + half],
        df: n - 1.0,
    })
}

/// Points of the lattice that stands for the joint distribution of the mean squares, a prime number, and
/// its generators.
const POINTS: usize = 2_039;
const GENERATORS: [usize; 3] = [1, 748, 1_207];

/// The standard deviation whose square is the expectation of `of` less those of `less`, each with a
/// coefficient, by a generalised interval (Weerahandi): every mean square gives the distribution of its expectation,
/// and the interval is that of their difference. Nothing is below 0. At most two are subtracted.
pub fn spread(of: MeanSquare, less: &[(f64, MeanSquare)]) -> Estimate {
    let difference = less.iter().map(|(c, ms)| c * ms.value).sum::<f64>();
    let terms = [(1.0, of)]
        .into_iter()
        .chain(less.iter().map(|&(c, ms)| (-c, ms)));
    let tables: Vec<(f64, Vec<f64>)> = terms
        .map(|(c, ms)| {
            let at = |i| (i as f64 + 0.5) / POINTS as f64;
            (c, (0..POINTS).map(|i| ms.pivot(at(i))).collect())
        })
        .collect();
    let sums = (0..POINTS).map(|i| {
        let terms = tables.iter().zip(GENERATORS);
        terms
            .map(|((c, table), by)| c * table[i * by % POINTS])
            .sum::<f64>()
    });
    let mut sums: Vec<f64> = sums.collect();
    sums.sort_unstable_by(f64::total_cmp);
    let at = |p: f64| {
        sums[((p * POINTS as f64) as usize).min(POINTS - 1)]
            .max(0.0)
            .sqrt()
    };
    Estimate {
        value: (of.value - difference).max(0.0).sqrt(),
        interval: [at(OUTSIDE / 2.0), at(1.0 - OUTSIDE / 2.0)],
        df: of.df,
    }
}

/// A share of `n`, of which `k` were counted, by Clopper and Pearson; `None` of none.
pub fn share(k: usize, n: usize) -> Option<Estimate> {
    if n == 0 {
        return None;
    }
    let (yes, no) = (k as f64, (n - k) as f64);
    let end = |a: f64, b: f64, p: f64| Beta::new(a, b).map(|beta| beta.inverse_cdf(p)).ok();
    let low = match k {
        0 => 0.0,
        _ => end(yes, no + 1.0, OUTSIDE / 2.0)?,
    };
    let high = match n - k {
        0 => 1.0,
        _ => end(yes + 1.0, no, 1.0 - OUTSIDE / 2.0)?,
    };
    Some(Estimate {
        value: yes / n as f64,
        interval: [low, high],
        df: n as f64,
    })
}

/// Probability that a chi-square variable is above `x`.
pub fn chi_square_above(x: f64, df: f64) -> f64 {
    match x > 0.0 {
        true => 1.0 - gamma_lr(df / 2.0, x / 2.0),
        false => 1.0,
    }
}

/// Degrees of freedom from which the approximation has four figures.
const MANY: f64 = 100.0;

/// Quantile of the chi-square distribution: Wilson and Hilferty's approximation, for few degrees of freedom mended by
/// Newton's method.
pub fn chi_square(p: f64, df: f64) -> f64 {
    let normal = Normal::standard().inverse_cdf(p);
    let nearly = 1.0 - 2.0 / (9.0 * df) + normal * (2.0 / (9.0 * df)).sqrt();
    // Near 0 the density is a power.
    let small = ((p * (df / 2.0)).ln() + ln_gamma(df / 2.0)) * 2.0 / df;
    let mut x = match nearly > 0.3 || df > 30.0 {
        true => df * nearly.powi(3),
        false => 2.0 * small.exp(),
    };
    if df > MANY {
        return x;
    }
    for _ in 0..20 {
        let density =
            ((df / 2.0 - 1.0) * (x / 2.0).ln() - x / 2.0 - ln_gamma(df / 2.0)).exp() / 2.0;
        let step = (gamma_lr(df / 2.0, x / 2.0) - p) / density;
        let next = (x - step).max(x / 4.0);
        let done = (next - x).abs() <= 1e-10 * x;
        x = next;
        if done {
            break;
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::ChiSquared;

    #[test]
    fn quantiles_of_chi_square_are_those_of_its_distribution() {
        for df in [1.0, 2.0, 3.5, 7.0, 40.0, 99.0] {
            let chi = ChiSquared::new(df).unwrap();
            for p in [1e-4, 0.025, 0.3, 0.5, 0.9, 0.975, 0.9999] {
                let x = chi_square(p, df);
                assert!((chi.cdf(x) - p).abs() < 1e-9, "{df} {p} {x}");
            }
        }
        // Beyond it the normal approximation serves.
        for df in [101.0, 20_000.0] {
            let chi = ChiSquared::new(df).unwrap();
            assert!((chi.cdf(chi_square(0.975, df)) - 0.975).abs() < 1e-4);
        }
    }

    /// Without anything to subtract the interval is the exact one.
    #[test]
    fn a_spread_alone_has_the_exact_interval() {
        let ms = MeanSquare {
            value: 4.0,
            df: 9.0,
        };
        let found = spread(ms, &[]);
        assert_eq!(found.value, 2.0);
        let exact = |p: f64| (4.0 * 9.0 / chi_square(p, 9.0)).sqrt();
        let [low, high] = found.interval;
        assert!((low / exact(0.975) - 1.0).abs() < 2e-3, "{low}");
        assert!((high / exact(0.025) - 1.0).abs() < 2e-3, "{high}");
    }

    /// Textbook values (Clopper and Pearson).
    #[test]
    fn shares_have_exact_intervals() {
        let none = share(0, 299).unwrap();
        assert_eq!(none.interval[0], 0.0);
        assert!((none.interval[1] - (1.0 - 0.025f64.powf(1.0 / 299.0))).abs() < 1e-6);
        let some = share(10, 100).unwrap();
        assert!(
            (some.interval[0] - 0.0490).abs() < 1e-4 && (some.interval[1] - 0.1762).abs() < 1e-4
        );
        assert!(share(0, 0).is_none());
    }
}
