//! The crossbar layers of a point at cell level: their constants, the ranges of their converters, and
//! what every chip of a wave is told.

use crate::backend::Session;
use crate::chip::calibrate::follow_sums;
use crate::chip::layer::CellLayer;
use crate::chip::{ChipVariation, cell_form};
use crate::config::{Experiment, LayerSettings, Tuning};
use crate::error::Result;
use crate::mapping::layout::Layout;
use crate::network::lower::inference::Inference;
use crate::network::state::Part;
use crate::network::{Graph, Parameters};
use crate::program::Arrays;
use crate::quantize::weight;
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
        lay_out(&mut layers, &point.layers, model)?;
        tune(&mut layers, tuning)?;
        match follow_sums(&layers) {
            true => {
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
            false => converters::share(adc, &mut layers),
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

/// Puts the cells of layers where the weights say, where they have a layout of their own.
///
/// # Errors
/// A weight or a step is missing.
pub(super) fn lay_out(
    layers: &mut [CellLayer],
    settings: &[LayerSettings],
    model: &Model,
) -> Result<()> {
    let crossbars = model.graph.crossbars();
    for layer in layers {
        let size = &settings[layer.index()].chip.array;
        if size.lays_out() {
            let (node, geo, _) = crossbars[layer.index()];
            let name = &model.graph.nodes[node].name;
            let arrays = &layer.programming.arrays;
            let codes = codes(&model.parameters, name, arrays)?;
            let layout = Layout::new(arrays, size, geo.groups, &codes);
            layer.lay(Some(layout));
        }
    }
    Ok(())
}

/// Codes that the arrays of a layer hold, `[column][row]`.
///
/// # Errors
/// The weight or its step is missing.
pub(super) fn codes(parameters: &Parameters, name: &str, arrays: &Arrays) -> Result<Vec<i32>> {
    let (quantized, steps) = quantized(parameters, name, arrays)?;
    let codes = cell_form::codes(&quantized, steps, arrays.rows).into_iter();
    let equal = arrays.equal_slices as i32;
    Ok(codes.map(|q| equal * q).collect())
}

/// The quantized weight of a layer, and its steps.
fn quantized<'p>(
    parameters: &'p Parameters,
    name: &str,
    arrays: &Arrays,
) -> Result<(Vec<f32>, &'p [f32])> {
    let w = parameters.need(name, Part::Weight)?;
    let steps = parameters.need(name, Part::WeightStep)?;
    let run = (w.len() / steps.len().max(1)).max(1);
    let columns = w.chunks(run).zip(steps);
    let bits = arrays.weight_bits;
    let quantized =
        columns.flat_map(|(w, &d)| w.iter().map(move |&w| weight::quantize(w, d, bits)));
    Ok((quantized.collect(), steps))
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
                let (quantized, steps) = quantized(&model.parameters, name, arrays)?;
                let equal = arrays.equal_slices as f32;
                let of_arrays: Vec<f32> = steps.iter().map(|d| d / equal).collect();
                Ok(Held::new(arrays, &quantized, &of_arrays))
            }
        }
    });
    layers.collect()
}
