//! Self-tuning at cell level: the same estimate, but it may be made for every array, and the
//! correction acts where a converter's result is, or on the converter itself.
//!
//! # Theory
//! Cell plane `c` of an array has the common deviation `e_c`. In level units, and with the
//! top digit `L` of the slice, what a read plane holds becomes
//!
//! ```text
//! proportional:  u' = u (1 + e)                            one cell, or a pair with equal e
//! fixed:         u' = u + L e (one cell),  u + L (e_+ - e_-) (a pair)
//! ```
//! so an array's result of one row tile is corrected by `gain = 1/(1 + e_hat)`, or by subtracting
//! `offset = L e_hat` times the sum of that tile's inputs: *before* results of row tiles and slices are
//! added, since every array may have its own deviation. A pair with analog subtraction shows only one
//! result for two arrays: its gain is the mean of both estimates.
//!
//! At the converter the reference is scaled by `1 + e_hat` instead: the code is then that of a
//! nominal chip, and nothing clips that would not clip there. That needs the proportional law: an
//! offset grows with the input sum, which a reference does not know.
//!
//! Drift is seen by the test cells too: they are programmed to a known level with the
//! array and read when the array is used. What an array holds has become, with `d` the mean of
//! `(t/t0)^-nu`,
//!
//! ```text
//! proportional:  u' = d u (1 + e)                  fixed:  u' = d (u + L e)
//! ```
//! so under the proportional law one gain `1/((1 + e_hat) d)` corrects both, and the same module is the
//! global drift compensation. Under the fixed law results are corrected by the gain `1/d` of the
//! known mean drift, then by the offset; a reference follows the drift alone. `gauge.rs` has the
//! estimates.

mod gauge;
#[cfg(test)]
mod tests;

use super::correct;
use super::cost::TuningCost;
use crate::backend::program::{Arrays, ConvGeometry, Encoding, Law, Programming};
use crate::chip::{ChipVariation, Deviation};
use crate::config::{self, TuningMethod, TuningPlace, TuningScope};
use crate::network::lower::cells::{CellLayer, Tuned};
use crate::network::lower::layer_address;
use gauge::{Gauge, drift_factor, truth};

/// What the session is told of one layer of one chip.
#[derive(Debug, Clone, PartialEq)]
pub struct CellLayerTuning {
    /// Common deviation of every cell array.
    pub arrays: Vec<f32>,
    /// Pairs `(gain, offset)` of `[row tile][read plane][column]`, with [`Tuned::Digital`].
    pub correct: Vec<f32>,
    /// Factor on the reference of `[row tile][column tile][read plane]`, with [`Tuned::Reference`].
    pub scale: Vec<f32>,
}

/// One chip with its tuning.
#[derive(Debug, Clone, PartialEq)]
pub struct CellChipTuning {
    /// What its cells have in common.
    pub deviation: Deviation,
    /// The chip's estimate of it (arrays' estimates are averaged), under the proportional law with what
    /// has drifted; `None` where it makes none.
    pub estimate: Option<f64>,
    /// By crossbar layer.
    pub layers: Vec<CellLayerTuning>,
}

/// How the chips of a point are tuned, at cell level.
#[derive(Debug, Clone)]
pub struct CellTuner {
    tuning: config::Tuning,
    /// Variance of what the test cells of an estimate have in common.
    prior: f64,
    layers: Vec<(CellLayer, ConvGeometry)>,
    images: u64,
}

/// Where a method acts.
pub fn tuned(tuning: &config::Tuning) -> Tuned {
    match (tuning.method, tuning.place) {
        (TuningMethod::SelfTuning | TuningMethod::Oracle, TuningPlace::Digital) => Tuned::Digital,
        (TuningMethod::SelfTuning | TuningMethod::Oracle, TuningPlace::AdcReference) => {
            Tuned::Reference
        }
        _ => Tuned::No,
    }
}

/// Reference columns that fabrication subtracts.
pub fn reference_columns(tuning: &config::Tuning) -> u32 {
    match tuning.method {
        TuningMethod::ReferenceColumns => tuning.reference_columns,
        _ => 0,
    }
}

impl CellTuner {
    /// The tuner of a point; `layers` as they are lowered.
    pub fn new(
        tuning: &config::Tuning,
        chips: &ChipVariation,
        layers: Vec<(CellLayer, ConvGeometry)>,
    ) -> Self {
        Self {
            tuning: tuning.clone(),
            prior: match tuning.scope {
                TuningScope::Chip => chips.common_variance(),
                TuningScope::Array => chips.array_variance(),
            },
            layers,
            images: (tuning.recalibration_batches * tuning.recalibration_batch) as u64,
        }
    }

    /// A chip with its tuning.
    pub fn chip(&self, seed: u64, chip: u32, chips: &ChipVariation) -> CellChipTuning {
        let deviation = chips.deviation(seed, chip);
        let whole = (self.tuning.method == TuningMethod::SelfTuning
            && self.tuning.scope == TuningScope::Chip)
            .then(|| {
                let gauge = self.gauge(&self.layers[0].0.programming);
                gauge.conclude(gauge.measure(seed, chip, (0, 0), deviation.total))
            });
        let mut estimates = vec![];
        let layers = self.layers.iter().enumerate().map(|(l, (layer, _))| {
            let address = layer_address(l);
            let p = &layer.programming;
            let common = deviation.total + chips.layer(seed, chip, address);
            let arrays: Vec<f64> = (0..p.arrays.cell_arrays())
                .map(|a| common + chips.array(seed, 0, chip, address, a as u32))
                .collect();
            let known: Option<Vec<f64>> = match self.tuning.method {
                TuningMethod::Oracle => Some(arrays.iter().map(|&e| truth(p, e)).collect()),
                TuningMethod::SelfTuning => Some(match whole {
                    Some(e) => vec![e; arrays.len()],
                    None => {
                        let gauge = self.gauge(p);
                        let of = |(a, &e): (usize, &f64)| {
                            gauge.conclude(gauge.measure(seed, chip, (address, a), e))
                        };
                        arrays.iter().enumerate().map(of).collect()
                    }
                }),
                _ => None,
            };
            if self.tuning.method == TuningMethod::SelfTuning {
                estimates.extend(known.iter().flatten().copied());
            }
            let (mut correct, mut scale) = (vec![], vec![]);
            match (&known, layer.tuned) {
                (Some(e), Tuned::Digital) => correct = self.corrections(p, e),
                (Some(e), Tuned::Reference) => scale = self.scales(p, e),
                _ => {}
            }
            CellLayerTuning {
                arrays: arrays.iter().map(|&e| e as f32).collect(),
                correct,
                scale,
            }
        });
        let layers = layers.collect();
        let n = estimates.len() as f64;
        CellChipTuning {
            deviation,
            estimate: (n > 0.0).then(|| estimates.iter().sum::<f64>() / n),
            layers,
        }
    }

    fn gauge<'a>(&'a self, cells: &'a Programming) -> Gauge<'a> {
        Gauge {
            tuning: &self.tuning,
            cells,
            prior: self.prior,
        }
    }

    /// `(gain, offset)` of every converter value from the estimates of all cell arrays.
    fn corrections(&self, p: &Programming, e: &[f64]) -> Vec<f32> {
        let a = &p.arrays;
        let drift = 1.0 / drift_factor(p).max(self.tuning.gain_floor);
        let mut out = Vec::with_capacity(2 * a.converters());
        for r in 0..a.row_tiles() {
            for plane in 0..a.read_planes() {
                for o in 0..a.cols {
                    let (plus, minus) = estimates(a, e, (r, a.col_tile(o), plane));
                    let (gain, offset) = match p.law {
                        Law::WeightProportional => {
                            let mean = minus.map_or(plus, |m| 0.5 * (plus + m));
                            (1.0 / (1.0 + mean).max(self.tuning.gain_floor), 0.0)
                        }
                        Law::LayerFixed => {
                            let top = f64::from(a.top_digit(a.slice_of(plane)));
                            let cancels = match a.encoding {
                                Encoding::Offset { reference } => reference > 0,
                                Encoding::Differential { .. } => false,
                            };
                            let e = plus - minus.unwrap_or(0.0);
                            (drift, if cancels { 0.0 } else { top * e })
                        }
                    };
                    out.extend([gain as f32, offset as f32]);
                }
            }
        }
        out
    }

    /// Factor on the reference of every array.
    fn scales(&self, p: &Programming, e: &[f64]) -> Vec<f32> {
        let a = &p.arrays;
        let mut out = Vec::with_capacity(a.row_tiles() * a.col_tiles() * a.read_planes());
        for r in 0..a.row_tiles() {
            for c in 0..a.col_tiles() {
                for plane in 0..a.read_planes() {
                    let (plus, minus) = estimates(a, e, (r, c, plane));
                    let scale = match p.law {
                        Law::WeightProportional => 1.0 + minus.map_or(plus, |m| 0.5 * (plus + m)),
                        Law::LayerFixed => drift_factor(p),
                    };
                    out.push(scale.max(self.tuning.gain_floor) as f32);
                }
            }
        }
        out
    }

    /// Conversions of a layer for one image.
    pub fn conversions(&self, layer: usize) -> usize {
        let (l, geo) = &self.layers[layer];
        let of_pixel = l.programming.arrays.converters() * l.reading.dac.conversions();
        geo.h_out() * geo.w_out() * of_pixel
    }

    /// What tuning costs per chip; `None` where there is none.
    pub fn cost(&self) -> Option<TuningCost> {
        let mut cost = TuningCost::default();
        let layers = || self.layers.iter();
        let conversions = |i: usize| self.conversions(i) as u64;
        match self.tuning.method {
            TuningMethod::None => return None,
            TuningMethod::Oracle => {}
            TuningMethod::SelfTuning => {
                let arrays: usize = layers()
                    .map(|(l, _)| l.programming.arrays.cell_arrays())
                    .sum();
                let groups = match self.tuning.scope {
                    TuningScope::Chip => 1,
                    TuningScope::Array => arrays as u64,
                };
                cost.cells = groups * self.tuning.test_cells as u64;
                cost.conversions_once = cost.cells;
                let tuned = layers().enumerate();
                for (i, (l, g)) in tuned.filter(|(_, (l, _))| l.tuned == Tuned::Digital) {
                    let offset = match (l.programming.law, l.programming.arrays.encoding) {
                        (Law::LayerFixed, Encoding::Offset { reference: 0 }) => 0.1,
                        _ => 0.0,
                    };
                    let any = correct::Correction { gain: 1.0, offset };
                    cost.operations_per_image += correct::operations_per_image(g, any);
                    // One multiplication for every result whose factor is not that of the layer.
                    if self.tuning.scope == TuningScope::Array {
                        cost.operations_per_image += conversions(i);
                    }
                }
            }
            TuningMethod::ReferenceColumns => {
                let k = u64::from(self.tuning.reference_columns);
                for (l, _) in layers() {
                    let a = &l.programming.arrays;
                    cost.cells += k * (a.rows * a.col_tiles() * a.cell_planes()) as u64;
                }
            }
            TuningMethod::BnRecalibration => {
                let all: u64 = (0..self.layers.len()).map(conversions).sum();
                cost.images_once = self.images;
                cost.conversions_once = self.images * all;
            }
        }
        Some(cost)
    }

    /// Variance of the estimate's error by the closed form, where there is one: the chip's estimate
    /// from its test cells, without drift.
    pub fn predicted_variance(&self) -> Option<f64> {
        let p = &self.layers.first()?.0.programming;
        let has = self.tuning.method == TuningMethod::SelfTuning
            && self.tuning.scope == TuningScope::Chip
            && p.drift.is_none();
        has.then(|| {
            let gauge = self.gauge(p);
            let s = gauge.shrink();
            s.powi(2) * gauge.variance() + (1.0 - s).powi(2) * self.prior
        })
    }
}

/// Estimates of the cell arrays behind a read plane of an array: one, or those of a pair.
fn estimates(a: &Arrays, e: &[f64], (r, c, plane): (usize, usize, usize)) -> (f64, Option<f64>) {
    let first = (r * a.col_tiles() + c) * a.cell_planes();
    match a.encoding {
        Encoding::Differential { digital: false, .. } => {
            let pair = first + 2 * plane;
            (e[pair], Some(e[pair + 1]))
        }
        _ => (e[first + plane], None),
    }
}
