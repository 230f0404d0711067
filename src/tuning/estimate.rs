//! The global tuning module at weight level: `N` spare cells at a known conductance are read once per
//! chip, or `N` columns of them once per layer.
//!
//! ```text
//! m = eps_common + mean(eps_W) + mean(r)
//! Var(m | eps_common) = (sigma_W^2/R + sigma_r^2 + lsb^2/12) / N =: s_m^2     (docs/MODEL.md 6)
//! mean:  eps_hat = m
//! MMSE:  eps_hat = m s^2 / (s^2 + s_m^2), posterior variance s^2 s_m^2 / (s^2 + s_m^2)
//! ```
//! `s^2` is the variance of the common part over chips, `R` the cells of a read: 1, or the rows of a
//! column, all driven alike. The cells deviate by the same distribution as those of the weights; every
//! read has its own noise `sigma_r` and is rounded to multiples of `lsb` (all in units of the cell's
//! nominal value under the proportional law, of the full range under the fixed one). Both laws read the
//! same estimate, which is why one module serves both. `lsb^2/12` holds where the reads spread over
//! some steps; `reads.rs` has the moments for any resolution, and they are what is used.

use super::reads::{self, Line, Moments, Part, Reads};
use crate::chip::variation::truncated_variance;
use crate::config::Estimator;
use crate::program::Deviate;
use crate::random::{self, Purpose, Stream};

/// The test cells of every chip, or the columns of a layer at a known level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TestCells {
    /// Reads.
    pub n: usize,
    /// Cells of a read, whose mean is read: 1, or those of a column.
    pub per_read: usize,
    /// Within-chip standard deviation of a cell.
    pub sigma_w: f64,
    /// Distribution of the cells.
    pub deviate: Deviate,
    /// Standard deviation of a read.
    pub read_noise: f64,
    /// Resolution of a read, 0 for exact.
    pub read_lsb: f64,
    /// What is made of the reads.
    pub estimator: Estimator,
}

impl TestCells {
    /// The measurement `m` of a chip with common deviation `common`, of cells at addresses from 0 on of
    /// a purpose and layer.
    pub fn measure(
        &self,
        seed: u64,
        chip: u32,
        (purpose, layer): (Purpose, u32),
        common: f64,
    ) -> f64 {
        let mut cells = vec![0.0f32; self.n * self.per_read];
        let stream = Stream::new(seed, purpose, 0, layer, chip);
        fill_deviations(&stream, 0, self.deviate, self.sigma_w, &mut cells);
        let mut noise = vec![0.0f32; self.n];
        if self.read_noise > 0.0 {
            Stream::new(seed, Purpose::TestRead, 0, layer, chip).fill_normals(0, &mut noise);
        }
        let read = |(cells, noise): (&[f32], &f32)| {
            let own = cells.iter().map(|c| f64::from(*c)).sum::<f64>() / self.per_read as f64;
            let shown = common + own + self.read_noise * f64::from(*noise);
            rounded(shown, self.read_lsb)
        };
        let reads = cells.chunks_exact(self.per_read).zip(&noise);
        let mut reads: Vec<f64> = reads.map(read).collect();
        self.estimator.combine(&mut reads)
    }

    /// Moments of the measurement over chips whose common parts have the variance `prior`.
    pub(super) fn moments(&self, prior: f64) -> Moments {
        let reads = Reads {
            n: self.n,
            resolution: self.read_lsb,
            estimator: self.estimator,
        };
        reads::moments(prior, &reads, |e, parts| self.given(e, parts))
    }

    /// The line from the measurement to the estimate.
    pub(super) fn line(&self, prior: f64) -> Line {
        self.moments(prior).line(self.estimator)
    }

    /// Distribution of a read.
    fn given(&self, e: f64, parts: &mut Vec<Part>) {
        let normal = |sigma: f64| Part {
            weight: 1.0,
            from: e,
            to: e,
            noise: sigma.hypot(self.read_noise),
            moves: true,
        };
        // The mean of many independent cells is normal.
        if self.per_read > 1 {
            return parts.push(normal((self.variance() / self.per_read as f64).sqrt()));
        }
        if self.deviate == Deviate::Gaussian {
            return parts.push(normal(self.sigma_w));
        }
        let own = own_deviations(self.deviate, self.sigma_w, PIECES);
        parts.extend(own.map(|(weight, [from, to])| Part {
            weight,
            from: e + from,
            to: e + to,
            noise: self.read_noise,
            moves: true,
        }));
    }

    /// Variance of a cell.
    fn variance(&self) -> f64 {
        let factor = match self.deviate {
            Deviate::Truncated { at } => truncated_variance(f64::from(at)),
            Deviate::Gaussian | Deviate::Lognormal => 1.0,
        };
        self.sigma_w.powi(2) * factor
    }
}

/// A reading with a resolution; 0: exact.
pub(super) fn rounded(v: f64, lsb: f64) -> f64 {
    match lsb > 0.0 {
        true => (v / lsb).round_ties_even() * lsb,
        false => v,
    }
}

/// Pieces on each side of a distribution that is not a sum with others.
pub(super) const PIECES: usize = 136;

/// Probabilities and ends of pieces of the distribution of a cell's own deviation `sigma z`, `pieces` on
/// each side.
pub(super) fn own_deviations(
    deviate: Deviate,
    sigma: f64,
    pieces: usize,
) -> impl Iterator<Item = (f64, [f64; 2])> {
    let at = match deviate {
        Deviate::Truncated { at } => f64::from(at),
        Deviate::Gaussian | Deviate::Lognormal => f64::INFINITY,
    };
    let n = if sigma == 0.0 { 1 } else { pieces };
    let t2 = (sigma * sigma).ln_1p();
    let own = move |z: f64| match deviate {
        Deviate::Lognormal => (t2.sqrt() * z - 0.5 * t2).exp_m1(),
        Deviate::Gaussian | Deviate::Truncated { .. } => sigma * z,
    };
    let pieces = reads::pieces(at, n).into_iter();
    pieces.map(move |(a, b, weight)| (weight, [own(a), own(b)]))
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
mod tests;
