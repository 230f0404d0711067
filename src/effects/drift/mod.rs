//! Drift: conductances fall after programming, `g(t) = g (t/t0)^-nu`, with an exponent of every cell
//! ([`Purpose::CellDrift`]), `nu = max(mean(g) + sigma(g) z, 0)` (docs/cells.md 4).

mod cpu;

use super::{Cell, Curve, Deviate, Draws, Effect, Layer, Lines, Numbers, Step, Target, at};
use crate::random::Purpose;

/// Drift since programming; the default is right after it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Drift {
    /// `ln(t / t0)`, at least 0; 0: no drift.
    pub log_time: f32,
    /// Mean of nu by conductance, and its standard deviation.
    pub exponent: Option<Exponent>,
}

/// Exponents of cells by conductance.
#[derive(Debug, Clone, PartialEq)]
pub struct Exponent {
    /// Mean.
    pub mean: Curve,
    /// Standard deviation.
    pub sigma: Curve,
}

impl Drift {
    /// Drift until `log_time = ln(t / t0)`, with the mean of the exponent by conductance and its standard
    /// deviation.
    pub fn new(log_time: f32, mean: Curve, sigma: Curve) -> Self {
        Self {
            log_time,
            exponent: Some(Exponent { mean, sigma }),
        }
    }

    /// `E (t/t0)^-nu`: mean factor on cells that were programmed to `g`.
    pub fn kept(&self, g: f64) -> f64 {
        self.exponent.as_ref().map_or(1.0, |nu| {
            falling(f64::from(self.log_time), at(&nu.mean, g), at(&nu.sigma, g))
        })
    }
}

impl Effect for Drift {
    fn name(&self) -> &'static str {
        "drift"
    }

    fn is_off(&self) -> bool {
        self.exponent.is_none()
    }

    fn make_nominal(&mut self) {
        *self = Self::default();
    }

    fn exact(&self, _: &Target, draws: &dyn Draws, cell: &mut Cell) {
        let Some(nu) = &self.exponent else { return };
        let z = draws.deviation(Purpose::CellDrift, Deviate::Gaussian, 1.0);
        let nu = (at(&nu.mean, cell.g) + at(&nu.sigma, cell.g) * z).max(0.0);
        cell.g *= (-nu * f64::from(self.log_time)).exp();
    }

    fn expected(&self, _: &Target, g: f64) -> f64 {
        g * self.kept(g)
    }

    fn on_cpu<'a>(&'a self, layer: &'a Layer<'a>) -> Option<Box<dyn Step + 'a>> {
        let nu = self.exponent.as_ref()?;
        Some(Box::new(cpu::Drifting {
            log_time: self.log_time,
            nu,
            layer,
        }))
    }

    fn in_shader(&self, _: &Lines, n: &mut Numbers) {
        let nu = self.exponent.as_ref();
        n.flag("HAS_DRIFT", nu.is_some());
        n.f32("log_time", self.log_time);
        n.curve(["mean_at", "mean_len"], nu.map(|nu| &nu.mean));
        n.curve(["sigma_at", "sigma_len"], nu.map(|nu| &nu.sigma));
    }

    fn curves(&self) -> Vec<&Curve> {
        let nu = self.exponent.iter();
        nu.flat_map(|nu| [&nu.mean, &nu.sigma]).collect()
    }
}

/// `E exp(-a nu)` of a normal `nu` that is not below 0,
///
/// ```text
/// P(-mean/sigma) + exp(-a mean + (a sigma)^2/2) P(mean/sigma - a sigma)      P: the normal distribution
/// ```
pub fn falling(a: f64, mean: f64, sigma: f64) -> f64 {
    let sigma = sigma.abs();
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

#[cfg(test)]
mod tests {
    use super::*;

    /// `E exp(-a nu)` by sums over 160,000 deviates, within the error of the rule.
    #[test]
    fn mean_drift_matches_a_sum() {
        for (mean, sigma) in [
            (0.05, 0.0),
            (0.05, 0.02),
            (0.01, 0.1),
            (0.0, 0.3),
            (1.0, 1.0),
        ] {
            for a in [0.5, 1.0, 8.0, 40.0, 80.0] {
                let (mut sum, mut all) = (0.0, 0.0);
                for i in -80_000..80_000 {
                    let z = (f64::from(i) + 0.5) * 1e-4;
                    let density = (-0.5 * z * z).exp();
                    let nu: f64 = mean + sigma * z;
                    sum += density * (-a * nu.max(0.0)).exp();
                    all += density;
                }
                let (got, want) = (falling(a, mean, sigma), sum / all);
                let case = format!("{mean} {sigma} {a}: {got}, {want}");
                assert!((got - want).abs() < 1e-6 * want, "{case}");
            }
        }
    }
}
