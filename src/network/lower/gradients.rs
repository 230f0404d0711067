//! Gradients of layers without weights: from that of their output to that of their input.

use super::training::Saved;
use super::*;
use crate::network::graph::Layer;

/// The table that leads back from the output of an injective one to its input of `n` values.
fn inverse(table: &[u32], n: usize) -> std::sync::Arc<[u32]> {
    let mut back = vec![NO_SOURCE; n];
    for (j, &t) in table.iter().enumerate() {
        if t != NO_SOURCE {
            back[t as usize] = j as u32;
        }
    }
    back.into()
}

/// A node and the gradient of its output.
pub(super) struct Passed<'a> {
    pub id: NodeId,
    pub dy: TensorId,
    /// The values of nodes in the forward pass.
    pub map: &'a dyn Fn(NodeId) -> TensorId,
}

/// Sum of a node's gradient contributions; `None` where nothing depends on it.
pub(super) fn sum(
    b: &mut Builder,
    ops: &mut Vec<Op>,
    id: NodeId,
    parts: &[TensorId],
) -> Option<TensorId> {
    let (&first, rest) = parts.split_first()?;
    Some(rest.iter().fold(first, |a, &other| {
        let y = b.map(id, Scope::PerChip);
        ops.push(Op::from(Add { a, b: other, y }));
        y
    }))
}

/// Gradients of the inputs of a layer that has no weights, and of a batch norm that keeps its statistics
/// ([`Saved::Affine`]).
pub(super) fn of_plain(
    b: &mut Builder,
    ops: &mut Vec<Op>,
    at: Passed,
    saved: Saved,
) -> Vec<(NodeId, TensorId)> {
    let Passed { id, dy, map } = at;
    let node = &b.graph.nodes[id];
    let inputs = node.inputs.iter();
    match &node.layer {
        Layer::Multiply => {
            let pairs = [(0, 1), (1, 0)].map(|(a, b)| (node.inputs[a], node.inputs[b]));
            let product = |(this, other)| {
                let (b, y) = (map(other), b.map(this, Scope::PerChip));
                ops.push(Op::from(Multiply { a: dy, b, y }));
                (this, y)
            };
            pairs.map(product).into()
        }
        Layer::Reshape | Layer::Concat => {
            let mut first = 0;
            let part = |&i: &NodeId| {
                let y = b.map(i, Scope::PerChip);
                let n = b.program.desc(y).shape.len();
                ops.push(Op::from(Rearrange {
                    x: dy,
                    y,
                    first: 0,
                    table: (first as u32..(first + n) as u32).collect(),
                    fill: 0.0,
                }));
                first += n;
                (i, y)
            };
            inputs.map(part).collect()
        }
        Layer::Add => inputs.map(|&i| (i, dy)).collect(),
        Layer::Input
        | Layer::Conv { .. }
        | Layer::BatchNorm { .. }
        | Layer::Activation(_)
        | Layer::Affine
        | Layer::Quantize { .. }
        | Layer::Rearrange { .. }
        | Layer::MaxPool(_)
        | Layer::AvgPool(_)
        | Layer::Softmax => {
            let source = node.inputs[0];
            let dx = b.map(source, Scope::PerChip);
            ops.push(through_map(b, &at, saved, dx));
            vec![(source, dx)]
        }
    }
}

/// The gradient of a layer's only input.
fn through_map(b: &Builder, at: &Passed, saved: Saved, dx: TensorId) -> Op {
    let Passed { id, dy, map } = *at;
    let node = &b.graph.nodes[id];
    let (x, y) = (map(node.inputs[0]), map(id));
    match (&node.layer, saved) {
        (&Layer::Activation(act), _) => Op::from(ActivationGrad {
            y: if act.derivative_from_input() { x } else { y },
            dy,
            dx,
            act,
            scale: None,
        }),
        (Layer::Affine | Layer::BatchNorm { .. }, Saved::Affine { scale }) => {
            Op::from(ActivationGrad {
                y,
                dy,
                dx,
                act: Activation::Identity,
                scale: Some(scale),
            })
        }
        (Layer::Quantize { .. }, Saved::Quantize(quant)) => Op::from(QuantizeActGrad {
            x,
            dy,
            dx,
            dscale: None,
            quant,
            ste: StraightThrough::Clip,
        }),
        (Layer::Rearrange { table, .. }, _) => Op::from(Rearrange {
            x: dy,
            y: dx,
            first: 0,
            table: inverse(table, b.program.desc(x).shape.len()),
            fill: 0.0,
        }),
        (&Layer::MaxPool(geo), _) => Op::from(MaxPoolGrad { x, y, dy, dx, geo }),
        (&Layer::AvgPool(geo), _) => Op::from(AvgPoolGrad { dy, dx, geo }),
        _ => unreachable!("layers with states saved them, `check_trainable` knows the rest"),
    }
}
