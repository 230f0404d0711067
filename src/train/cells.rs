//! Training that sees cells and converters: the layers of a training program at cell level, and what
//! every step tells them.

use crate::backend::Session;
use crate::chip::cells::Ranges;
use crate::chip::ranges;
use crate::config::{Experiment, Fidelity};
use crate::error::{Error, Result};
use crate::network::Graph;
use crate::network::lower::Numerics;
use crate::network::lower::cells::{CellLayer, Tuned};
use crate::network::lower::training::{CellTraining, Training};

use super::settings;

/// Crossbar layers of a training at cell level.
#[derive(Debug, Clone)]
pub(super) struct CellSteps {
    layers: Vec<CellLayer>,
    ranges: Vec<Option<Vec<[f32; 2]>>>,
    rescale: bool,
}

impl CellSteps {
    /// The layers, where the experiment trains at cell level. Without variation in the recipe the
    /// cells are nominal; the converters quantize all the same.
    ///
    /// # Errors
    /// An impossible chip; ranges that would have to be calibrated, as the sums change while the
    /// weights are trained.
    pub fn new(
        experiment: &Experiment,
        graph: &Graph,
        numerics: &Numerics,
    ) -> Result<Option<Self>> {
        if experiment.train.level != Fidelity::Cell || !experiment.train.recipe.sees_quantizers() {
            return Ok(None);
        }
        let seen = Experiment {
            variation: experiment.training().variation,
            ..experiment.clone()
        };
        let mut found = Self {
            layers: vec![],
            ranges: vec![],
            rescale: experiment.train.rescale,
        };
        for cells in settings::cell_layers(&seen, graph, numerics)? {
            let mut layer = CellLayer {
                programming: cells.programming,
                reading: cells.reading,
                wires: cells.wires,
                errors: cells.errors,
                tuned: Tuned::No,
                storage: cells.storage,
            };
            if !experiment.train.recipe.sees_variation() {
                layer = layer.nominal();
            }
            // Weights change at every step, so nothing is shared between chips.
            layer.reading.exact = false;
            let pairs = match cells.ranges {
                Ranges::None => None,
                Ranges::Known(pairs) => Some(pairs),
                Ranges::Calibrated(_) => {
                    return Err(Error::input(
                        "chip.adc.range = \"calibrated\" follows the weights, which training changes; allowed with \
                         train.level = \"cell\": \"full\", \"granular\" or \"fixed\"",
                    ));
                }
            };
            layer.reading.integer = pairs.as_ref().is_some_and(|p| ranges::share_one_step(p));
            found.layers.push(layer);
            found.ranges.push(pairs);
        }
        Ok(Some(found))
    }

    /// For the training program.
    pub fn spec(&self) -> CellTraining {
        CellTraining {
            layers: self.layers.clone().into(),
            rescale: self.rescale,
        }
    }

    /// Writes what does not change from step to step.
    pub fn write_shared(&self, session: &mut dyn Session, training: &Training) -> Result<()> {
        for (tensors, pairs) in training.cells.iter().zip(&self.ranges) {
            if let (Some(range), Some(pairs)) = (tensors.range, pairs) {
                session.write(range, pairs.as_flattened())?;
            }
        }
        Ok(())
    }

    /// Writes the common deviation of every chip of a step.
    pub fn write_chips(
        &self,
        session: &mut dyn Session,
        training: &Training,
        common: &[f32],
    ) -> Result<()> {
        for (tensors, layer) in training.cells.iter().zip(&self.layers) {
            let n = layer.programming.arrays.cell_arrays();
            let all = common.iter().flat_map(|&e| std::iter::repeat_n(e, n));
            session.write(tensors.array, &all.collect::<Vec<f32>>())?;
        }
        Ok(())
    }
}
