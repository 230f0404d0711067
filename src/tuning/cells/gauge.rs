//! What test cells show, and what is concluded from it.
//!
//! # Theory
//! A test cell is programmed to `G_max` with its array and read when the array is used. Deviations are
//! relative to the cell's conductance under the proportional law (`U = 1`), to the range of conductances
//! under the fixed one (`U = 1/(1 - g_min)`: `G_max` in that unit). Cell `i` shows
//!
//! ```text
//! m_i = (U + e + s z_i) d_i - U + r_i,    d_i = (t/t0)^-nu_i,    E[m | e] = (U + e) f - U,   f = E[d]
//! ```
//! How cells drift on average, `f`, is known of a technology before any chip is measured; `e` has the
//! mean 0 and the variance `S^2`. The mean `m` of `N` cells has
//!
//! ```text
//! v = E Var(m | e) = ((U^2 + S^2)(E[d^2] - f^2) + s^2 E[d^2] + sigma_r^2 + lsb^2/12) / N
//! ```
//! and the linear estimate of least mean squared error shrinks to what a nominal chip of that age
//! shows, `(f - 1) U`, and not to a chip that has not drifted:
//!
//! ```text
//! e_hat = k ((m + U)/f - U),    k = f^2 S^2 / (f^2 S^2 + v);    k = 1 for the mean
//! ```
//! `S^2` is the variance of what the test cells have in common: of a chip the chip's own and wafer's
//! parts (what a layer or an array has of its own is not seen by them, and its mean is 0), of an array
//! those of its layer and its own too. Estimates of arrays are made one by one.
//!
//! What is corrected depends on the law. The proportional one scales by `1 + e` as drift does by `f`, so
//! both are one number, `(1 + e_hat) f - 1`, for the mean estimator `m` itself: that is the global drift
//! compensation. Under the fixed law drift is a factor and `e` an offset. One reading cannot tell them apart;
//! the factor is the known `f`, and what the reading has beside it is taken for `e`.

use crate::backend::program::{Curve, Deviate, Drift, Law, Programming};
use crate::chip::variation::truncated_variance;
use crate::config::{self, Estimator};
use crate::random::{Purpose, REFERENCE, Stream, normal};
use crate::tuning::estimate::{fill_deviations, shrinkage};

/// The test cells of arrays that are programmed alike.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gauge<'a> {
    pub tuning: &'a config::Tuning,
    pub cells: &'a Programming,
    /// `S^2`.
    pub prior: f64,
}

impl Gauge<'_> {
    /// Mean `m` that the test cells of a chip (layer 0) or of an array show, drift included, with the
    /// noise and resolution of the reading.
    pub fn measure(&self, seed: u64, chip: u32, (layer, array): (u32, usize), e: f64) -> f64 {
        let n = self.tuning.test_cells;
        let p = self.cells;
        let first = (array * n) as u32;
        let stream = |purpose| Stream::new(seed, purpose, REFERENCE, layer, chip);
        let mut z = vec![0.0f32; n];
        let sigma = test_sigma(p);
        fill_deviations(&stream(Purpose::TestCell), first, deviate(p), sigma, &mut z);
        let mut noise = vec![0.0f32; n];
        if self.tuning.read_noise > 0.0 {
            stream(Purpose::TestRead).fill_normals(first, &mut noise);
        }
        let lsb = self.tuning.read_lsb;
        let full = full(p);
        let read = |i: usize| {
            let shown = match &p.drift {
                Some(d) => {
                    let word = stream(Purpose::CellDrift).word(first + i as u32);
                    let nu = exponent(d, f64::from(normal(word)));
                    (full + e + f64::from(z[i])) * (-nu * f64::from(d.log_time)).exp() - full
                }
                None => 1.0 + e + f64::from(z[i]) - 1.0,
            };
            let v = shown + self.tuning.read_noise * f64::from(noise[i]);
            match lsb > 0.0 {
                true => (v / lsb).round_ties_even() * lsb,
                false => v,
            }
        };
        (0..n).map(read).sum::<f64>() / n as f64
    }

    /// `v`.
    pub fn variance(&self) -> f64 {
        let p = self.cells;
        let mut cell = test_sigma(p).powi(2)
            * match deviate(p) {
                Deviate::Truncated { at } => truncated_variance(f64::from(at)),
                Deviate::Gaussian | Deviate::Lognormal => 1.0,
            };
        if let Some(d) = &p.drift {
            let (f, square) = (moment(d, 1.0), moment(d, 2.0));
            let spread = (square - f * f).max(0.0);
            cell = (full(p).powi(2) + self.prior) * spread + cell * square;
        }
        let t = self.tuning;
        (cell + t.read_noise.powi(2) + t.read_lsb.powi(2) / 12.0) / t.test_cells as f64
    }

    /// `k`.
    pub fn shrink(&self) -> f64 {
        match self.tuning.estimator {
            Estimator::Mean => 1.0,
            Estimator::Mmse => shrinkage(
                drift_factor(self.cells).powi(2) * self.prior,
                self.variance(),
            ),
        }
    }

    /// What is corrected, from the measured mean: `(1 + e_hat) f - 1` under the proportional law,
    /// `e_hat` under the fixed one.
    pub fn conclude(&self, m: f64) -> f64 {
        let k = self.shrink();
        let p = self.cells;
        match (&p.drift, p.law) {
            (None, _) => k * m,
            // As a step from m: the mean estimator leaves it alone to the last bit.
            (Some(_), Law::WeightProportional) => m + (1.0 - k) * (drift_factor(p) - 1.0 - m),
            (Some(_), Law::LayerFixed) => {
                let full = full(p);
                k * ((m + full) / drift_factor(p).max(f64::MIN_POSITIVE) - full)
            }
        }
    }
}

/// What [`Gauge::conclude`] is an estimate of.
pub(super) fn truth(p: &Programming, e: f64) -> f64 {
    match (&p.drift, p.law) {
        (Some(_), Law::WeightProportional) => (1.0 + e) * drift_factor(p) - 1.0,
        _ => e,
    }
}

/// `f`: mean factor of drift on a cell at `G_max`; 1 where nothing drifts.
pub(super) fn drift_factor(p: &Programming) -> f64 {
    p.drift.as_ref().map_or(1.0, |d| moment(d, 1.0))
}

/// `U`.
fn full(p: &Programming) -> f64 {
    match p.law {
        Law::WeightProportional => 1.0,
        Law::LayerFixed => 1.0 / (1.0 - f64::from(p.arrays.g_min)),
    }
}

/// Standard deviation of a test cell, which is programmed to `G_max`; a curve's is relative to that.
fn test_sigma(p: &Programming) -> f64 {
    match &p.sigma_curve {
        Some(curve) => full(p) * top(curve),
        None => f64::from(p.sigma),
    }
}

fn deviate(p: &Programming) -> Deviate {
    match p.sigma_curve {
        Some(_) => Deviate::Gaussian,
        None => p.deviate,
    }
}

fn top(curve: &Curve) -> f64 {
    f64::from(*curve.last().unwrap_or(&0.0))
}

/// Drift exponent of a cell at `G_max` with deviate `z`.
fn exponent(d: &Drift, z: f64) -> f64 {
    (top(&d.mean) + top(&d.sigma) * z).max(0.0)
}

/// `E[d^n]` of cells at `G_max`: `E exp(-a nu)`, `a = n ln(t/t0)`, of a normal `nu` that is not below 0,
///
/// ```text
/// P(-mean/sigma) + exp(-a mean + (a sigma)^2/2) P(mean/sigma - a sigma)      P: the normal distribution
/// ```
pub(super) fn moment(d: &Drift, n: f64) -> f64 {
    let a = n * f64::from(d.log_time);
    let (mean, sigma) = (top(&d.mean), top(&d.sigma).abs());
    if sigma == 0.0 {
        return (-a * mean.max(0.0)).exp();
    }
    let below = |x: f64| 0.5 * statrs::function::erf::erfc(-x * std::f64::consts::FRAC_1_SQRT_2);
    let (m, s) = (mean / sigma, a * sigma);
    // Far out the factor is too large and the probability too small for a product of f64: their
    // asymptotic product, Mills' ratio, is good to x^-4 there.
    let x = s - m;
    let falling = match x > 25.0 {
        true => {
            let density = (-0.5 * m * m).exp() / (2.0 * std::f64::consts::PI).sqrt();
            density * (1.0 - 1.0 / (x * x)) / x
        }
        false => (0.5 * s * s - a * mean).exp() * below(-x),
    };
    below(-m) + falling
}
