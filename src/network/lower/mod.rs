//! From a [`Graph`] to a [`Program`]: forward, backward and updates as one list of operators.
//!
//! [`inference`] makes the program of a Monte Carlo wave, with everything element-wise fused into the
//! convolutions; [`training`] that of a training step by reverse-mode differentiation of the graph.

pub mod adapted;
mod backward;
pub mod cells;
mod chip_norms;
pub mod energy;
mod fabricated;
mod forward;
mod fused;
mod gradients;
pub mod inference;
mod measured;
mod norm;
pub mod parts;
mod stages;
mod taps;
pub mod training;
mod update;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::graph::{Graph, NodeId};
use super::state::Part;
use crate::backend::TensorId;
use crate::effects::Profile;
use crate::program::*;

/// How activations get their quantization step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActStep {
    /// Moving average (rate 0.01, from the first batch) of `max|a| / highest code`.
    MovingMax,
    /// Whatever was written to the state (calibrated outside, frozen).
    Fixed,
    /// Learned with the weights (LSQ).
    Learned,
    /// Learned with the weights, by what is beyond the range ([`RangeGrad`]; [`parts::StepParts::range`]).
    Range,
}

impl ActStep {
    /// Whether it is trained with the weights.
    pub(crate) fn is_trained(self) -> bool {
        matches!(self, ActStep::Learned | ActStep::Range)
    }
}

/// Number formats of a network (docs/MODEL.md 2), or of one layer ([`Numerics::of`]).
#[derive(Debug, Clone, PartialEq)]
pub struct Numerics {
    /// Weight bits, 0 for none.
    pub weight_bits: u32,
    /// Choice of the weight step while training; `None` when learned.
    pub weight_step: Option<Step>,
    /// The weight step is learned (LSQ).
    pub weight_step_learned: bool,
    /// One weight step per output channel.
    pub per_channel: bool,
    /// One magnitude per input channel of a convolution with one-bit weights (an early reference
    /// code); fully connected layers keep one.
    pub binary_per_input: bool,
    /// Activation bits, 0 for none.
    pub act_bits: u32,
    /// Choice of the activation step.
    pub act_step: ActStep,
    /// Rounding of activations.
    pub act_rounding: Rounding,
    /// Use signed codes even where values are non-negative (the reference code does).
    pub act_signed: bool,
    /// Gradient of both quantizers from two bits on; of one bit it always passes inside `[-1, 1]`.
    pub straight_through: StraightThrough,
    /// Quantize the inputs of fully connected layers (the reference code does not).
    pub linear_inputs: bool,
    /// Bits of the network's input image, 0 for none.
    pub input_bits: u32,
    /// Whether images can be negative: their codes are then signed ones, whatever the activations' are.
    pub signed_images: bool,
    /// What shares a magnitude at one activation bit in front of convolutions, see
    /// [`Numerics::binary_group_of`].
    pub binary_group: BinaryGroup,
    /// Crossbar layers with formats of their own, by name; how steps are chosen or learned is the same in
    /// all. `None`: all layers have these formats.
    pub own: Option<Arc<BTreeMap<String, Numerics>>>,
}

impl Numerics {
    /// No quantization.
    pub const FLOAT: Numerics = Numerics {
        weight_bits: 0,
        weight_step: Some(Step::MaxAbs),
        weight_step_learned: false,
        per_channel: false,
        binary_per_input: false,
        act_bits: 0,
        act_step: ActStep::MovingMax,
        act_rounding: Rounding::Nearest,
        act_signed: false,
        straight_through: StraightThrough::Clip,
        linear_inputs: true,
        input_bits: 0,
        signed_images: true,
        binary_group: BinaryGroup::Channel,
        own: None,
    };

    /// The formats of the crossbar layer of a name.
    pub fn of(&self, layer: &str) -> &Numerics {
        let own = self.own.as_ref().and_then(|own| own.get(layer));
        own.unwrap_or(self)
    }

    /// Whether weights of any layer are quantized.
    pub fn quantizes_weights(&self) -> bool {
        let own = self.own.iter().flat_map(|own| own.values());
        self.weight_bits > 0 || own.into_iter().any(|n| n.weight_bits > 0)
    }

    /// Bits of the activations entering a crossbar layer that reads `node`.
    pub fn input_bits_of(&self, graph: &Graph, node: NodeId, geo: &ConvGeometry) -> u32 {
        if graph.is_image(node) {
            self.input_bits
        } else if geo.is_linear() && !self.linear_inputs {
            0
        } else {
            self.act_bits
        }
    }

    /// Weight steps of a crossbar layer, and how many consecutive weights share one ([`WeightScale`]).
    pub fn weight_steps(&self, geo: &ConvGeometry) -> (usize, usize) {
        if self.per_channel && self.weight_bits > 0 {
            (geo.c_out, geo.rows())
        } else if self.binary_per_input && self.weight_bits == 1 && !geo.is_linear() {
            (geo.c_in / geo.groups, geo.kh * geo.kw)
        } else {
            (1, geo.weights())
        }
    }

    /// Code range of the activations of `node` at `bits >= 2`: unsigned `[0, 2^b - 1]` where the
    /// values cannot be negative, else symmetric `[-(2^(b-1) - 1), 2^(b-1) - 1]`.
    pub fn code_range(&self, graph: &Graph, node: NodeId, bits: u32) -> (i32, i32) {
        let signed = match graph.is_image(node) {
            true => self.signed_images,
            false => self.act_signed || !graph.is_non_negative(node, !self.signed_images),
        };
        match signed {
            false => (0, (1 << bits) - 1),
            true => {
                let n = (1 << (bits - 1)) - 1;
                (-n, n)
            }
        }
    }

    /// What shares a magnitude where `node` enters a crossbar layer with one bit: a fully connected
    /// layer has one for the image, and so has every layer whose channels are single values, which a
    /// magnitude of their own would leave as they are.
    pub fn binary_group_of(&self, graph: &Graph, node: NodeId, geo: &ConvGeometry) -> BinaryGroup {
        let (_, h, w) = graph.nodes[node].shape;
        match geo.is_linear() || h * w == 1 {
            true => BinaryGroup::Image,
            false => self.binary_group,
        }
    }
}

/// What the chips of a program suffer, without their common deviation (that is data).
#[derive(Debug, Clone, PartialEq)]
pub struct CellNoise {
    /// Variance model.
    pub law: Law,
    /// Cells per weight.
    pub mapping: Mapping,
    /// Distribution of the within-chip deviates.
    pub deviate: Deviate,
    /// Within-chip standard deviation.
    pub sigma_w: f32,
    /// How it depends on what a cell holds, see [`Fabrication::profile`].
    pub profile: Option<Profile>,
    /// Reference columns subtracted from every output, 0 for none.
    pub reference_columns: u32,
}

impl CellNoise {
    /// Cells that are what they should be.
    pub const NONE: CellNoise = CellNoise {
        law: Law::WeightProportional,
        mapping: Mapping::Ideal,
        deviate: Deviate::Gaussian,
        sigma_w: 0.0,
        profile: None,
        reference_columns: 0,
    };

    /// The same in every crossbar layer of a network.
    pub fn everywhere(self, graph: &Graph) -> Vec<Option<CellNoise>> {
        vec![Some(self); graph.crossbars().len()]
    }

    /// The operator's constants for crossbar layer `index` (0-based).
    pub fn fabrication(&self, index: usize, geo: &ConvGeometry) -> Fabrication {
        Fabrication {
            law: self.law,
            mapping: self.mapping,
            deviate: self.deviate,
            sigma_w: self.sigma_w,
            profile: self.profile.clone(),
            reference_columns: self.reference_columns,
            layer: layer_address(index),
            cols: geo.c_out,
            rows: geo.rows(),
        }
    }
}

/// Address word of crossbar layer `index` (0-based); 0 is the chip itself.
pub fn layer_address(index: usize) -> u32 {
    index as u32 + 1
}

/// A parameter or other named state of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct StateTensor {
    /// Name in checkpoints.
    pub name: String,
    /// Shape in checkpoints.
    pub shape: Vec<usize>,
    /// Tensor of the program.
    pub tensor: TensorId,
}

/// States of one crossbar layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConvStates {
    pub weight: TensorId,
    pub bias: Option<TensorId>,
    /// Bits of a weight, 0 for none.
    pub bits: u32,
    /// Weight steps, with weight quantization or not (`1` then).
    pub weight_step: TensorId,
    /// Consecutive weights that share a step.
    pub run: usize,
    /// Input quantizer.
    pub input: InputQuantizer,
}

/// How a crossbar layer's input is quantized.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum InputQuantizer {
    None,
    Binary(BinaryGroup),
    Uniform(ActQuant),
}

/// States of one batch norm.
#[derive(Debug, Clone, Copy)]
pub(super) struct NormStates {
    pub gamma: TensorId,
    pub beta: TensorId,
    pub mean: TensorId,
    pub var: TensorId,
}

/// Program under construction plus the states that both lowerings share.
pub(super) struct Builder<'a> {
    pub graph: &'a Graph,
    pub numerics: &'a Numerics,
    pub program: Program,
    pub states: Vec<StateTensor>,
    counter: usize,
}

impl<'a> Builder<'a> {
    pub fn new(graph: &'a Graph, numerics: &'a Numerics) -> Self {
        Self {
            graph,
            numerics,
            program: Program::default(),
            states: vec![],
            counter: 0,
        }
    }

    /// Shared state that is part of the network: made once, however often it is asked for.
    pub fn state(&mut self, name: String, shape: Vec<usize>) -> TensorId {
        if let Some(made) = self.states.iter().find(|s| s.name == name) {
            return made.tensor;
        }
        let len = shape.iter().product();
        let t = self
            .program
            .tensor(name.clone(), Shape::Flat(len), Scope::Shared, Role::State);
        self.states.push(StateTensor {
            name,
            shape,
            tensor: t,
        });
        t
    }

    /// Scratch tensor with a unique name.
    pub fn temp(&mut self, what: &str, shape: Shape, scope: Scope) -> TensorId {
        self.counter += 1;
        let name = format!("{what}~{}", self.counter);
        self.program.tensor(name, shape, scope, Role::Temp)
    }

    /// Scratch map of the shape of a node's output.
    pub fn map(&mut self, node: NodeId, scope: Scope) -> TensorId {
        let n = &self.graph.nodes[node];
        let (c, h, w) = n.shape;
        let name = n.name.clone();
        self.temp(&name, Shape::Image { c, h, w }, scope)
    }

    pub fn conv_states(&mut self, node: NodeId, geo: &ConvGeometry, bias: bool) -> ConvStates {
        let name = self.graph.nodes[node].name.clone();
        let n = self.numerics.of(&name);
        let weight = self.state(
            Part::Weight.of(&name),
            vec![geo.c_out, geo.c_in / geo.groups, geo.kh, geo.kw],
        );
        let bias = bias.then(|| self.state(Part::Bias.of(&name), vec![geo.c_out]));
        let (steps, run) = n.weight_steps(geo);
        let weight_step = self.state(Part::WeightStep.of(&name), vec![steps]);
        let source = self.graph.nodes[node].inputs[0];
        let input = match n.input_bits_of(self.graph, source, geo) {
            0 => InputQuantizer::None,
            1 => InputQuantizer::Binary(n.binary_group_of(self.graph, source, geo)),
            bits => {
                let (lo, hi) = n.code_range(self.graph, source, bits);
                let scale = self.state(Part::InputStep.of(&name), vec![1]);
                InputQuantizer::Uniform(ActQuant {
                    scale,
                    lo,
                    hi,
                    rounding: n.act_rounding,
                })
            }
        };
        ConvStates {
            weight,
            bias,
            bits: n.weight_bits,
            weight_step,
            run,
            input,
        }
    }

    pub fn norm_states(&mut self, node: NodeId) -> NormStates {
        let name = self.graph.nodes[node].name.clone();
        let c = self.graph.nodes[node].shape.0;
        let mut s = |part: Part| self.state(part.of(&name), vec![c]);
        NormStates {
            gamma: s(Part::Gamma),
            beta: s(Part::Beta),
            mean: s(Part::Mean),
            var: s(Part::Var),
        }
    }

    /// Factor and offset of [`crate::network::graph::Layer::Affine`].
    pub fn affine_states(&mut self, node: NodeId) -> (TensorId, TensorId) {
        let name = self.graph.nodes[node].name.clone();
        let c = self.graph.nodes[node].shape.0;
        let scale = self.state(Part::Scale.of(&name), vec![c]);
        (scale, self.state(Part::Shift.of(&name), vec![c]))
    }

    /// The quantizer of [`crate::network::graph::Layer::Quantize`].
    pub fn fixed_quantizer(&mut self, node: NodeId, lo: i32, hi: i32) -> ActQuant {
        let name = self.graph.nodes[node].name.clone();
        ActQuant {
            scale: self.state(Part::Step.of(&name), vec![1]),
            lo,
            hi,
            rounding: Rounding::Nearest,
        }
    }

    /// Input, labels and tally of a section that looks at images.
    pub fn image_io(&mut self, prefix: &str, scope: Scope) -> (TensorId, TensorId) {
        let (c, h, w) = self.graph.nodes[0].shape;
        let input = self.program.tensor(
            format!("{prefix}images"),
            Shape::Image { c, h, w },
            scope,
            Role::Input,
        );
        let one = Shape::Image { c: 1, h: 1, w: 1 };
        let labels = self
            .program
            .tensor(format!("{prefix}labels"), one, scope, Role::Input);
        (input, labels)
    }

    /// `SoftmaxXent` and `Tally` on `logits`; returns the tally.
    pub fn score(
        &mut self,
        ops: &mut Vec<Op>,
        logits: TensorId,
        labels: TensorId,
        dlogits: Option<TensorId>,
        smoothing: f32,
        tally: TensorId,
    ) {
        let one = Shape::Image { c: 1, h: 1, w: 1 };
        let [loss, hit] = ["loss", "hit"].map(|what| self.temp(what, one, Scope::PerChip));
        ops.push(Op::from(SoftmaxXent {
            logits,
            labels,
            loss,
            hit,
            dlogits,
            smoothing,
            apart: false,
        }));
        ops.push(Op::from(Tally {
            values: vec![hit, loss],
            tally,
        }));
    }

    /// Chooses the steps of a layer's weight and quantizes it. Returns the quantized weight and
    /// what one full conductance stands for: per output channel where that has a step of its own
    /// (its column's converter takes it), else one for the layer, its largest weight.
    pub fn quantized_weight(
        &mut self,
        ops: &mut Vec<Op>,
        geo: &ConvGeometry,
        s: &ConvStates,
        step: Option<Step>,
    ) -> (TensorId, TensorId) {
        self.quantized(ops, geo, s, step, (s.weight, s.weight))
    }

    /// [`Builder::quantized_weight`] of a weight that transforms made of the layer's; its steps are chosen
    /// for `range`.
    pub fn quantized(
        &mut self,
        ops: &mut Vec<Op>,
        geo: &ConvGeometry,
        s: &ConvStates,
        step: Option<Step>,
        (w, range): (TensorId, TensorId),
    ) -> (TensorId, TensorId) {
        let bits = s.bits;
        let shape = self.program.desc(s.weight_step).shape;
        let mut full_scale = self.temp("full_scale", shape, Scope::Shared);
        ops.push(Op::from(WeightScale {
            w: range,
            scale: s.weight_step,
            full_scale,
            run: s.run,
            bits,
            step,
        }));
        if s.run < geo.rows() {
            let largest = self.temp("full_scale", Shape::Flat(1), Scope::Shared);
            let one = self.temp("one", Shape::Flat(1), Scope::Shared);
            ops.push(Op::from(WeightScale {
                w: full_scale,
                scale: one,
                full_scale: largest,
                run: shape.len(),
                bits: 0,
                step: Some(Step::MaxAbs),
            }));
            full_scale = largest;
        }
        let q = self.temp("quantized", Shape::Flat(geo.weights()), Scope::Shared);
        ops.push(Op::from(QuantizeWeight {
            w,
            scale: s.weight_step,
            run: s.run,
            q,
            bits,
        }));
        (q, full_scale)
    }
    /// The quantized weight of a layer that is executed digitally, with its frozen steps: all chips share it.
    pub fn digital_weight(
        &mut self,
        ops: &mut Vec<Op>,
        geo: &ConvGeometry,
        s: &ConvStates,
    ) -> TensorId {
        let (q, _) = self.quantized_weight(ops, geo, s, None);
        // Made once, read by other sections.
        self.program.tensors[q.index()].role = Role::State;
        q
    }
}
