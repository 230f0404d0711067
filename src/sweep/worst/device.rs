//! The network with given effective weights: what it classifies, and how its loss changes.

use std::ops::Range;
use std::sync::Arc;

use crate::backend::{Backend, Capacity, RunArgs, Session, TensorId};
use crate::error::{Error, Result};
use crate::network::lower::inference::{self, Chips, Inference, NormMode};
use crate::network::lower::training::{self, Optimizer, StepParts, TrainSpec, Training};
use crate::network::lower::{ActStep, Numerics};
use crate::network::state::Part;
use crate::program::{CHIP_FIELDS, LANES};
use crate::quantize::weight;
use crate::setup::{self, Images, Point};
use crate::train::Model;

/// The weights of one layer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layer {
    /// Name of the layer.
    pub name: String,
    /// Quantized weights, as programmed.
    pub weights: Vec<f32>,
    /// Largest representable magnitude: one, or one a column.
    pub full_scale: Vec<f32>,
}

impl Layer {
    /// What one unit of deviation is at weight `i`.
    pub fn unit(&self, i: usize) -> f32 {
        let rows = self.weights.len() / self.full_scale.len();
        self.full_scale[i / rows]
    }
}

/// The programmed weights of a model.
pub(super) fn layers(model: &Model) -> Result<Vec<Layer>> {
    let layer = |(node, geo, _): (usize, crate::program::ConvGeometry, bool)| {
        let name = model.graph.nodes[node].name.clone();
        let bits = model.numerics.of(&name).weight_bits;
        let w = model.parameters.need(&name, Part::Weight)?;
        let steps = match bits {
            0 => vec![1.0],
            _ => model.parameters.need(&name, Part::WeightStep)?.to_vec(),
        };
        let rows = geo.weights() / steps.len();
        let columns = w.chunks(rows).zip(&steps);
        let full_scale = columns
            .clone()
            .map(|(w, &d)| weight::full_scale(w, d, bits));
        Ok(Layer {
            name,
            full_scale: full_scale.collect(),
            weights: columns
                .flat_map(|(w, &d)| w.iter().map(move |&w| weight::quantize(w, d, bits)))
                .collect(),
        })
    };
    model.graph.crossbars().into_iter().map(layer).collect()
}

/// Most chips, and images, of a run.
const CHIPS: usize = 16;
const CHUNK: usize = 1024;

/// Classifies images with any effective weights.
pub(super) struct Classifier {
    session: Box<dyn Session>,
    inference: Inference,
    capacity: Capacity,
    effective: Vec<TensorId>,
    logits: TensorId,
    classes: usize,
}

impl Classifier {
    pub fn new(backend: &dyn Backend, point: &Point, model: &Model) -> Result<Self> {
        let noise = setup::noises(&point.layers, |_| 0.0, 0);
        let norm = NormMode::Frozen;
        let inference = inference::lower(
            &model.graph,
            &model.numerics,
            Chips::Weight(&noise),
            norm,
            true,
        );
        let want = Capacity {
            chips: CHIPS,
            images: CHUNK,
            chunk: CHUNK,
        };
        let capacity = backend.fit(&inference.program, want)?;
        let mut session = backend.prepare(&inference.program, capacity)?;
        let states = &inference.states;
        model.parameters.load_into(session.as_mut(), states)?;
        // Everything but the weights is made here once: steps, folded batch norm.
        for &chip in &inference.chips {
            session.write(chip, &[0.0, 1.0, 0.0, 0.0].repeat(capacity.chips))?;
        }
        let args = RunArgs::wave(point.experiment().seed, 0, capacity.chips, 0..0);
        session.run(inference.fabricate, &args)?;
        let tensor = |name: String| {
            let found = inference
                .program
                .tensors
                .iter()
                .position(|t| t.name == name);
            let found = found.ok_or_else(|| Error::Internal(format!("no tensor `{name}`")))?;
            Ok(TensorId(found as u32))
        };
        let effective = model.graph.crossbars().into_iter();
        let effective = effective
            .map(|(node, ..)| tensor(format!("{}.effective", model.graph.nodes[node].name)));
        let effective = effective.collect::<Result<_>>()?;
        let (c, h, w) = model.graph.nodes[model.graph.last()].shape;
        Ok(Self {
            session,
            logits: inference
                .logits
                .ok_or_else(|| Error::Internal("the inference program keeps no logits".into()))?,
            inference,
            capacity,
            effective,
            classes: c * h * w,
        })
    }

    /// Most chips of one call.
    pub fn chips(&self) -> usize {
        self.capacity.chips
    }

    /// Makes all chips deviate as a whole: `e[chip]`.
    pub fn set_common(&mut self, e: &[f64]) -> Result<()> {
        let mut fields = Vec::with_capacity(e.len() * CHIP_FIELDS);
        for &e in e {
            fields.extend([e as f32, 1.0, 0.0, 0.0]);
        }
        for &chip in &self.inference.chips {
            self.session.write(chip, &fields)?;
        }
        let args = RunArgs::wave(0, 0, e.len(), 0..0);
        self.session.run(self.inference.fabricate, &args)
    }

    /// Sets the effective weights: of every layer those of all chips, one after the other.
    pub fn set_weights(&mut self, layers: &[Vec<f32>]) -> Result<()> {
        for (&tensor, weights) in self.effective.iter().zip(layers) {
            self.session.write(tensor, weights)?;
        }
        Ok(())
    }

    /// Correct images of each of the first `chips` chips.
    pub fn hits(&mut self, chips: usize, images: &Images) -> Result<Vec<u32>> {
        let clear = RunArgs::wave(0, 0, chips, 0..0);
        self.session.run(self.inference.clear, &clear)?;
        self.chunks(chips, images, |_, _| Ok(()))?;
        let tally = self.session.read(self.inference.tally)?;
        let hits = tally.chunks(2).take(chips);
        Ok(hits.map(|t| t[0].round() as u32).collect())
    }

    /// The images that the first chip classifies correctly.
    pub fn right(&mut self, images: &Images) -> Result<Vec<usize>> {
        let (logits, classes) = (self.logits, self.classes);
        let mut right = vec![];
        self.chunks(1, images, |session, chunk| {
            let z = session.read(logits)?;
            for (i, z) in chunk.zip(z.chunks(classes)) {
                let label = images.label(i);
                let beaten = |(j, &other): (usize, &f32)| j == label || other < z[label];
                if z.iter().enumerate().all(beaten) {
                    right.push(i);
                }
            }
            Ok(())
        })?;
        Ok(right)
    }

    fn chunks(
        &mut self,
        chips: usize,
        images: &Images,
        mut done: impl FnMut(&mut dyn Session, Range<usize>) -> Result<()>,
    ) -> Result<()> {
        let most = self.capacity.chunk.min(self.capacity.images);
        let mut start = 0;
        while start < images.len() {
            let chunk = start..(start + most).min(images.len());
            let (pixels, labels) = images.range(&chunk);
            self.session.write(self.inference.images, pixels)?;
            self.session.write(self.inference.labels, labels)?;
            let args = RunArgs::wave(0, 0, chips, 0..chunk.len());
            self.session.run(self.inference.evaluate, &args)?;
            start = chunk.end;
            done(self.session.as_mut(), chunk)?;
        }
        Ok(())
    }
}

/// The gradient of the loss with respect to the effective weights.
pub(super) struct Slope {
    session: Box<dyn Session>,
    training: Training,
    /// Per layer the weight and where its gradient is summed.
    layers: Vec<(TensorId, TensorId)>,
    batch: usize,
}

/// Images of one backward pass.
const BATCH: usize = 16 * LANES;

impl Slope {
    /// Fails where the network has a layer without gradient.
    pub fn new(backend: &dyn Backend, model: &Model, layers: &[Layer]) -> Result<Self> {
        training::check_trainable(&model.graph)?;
        // The weights given are quantized already, and steps stay what they are.
        let given = |n: &Numerics| Numerics {
            weight_bits: 0,
            weight_step_learned: false,
            act_step: ActStep::Fixed,
            own: None,
            ..n.clone()
        };
        let own = model.numerics.own.as_ref();
        let numerics = Numerics {
            own: own.map(|own| {
                let own = own.iter().map(|(name, n)| (name.clone(), given(n)));
                Arc::new(own.collect())
            }),
            ..given(&model.numerics)
        };
        let spec = TrainSpec {
            parts: StepParts::default(),
            chips: 1,
            batch: BATCH,
            noise: vec![],
            cells: None,
            passes: vec![],
            variants: vec![],
            optimizer: Optimizer::Sgd {
                momentum: 0.0,
                nesterov: false,
            },
            weight_decay: 0.0,
            smoothing: 0.0,
            norm_rate: 0.0,
            frozen_norm: true,
            forward_only: false,
            // Keeps the gradient: there is no update.
            accumulate: 2,
            average_rate: 0.0,
        };
        let training = training::lower(&model.graph, &numerics, &spec);
        let want = Capacity {
            chips: 1,
            images: BATCH,
            chunk: BATCH,
        };
        let fits = backend.fit(&training.program, want)?;
        let batch = fits.images.min(fits.chunk).min(BATCH);
        let capacity = Capacity {
            chips: 1,
            images: batch,
            chunk: batch,
        };
        let mut session = backend.prepare(&training.program, capacity)?;
        let mut parameters = model.parameters.clone();
        // One weight has one step where there is no quantizer.
        parameters
            .tensors
            .retain(|name, _| !Part::any(name, |part| part == Part::WeightStep));
        parameters.load_into(session.as_mut(), &training.states)?;
        let find = |name: &str| {
            let tensors = training.gradients.iter();
            let mut found = tensors.filter(|(w, _)| training.program.desc(*w).name == name);
            let found = found.next().copied();
            found.ok_or_else(|| Error::Internal(format!("no gradient of `{name}`")))
        };
        let layers = layers.iter().map(|l| find(&Part::Weight.of(&l.name)));
        let layers = layers.collect::<Result<_>>()?;
        Ok(Self {
            session,
            training,
            layers,
            batch,
        })
    }

    /// Gradient, by layer, of the cross-entropy of the images with these indices: the sum over
    /// batches of the mean over each.
    pub fn gradient(
        &mut self,
        weights: &[Vec<f32>],
        images: &Images,
        indices: &[usize],
    ) -> Result<Vec<Vec<f32>>> {
        for (&(w, sum), weights) in self.layers.iter().zip(weights) {
            self.session.write(w, weights)?;
            self.session.write(sum, &vec![0.0; weights.len()])?;
        }
        for part in indices.chunks(self.batch) {
            let (mut pixels, mut labels) = images.select(part);
            // Inputs are written whole; what is beyond the images of the run is not looked at.
            pixels.resize(pixels.len() / part.len() * self.batch, 0.0);
            labels.resize(self.batch, 0.0);
            self.session.write(self.training.images, &pixels)?;
            self.session.write(self.training.labels, &labels)?;
            let args = RunArgs::wave(0, 0, 1, 0..part.len());
            self.session.run(self.training.step, &args)?;
        }
        let sums = self.layers.iter();
        sums.map(|&(_, sum)| self.session.read(sum)).collect()
    }
}
