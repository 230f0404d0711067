//! Self-tuning at cell level: the same estimate, but it may be made for every array, and the
//! correction acts where a converter's result is, or on the converter itself.
//!
//! # Theory
//! Every array has the common deviation `e_c`. A correction is a gain for each read plane of an array and a
//! multiple of the sum of the inputs, made *before* results of row tiles and slices are added, since
//! every array may have its own deviation. What is known of `e_c` (an estimate, or the truth) becomes
//! the gains and offsets that leave the least: `fit.rs`. A pair with analog subtraction shows
//! only one result for two arrays; what they do not share is left as far as one gain and one offset cannot
//! remove it.
//!
//! At the converter the reference is divided by the gain instead: the code is then that of a nominal chip,
//! and nothing clips that would not clip there. An offset grows with the input sum, which a reference does
//! not know, so gains alone are fitted; under the fixed law that is drift.
//!
//! Test cells, or columns at a known level, are programmed with the array and read when the array is used;
//! they drift as it does. How cells drift on average, `f`, is known, so a reading gives `e`, and the correction is made
//! for `e` and `f` together: the same module is the global drift compensation. `gauge.rs` has the estimates.

mod fit;
mod gauge;
#[cfg(test)]
mod tests;

use super::correct;
use super::cost::TuningCost;
use super::norms::{Conversions, NormWork};
use super::reads::Line;
use crate::chip::layer::{CellLayer, Tuned};
use crate::chip::{ChipVariation, Deviation};
use crate::config::{self, TuningMethod, TuningPlace, TuningScope};
use crate::error::Result;
use crate::network::Graph;
use crate::program::{ConvGeometry, Programming};
use crate::random::{Reach, product};
pub use fit::Held;
use fit::{Fit, Pair};
use gauge::{Gauge, Place};

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
    /// The chip's estimate of it (arrays' estimates are averaged); `None` where it makes none.
    pub estimate: Option<f64>,
    /// By layer on arrays.
    pub layers: Vec<CellLayerTuning>,
}

/// A layer that is tuned.
#[derive(Debug, Clone)]
pub struct TunedLayer {
    /// As it is lowered.
    pub cells: CellLayer,
    /// Its geometry.
    pub geo: ConvGeometry,
    /// The codes that its arrays hold; without them what a law cannot correct exactly is corrected as if the
    /// rest were not there.
    pub held: Held,
}

/// How the chips of a point are tuned, at cell level.
#[derive(Debug, Clone)]
pub struct CellTuner {
    tuning: config::Tuning,
    layers: Vec<TunedLayer>,
    /// How a layer concludes from what its arrays' reads show, `[row tile]`; the chip's own test cells are of
    /// layer 0. Empty where nothing is measured.
    lines: Vec<Vec<Line>>,
    /// What batch norm of its own costs a chip.
    norms: TuningCost,
}

/// Where a method acts.
pub fn tuned(tuning: &config::Tuning) -> Tuned {
    if !acts(tuning) {
        return Tuned::No;
    }
    match tuning.place {
        TuningPlace::Digital => Tuned::Digital,
        TuningPlace::AdcReference => Tuned::Reference,
    }
}

/// Whether a method corrects results by what is known of the arrays, so that it depends on their codes.
pub fn acts(tuning: &config::Tuning) -> bool {
    match tuning.method {
        TuningMethod::SelfTuning | TuningMethod::LevelColumns | TuningMethod::Oracle => true,
        TuningMethod::None
        | TuningMethod::ReferenceColumns
        | TuningMethod::BnRecalibration
        | TuningMethod::BnTraining => false,
    }
}

/// Reference columns that fabrication subtracts.
pub fn reference_columns(tuning: &config::Tuning) -> u32 {
    match tuning.method {
        TuningMethod::ReferenceColumns => tuning.reference_columns,
        _ => 0,
    }
}

/// Columns that a method adds to every array, whether they are subtracted or read by themselves.
pub fn added_columns(tuning: &config::Tuning) -> u32 {
    match tuning.method {
        TuningMethod::ReferenceColumns | TuningMethod::LevelColumns => tuning.reference_columns,
        TuningMethod::None
        | TuningMethod::SelfTuning
        | TuningMethod::Oracle
        | TuningMethod::BnRecalibration
        | TuningMethod::BnTraining => 0,
    }
}

/// Makes layers what a chip with this tuning has: where corrections act, and reference columns.
///
/// # Errors
/// More test cells and reference columns than random numbers have addresses for: [`crate::Error::Input`]
/// with the layer and the count.
pub fn tune(layers: &mut [CellLayer], tuning: &config::Tuning) -> Result<()> {
    for layer in layers.iter_mut().filter(|layer| layer.is_tuned) {
        layer.tuned = tuned(tuning);
        layer.programming.reference_columns = reference_columns(tuning);
        let p = &layer.programming;
        p.draws().check()?;
        let a = &p.arrays;
        if tuning.method == TuningMethod::SelfTuning && tuning.scope == TuningScope::Array {
            Reach::Numbers.check(
                product(&[a.cell_arrays(), tuning.test_cells]),
                &format!(
                    "test cells of layer {} (arrays x tuning.test_cells)",
                    p.layer
                ),
            )?;
        }
        if tuning.method == TuningMethod::LevelColumns {
            let columns = tuning.reference_columns as usize;
            Reach::Numbers.check(
                product(&[a.cell_planes(), a.col_tiles(), columns, a.rows]),
                &format!(
                    "columns at a known level of layer {} (cell planes x column tiles x \
                     tuning.reference_columns x rows)",
                    p.layer
                ),
            )?;
        }
    }
    Ok(())
}

impl CellTuner {
    /// The tuner of a point.
    pub fn new(tuning: &config::Tuning, chips: &ChipVariation, layers: Vec<TunedLayer>) -> Self {
        let mut tuner = Self {
            tuning: tuning.clone(),
            layers,
            lines: vec![],
            norms: TuningCost::default(),
        };
        let prior = match tuner.has_own_estimates() {
            true => chips.array_variance(),
            false => chips.common_variance(),
        };
        let measured = match (tuning.method, tuner.has_own_estimates()) {
            (TuningMethod::SelfTuning | TuningMethod::LevelColumns, true) => tuner.layers.len(),
            (TuningMethod::SelfTuning, false) => tuner.layers.len().min(1),
            _ => 0,
        };
        // Layers are mostly programmed alike.
        let mut known: Vec<(Programming, Option<usize>, Line)> = vec![];
        for l in 0..measured {
            let p = &tuner.layers[l].cells.programming;
            let lines = (0..p.arrays.row_tiles()).map(|r| {
                let gauge = tuner.gauge(p, r);
                let same = known
                    .iter()
                    .find(|(q, rows, _)| alike(p, q) && *rows == gauge.column);
                match same {
                    Some((.., line)) => *line,
                    None => {
                        let line = gauge.line(prior);
                        known.push((p.clone(), gauge.column, line));
                        line
                    }
                }
            });
            let lines = lines.collect();
            tuner.lines.push(lines);
        }
        tuner
    }

    /// Whether every array has an estimate of its own.
    fn has_own_estimates(&self) -> bool {
        match self.tuning.method {
            TuningMethod::LevelColumns => true,
            _ => self.tuning.scope == TuningScope::Array,
        }
    }

    /// A chip with its tuning.
    pub fn chip(&self, seed: u64, chip: u32, chips: &ChipVariation) -> CellChipTuning {
        let deviation = chips.deviation(seed, chip);
        let measures = matches!(
            self.tuning.method,
            TuningMethod::SelfTuning | TuningMethod::LevelColumns
        );
        let whole = (measures && !self.has_own_estimates()).then(|| {
            let gauge = self.gauge(&self.layers[0].cells.programming, 0);
            self.lines[0][0].estimate(gauge.measure(seed, chip, Place::CHIP, deviation.total))
        });
        let mut estimates = vec![];
        let layers = self.layers.iter().enumerate().map(|(l, layer)| {
            let p = &layer.cells.programming;
            let address = p.layer;
            let common = deviation.total + chips.layer(seed, chip, address);
            // As the cells have it.
            let arrays: Vec<f32> = (0..p.arrays.cell_arrays())
                .map(|a| (common + chips.array(seed, 0, chip, address, a as u32)) as f32)
                .collect();
            let known: Option<Vec<f64>> = match (self.tuning.method, whole) {
                _ if !layer.cells.is_tuned => None,
                (TuningMethod::Oracle, _) => Some(arrays.iter().map(|&e| f64::from(e)).collect()),
                (_, Some(e)) => Some(vec![e; arrays.len()]),
                (TuningMethod::SelfTuning | TuningMethod::LevelColumns, None) => {
                    let of = |(a, e): (usize, &f32)| {
                        self.array_estimate((seed, chip), l, a, f64::from(*e))
                    };
                    Some(arrays.iter().enumerate().map(of).collect())
                }
                _ => None,
            };
            if measures {
                estimates.extend(known.iter().flatten().copied());
            }
            let (mut correct, mut scale) = (vec![], vec![]);
            match (&known, layer.cells.tuned) {
                (Some(e), Tuned::Digital) => correct = self.corrections(layer, e),
                (Some(e), Tuned::Reference) => scale = self.scales(layer, e),
                _ => {}
            }
            CellLayerTuning {
                arrays,
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

    /// What array `array` of layer `l` with common deviation `e` estimates of it.
    fn array_estimate(&self, (seed, chip): (u64, u32), l: usize, array: usize, e: f64) -> f64 {
        let p = &self.layers[l].cells.programming;
        let a = &p.arrays;
        let (tile, plane) = (array / a.cell_planes(), array % a.cell_planes());
        let (r, c) = (tile / a.col_tiles(), tile % a.col_tiles());
        let gauge = self.gauge(p, r);
        let place = Place {
            layer: p.layer,
            array,
            rows: (a.tile_rows[r] as usize, a.rows),
            first_column: (plane * a.col_tiles() + c) * gauge.reads,
        };
        self.lines[l][r].estimate(gauge.measure(seed, chip, place, e))
    }

    /// What is read of the arrays of a layer in row tile `r`.
    fn gauge<'a>(&'a self, cells: &'a Programming, r: usize) -> Gauge<'a> {
        let a = &cells.arrays;
        let columns = self.tuning.method == TuningMethod::LevelColumns;
        Gauge {
            tuning: &self.tuning,
            cells,
            reads: match columns {
                true => self.tuning.reference_columns as usize,
                false => self.tuning.test_cells,
            },
            column: columns.then(|| (a.tile_rows[r + 1] - a.tile_rows[r]) as usize),
        }
    }

    /// Corrections of the read planes of every tile, `[row tile][column tile][read plane]`.
    fn fitted(&self, layer: &TunedLayer, e: &[f64], offsets: bool) -> Vec<Vec<Pair>> {
        let a = &layer.cells.programming.arrays;
        let fit = Fit {
            cells: &layer.cells.programming,
            held: &layer.held,
            floor: self.tuning.gain_floor,
            offsets,
        };
        let tiles = 0..a.row_tiles() * a.col_tiles();
        tiles
            .map(|t| fit.tile((t / a.col_tiles(), t % a.col_tiles()), e))
            .collect()
    }

    /// `(gain, offset)` of every converter value from the estimates of all cell arrays.
    fn corrections(&self, layer: &TunedLayer, e: &[f64]) -> Vec<f32> {
        let a = &layer.cells.programming.arrays;
        let tiles = self.fitted(layer, e, true);
        let mut out = Vec::with_capacity(2 * a.converters());
        for r in 0..a.row_tiles() {
            for plane in 0..a.read_planes() {
                for o in 0..a.cols {
                    let tile = &tiles[r * a.col_tiles() + a.col_tile(o)];
                    let Pair { gain, offset } = tile[plane];
                    out.extend([gain as f32, offset as f32]);
                }
            }
        }
        out
    }

    /// Factor on the reference of every array.
    fn scales(&self, layer: &TunedLayer, e: &[f64]) -> Vec<f32> {
        let tiles = self.fitted(layer, e, false);
        tiles
            .iter()
            .flatten()
            .map(|p| (1.0 / p.gain) as f32)
            .collect()
    }

    /// Knows what batch norm of its own costs a chip with this network. Read in the other direction an array has one
    /// conversion a row and output pixel.
    #[must_use]
    pub fn with_norms(mut self, graph: &Graph) -> Self {
        let work = NormWork::of(graph);
        let (mut forward, mut back) = (0, 0);
        for (i, TunedLayer { cells, geo, .. }) in self.layers.iter().enumerate() {
            let a = &cells.programming.arrays;
            forward += self.conversions(i) as u64;
            if work.back[cells.index()] {
                let rows = a.rows * a.col_tiles() * a.read_planes();
                back += (geo.h_out() * geo.w_out() * rows) as u64;
            }
        }
        self.norms = work.cost(&self.tuning, Conversions { forward, back });
        self
    }

    /// Conversions of a layer for one image.
    pub fn conversions(&self, layer: usize) -> usize {
        let TunedLayer { cells, geo, .. } = &self.layers[layer];
        let of_pixel = cells.programming.arrays.converters() * cells.reading.dac.conversions();
        geo.h_out() * geo.w_out() * of_pixel
    }

    /// What tuning costs per chip; `None` where there is none.
    pub fn cost(&self) -> Option<TuningCost> {
        let mut cost = TuningCost::default();
        let arrays = |l: &TunedLayer| l.cells.programming.arrays.cell_arrays() as u64;
        match self.tuning.method {
            TuningMethod::None => return None,
            TuningMethod::Oracle => {}
            TuningMethod::SelfTuning => {
                let groups = match self.tuning.scope {
                    TuningScope::Chip => 1,
                    TuningScope::Array => self.tuned_layers().map(arrays).sum(),
                };
                cost.cells = groups * self.tuning.test_cells as u64;
                cost.conversions_once = cost.cells;
                cost.operations_per_image = self.operations();
            }
            TuningMethod::LevelColumns => {
                cost.cells = self.column_cells();
                let arrays: u64 = self.tuned_layers().map(arrays).sum();
                cost.conversions_once = u64::from(self.tuning.reference_columns) * arrays;
                cost.operations_per_image = self.operations();
            }
            TuningMethod::ReferenceColumns => cost.cells = self.column_cells(),
            TuningMethod::BnRecalibration | TuningMethod::BnTraining => cost = self.norms,
        }
        Some(cost)
    }

    /// Layers that are corrected.
    fn tuned_layers(&self) -> impl Iterator<Item = &TunedLayer> {
        self.layers.iter().filter(|layer| layer.cells.is_tuned)
    }

    /// Cells of the columns that are added to the arrays.
    fn column_cells(&self) -> u64 {
        let of_layer = |l: &TunedLayer| {
            let a = &l.cells.programming.arrays;
            (a.rows * a.col_tiles() * a.cell_planes()) as u64
        };
        let cells: u64 = self.tuned_layers().map(of_layer).sum();
        u64::from(self.tuning.reference_columns) * cells
    }

    /// Digital operations per image.
    fn operations(&self) -> u64 {
        let own = self.has_own_estimates();
        let mut operations = 0;
        for (i, layer) in self.layers.iter().enumerate() {
            if layer.cells.tuned != Tuned::Digital {
                continue;
            }
            // Any estimate needs the work of any other.
            let estimate = |array: usize| match own && array % 2 == 1 {
                true => -0.1,
                false => 0.1,
            };
            let arrays = layer.cells.programming.arrays.cell_arrays();
            let e: Vec<f64> = (0..arrays).map(estimate).collect();
            let tiles = self.fitted(layer, &e, true);
            let offset = tiles.iter().flatten().any(|p| p.offset.abs() > 1e-9);
            let any = correct::Correction {
                gain: 1.0,
                offset: if offset { 0.1 } else { 0.0 },
            };
            operations += correct::operations_per_image(&layer.geo, any);
            // One multiplication for every result whose factor is not that of the layer.
            if own {
                operations += self.conversions(i) as u64;
            }
        }
        operations
    }

    /// Variance of the estimate's error by the closed form, where there is one: the chip's estimate
    /// from its test cells.
    pub fn predicted_variance(&self) -> Option<f64> {
        let has = self.tuning.method == TuningMethod::SelfTuning && !self.has_own_estimates();
        has.then(|| self.lines.first()?.first().map(|l| l.error))?
    }
}

/// Whether test cells of two layers behave alike.
fn alike(p: &Programming, q: &Programming) -> bool {
    let cell = |p: &Programming| Programming {
        arrays: q.arrays.clone(),
        layer: 0,
        reference_columns: 0,
        raw: false,
        ..p.clone()
    };
    p.arrays.g_min == q.arrays.g_min && cell(p) == cell(q)
}
