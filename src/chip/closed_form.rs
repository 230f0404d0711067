//! Fabrication written from the conductances in `f64`, cell by cell: what the operators
//! `fabricate` of both backends are tested against.
//!
//! # Theory
//! Here a weight is what its cells conduct, not a formula for its error: every cell has a target
//! conductance `g` (`G_max = 1`), variation makes it `g (1 + eps)` (proportional) or
//! `g + (1 - g_min) eps` (fixed), and the weight is read back as `full / (1 - g_min)` times the
//! difference of its columns. The equations of [`Mapping`] must follow; that they do is a test.
//! Differs from the operators in the arithmetic too: `f64`, and normals from the error function
//! instead of the rational approximation of [`crate::random`].

use statrs::function::erf::{erfc, erfc_inv};

use crate::program::{Deviate, Fabrication, Law, Mapping};
use crate::random::{Purpose, Stream};

/// Which chip, and what it does about itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chip {
    /// Key of all random numbers.
    pub seed: u64,
    /// Or-ed into the purpose word: 0 or [`crate::random::TRAINING`].
    pub flags: u32,
    /// Chip index.
    pub index: u32,
    /// Common deviation.
    pub e: f64,
    /// Factor on the result.
    pub gain: f64,
    /// Multiple of the full scale that is subtracted.
    pub offset: f64,
}

/// Deviation `sigma z` of one cell from its 32-bit word.
pub fn deviation(word: u32, deviate: Deviate, sigma: f64) -> f64 {
    let q = (f64::from(word & 0x7fff_ffff) + 0.5) / 2f64.powi(32);
    let sign = if word >> 31 == 0 { 1.0 } else { -1.0 };
    let upper = |q: f64| sign * std::f64::consts::SQRT_2 * erfc_inv(2.0 * q);
    match deviate {
        Deviate::Gaussian => sigma * upper(q),
        Deviate::Truncated { at } => {
            let outside = 0.5 * erfc(f64::from(at) * std::f64::consts::FRAC_1_SQRT_2);
            sigma * upper(outside + q * (1.0 - 2.0 * outside))
        }
        Deviate::Lognormal => {
            let t2 = (sigma * sigma).ln_1p();
            (t2.sqrt() * upper(q) - 0.5 * t2).exp_m1()
        }
    }
}

/// A chip's layer.
struct Layer<'a> {
    spec: &'a Fabrication,
    chip: Chip,
    g_min: f64,
}

impl Layer<'_> {
    /// A cell's own part of the deviation.
    fn own(&self, purpose: Purpose, address: usize) -> f64 {
        let (chip, spec) = (self.chip, self.spec);
        let stream = Stream::new(chip.seed, purpose, chip.flags, spec.layer, chip.index);
        let word = stream.word(address as u32);
        deviation(word, spec.deviate, f64::from(spec.sigma_w))
    }

    fn deviation(&self, purpose: Purpose, address: usize) -> f64 {
        self.chip.e + self.own(purpose, address)
    }

    /// Conductance of a cell with target `g`.
    fn cell(&self, g: f64, purpose: Purpose, address: usize) -> f64 {
        if let Some(profile) = &self.spec.profile {
            return self.cell_of_chip(g) + profile.exact(g) * self.own(purpose, address);
        }
        let eps = self.deviation(purpose, address);
        match self.spec.law {
            Law::WeightProportional => g * (1.0 + eps),
            Law::LayerFixed => g + (1.0 - self.g_min) * eps,
        }
    }

    /// Conductance of a cell with target `g` and no deviation of its own.
    fn cell_of_chip(&self, g: f64) -> f64 {
        match self.spec.law {
            Law::WeightProportional => g * (1.0 + self.chip.e),
            Law::LayerFixed => g + (1.0 - self.g_min) * self.chip.e,
        }
    }

    /// Mean conductance, at a row, of the offset mapping's reference cells.
    fn offset_reference(&self, row: usize) -> f64 {
        let Mapping::Offset { copies, .. } = self.spec.mapping else {
            return 0.0;
        };
        let centre = 0.5 * (1.0 + self.g_min);
        let cell = |j| self.cell(centre, Purpose::OffsetReference, j * self.spec.rows + row);
        match copies {
            0 => centre,
            n => (0..n as usize).map(cell).sum::<f64>() / f64::from(n),
        }
    }

    /// Weight `v` in units of the full scale, made of cells with these purposes and address.
    fn weight(&self, v: f64, row: usize, purposes: [Purpose; 2], address: usize) -> f64 {
        let [positive, negative] = purposes;
        let span = 1.0 - self.g_min;
        match self.spec.mapping {
            // One signed cell of the magnitude's conductance.
            Mapping::Ideal if self.spec.profile.is_some() => {
                let own = self.cell(v.abs(), positive, address) - self.cell_of_chip(v.abs());
                match self.spec.law {
                    Law::WeightProportional => v * (1.0 + self.chip.e) + own,
                    Law::LayerFixed => v + self.chip.e + own,
                }
            }
            Mapping::Ideal => match self.spec.law {
                Law::WeightProportional => v * (1.0 + self.deviation(positive, address)),
                Law::LayerFixed => v + self.deviation(positive, address),
            },
            Mapping::Differential { .. } => {
                let target = |v: f64| self.g_min + span * v.max(0.0);
                let plus = self.cell(target(v), positive, address);
                let minus = self.cell(target(-v), negative, address);
                (plus - minus) / span
            }
            Mapping::Offset { .. } => {
                let target = self.g_min + span * (v + 1.0) / 2.0;
                let own = self.cell(target, positive, address);
                2.0 * (own - self.offset_reference(row)) / span
            }
        }
    }

    /// Mean, at a row, of the self-tuning reference columns, in units of the full scale.
    fn reference_columns(&self, row: usize) -> f64 {
        let purposes = [Purpose::ReferenceColumn, Purpose::ReferenceColumnNegative];
        let n = self.spec.reference_columns;
        let column = |j| self.weight(0.0, row, purposes, j * self.spec.rows + row);
        match n {
            0 => 0.0,
            _ => (0..n as usize).map(column).sum::<f64>() / f64::from(n),
        }
    }
}

/// Effective weights of one chip, see [`crate::program::Fabricate`]; `full_scale`
/// (positive) has one value or one a column.
pub fn fabricate(w: &[f32], full_scale: &[f32], spec: &Fabrication, chip: Chip) -> Vec<f64> {
    let g_min = match spec.mapping {
        Mapping::Ideal => 0.0,
        Mapping::Differential { g_min } | Mapping::Offset { g_min, .. } => f64::from(g_min),
    };
    let layer = Layer { spec, chip, g_min };
    let reference: Vec<f64> = (0..spec.rows).map(|k| layer.reference_columns(k)).collect();
    let one = |(i, &w): (usize, &f32)| {
        let (column, row) = (i / spec.rows, i % spec.rows);
        let full = f64::from(full_scale[column % full_scale.len()]);
        let purposes = [Purpose::Cell, Purpose::CellNegative];
        let v = layer.weight(f64::from(w) / full, row, purposes, i);
        chip.gain * full * (v - chip.offset - reference[row])
    };
    w.iter().enumerate().map(one).collect()
}
