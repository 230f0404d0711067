//! Tuning of every chip at one point of a sweep.

use super::correct::{self, Correction};
use super::cost::TuningCost;
use super::estimate::TestCells;
use super::norms::{Conversions, NormWork};
use super::reads::Line;
use crate::chip::{ChipVariation, Deviation, terms};
use crate::config::{self, LayerSettings, TuningMethod};
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
    /// By crossbar layer that is not digital.
    pub layers: Vec<LayerTuning>,
}

/// How the chips of a point are tuned.
#[derive(Debug, Clone)]
pub struct Tuner {
    method: TuningMethod,
    law: Law,
    gain_floor: f64,
    columns: u32,
    cells: TestCells,
    /// What is concluded from the test cells of the chip, or from the columns of every layer.
    lines: Vec<Line>,
    /// The crossbar layers that are not digital.
    layers: Vec<Layer>,
    /// What batch norm of its own costs a chip.
    norms: TuningCost,
}

/// A layer that is tuned.
#[derive(Debug, Clone)]
struct Layer {
    /// Address of its random numbers.
    address: u32,
    geo: ConvGeometry,
    mapping: Mapping,
    /// Whether it is corrected.
    is_tuned: bool,
    /// Its columns at a known level, read with all rows driven alike.
    columns: TestCells,
}

/// What batch norm of its own costs a chip; one conversion an output of a crossbar, and read in the other direction
/// one an input of every channel group.
fn norms_cost(tuning: &config::Tuning, graph: &Graph, layers: &[Layer]) -> TuningCost {
    let work = NormWork::of(graph);
    let (mut forward, mut back) = (0, 0);
    for Layer { geo, address, .. } in layers {
        let pixels = (geo.h_out() * geo.w_out()) as u64;
        forward += pixels * geo.c_out as u64;
        if work.back[*address as usize - 1] {
            back += pixels * (geo.rows() * geo.groups) as u64;
        }
    }
    work.cost(tuning, Conversions { forward, back })
}

impl Tuner {
    /// The tuner of a point; `variation` is what test cells of the chip have, `layers` are all crossbar layers
    /// in order.
    pub fn new(
        tuning: &config::Tuning,
        variation: &config::Variation,
        layers: &[LayerSettings],
        chips: &ChipVariation,
        graph: &Graph,
    ) -> Self {
        let cells = TestCells {
            n: tuning.test_cells,
            per_read: 1,
            sigma_w: variation.sigma_at_full(),
            deviate: terms::own_deviate(variation),
            read_noise: tuning.read_noise,
            read_lsb: tuning.read_lsb,
            estimator: tuning.estimator,
        };
        let layer =
            |(index, ((_, geo, _), own)): (usize, ((_, ConvGeometry, _), &LayerSettings))| {
                let columns = TestCells {
                    n: tuning.reference_columns as usize,
                    per_read: geo.rows(),
                    sigma_w: own.variation.sigma_at_full(),
                    ..cells
                };
                let tuned = Layer {
                    address: layer_address(index),
                    geo,
                    mapping: terms::mapping(&own.variation),
                    is_tuned: own.tuned,
                    columns,
                };
                (!own.digital).then_some(tuned)
            };
        let all = graph.crossbars().into_iter().zip(layers).enumerate();
        let layers: Vec<Layer> = all.filter_map(layer).collect();
        let lines = match tuning.method {
            TuningMethod::SelfTuning => {
                vec![cells.line(chips.common_variance())]
            }
            TuningMethod::LevelColumns => layers
                .iter()
                .map(|layer| layer.columns.line(chips.layer_variance()))
                .collect(),
            TuningMethod::None
            | TuningMethod::ReferenceColumns
            | TuningMethod::Oracle
            | TuningMethod::BnRecalibration
            | TuningMethod::BnTraining => vec![],
        };
        let norms = norms_cost(tuning, graph, &layers);
        Self {
            method: tuning.method,
            law: variation.law,
            gain_floor: tuning.gain_floor,
            columns: tuning.reference_columns,
            cells,
            lines,
            layers,
            norms,
        }
    }

    /// Leaves every chip as it is.
    pub fn untuned(variation: &config::Variation, layers: &[LayerSettings], graph: &Graph) -> Self {
        let none = config::Tuning {
            method: TuningMethod::None,
            ..config::Tuning::default()
        };
        Self::new(&none, variation, layers, &ChipVariation::default(), graph)
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
            | TuningMethod::BnRecalibration
            | TuningMethod::BnTraining => 0,
        }
    }

    /// A chip with its tuning.
    pub fn chip(&self, seed: u64, chip: u32, chips: &ChipVariation) -> ChipTuning {
        let deviation = chips.deviation(seed, chip);
        let layers = self.layers.iter();
        let own: Vec<f64> = layers
            .map(|layer| deviation.total + chips.layer(seed, chip, layer.address))
            .collect();
        let estimates: Option<Vec<f64>> = match self.method {
            TuningMethod::None
            | TuningMethod::ReferenceColumns
            | TuningMethod::BnRecalibration
            | TuningMethod::BnTraining => None,
            TuningMethod::Oracle => Some(own.clone()),
            TuningMethod::SelfTuning => {
                let place = (Purpose::TestCell, 0);
                let m = self.cells.measure(seed, chip, place, deviation.total);
                Some(vec![self.lines[0].estimate(m); own.len()])
            }
            TuningMethod::LevelColumns => {
                let of = |(l, e): (usize, &f64)| {
                    let layer = &self.layers[l];
                    let place = (Purpose::ReferenceColumn, layer.address);
                    self.lines[l].estimate(layer.columns.measure(seed, chip, place, *e))
                };
                Some(own.iter().enumerate().map(of).collect())
            }
        };
        let layers = own.iter().enumerate().map(|(l, &e)| LayerTuning {
            e,
            correction: match &estimates {
                Some(estimates) if self.layers[l].is_tuned => {
                    let mapping = self.layers[l].mapping;
                    correct::correction(self.law, mapping, estimates[l], self.gain_floor)
                }
                _ => correct::NONE,
            },
        });
        let layers = layers.collect();
        // The oracle knows; it does not estimate.
        let estimate = estimates
            .filter(|_| self.method != TuningMethod::Oracle)
            .and_then(|all| self.mean_estimate(&all));
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
                cost.conversions_once = k * self.tuned_layers().count() as u64;
                cost.operations_per_image = self.operations();
            }
            TuningMethod::ReferenceColumns => {
                cost.cells = self.column_cells();
                for g in self.tuned_layers().map(|layer| &layer.geo) {
                    cost.conversions_per_image += k * pixels(g);
                    // K - 1 additions and a scaling per pixel, a subtraction per output.
                    cost.operations_per_image += pixels(g) * (k + g.c_out as u64);
                }
            }
            TuningMethod::BnRecalibration | TuningMethod::BnTraining => cost = self.norms,
        }
        Some(cost)
    }

    /// Layers that are corrected.
    fn tuned_layers(&self) -> impl Iterator<Item = &Layer> {
        self.layers.iter().filter(|layer| layer.is_tuned)
    }

    /// Mean of the estimates of the layers that are corrected; `None` where none is.
    fn mean_estimate(&self, all: &[f64]) -> Option<f64> {
        let own = self
            .layers
            .iter()
            .zip(all)
            .filter(|(layer, _)| layer.is_tuned);
        let own: Vec<f64> = own.map(|(_, estimate)| *estimate).collect();
        (!own.is_empty()).then(|| own.iter().sum::<f64>() / own.len() as f64)
    }

    /// Digital operations per image of a correction by any estimate but 0.
    fn operations(&self) -> u64 {
        let work = |layer: &Layer| {
            let c = correct::correction(self.law, layer.mapping, 0.1, self.gain_floor);
            correct::operations_per_image(&layer.geo, c)
        };
        self.tuned_layers().map(work).sum()
    }

    /// Cells of the columns that are added to the layers.
    fn column_cells(&self) -> u64 {
        let of_column = |layer: &Layer| {
            let of_weight = match layer.mapping {
                Mapping::Differential { .. } => 2,
                Mapping::Ideal | Mapping::Offset { .. } => 1,
            };
            layer.geo.rows() as u64 * of_weight
        };
        u64::from(self.columns) * self.tuned_layers().map(of_column).sum::<u64>()
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
            | TuningMethod::BnRecalibration
            | TuningMethod::BnTraining => None,
        }
    }
}
