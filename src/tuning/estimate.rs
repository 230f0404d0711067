//! The global tuning module: `N` spare cells at a known conductance are read once per chip.
//!
//! ```text
//! m = eps_common + mean(eps_W) + mean(r)
//! Var(m | eps_common) = (sigma_W^2 + sigma_r^2 + lsb^2/12) / N =: s_m^2       (docs/MODEL.md 6)
//! mean:  eps_hat = m
//! MMSE:  eps_hat = m s^2 / (s^2 + s_m^2), posterior variance s^2 s_m^2 / (s^2 + s_m^2)
//! ```
//! `s^2` is the variance of the common part over chips. The cells deviate by the same distribution
//! as those of the weights; every read has its own noise `sigma_r` and is rounded to multiples of
//! `lsb` (all in units of the cell's nominal value under the proportional law, of the full range
//! under the fixed one). Both laws read the same estimate, which is why one module serves both.

use crate::backend::program::Deviate;
use crate::chip::variation::truncated_variance;
use crate::random::{self, Purpose, Stream};

/// The test cells of every chip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TestCells {
    /// Number of cells.
    pub n: usize,
    /// Within-chip standard deviation of a cell.
    pub sigma_w: f64,
    /// Distribution of the cells.
    pub deviate: Deviate,
    /// Standard deviation of a read.
    pub read_noise: f64,
    /// Resolution of a read, 0 for exact.
    pub read_lsb: f64,
}

impl TestCells {
    /// The measurement `m` of a chip with common deviation `common`.
    pub fn measure(&self, seed: u64, chip: u32, common: f64) -> f64 {
        let mut cells = vec![0.0f32; self.n];
        let stream = Stream::new(seed, Purpose::TestCell, 0, 0, chip);
        fill_deviations(&stream, 0, self.deviate, self.sigma_w, &mut cells);
        let mut noise = vec![0.0f32; self.n];
        if self.read_noise > 0.0 {
            Stream::new(seed, Purpose::TestRead, 0, 0, chip).fill_normals(0, &mut noise);
        }
        let read = |(cell, noise): (&f32, &f32)| {
            let v = common + f64::from(*cell) + self.read_noise * f64::from(*noise);
            if self.read_lsb > 0.0 {
                (v / self.read_lsb).round_ties_even() * self.read_lsb
            } else {
                v
            }
        };
        cells.iter().zip(&noise).map(read).sum::<f64>() / self.n as f64
    }

    /// `Var(m | eps_common)`.
    pub fn measurement_variance(&self) -> f64 {
        let cell = self.sigma_w.powi(2)
            * match self.deviate {
                Deviate::Truncated { at } => truncated_variance(f64::from(at)),
                Deviate::Gaussian | Deviate::Lognormal => 1.0,
            };
        (cell + self.read_noise.powi(2) + self.read_lsb.powi(2) / 12.0) / self.n as f64
    }
}

/// Factor that makes the measurement an MMSE estimate, for a prior variance `s^2`.
pub fn shrinkage(prior_variance: f64, measurement_variance: f64) -> f64 {
    if prior_variance == 0.0 {
        return 0.0;
    }
    prior_variance / (prior_variance + measurement_variance)
}

/// `out[i] = sigma * deviate` of the cells from address `first` on.
pub fn fill_deviations(stream: &Stream, first: u32, deviate: Deviate, sigma: f64, out: &mut [f32]) {
    if sigma == 0.0 {
        out.fill(0.0);
        return;
    }
    match deviate {
        Deviate::Gaussian => stream.fill_normals(first, out),
        Deviate::Truncated { at } => stream.fill_truncated(first, random::squeeze(at), out),
        Deviate::Lognormal => {
            return stream.fill_lognormal(first, random::lognormal_shape(sigma as f32), out);
        }
    }
    for v in out {
        *v *= sigma as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chip::ChipVariation;

    const CHIPS: u32 = 4_000;

    fn errors(cells: &TestCells, chips: &ChipVariation, factor: f64) -> (f64, f64) {
        let errors: Vec<f64> = (0..CHIPS)
            .map(|c| {
                let e = chips.deviation(5, c).total;
                factor * cells.measure(5, c, e) - e
            })
            .collect();
        let n = f64::from(CHIPS);
        let mean = errors.iter().sum::<f64>() / n;
        let var = errors.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (mean, var)
    }

    /// 6 standard errors of a variance of near-normal data.
    fn close(found: f64, expected: f64) -> bool {
        (found / expected - 1.0).abs() < 6.0 * (2.0 / f64::from(CHIPS)).sqrt()
    }

    #[test]
    fn the_estimators_variance_is_sigma_w_squared_over_n_plus_read_noise() {
        let chips = ChipVariation {
            sigma_b: 0.3,
            ..ChipVariation::default()
        };
        for deviate in [
            Deviate::Gaussian,
            Deviate::Truncated { at: 1.5 },
            Deviate::Lognormal,
        ] {
            for (n, read_noise, read_lsb) in [(16, 0.0, 0.0), (64, 0.1, 0.0), (64, 0.05, 0.2)] {
                let cells = TestCells {
                    n,
                    sigma_w: 0.2,
                    deviate,
                    read_noise,
                    read_lsb,
                };
                let (mean, var) = errors(&cells, &chips, 1.0);
                let expected = cells.measurement_variance();
                assert!(close(var, expected), "{cells:?}: {var} against {expected}");
                let se = (expected / f64::from(CHIPS)).sqrt();
                assert!(mean.abs() < 6.0 * se, "{cells:?}: bias {mean}");
            }
        }
    }

    #[test]
    fn mmse_reaches_the_posterior_variance_and_beats_the_mean() {
        let chips = ChipVariation {
            sigma_b: 0.05,
            ..ChipVariation::default()
        };
        let cells = TestCells {
            n: 16,
            sigma_w: 0.2,
            deviate: Deviate::Gaussian,
            read_noise: 0.0,
            read_lsb: 0.0,
        };
        let (prior, noise) = (chips.common_variance(), cells.measurement_variance());
        let (_, var) = errors(&cells, &chips, shrinkage(prior, noise));
        let posterior = prior * noise / (prior + noise);
        assert!(close(var, posterior), "{var} against {posterior}");
        assert!(posterior < 0.6 * noise);
    }
}
