//! Tuning of every chip at one point of a sweep.

use super::correct::{self, Correction};
use super::cost::TuningCost;
use super::estimate::TestCells;
use super::reads::Line;
use crate::chip::{ChipVariation, Deviation, terms};
use crate::config::{self, TuningMethod};
use crate::network::Graph;
use crate::network::lower::layer_address;
use crate::program::{ConvGeometry, Law, Mapping};
use crate::random::Purpose;

/// What [`crate::program::Fabricate`] is told of one layer of one chip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerTuning {
    /// Common deviation of the layer's cells.
    pub e: f64,
    /// The correction.
    pub correction: Correction,
}

/// One chip with its tuning.
#[derive(Debug, Clone, PartialEq)]
pub struct ChipTuning {
    /// What its cells have in common.
    pub deviation: Deviation,
    /// The chip's estimate of it, where it makes one (layers' estimates are averaged).
    pub estimate: Option<f64>,
    /// By crossbar layer.
    pub layers: Vec<LayerTuning>,
}

/// How the chips of a point are tuned.
#[derive(Debug, Clone)]
pub struct Tuner {
    method: TuningMethod,
    law: Law,
    mapping: Mapping,
    gain_floor: f64,
    columns: u32,
    cells: TestCells,
    /// What is concluded from the test cells of the chip, or from the columns of every layer.
    lines: Vec<Line>,
    layers: Vec<ConvGeometry>,
    calibration_images: u64,
}

impl Tuner {
    /// The tuner of a point.
    pub fn new(
        tuning: &config::Tuning,
        variation: &config::Variation,
        chips: &ChipVariation,
        graph: &Graph,
    ) -> Self {
        let cells = TestCells {
            n: tuning.test_cells,
            per_read: 1,
            sigma_w: variation.sigma_w,
            deviate: terms::deviate(variation),
            read_noise: tuning.read_noise,
            read_lsb: tuning.read_lsb,
        };
        let layers: Vec<ConvGeometry> = graph.crossbars().iter().map(|(_, geo, _)| *geo).collect();
        let lines = match tuning.method {
            TuningMethod::SelfTuning => {
                let moments = cells.moments(chips.common_variance());
                vec![moments.line(tuning.estimator)]
            }
            TuningMethod::LevelColumns => layers
                .iter()
                .map(|geo| {
                    let columns = columns_of(cells, tuning.reference_columns, geo);
                    let moments = columns.moments(chips.layer_variance());
                    moments.line(tuning.estimator)
                })
                .collect(),
            TuningMethod::None
            | TuningMethod::ReferenceColumns
            | TuningMethod::Oracle
            | TuningMethod::BnRecalibration => vec![],
        };
        Self {
            method: tuning.method,
            law: variation.law,
            mapping: terms::mapping(variation),
            gain_floor: tuning.gain_floor,
            columns: tuning.reference_columns,
            cells,
            lines,
            layers,
            calibration_images: (tuning.recalibration_batches * tuning.recalibration_batch) as u64,
        }
    }

    /// Leaves every chip as it is.
    pub fn untuned(variation: &config::Variation, graph: &Graph) -> Self {
        let none = config::Tuning {
            method: TuningMethod::None,
            ..config::Tuning::default()
        };
        Self::new(&none, variation, &ChipVariation::default(), graph)
    }

    /// Nominal-zero columns whose mean every output is reduced by, under either law: what a proportional
    /// deviation makes of a weight of zero is nothing with an ideal mapping, the shift of the mid-range conductance with
    /// a digital offset.
    pub fn reference_columns(&self) -> u32 {
        match self.method {
            TuningMethod::ReferenceColumns => self.columns,
            TuningMethod::None
            | TuningMethod::SelfTuning
            | TuningMethod::LevelColumns
            | TuningMethod::Oracle
            | TuningMethod::BnRecalibration => 0,
        }
    }

    /// A chip with its tuning.
    pub fn chip(&self, seed: u64, chip: u32, chips: &ChipVariation) -> ChipTuning {
        let deviation = chips.deviation(seed, chip);
        let own: Vec<f64> = (0..self.layers.len())
            .map(|l| deviation.total + chips.layer(seed, chip, layer_address(l)))
            .collect();
        let estimates: Option<Vec<f64>> = match self.method {
            TuningMethod::None | TuningMethod::ReferenceColumns | TuningMethod::BnRecalibration => {
                None
            }
            TuningMethod::Oracle => Some(own.clone()),
            TuningMethod::SelfTuning => {
                let place = (Purpose::TestCell, 0);
                let m = self.cells.measure(seed, chip, place, deviation.total);
                Some(vec![self.lines[0].estimate(m); own.len()])
            }
            TuningMethod::LevelColumns => {
                let of = |(l, e): (usize, &f64)| {
                    let columns = columns_of(self.cells, self.columns, &self.layers[l]);
                    let place = (Purpose::ReferenceColumn, layer_address(l));
                    self.lines[l].estimate(columns.measure(seed, chip, place, *e))
                };
                Some(own.iter().enumerate().map(of).collect())
            }
        };
        let layers = own.iter().enumerate().map(|(l, &e)| LayerTuning {
            e,
            correction: estimates.as_ref().map_or(correct::NONE, |est| {
                correct::correction(self.law, self.mapping, est[l], self.gain_floor)
            }),
        });
        let layers = layers.collect();
        // The oracle knows; it does not estimate.
        let estimate = estimates
            .filter(|_| self.method != TuningMethod::Oracle)
            .map(|e| e.iter().sum::<f64>() / e.len() as f64);
        ChipTuning {
            deviation,
            estimate,
            layers,
        }
    }

    /// What tuning costs per chip; `None` where there is none.
    pub fn cost(&self) -> Option<TuningCost> {
        let pixels = |g: &ConvGeometry| (g.h_out() * g.w_out()) as u64;
        let k = u64::from(self.columns);
        let mut cost = TuningCost::default();
        match self.method {
            TuningMethod::None => return None,
            TuningMethod::Oracle => {}
            TuningMethod::SelfTuning => {
                cost.cells = self.cells.n as u64;
                cost.conversions_once = self.cells.n as u64;
                cost.operations_per_image = self.operations();
            }
            TuningMethod::LevelColumns => {
                cost.cells = self.column_cells();
                cost.conversions_once = k * self.layers.len() as u64;
                cost.operations_per_image = self.operations();
            }
            TuningMethod::ReferenceColumns => {
                cost.cells = self.column_cells();
                for g in &self.layers {
                    cost.conversions_per_image += k * pixels(g);
                    // K - 1 additions and a scaling per pixel, a subtraction per output.
                    cost.operations_per_image += pixels(g) * (k + g.c_out as u64);
                }
            }
            TuningMethod::BnRecalibration => {
                let outputs: u64 = self.layers.iter().map(|g| pixels(g) * g.c_out as u64).sum();
                cost.images_once = self.calibration_images;
                cost.conversions_once = self.calibration_images * outputs;
            }
        }
        Some(cost)
    }

    /// Digital operations per image of a correction by any estimate but 0.
    fn operations(&self) -> u64 {
        let c = correct::correction(self.law, self.mapping, 0.1, self.gain_floor);
        let work = |g| correct::operations_per_image(g, c);
        self.layers.iter().map(work).sum()
    }

    /// Cells of the columns that are added to the layers.
    fn column_cells(&self) -> u64 {
        let of_weight = match self.mapping {
            Mapping::Differential { .. } => 2,
            Mapping::Ideal | Mapping::Offset { .. } => 1,
        };
        let rows: u64 = self.layers.iter().map(|g| g.rows() as u64).sum();
        u64::from(self.columns) * rows * of_weight
    }

    /// Variance of the estimate's error by the closed form, where there is one: the chip's estimate from
    /// its test cells.
    pub fn predicted_variance(&self) -> Option<f64> {
        match self.method {
            TuningMethod::SelfTuning => self.lines.first().map(|l| l.error),
            TuningMethod::None
            | TuningMethod::ReferenceColumns
            | TuningMethod::LevelColumns
            | TuningMethod::Oracle
            | TuningMethod::BnRecalibration => None,
        }
    }
}

/// The columns of a layer at a known level, read like `cells` with all rows driven alike.
fn columns_of(cells: TestCells, columns: u32, geo: &ConvGeometry) -> TestCells {
    TestCells {
        n: columns as usize,
        per_read: geo.rows(),
        ..cells
    }
}
