//! Wafers: where the dies lie, and what their place does to them (docs/MODEL.md 3.4).
//!
//! Three parts of the deviation belong to the wafer:
//! * a common one, `N(0, sigma_wafer^2)` per wafer;
//! * a radial one, the same on all wafers: `a ((r/R)^2 - mean)`, with `a` such that its standard
//!   deviation over the dies is `sigma_radial` (positive towards the edge);
//! * a Gaussian random field per wafer with standard deviation `sigma_field` and correlation
//!   `k(d)` of the distance `d` of two dies in units of the correlation length: squared
//!   exponential `exp(-d^2/2)`, Matern-3/2 `(1 + sqrt(3) d) exp(-sqrt(3) d)`, or `exp(-d)`. It is
//!   sampled exactly, by the Cholesky factor of the dies' covariance.

use glam::Vec2;
use nalgebra::DMatrix;

use crate::config::{self, Kernel};
use crate::error::{Error, Result};
use crate::random::{Purpose, Stream};

/// Most dies whose field covariance is factorised (a 2500^2 matrix of f64: 50 MB, some seconds).
const MAX_FIELD_DIES: usize = 2_500;

/// Added to the correlation's diagonal: keeps the factorisation of smooth kernels positive, and is
/// a relative error of 1e-9 in the variance.
const JITTER: f64 = 1e-9;

/// A wafer's dies and the deviation that goes with their place.
#[derive(Debug, Clone)]
pub struct Wafer {
    /// Centres of the dies from the wafer's centre, mm, row by row from the bottom.
    pub dies: Vec<Vec2>,
    /// Radial part of each die.
    pub radial: Vec<f64>,
    sigma_wafer: f64,
    sigma_field: f64,
    /// Lower Cholesky factor of the field's correlation; empty without a field.
    factor: DMatrix<f64>,
}

impl Wafer {
    /// Lays out the dies: a grid with a die in the wafer's centre, of which those are kept whose
    /// four corners stay `edge_mm` inside the rim.
    ///
    /// # Errors
    /// No die fits, or too many for a field.
    pub fn new(w: &config::Wafer) -> Result<Self> {
        let radius = 0.5 * w.diameter_mm - w.edge_mm;
        let [width, height] = w.die_mm;
        let reach = |size: f64| (radius.max(0.0) / size).ceil() as i32;
        let half = Vec2::new(width as f32, height as f32) * 0.5;
        let mut dies = vec![];
        for row in -reach(height)..=reach(height) {
            for column in -reach(width)..=reach(width) {
                let centre = Vec2::new(column as f32 * width as f32, row as f32 * height as f32);
                let corner = centre.abs() + half;
                if f64::from(corner.length()) <= radius {
                    dies.push(centre);
                }
            }
        }
        if dies.is_empty() {
            return Err(Error::input(format!(
                "variation.wafer: no die of {width} x {height} mm fits a wafer of {} mm less {} mm of \
                 edge on each side",
                w.diameter_mm, w.edge_mm
            )));
        }
        if w.sigma_field > 0.0 && dies.len() > MAX_FIELD_DIES {
            return Err(Error::input(format!(
                "variation.wafer: {} dies fit the wafer; a random field (sigma_field = {}) is \
                 limited to {MAX_FIELD_DIES}: use larger dies",
                dies.len(),
                w.sigma_field
            )));
        }
        let factor = if w.sigma_field > 0.0 {
            cholesky(&dies, w)?
        } else {
            DMatrix::zeros(0, 0)
        };
        Ok(Self {
            radial: radial(&dies, 0.5 * w.diameter_mm, w.sigma_radial),
            dies,
            sigma_wafer: w.sigma_wafer,
            sigma_field: w.sigma_field,
            factor,
        })
    }

    /// The part all dies of a wafer share.
    pub fn common(&self, seed: u64, wafer: u32) -> f64 {
        self.sigma_wafer * f64::from(Stream::new(seed, Purpose::Wafer, 0, 0, wafer).normal(0))
    }

    /// The field at a die.
    pub fn field(&self, seed: u64, wafer: u32, die: usize) -> f64 {
        if self.sigma_field == 0.0 {
            return 0.0;
        }
        let mut z = vec![0.0f32; die + 1];
        Stream::new(seed, Purpose::Field, 0, 0, wafer).fill_normals(0, &mut z);
        let row = self.factor.row(die);
        let sum: f64 = z
            .iter()
            .zip(row.iter())
            .map(|(z, l)| f64::from(*z) * l)
            .sum();
        self.sigma_field * sum
    }

    /// Variance of all parts together over the dies of many wafers.
    pub fn variance(&self) -> f64 {
        let n = self.radial.len() as f64;
        let radial = self.radial.iter().map(|r| r * r).sum::<f64>() / n;
        self.sigma_wafer.powi(2) + self.sigma_field.powi(2) + radial
    }
}

/// Radial part of each die; all 0 where every die has the same radius.
fn radial(dies: &[Vec2], radius: f64, sigma: f64) -> Vec<f64> {
    let n = dies.len() as f64;
    let square = |d: &Vec2| f64::from(d.length_squared()) / (radius * radius);
    let mean = dies.iter().map(square).sum::<f64>() / n;
    let var = dies.iter().map(|d| (square(d) - mean).powi(2)).sum::<f64>() / n;
    let scale = if var > 0.0 { sigma / var.sqrt() } else { 0.0 };
    dies.iter().map(|d| scale * (square(d) - mean)).collect()
}

/// Correlation of two dies a distance apart.
pub fn correlation(kernel: Kernel, distance_mm: f64, length_mm: f64) -> f64 {
    let d = distance_mm / length_mm;
    match kernel {
        Kernel::SquaredExponential => (-0.5 * d * d).exp(),
        Kernel::Matern32 => {
            let s = 3f64.sqrt() * d;
            (1.0 + s) * (-s).exp()
        }
        Kernel::Exponential => (-d).exp(),
    }
}

fn cholesky(dies: &[Vec2], w: &config::Wafer) -> Result<DMatrix<f64>> {
    let n = dies.len();
    let matrix = DMatrix::from_fn(n, n, |i, j| {
        let jitter = if i == j { JITTER } else { 0.0 };
        let d = f64::from(dies[i].distance(dies[j]));
        correlation(w.kernel, d, w.correlation_mm) + jitter
    });
    let factor = matrix.cholesky().ok_or_else(|| {
        Error::input(format!(
            "variation.wafer: the covariance of {n} dies at correlation_mm = {} is not positive \
             definite in double precision; use a shorter length or kernel = \"matern32\"",
            w.correlation_mm
        ))
    })?;
    Ok(factor.l())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> config::Wafer {
        config::Wafer {
            diameter_mm: 100.0,
            die_mm: [20.0, 15.0],
            edge_mm: 3.0,
            sigma_wafer: 0.0,
            sigma_radial: 0.1,
            sigma_field: 0.2,
            correlation_mm: 30.0,
            kernel: Kernel::SquaredExponential,
        }
    }

    #[test]
    fn dies_lie_inside_the_rim_around_a_central_one() {
        let w = Wafer::new(&spec()).unwrap();
        assert!(w.dies.contains(&Vec2::ZERO));
        let sum: Vec2 = w.dies.iter().sum();
        assert!(sum.length() < 1e-3, "the layout is symmetric");
        for d in &w.dies {
            let corner = d.abs() + Vec2::new(10.0, 7.5);
            assert!(corner.length() <= 47.0);
        }
    }

    #[test]
    fn radial_part_has_zero_mean_and_the_stated_deviation_and_grows_outwards() {
        let w = Wafer::new(&spec()).unwrap();
        let n = w.radial.len() as f64;
        let mean = w.radial.iter().sum::<f64>() / n;
        let var = w.radial.iter().map(|r| r * r).sum::<f64>() / n;
        assert!(mean.abs() < 1e-12);
        assert!((var.sqrt() - 0.1).abs() < 1e-12);
        let centre = w.dies.iter().position(|d| *d == Vec2::ZERO).unwrap();
        assert!(w.radial.iter().all(|&r| r >= w.radial[centre]));
    }

    #[test]
    fn field_has_the_kernels_covariance() {
        for kernel in [
            Kernel::SquaredExponential,
            Kernel::Matern32,
            Kernel::Exponential,
        ] {
            let s = config::Wafer { kernel, ..spec() };
            let w = Wafer::new(&s).unwrap();
            let pairs = [(0, 0), (0, 1), (2, 7), (0, w.dies.len() - 1)];
            let wafers = 6_000u32;
            for (a, b) in pairs {
                let products: Vec<f64> = (0..wafers)
                    .map(|k| w.field(11, k, a) * w.field(11, k, b))
                    .collect();
                let mean = products.iter().sum::<f64>() / f64::from(wafers);
                let d = f64::from(w.dies[a].distance(w.dies[b]));
                let rho = correlation(kernel, d, s.correlation_mm);
                let expected = 0.04 * rho;
                // Var(xy) of two normals of correlation rho is s^4 (1 + rho^2); 6 standard errors.
                let se = 0.04 * ((1.0 + rho * rho) / f64::from(wafers)).sqrt();
                assert!(
                    (mean - expected).abs() < 6.0 * se,
                    "{kernel:?} {a},{b}: {mean}, expected {expected}"
                );
            }
        }
    }

    #[test]
    fn impossible_wafers_say_why() {
        let none = config::Wafer {
            die_mm: [200.0, 200.0],
            ..spec()
        };
        let text = Wafer::new(&none).unwrap_err().to_string();
        assert!(text.contains("no die"), "{text}");
        let many = config::Wafer {
            die_mm: [0.5, 0.5],
            ..spec()
        };
        let text = Wafer::new(&many).unwrap_err().to_string();
        assert!(text.contains("limited to"), "{text}");
    }
}
