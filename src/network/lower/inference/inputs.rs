//! The quantized network without chips, with the inputs of its crossbar layers in the open: before their quantizers and after.

use super::super::fused::Walk;
use super::super::*;
use super::{Chips, NormMode, lay};

/// Inputs of a crossbar layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerInputs {
    /// Values that the layer's quantizer sees, a map (`Output`).
    pub raw: TensorId,
    /// Values that the layer multiplies, a map (`Output`); the same where inputs are not quantized.
    pub quantized: TensorId,
    /// What one code stands for, `Flat(1)`, where inputs are codes of equal steps.
    pub step: Option<TensorId>,
}

/// A program that gives the inputs of all crossbar layers for images.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The program.
    pub program: Program,
    /// Network states to load.
    pub states: Vec<StateTensor>,
    /// Images.
    pub images: TensorId,
    /// Section: quantize the weights.
    pub quantize: SectionId,
    /// Section: run the network.
    pub run: SectionId,
    /// Inputs of the crossbar layers, in order.
    pub layers: Vec<LayerInputs>,
}

/// Builds the program of a network whose crossbar layers are all executed digitally.
pub fn lower(graph: &Graph, numerics: &Numerics) -> Inputs {
    let mut b = Builder::new(graph, numerics);
    let (c, h, w) = graph.nodes[0].shape;
    let shape = Shape::Image { c, h, w };
    let images = b
        .program
        .tensor("images", shape, Scope::Shared, Role::Input);
    let laid = lay(&mut b, Chips::Weight(&[]), NormMode::Frozen);
    let mut walk = Walk::new(&mut b, &laid.layers, &[]);
    walk.inputs = Some(vec![]);
    walk.fused(images, false);
    let (ops, layers) = (walk.ops, walk.inputs.unwrap_or_default());
    let quantize = b.program.section("quantize", laid.fabricate);
    let run = b.program.section("inputs", ops);
    Inputs {
        states: b.states,
        program: b.program,
        images,
        quantize,
        run,
        layers,
    }
}

/// A readable copy of a map.
pub(in crate::network::lower) fn copy(
    b: &mut Builder,
    ops: &mut Vec<Op>,
    name: String,
    x: TensorId,
) -> TensorId {
    let (shape, scope) = (b.program.desc(x).shape, b.program.desc(x).scope);
    let y = b.program.tensor(name, shape, scope, Role::Output);
    let values = shape.len() as u32;
    ops.push(Op::from(Rearrange {
        x,
        y,
        first: 0,
        table: (0..values).collect(),
        fill: 0.0,
    }));
    y
}
