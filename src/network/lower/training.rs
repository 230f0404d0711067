//! The program of a training step: forward under quantization and variation, backward by
//! reverse-mode differentiation of the graph, update.
//!
//! Sections: `step` (everything; or without the update, which is `update`, where a batch comes in
//! parts), `calibrate` (forward only: moves activation steps and batch norm
//! statistics, no weight changes), `freeze` (chooses the weight steps of the present weights).
//!
//! Every minibatch sees [`TrainSpec::chips`] fresh chips, each classifying its own share of the
//! images; the gradient is the mean over all of them (docs/MODEL.md 5).

use std::collections::HashMap;

pub use super::backward::check_trainable;
use super::cells::CellTensors;
use super::fabricated::Deviating;
pub use super::parts::{PartTensors, Pass, StepParts, Variant};
use super::parts::{Passes, Slope, Transforms, variants};
use super::update::Trained;
use super::*;
use crate::chip::layer::CellLayer;

/// Optimizer and its constants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Optimizer {
    /// Stochastic gradient descent.
    Sgd {
        /// Momentum.
        momentum: f32,
        /// Nesterov variant.
        nesterov: bool,
    },
    /// Adam with the usual constants 0.9, 0.999, 1e-8.
    Adam {
        /// AdamW: decay does not pass through the moments.
        decoupled: bool,
    },
}

/// Training on arrays of cells: the forward pass goes through cells and converters, the gradient
/// straight through them.
///
/// With [`CellTraining::rescale`] the gradient of a layer's output is multiplied by
/// `xi = sqrt(Var[y] / Var[y_exact])`, `y_exact` the same product without converters (the generalised
/// straight-through estimator of PIM-QAT, arXiv 2209.08617): a converter that flattens the outputs
/// would else leave gradients that are too large. Weights get the gradient of the effective
/// weights as they are; a cell's own deviation does not scale it.
#[derive(Debug, Clone, PartialEq)]
pub struct CellTraining {
    /// The layers on arrays, in order; other crossbar layers are executed digitally.
    pub layers: std::sync::Arc<[CellLayer]>,
    /// Whether gradients are rescaled.
    pub rescale: bool,
    /// Whether the reference of all converters is learned; the ranges that the host writes are then those of reference 1.
    pub reference: bool,
}

/// What a training program needs to know beside the network.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainSpec {
    /// Chips per minibatch.
    pub chips: usize,
    /// Images per minibatch over all chips (for the unbiased variance).
    pub batch: usize,
    /// Variation in the loop at weight level, of every crossbar layer; `None` where it is executed digitally.
    /// Empty: no variation.
    pub noise: Vec<Option<CellNoise>>,
    /// Cells and converters in the loop; then [`TrainSpec::noise`] is not used.
    pub cells: Option<CellTraining>,
    /// Forward passes under other deviations, whose logits [`StepParts::subtracted`] has factors for.
    pub passes: Vec<Pass>,
    /// Sections of the step under other deviations or through other converters, which the host chooses from for every
    /// pass; with some, there is none of [`TrainSpec::noise`], [`TrainSpec::cells`] and [`TrainSpec::passes`], which are
    /// those of calibration.
    pub variants: Vec<Variant>,
    /// What else a step is composed of.
    pub parts: StepParts,
    /// Optimizer.
    pub optimizer: Optimizer,
    /// L2 coefficient or decoupled decay, of weights only.
    pub weight_decay: f32,
    /// Label smoothing.
    pub smoothing: f32,
    /// 0: running batch norm statistics stay as they are; else they move at their layers' rates.
    pub norm_rate: f32,
    /// Batch norm keeps its running statistics, its gain and its offset.
    pub frozen_norm: bool,
    /// Only `calibrate` and `freeze` will be run: no gradient, so any network will do.
    pub forward_only: bool,
    /// Parts of a batch whose gradients are summed before the update; 1: gradient and update are
    /// one section.
    pub accumulate: usize,
    /// Rate of the running average of all parameters (1 - decay), 0 for none.
    pub average_rate: f32,
}

/// A training program and the tensors to talk to it.
#[derive(Debug, Clone)]
pub struct Training {
    /// The program.
    pub program: Program,
    /// Network states.
    pub states: Vec<StateTensor>,
    /// Optimizer states (for checkpoints).
    pub moments: Vec<StateTensor>,
    /// Images `[chip][image]`.
    pub images: TensorId,
    /// Labels `[chip][image]`.
    pub labels: TensorId,
    /// `[hits, loss]` per chip, accumulated until cleared.
    pub tally: TensorId,
    /// Per crossbar layer with variation `[e, 1, 0, 0]` of the minibatch's chips.
    pub chips: Vec<TensorId>,
    /// At cell level: what the host writes of every layer on arrays.
    pub cells: Vec<CellTensors>,
    /// Uniform activation quantizers, in forward order, where the host chooses their steps.
    pub quantized_inputs: Vec<QuantizedInput>,
    /// Running averages of parameters and batch norm statistics, in the order of
    /// [`Training::averaged`]; named like the state with `.average` behind. Part of checkpoints.
    pub averages: Vec<StateTensor>,
    /// The states that are averaged.
    pub averaged: Vec<StateTensor>,
    /// Tensors of parts.
    pub parts: PartTensors,
    /// `(parameter, summed gradient)`, with [`TrainSpec::accumulate`].
    pub gradients: Vec<(TensorId, TensorId)>,
    /// Section: one training step; with [`TrainSpec::accumulate`] only the gradient of one part,
    /// added to what is there.
    pub step: SectionId,
    /// Sections: the same for every one of [`TrainSpec::variants`]; the first is [`Training::step`].
    pub variants: Vec<SectionId>,
    /// Section: the update from the summed gradients, which it clears (only with
    /// [`TrainSpec::accumulate`]).
    pub update: Option<SectionId>,
    /// Section: forward only.
    pub calibrate: SectionId,
    /// Section: choose the weight steps.
    pub freeze: SectionId,
    /// Section: makes [`PartTensors::baked`] from the present weights.
    pub bake: Option<SectionId>,
    /// Section: clear the tally.
    pub clear: SectionId,
}

/// An activation quantizer whose step the host chooses, and the part of the forward pass that leads
/// to what it quantizes. Run in order, each after the step before it has been written, the parts are
/// one forward pass; weight steps and batch norm statistics stay as they are.
#[derive(Debug, Clone)]
pub struct QuantizedInput {
    /// What is quantized: the images, or a map that is readable once its section has run.
    pub source: TensorId,
    /// The quantizer; its step is the state `quant.scale`.
    pub quant: ActQuant,
    /// Section: from the quantizer before this one to `source`. Absent where nothing is missing.
    pub section: Option<SectionId>,
    /// Maps that the section takes from those before it.
    pub reads: Vec<TensorId>,
    /// Maps of that kind that it makes, or a part of.
    pub makes: Vec<TensorId>,
    /// Maps that the sections behind this one need, as they are after it.
    pub keeps: Vec<TensorId>,
}

/// What the forward pass left for the backward pass.
#[derive(Debug, Clone)]
pub(super) enum Saved {
    Nothing,
    Conv(SavedConv),
    Norm {
        states: NormStates,
        mean: TensorId,
        var: TensorId,
    },
    Affine {
        scale: TensorId,
    },
    Quantize(ActQuant),
}

/// The same of a convolution.
#[derive(Debug, Clone)]
pub(super) struct SavedConv {
    pub states: ConvStates,
    /// Variation of the weight and its chips, where there is any.
    pub noise: Option<Deviating>,
    /// Quantized input and effective weight as used by the convolution.
    pub x: TensorId,
    pub w: TensorId,
    /// Factor per channel on the gradient of the output.
    pub gain: Option<TensorId>,
    /// Slopes of the output by the learned reference of the converters.
    pub slope: Option<Slope>,
}

/// Builds the training program. The graph must pass [`check_trainable`], unless
/// [`TrainSpec::forward_only`].
pub fn lower(graph: &Graph, numerics: &Numerics, spec: &TrainSpec) -> Training {
    let mut training = lower_one(graph, numerics, spec);
    variants::add(&mut training, spec, |own| lower_one(graph, numerics, own));
    training
}

/// The program without variants of the step.
fn lower_one(graph: &Graph, numerics: &Numerics, spec: &TrainSpec) -> Training {
    let mut t = Trainer::new(graph, numerics, spec);
    let (images, labels) = t.b.image_io("", Scope::PerChip);
    let tally =
        t.b.program
            .tensor("tally", Shape::Flat(2), Scope::PerChip, Role::State);
    let maps = t.forward(images);
    let quantized = std::mem::take(&mut t.quantized_inputs);
    let ahead = t.weights.len();
    let chosen = numerics.act_step != ActStep::MovingMax;
    // Weights first, so that nothing stands between the operators on maps.
    let mut forward = std::mem::take(&mut t.weights);
    forward.extend(maps);
    let logits = t.values[graph.output()];
    // Calibration is the same forward pass without a gradient.
    let mut calibrate = forward.clone();
    let (weights, maps) = forward.split_at(ahead);
    let stages = match chosen {
        true => stages::cut(&mut t.b.program, weights, maps, &quantized),
        false => vec![],
    };
    t.b.score(&mut calibrate, logits, labels, None, 0.0, tally);
    let mut step = forward;
    let mut updates = vec![];
    match spec.forward_only {
        true => {
            t.b.score(&mut step, logits, labels, None, spec.smoothing, tally)
        }
        false => t.learn((images, labels, tally), &mut step, &mut updates),
    }
    let mut update = vec![];
    let updates = t.accumulated(&mut step, updates);
    let moments = t.updates(&mut update, &updates);
    if spec.accumulate > 1 {
        update.extend(updates.iter().map(|&(_, sum)| Op::from(Zero { t: sum })));
    }
    let (averaged, averages) = t.averages(&mut update);
    let freeze = std::mem::take(&mut t.freeze);
    let mut program = t.b.program;
    let update = if spec.accumulate > 1 {
        Some(program.section("update", update))
    } else {
        step.extend(update);
        None
    };
    let step = program.section("step", step);
    let calibrate = program.section("calibrate", calibrate);
    let freeze = program.section("freeze", freeze);
    let Transforms { bake, tensors, .. } = t.transforms;
    let bake = (!bake.is_empty()).then(|| program.section("bake", bake));
    let clear = program.section("clear", vec![Op::from(Zero { t: tally })]);
    let quantized_inputs = quantized_inputs(&mut program, stages);
    Training {
        step,
        variants: vec![],
        update,
        averaged,
        averages,
        gradients: if spec.accumulate > 1 { updates } else { vec![] },
        calibrate,
        freeze,
        bake,
        parts: tensors,
        clear,
        program,
        states: t.b.states,
        moments,
        images,
        labels,
        tally,
        chips: t.chips,
        cells: t.cells,
        quantized_inputs,
    }
}

/// Sections of the parts of a forward pass.
fn quantized_inputs(program: &mut Program, stages: Vec<stages::Stage>) -> Vec<QuantizedInput> {
    let input = |stage: stages::Stage| QuantizedInput {
        source: stage.source,
        quant: stage.quant,
        section: (!stage.ops.is_empty()).then(|| program.section("stage", stage.ops)),
        reads: stage.reads,
        makes: stage.makes,
        keeps: stage.keeps,
    };
    stages.into_iter().map(input).collect()
}

/// An activation quantizer, and the operators on maps that come before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quantized {
    pub(super) source: TensorId,
    pub(super) quant: ActQuant,
    pub(super) before: usize,
}

pub(super) struct Trainer<'a> {
    pub(super) b: Builder<'a>,
    pub(super) spec: &'a TrainSpec,
    pub(super) values: Vec<TensorId>,
    pub(super) saved: Vec<Saved>,
    pub(super) chips: Vec<TensorId>,
    pub(super) cells: Vec<CellTensors>,
    pub(super) quantized_inputs: Vec<Quantized>,
    /// Trainable states.
    pub(super) params: Vec<(TensorId, Trained)>,
    /// The node that reads each node, where there is exactly one.
    pub(super) readers: Vec<Option<NodeId>>,
    /// Values of nodes that were computed with a node before them.
    pub(super) fused: HashMap<NodeId, TensorId>,
    /// Steps, quantized values and chips of all weights.
    pub(super) weights: Vec<Op>,
    pub(super) freeze: Vec<Op>,
    pub(super) transforms: Transforms,
    pub(super) passes: Passes,
}

impl<'a> Trainer<'a> {
    fn new(graph: &'a Graph, numerics: &'a Numerics, spec: &'a TrainSpec) -> Self {
        Self {
            b: Builder::new(graph, numerics),
            spec,
            values: vec![],
            saved: vec![],
            chips: vec![],
            cells: vec![],
            quantized_inputs: vec![],
            params: vec![],
            readers: graph.only_readers(),
            fused: HashMap::new(),
            weights: vec![],
            freeze: vec![],
            transforms: Transforms::default(),
            passes: Passes::default(),
        }
    }
}
