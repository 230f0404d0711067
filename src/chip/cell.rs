//! One cell in `f64`: what becomes of a conductance that is programmed, ages and is read (docs/cells.md
//! 2 and 4), from the numbers that are drawn for it; and what becomes of it on average.

use crate::program::{CellReadNoise, Curve, Deviate, Drift, Law, Programming};

/// What is drawn for a cell.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Draws {
    /// Its deviation `s z`; with a curve `sigma(g)` the deviate `z` alone.
    pub own: f64,
    /// Uniform in `[0, 1)`: whether it is stuck.
    pub stuck: f32,
    /// Normal deviate of its drift exponent.
    pub drift: f64,
}

/// A programmed cell, conductances relative to `G_max`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// At a read: after drift, limited.
    pub g: f64,
    /// Before drift, limited.
    pub programmed: f64,
}

/// Value of a curve.
pub fn at(curve: &Curve, g: f64) -> f64 {
    let place = g.clamp(0.0, 1.0) * (curve.len() - 1) as f64;
    let below = (place as usize).min(curve.len() - 2);
    let [low, high] = [curve[below], curve[below + 1]].map(f64::from);
    low + (place - below as f64) * (high - low)
}

/// A conductance inside the cell's limits.
fn limited(spec: &Programming, g: f64) -> f64 {
    let g = g.min(f64::from(spec.clip));
    if spec.clip_low { g.max(0.0) } else { g }
}

/// What programming gives, before limits; `own` as in [`Draws`].
fn varied(spec: &Programming, target: f64, e: f64, own: f64) -> f64 {
    let span = 1.0 - f64::from(spec.arrays.g_min);
    match (&spec.sigma_curve, spec.law) {
        (Some(curve), Law::WeightProportional) => target * (1.0 + e) + at(curve, target) * own,
        (Some(curve), Law::LayerFixed) => target + span * e + at(curve, target) * own,
        (None, Law::WeightProportional) => match spec.deviate {
            Deviate::Lognormal => target * (1.0 + e) * (1.0 + own),
            Deviate::Gaussian | Deviate::Truncated { .. } => target * (1.0 + e + own),
        },
        (None, Law::LayerFixed) => target + span * (e + own),
    }
}

/// A cell with a target conductance in an array with common deviation `e`.
pub fn cell(spec: &Programming, target: f64, e: f64, draws: Draws) -> Cell {
    let plain = |g: f64| Cell {
        g: limited(spec, g),
        programmed: limited(spec, g),
    };
    if draws.stuck < spec.stuck.off {
        return plain(f64::from(spec.arrays.g_min));
    }
    if draws.stuck >= 1.0 - spec.stuck.on {
        return plain(1.0);
    }
    let g = varied(spec, target, e, draws.own);
    let kept = spec.drift.as_ref().map_or(1.0, |drift| {
        let nu = (at(&drift.mean, g) + at(&drift.sigma, g) * draws.drift).max(0.0);
        (-nu * f64::from(drift.log_time)).exp()
    });
    Cell {
        g: limited(spec, g * kept),
        programmed: limited(spec, g),
    }
}

/// Conductance of a cell with a common deviation only: no deviation of its own, and the mean drift of
/// cells.
pub fn common(spec: &Programming, target: f64, e: f64) -> f64 {
    let g = varied(spec, target, e, 0.0);
    limited(spec, g * kept(spec.drift.as_ref(), g))
}

/// `E d`: mean factor of drift on cells that were programmed to `g`.
pub fn kept(drift: Option<&Drift>, g: f64) -> f64 {
    drift.map_or(1.0, |d| {
        falling(f64::from(d.log_time), at(&d.mean, g), at(&d.sigma, g))
    })
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

/// Variance of a read of a cell, relative to `G_max`.
pub fn read_variance(spec: &Programming, cell: Cell) -> f64 {
    let CellReadNoise {
        proportional,
        fixed,
        curve,
        one_over_f,
    } = &spec.read_noise;
    let spectral = |c: &Curve| {
        let x = cell.programmed.clamp(CellReadNoise::LEAST.into(), 1.0);
        (cell.g * at(c, x) / x).powi(2)
    };
    let span = 1.0 - f64::from(spec.arrays.g_min);
    (f64::from(*proportional) * cell.g).powi(2)
        + (f64::from(*fixed) * span).powi(2)
        + curve.as_ref().map_or(0.0, |c| at(c, cell.g).powi(2))
        + one_over_f.as_ref().map_or(0.0, spectral)
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
