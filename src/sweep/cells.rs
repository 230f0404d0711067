//! The crossbar layers of a point at cell level: their constants, the ranges of their converters, and
//! what every chip of a wave is told.

use crate::backend::Session;
use crate::chip::ChipVariation;
use crate::chip::cells::LayerCells;
use crate::chip::ranges;
use crate::config::{Experiment, Tuning, TuningMethod, TuningScope};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::network::Graph;
use crate::network::lower::Numerics;
use crate::network::lower::cells::{CellLayer, Tuned};
use crate::network::lower::inference::Inference;
use crate::quantize::weight;
use crate::random::{Reach, product};
use crate::train::converters::{self, Network, Pairs};
use crate::train::{Model, settings};
use crate::tuning::cells::{
    CellChipTuning, CellTuner, Held, TunedLayer, acts, reference_columns, tuned,
};

/// A point's crossbar layers.
#[derive(Debug, Clone)]
pub struct CellLevel {
    /// As they are lowered.
    pub layers: Vec<CellLayer>,
    /// Ranges of the layers that have converters.
    ranges: Vec<Option<Pairs>>,
    tuner: CellTuner,
}

impl CellLevel {
    /// Everything that does not depend on the chip. Calibrated ranges come from sums that images of
    /// `train` give on a nominal chip; the CPU makes them for every backend, so that all have the
    /// same ranges.
    ///
    /// # Errors
    /// An impossible chip; what the calibration needs does not fit.
    pub fn new(
        experiment: &Experiment,
        model: &Model,
        chips: &ChipVariation,
        train: &Dataset,
    ) -> Result<Self> {
        let mut cells = settings::cell_layers(experiment, &model.graph, &model.numerics)?;
        let layers = lowered_layers(experiment, &cells);
        check_tuning(&experiment.tuning, &layers)?;
        if converters::follow_sums(&cells) {
            let there = settings::kept(experiment, train)?.map_or(train.len(), |kept| kept.len());
            let wanted = experiment.chip.adc.calibration_images.min(there);
            let images = super::wave::calibration_images(experiment, train, wanted)?;
            let network = Network {
                graph: &model.graph,
                numerics: &model.numerics,
                parameters: &model.parameters,
                layers: &layers,
            };
            let normalise = settings::normalise(experiment, train)?;
            converters::add_sums(&network, &images, &normalise, &mut cells)?;
        }
        let found = converters::ranges(&experiment.chip.adc, &cells);
        let held = held(&experiment.tuning, model, &layers)?;
        Ok(Self::with(
            experiment,
            &model.graph,
            chips,
            (layers, held),
            found,
        ))
    }

    /// [`CellLevel::new`] for a network that is not trained yet: where ranges follow the sums they are
    /// not known. Sees that the sums can be computed.
    ///
    /// # Errors
    /// As [`CellLevel::new`].
    pub fn of_untrained(
        experiment: &Experiment,
        graph: &Graph,
        numerics: &Numerics,
        chips: &ChipVariation,
    ) -> Result<Self> {
        let cells = settings::cell_layers(experiment, graph, numerics)?;
        let layers = lowered_layers(experiment, &cells);
        check_tuning(&experiment.tuning, &layers)?;
        let found = match converters::follow_sums(&cells) {
            true => {
                converters::Layout::new((graph, numerics), &layers, &cells)?;
                vec![None; cells.len()]
            }
            false => converters::ranges(&experiment.chip.adc, &cells),
        };
        let held = vec![Held::default(); layers.len()];
        Ok(Self::with(experiment, graph, chips, (layers, held), found))
    }

    fn with(
        experiment: &Experiment,
        graph: &Graph,
        chips: &ChipVariation,
        (mut layers, held): (Vec<CellLayer>, Vec<Held>),
        found: Vec<Option<Pairs>>,
    ) -> Self {
        for (layer, pairs) in layers.iter_mut().zip(&found) {
            layer.reading.integer = layer.tuned != Tuned::Digital
                && pairs
                    .as_ref()
                    .is_some_and(|p| ranges::add_integers(&layer.reading, p));
        }
        let geometries = graph.crossbars().into_iter().map(|(_, geo, _)| geo);
        let of = layers.iter().zip(geometries).zip(held);
        let of = of.map(|((cells, geo), held)| TunedLayer {
            cells: cells.clone(),
            geo,
            held,
        });
        Self {
            tuner: CellTuner::new(&experiment.tuning, chips, of.collect()),
            layers,
            ranges: found,
        }
    }

    /// The tuner.
    pub fn tuner(&self) -> &CellTuner {
        &self.tuner
    }

    /// Writes what all chips share.
    pub fn write_shared(&self, session: &mut dyn Session, inference: &Inference) -> Result<()> {
        for (tensors, ranges) in inference.cells.iter().zip(&self.ranges) {
            if let (Some(range), Some(pairs)) = (tensors.range, ranges) {
                session.write(range, pairs.as_flattened())?;
            }
        }
        Ok(())
    }

    /// Writes what the chips of a wave do not share.
    pub fn write_wave(
        &self,
        session: &mut dyn Session,
        inference: &Inference,
        chips: &[CellChipTuning],
    ) -> Result<()> {
        for (l, tensors) in inference.cells.iter().enumerate() {
            let mut all = |t, of: fn(&CellChipTuning, usize) -> &[f32]| {
                let values: Vec<f32> = chips.iter().flat_map(|c| of(c, l)).copied().collect();
                session.write(t, &values)
            };
            all(tensors.array, |c, l| &c.layers[l].arrays)?;
            if let Some(t) = tensors.correct {
                all(t, |c, l| &c.layers[l].correct)?;
            }
            if let Some(t) = tensors.scale {
                all(t, |c, l| &c.layers[l].scale)?;
            }
        }
        Ok(())
    }
}

/// Refuses more test cells and reference columns than random numbers have addresses for.
///
/// # Errors
/// [`crate::Error::Input`] with the layer and the count.
pub fn check_tuning(tuning: &Tuning, layers: &[CellLayer]) -> Result<()> {
    for layer in layers {
        let p = &layer.programming;
        p.draws().check()?;
        if tuning.method == TuningMethod::SelfTuning && tuning.scope == TuningScope::Array {
            let cells = product(&[p.arrays.cell_arrays(), tuning.test_cells]);
            Reach::Numbers.check(
                cells,
                &format!(
                    "test cells of layer {} (arrays x tuning.test_cells)",
                    p.layer
                ),
            )?;
        }
        if tuning.method == TuningMethod::LevelColumns {
            let a = &p.arrays;
            let columns = tuning.reference_columns as usize;
            let cells = product(&[a.cell_planes(), a.col_tiles(), columns, a.rows]);
            Reach::Numbers.check(
                cells,
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

/// What the arrays of every layer hold, where a correction depends on it.
fn held(tuning: &Tuning, model: &Model, layers: &[CellLayer]) -> Result<Vec<Held>> {
    let bits = model.numerics.weight_bits;
    let crossbars = model.graph.crossbars().into_iter().zip(layers);
    let layers = crossbars.map(|((node, geo, _), cells)| {
        let name = &model.graph.nodes[node].name;
        let tensor = |part: &str| {
            let key = format!("{name}.{part}");
            let found = model.parameters.tensors.get(&key);
            found.ok_or_else(|| Error::Internal(format!("the model lacks `{key}`")))
        };
        match acts(tuning) {
            false => Ok(Held::default()),
            true => {
                let (w, steps) = (&tensor("weight")?.data, &tensor("weight_step")?.data);
                let run = geo.weights() / steps.len();
                let columns = w.chunks(run).zip(steps);
                let quantized = columns
                    .flat_map(|(w, &d)| w.iter().map(move |&w| weight::quantize(w, d, bits)));
                let quantized: Vec<f32> = quantized.collect();
                Ok(Held::new(&cells.programming.arrays, &quantized, steps))
            }
        }
    });
    layers.collect()
}

/// All layers as the point lowers them, before their ranges are known.
fn lowered_layers(experiment: &Experiment, cells: &[LayerCells]) -> Vec<CellLayer> {
    let t = &experiment.tuning;
    let layers = cells.iter().map(|c| {
        let mut layer = lowered(c, tuned(t));
        layer.programming.reference_columns = reference_columns(t);
        layer
    });
    layers.collect()
}

/// A layer as the network lowers it.
pub fn lowered(cells: &LayerCells, tuned: Tuned) -> CellLayer {
    CellLayer {
        programming: cells.programming.clone(),
        reading: cells.reading.clone(),
        wires: cells.wires.clone(),
        errors: cells.errors.clone(),
        tuned,
        storage: cells.storage,
    }
}
