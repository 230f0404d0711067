//! The crossbar layers of a point at cell level: their constants, the ranges of their converters, and
//! what every chip of a wave is told.

use crate::backend::Session;
use crate::chip::ChipVariation;
use crate::chip::calibrate::follow_sums;
use crate::chip::layer::CellLayer;
use crate::config::{Experiment, Tuning};
use crate::error::Result;
use crate::network::Graph;
use crate::network::lower::inference::Inference;
use crate::setup::{self, Point};
use crate::train::Model;
use crate::train::converters::{self, Network, Statistics};
use crate::tuning::cells::{CellChipTuning, CellTuner, Held, TunedLayer, acts, tune};

/// A point's layers on arrays.
#[derive(Debug, Clone)]
pub struct CellLevel {
    /// As they are lowered.
    pub layers: Vec<CellLayer>,
    tuner: CellTuner,
}

impl CellLevel {
    /// Everything that does not depend on the chip. Calibrated ranges come from sums that training
    /// images give on a nominal chip; the CPU makes them for every backend, so that all have the
    /// same ranges.
    ///
    /// # Errors
    /// An impossible chip; what the calibration needs does not fit.
    pub fn new(point: &Point, model: &Model, chips: &ChipVariation) -> Result<Self> {
        let (experiment, inputs) = (point.experiment(), &point.inputs);
        let (adc, tuning) = (&experiment.chip.adc, &experiment.tuning);
        let mut layers = setup::cell_layers(&point.layers, &model.graph, &model.numerics)?;
        let of = (&model.graph, &model.parameters);
        setup::lay_out(&mut layers, &point.layers, of)?;
        tune(&mut layers, tuning)?;
        let stages = experiment.stages()?;
        let training = stages
            .last()
            .map(|stage| stage.experiment.train.composition());
        let learned =
            training.and_then(|parts| converters::reference_of(&parts, &model.parameters));
        // Whoever asks what ranges of a layer's own would give takes the shared one away.
        let learned = learned.filter(|_| adc.shared);
        match (learned, follow_sums(&layers)) {
            (Some(reference), _) => converters::refer(reference, &mut layers),
            (None, true) => {
                let wanted = adc.calibration_images.min(inputs.n_trained_on());
                let images = inputs.calibration(experiment.seed, wanted);
                let network = Network {
                    graph: &model.graph,
                    numerics: &model.numerics,
                    parameters: &model.parameters,
                    statistics: Statistics::after(experiment)?,
                };
                converters::calibrate(&network, &images, &inputs.normalise, adc, &mut layers)?;
            }
            (None, false) => converters::share(adc, &mut layers),
        }
        let held = held(tuning, model, &layers)?;
        Ok(Self::with(experiment, &model.graph, chips, layers, held))
    }

    /// [`CellLevel::new`] for a network that is not trained yet: where ranges follow the sums they are
    /// not known. Sees that the sums can be computed.
    ///
    /// # Errors
    /// As [`CellLevel::new`].
    pub fn of_untrained(point: &Point, chips: &ChipVariation) -> Result<Self> {
        let (experiment, graph) = (point.experiment(), &point.start.graph);
        let adc = &experiment.chip.adc;
        let mut layers = point.cell_layers()?;
        tune(&mut layers, &experiment.tuning)?;
        match follow_sums(&layers) {
            true => {
                let statistics = Statistics::after(experiment)?;
                converters::check((graph, &point.numerics, statistics), &layers)?;
            }
            false => converters::share(adc, &mut layers),
        }
        let held = vec![Held::default(); layers.len()];
        Ok(Self::with(experiment, graph, chips, layers, held))
    }

    fn with(
        experiment: &Experiment,
        graph: &Graph,
        chips: &ChipVariation,
        layers: Vec<CellLayer>,
        held: Vec<Held>,
    ) -> Self {
        let crossbars = graph.crossbars();
        let of = layers.iter().zip(held).map(|(cells, held)| TunedLayer {
            geo: crossbars[cells.index()].1,
            cells: cells.clone(),
            held,
        });
        Self {
            tuner: CellTuner::new(&experiment.tuning, chips, of.collect()).with_norms(graph),
            layers,
        }
    }

    /// The tuner.
    pub fn tuner(&self) -> &CellTuner {
        &self.tuner
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

/// What the arrays of every layer hold, where a correction depends on it.
fn held(tuning: &Tuning, model: &Model, layers: &[CellLayer]) -> Result<Vec<Held>> {
    let crossbars = model.graph.crossbars();
    let layers = layers.iter().map(|cells| {
        let (node, ..) = crossbars[cells.index()];
        let name = &model.graph.nodes[node].name;
        let arrays = &cells.programming.arrays;
        match acts(tuning) {
            false => Ok(Held::default()),
            true => {
                let (quantized, steps) = setup::quantized(&model.parameters, name, arrays)?;
                let equal = arrays.equal_slices as f32;
                let of_arrays: Vec<f32> = steps.iter().map(|d| d / equal).collect();
                Ok(Held::new(arrays, &quantized, &of_arrays))
            }
        }
    });
    layers.collect()
}
