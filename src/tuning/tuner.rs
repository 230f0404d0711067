//! Tuning of every chip at one point of a sweep.

use super::correct::{self, Correction};
use super::cost::TuningCost;
use super::estimate::{TestCells, fill_deviations, shrinkage};
use crate::backend::program::{ConvGeometry, Deviate, Law, Mapping};
use crate::chip::{ChipVariation, Deviation, terms};
use crate::config::{self, Estimator, TuningMethod};
use crate::network::Graph;
use crate::network::lower::layer_address;
use crate::random::{Purpose, Stream};

/// What [`crate::backend::program::Op::Fabricate`] is told of one layer of one chip.
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
    deviate: Deviate,
    sigma_w: f64,
    gain_floor: f64,
    columns: u32,
    cells: TestCells,
    shrink: f64,
    prior: f64,
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
            sigma_w: variation.sigma_w,
            deviate: terms::deviate(variation),
            read_noise: tuning.read_noise,
            read_lsb: tuning.read_lsb,
        };
        let prior = chips.common_variance();
        let shrink = match tuning.estimator {
            Estimator::Mean => 1.0,
            Estimator::Mmse => shrinkage(prior, cells.measurement_variance()),
        };
        Self {
            method: tuning.method,
            law: terms::law(variation),
            mapping: terms::mapping(variation),
            deviate: terms::deviate(variation),
            sigma_w: variation.sigma_w,
            gain_floor: tuning.gain_floor,
            columns: tuning.reference_columns,
            cells,
            shrink,
            prior,
            layers: graph.crossbars().iter().map(|(_, geo, _)| *geo).collect(),
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

    /// Nominal-zero columns whose mean every output is reduced by. Only the fixed law shows in
    /// them; under the proportional law the columns are read once and estimate a gain.
    pub fn reference_columns(&self) -> u32 {
        match (self.method, self.law) {
            (TuningMethod::ReferenceColumns, Law::LayerFixed) => self.columns,
            _ => 0,
        }
    }

    /// A chip with its tuning.
    pub fn chip(&self, seed: u64, chip: u32, chips: &ChipVariation) -> ChipTuning {
        let deviation = chips.deviation(seed, chip);
        let own: Vec<f64> = (0..self.layers.len())
            .map(|l| deviation.total + chips.layer(seed, chip, layer_address(l)))
            .collect();
        let estimates: Option<Vec<f64>> = match self.method {
            TuningMethod::None | TuningMethod::BnRecalibration => None,
            TuningMethod::Oracle => Some(own.clone()),
            TuningMethod::SelfTuning => {
                let m = self.shrink * self.cells.measure(seed, chip, deviation.total);
                Some(vec![m; own.len()])
            }
            TuningMethod::ReferenceColumns => match self.law {
                Law::LayerFixed => None,
                Law::WeightProportional => Some(
                    (0..own.len())
                        .map(|l| self.read_columns(seed, chip, l, own[l]))
                        .collect(),
                ),
            },
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

    /// Gain deviation of a layer as seen by its reference columns when all rows are driven alike:
    /// the mean over `columns * rows` cells.
    fn read_columns(&self, seed: u64, chip: u32, layer: usize, e: f64) -> f64 {
        let n = self.columns as usize * self.layers[layer].rows();
        let mut cells = vec![0.0f32; n];
        let address = layer_address(layer);
        let stream = Stream::new(seed, Purpose::ReferenceColumn, 0, address, chip);
        fill_deviations(&stream, 0, self.deviate, self.sigma_w, &mut cells);
        e + cells.iter().map(|&c| f64::from(c)).sum::<f64>() / n as f64
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
                // Any estimate but 0 needs the same work.
                let c = correct::correction(self.law, self.mapping, 0.1, self.gain_floor);
                let work = |g| correct::operations_per_image(g, c);
                cost.operations_per_image = self.layers.iter().map(work).sum();
            }
            TuningMethod::ReferenceColumns => {
                let cells_per_weight = match self.mapping {
                    Mapping::Differential { .. } => 2,
                    Mapping::Ideal | Mapping::Offset { .. } => 1,
                };
                let rows: u64 = self.layers.iter().map(|g| g.rows() as u64).sum();
                cost.cells = k * rows * cells_per_weight;
                match self.law {
                    Law::WeightProportional => {
                        cost.conversions_once = k * self.layers.len() as u64;
                    }
                    Law::LayerFixed => {
                        for g in &self.layers {
                            cost.conversions_per_image += k * pixels(g);
                            // K - 1 additions and a scaling per pixel, a subtraction per output.
                            cost.operations_per_image += pixels(g) * (k + g.c_out as u64);
                        }
                    }
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

    /// Variance of the estimate's error by the closed form, where there is one.
    pub fn predicted_variance(&self) -> Option<f64> {
        let noise = self.cells.measurement_variance();
        (self.method == TuningMethod::SelfTuning).then(|| {
            // The error of `shrink * m` is `shrink * noise - (1 - shrink) * eps`.
            self.shrink.powi(2) * noise + (1.0 - self.shrink).powi(2) * self.prior
        })
    }
}
