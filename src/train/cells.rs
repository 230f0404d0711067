//! Training that sees cells and converters: the layers of a training program at cell level, and what
//! every step tells them.

use crate::backend::Session;
use crate::chip::calibrate::follow_sums;
use crate::chip::layer::{CellLayer, Pairs};
use crate::config::chip::{Adc, AdcBits};
use crate::config::parts::Gradient;
use crate::config::{Experiment, Fidelity, LayerSettings};
use crate::data::{self, Dataset, Normalise};
use crate::error::{Error, Result};
use crate::network::lower::Numerics;
use crate::network::lower::cells::CellTensors;
use crate::network::lower::training::CellTraining;
use crate::network::parameters::Tensor;
use crate::network::{Graph, Parameters};

use super::converters::{self, Network, Statistics};
use crate::setup::{self, Point};

/// Layers on arrays of a training at cell level.
#[derive(Debug, Clone)]
pub(super) struct CellSteps {
    layers: Vec<CellLayer>,
    rescale: bool,
    adc: Adc,
    /// Whether ranges follow the sums, and so the weights.
    follow: bool,
    /// Whether the reference of all converters is learned: ranges are those of reference 1.
    learns: bool,
    /// The reference at first, once it is known.
    start: Option<f32>,
    /// The same layers through the converters that passes draw; of these only the ranges matter.
    drawn: Vec<Drawn>,
}

/// Layers through converters of other bits.
#[derive(Debug, Clone)]
struct Drawn {
    bits: u32,
    layers: Vec<CellLayer>,
}

/// What a pass of a step sees of the cells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// sigma_W is the experiment's times `times`, and `more`; a table of standard deviations has the factor alone.
    pub times: f64,
    pub more: f64,
    /// Bits of the converters, where they are drawn.
    pub bits: Option<u32>,
}

impl CellSteps {
    /// The layers, where the experiment trains at cell level. Without variation in the recipe the
    /// cells are nominal; the converters quantize all the same.
    ///
    /// Calibrated ranges are unknown until [`CellSteps::calibrate`].
    ///
    /// # Errors
    /// An impossible chip.
    pub fn new(
        point: &Point,
        graph: &Graph,
        numerics: &Numerics,
        Seen { times, more, bits }: Seen,
    ) -> Result<Option<Self>> {
        let experiment = point.experiment();
        if !trains_on_cells(experiment) {
            return Ok(None);
        }
        let Experiment {
            variation, layer, ..
        } = experiment.training();
        let mut seen = Experiment {
            variation,
            layer,
            ..experiment.clone()
        };
        if let Some(bits) = bits {
            seen.chip.adc.bits = AdcBits::Same(bits);
        }
        let mut layers = setup::layers(&seen, point.start.whole())?;
        layers.truncate(graph.crossbars().len());
        for layer in &mut layers {
            let sigma_w = &mut layer.variation.sigma_w;
            *sigma_w = times * (*sigma_w + more);
        }
        let mut steps = Self::deployed(&seen, &layers, graph, numerics)?;
        let on_arrays = layers.iter().filter(|own| !own.digital);
        for (layer, own) in steps.iter_mut().flat_map(|s| &mut s.layers).zip(on_arrays) {
            if let Some(table) = &mut layer.programming.effects.sampled.table {
                table.scale(times as f32);
            }
            // Any other table was made of sigma_W.
            if own.chip.programming.sigma.is_some() {
                layer
                    .programming
                    .effects
                    .variation
                    .scale_table(times as f32);
            }
        }
        let parts = experiment.train.composition();
        if parts.learns_gain() {
            steps.iter_mut().for_each(Self::learn);
        }
        Ok(match parts.sees_variation() {
            true => steps,
            false => steps.map(|s| s.nominal()),
        })
    }

    /// The layers with all variation of the experiment, whose crossbar layers are `layers`, where it trains at
    /// cell level: what held-out images are classified on.
    ///
    /// # Errors
    /// An impossible chip.
    pub fn deployed(
        experiment: &Experiment,
        layers: &[LayerSettings],
        graph: &Graph,
        numerics: &Numerics,
    ) -> Result<Option<Self>> {
        if !trains_on_cells(experiment) {
            return Ok(None);
        }
        let adc = &experiment.chip.adc;
        let mut layers = layers.to_vec();
        for layer in &mut layers {
            layer.chip.drift.time_s = experiment.age_in_training();
        }
        let mut layers = setup::cell_layers(&layers, graph, numerics)?;
        for layer in &mut layers {
            // Weights change at every step, so nothing is shared between chips.
            layer.reading.exact = false;
            // A layout is made for weights that are done.
            layer.lay(None);
        }
        let follow = follow_sums(&layers);
        if !follow {
            converters::share(adc, &mut layers);
        }
        Ok(Some(Self {
            layers,
            rescale: experiment.train.composition().gradient == Gradient::Rescale,
            adc: adc.clone(),
            follow,
            learns: false,
            start: None,
            drawn: vec![],
        }))
    }

    /// Makes the reference of all converters one that is learned, from that of the ranges on where they are known.
    fn learn(&mut self) {
        self.learns = true;
        self.start = reference(&self.layers);
        for layer in &mut self.layers {
            layer.ranges = layer.ranges_of(1.0);
            layer.reading.integer = false;
        }
    }

    /// Whether the reference of all converters is learned.
    pub fn learns(&self) -> bool {
        self.learns
    }

    /// What it begins with; unknown before ranges that follow sums are calibrated.
    pub fn start(&self) -> Option<f32> {
        self.start.filter(|_| self.learns)
    }

    /// Takes the reference that a network has learned.
    pub fn refer(&mut self, reference: f32) {
        converters::refer(reference, &mut self.layers);
    }

    /// The same layers, with those of passes through converters of other bits.
    #[must_use]
    pub fn with_drawn(mut self, bits: u32, other: Self) -> Self {
        let layers = other.layers;
        self.drawn.push(Drawn { bits, layers });
        self
    }

    /// The layers through converters of these bits, which passes draw.
    pub fn layers_with(&self, bits: u32) -> &[CellLayer] {
        let drawn = self.drawn.iter().find(|drawn| drawn.bits == bits);
        drawn.map_or(&self.layers, |drawn| &drawn.layers)
    }

    /// Takes the deviations of the same layers; ranges stay.
    pub fn deviate_as(&mut self, other: Option<&Self>) {
        if let Some(other) = other {
            let ranges: Vec<_> = self.layers.iter_mut().map(|l| l.ranges.take()).collect();
            self.layers.clone_from(&other.layers);
            self.take_ranges(ranges.into_iter());
        }
    }

    /// The layers, for a program.
    pub fn layers(&self) -> &[CellLayer] {
        &self.layers
    }

    /// The same layers on a chip without errors.
    pub fn nominal(&self) -> Self {
        Self {
            layers: self.layers.iter().map(CellLayer::nominal).collect(),
            ..self.clone()
        }
    }

    /// The same layers without converters.
    pub fn without_converters(mut self) -> Self {
        let layers = self.layers.iter().map(CellLayer::without_converter);
        self.layers = layers.collect();
        (self.follow, self.learns) = (false, false);
        self
    }

    /// Whether ranges follow the sums, and so the weights.
    pub fn follow_sums(&self) -> bool {
        self.follow
    }

    /// Ranges for the sums that images of `train` give with `parameters` on a nominal chip, where ranges
    /// follow the sums. `seed` chooses the images.
    ///
    /// # Errors
    /// See [`converters::add_sums`].
    pub fn calibrate(
        &mut self,
        (graph, numerics): (&Graph, &Numerics),
        parameters: &Parameters,
        train: &Dataset,
        normalise: &Normalise,
        seed: u64,
    ) -> Result<()> {
        if !self.follow {
            return Ok(());
        }
        let mut order = data::permutation(train.len(), seed, 0);
        order.truncate(self.adc.calibration_images);
        let images = train.select(&order);
        let network = Network {
            graph,
            numerics,
            parameters,
            statistics: Statistics::Measured,
        };
        let calibrated = |layers: &[CellLayer]| {
            let mut layers = layers.to_vec();
            converters::calibrate(&network, &images, normalise, &self.adc, &mut layers)?;
            Ok(layers.into_iter().map(|l| l.ranges).collect::<Vec<_>>())
        };
        let own = calibrated(&self.layers)?;
        if self.learns {
            let mut layers = self.layers.clone();
            for (layer, ranges) in layers.iter_mut().zip(own) {
                layer.ranges = ranges;
            }
            self.start = reference(&layers);
            return Ok(());
        }
        let drawn = self.drawn.iter().map(|drawn| calibrated(&drawn.layers));
        let drawn = drawn.collect::<Result<Vec<_>>>()?;
        self.take_ranges(own.into_iter());
        for (drawn, ranges) in self.drawn.iter_mut().zip(drawn) {
            for (layer, ranges) in drawn.layers.iter_mut().zip(ranges) {
                layer.ranges = ranges;
            }
        }
        Ok(())
    }

    /// Sets the ranges. Codes are added as the program was lowered: without a range, as floats.
    fn take_ranges(&mut self, ranges: impl Iterator<Item = Option<Pairs>>) {
        for (layer, ranges) in self.layers.iter_mut().zip(ranges) {
            layer.ranges = ranges;
        }
    }

    /// Adds calibrated ranges to what a checkpoint keeps: they are those of the weights at the
    /// beginning of the epoch.
    pub fn save(&self, to: &mut Parameters) {
        if !self.follow || self.learns {
            return;
        }
        let drawn = self.drawn.iter();
        let drawn = drawn.flat_map(|drawn| drawn.layers.iter().map(|l| (l, Some(drawn.bits))));
        for (layer, bits) in self.layers.iter().map(|l| (l, None)).chain(drawn) {
            if let Some(pairs) = &layer.ranges {
                let tensor = Tensor {
                    shape: vec![pairs.len(), 2],
                    data: pairs.as_flattened().to_vec(),
                };
                to.tensors.insert(range_name(layer, bits), tensor);
            }
        }
    }

    /// Takes calibrated ranges from a checkpoint.
    ///
    /// # Errors
    /// They are missing, or of another network.
    pub fn load(&mut self, from: &Parameters) -> Result<()> {
        if !self.follow || self.learns {
            return Ok(());
        }
        let drawn = self.drawn.iter_mut();
        let drawn = drawn.flat_map(|d| d.layers.iter_mut().map(|l| (l, Some(d.bits))));
        for (layer, bits) in self.layers.iter_mut().map(|l| (l, None)).chain(drawn) {
            let arrays = &layer.programming.arrays;
            let name = range_name(layer, bits);
            let pairs = from.tensors.get(&name).map(|t| t.data.as_chunks().0);
            match pairs {
                Some(pairs) if pairs.len() == arrays.read_planes() * arrays.cols => {
                    layer.ranges = Some(pairs.to_vec());
                }
                _ => {
                    return Err(Error::input(format!(
                        "the checkpoint has no `{name}` of {} pairs",
                        arrays.read_planes() * arrays.cols
                    )));
                }
            }
        }
        Ok(())
    }

    /// For the training program.
    pub fn spec(&self) -> CellTraining {
        CellTraining {
            layers: self.layers.clone().into(),
            rescale: self.rescale,
            reference: self.learns,
        }
    }

    /// Writes the common deviation of every chip of a step or wave.
    pub fn write_chips(
        &self,
        session: &mut dyn Session,
        cells: &[CellTensors],
        common: &[f32],
    ) -> Result<()> {
        for tensors in cells {
            let n = self.layers[tensors.at].programming.arrays.cell_arrays();
            let all = common.iter().flat_map(|&e| std::iter::repeat_n(e, n));
            session.write(tensors.array, &all.collect::<Vec<f32>>())?;
        }
        Ok(())
    }
}

/// The largest reference of all layers' ranges, where they are known.
fn reference(layers: &[CellLayer]) -> Option<f32> {
    let own = layers.iter().filter_map(CellLayer::reference);
    own.reduce(f32::max)
}

/// Whether steps go through cells and converters.
pub(super) fn trains_on_cells(experiment: &Experiment) -> bool {
    let parts = experiment.train.composition();
    experiment.train.level == Fidelity::Cell && parts.sees_quantizers()
}

/// Name of a layer's ranges in a checkpoint: those of the chip's converters, or of others.
fn range_name(layer: &CellLayer, bits: Option<u32>) -> String {
    match bits {
        Some(bits) => format!("converters.{}.range_{bits}", layer.index()),
        None => format!("converters.{}.range", layer.index()),
    }
}
