//! The forward half of a training step: the network on the chips of the minibatch, with everything that the
//! backward half needs of it.

use super::fabricated::Layered;
use super::training::{Quantized, Saved, SavedConv, Trainer};
use super::update::Trained;
use super::*;
use crate::network::graph::Layer;

/// Rate of the activation steps' moving maximum (0.99 in the reference code's terms).
const ACT_RATE: f32 = 0.01;

impl Trainer<'_> {
    /// Operators on maps, node by node; those on weights go to `weights`.
    pub(super) fn forward(&mut self, images: TensorId) -> Vec<Op> {
        let mut ops = vec![];
        let graph = self.b.graph;
        for (id, node) in self.nodes_of_pass(graph).iter().enumerate() {
            if let Some(&value) = self.fused.get(&id) {
                self.values.push(value);
                self.saved.push(Saved::Nothing);
                continue;
            }
            let x = node.inputs.first().map(|&i| self.values[i]);
            let (value, saved) = match (&node.layer, x) {
                (Layer::Conv { geo, bias }, Some(x)) => self.conv(&mut ops, id, geo, *bias, x),
                (Layer::BatchNorm { eps, .. }, Some(x)) => self.norm(&mut ops, id, *eps, x),
                (Layer::Input, _) | (_, None) => (images, Saved::Nothing),
                (_, Some(x)) => {
                    let y = self.b.map(id, Scope::PerChip);
                    (y, self.map(&mut ops, id, x, y))
                }
            };
            self.values.push(value);
            self.saved.push(saved);
        }
        ops
    }

    /// From the values of a layer without weights, `x` the first of them, to its map `y`.
    fn map(&mut self, ops: &mut Vec<Op>, id: NodeId, x: TensorId, y: TensorId) -> Saved {
        let node = &self.b.graph.nodes[id];
        ops.push(match &node.layer {
            Layer::Activation(act) => {
                let post = Post {
                    act: *act,
                    ..Post::NONE
                };
                Op::from(Pointwise { x, y, post })
            }
            &Layer::MaxPool(geo) => Op::from(MaxPool { x, y, geo }),
            &Layer::AvgPool(geo) => Op::from(AvgPool { x, y, geo }),
            Layer::Softmax => Op::from(Softmax { x, y }),
            Layer::Add => {
                let b = self.values[node.inputs[1]];
                Op::from(Add { a: x, b, y })
            }
            Layer::Multiply => {
                let b = self.values[node.inputs[1]];
                Op::from(Multiply { a: x, b, y })
            }
            Layer::Rearrange { table, fill } => Op::from(Rearrange {
                x,
                y,
                first: 0,
                table: table.clone(),
                fill: *fill,
            }),
            Layer::Reshape | Layer::Concat => {
                self.one_behind_the_other(ops, &node.inputs, y);
                return Saved::Nothing;
            }
            Layer::Affine => {
                let (scale, shift) = self.b.affine_states(id);
                let post = Post {
                    scale: Some(scale),
                    shift: Some(shift),
                    ..Post::NONE
                };
                ops.push(Op::from(Pointwise { x, y, post }));
                return Saved::Affine { scale };
            }
            &Layer::Quantize { lo, hi } => {
                let quant = self.b.fixed_quantizer(id, lo, hi);
                ops.push(Op::from(QuantizeAct { x, y, quant }));
                return Saved::Quantize(quant);
            }
            Layer::Input | Layer::Conv { .. } | Layer::BatchNorm { .. } => {
                unreachable!("`forward` has taken it")
            }
        });
        Saved::Nothing
    }

    /// The values of all these nodes in one map.
    fn one_behind_the_other(&mut self, ops: &mut Vec<Op>, inputs: &[NodeId], y: TensorId) {
        let mut first = 0;
        for &i in inputs {
            let x = self.values[i];
            let n = self.b.program.desc(x).shape.len();
            ops.push(Op::from(Rearrange {
                x,
                y,
                first,
                table: (0..n as u32).collect(),
                fill: 0.0,
            }));
            first += n;
        }
    }

    fn conv(
        &mut self,
        ops: &mut Vec<Op>,
        id: NodeId,
        geo: &ConvGeometry,
        bias: bool,
        x: TensorId,
    ) -> (TensorId, Saved) {
        let n = self.b.numerics.of(&self.b.graph.nodes[id].name);
        let s = self.b.conv_states(id, geo, bias);
        if self.is_own() {
            self.params.push((s.weight, Trained::Weight));
            self.params.extend(s.bias.map(|t| (t, Trained::Other)));
        }
        let x = self.conv_input(ops, &s, n.act_step, x);
        let (q, full_scale) = self.conv_weight(n, id, geo, &s);
        let convs = self.saved.iter().filter(|s| matches!(s, Saved::Conv(_)));
        let index = convs.count();
        let cells = self.spec.cells.as_ref();
        if let Some(cells) = cells
            && let Some(at) = cells.layers.iter().position(|l| l.index() == index)
        {
            let layer = Layered {
                id,
                at,
                states: s,
                geo,
                q,
            };
            return self.cell_conv(ops, layer, cells, x);
        }
        let (w, noise) = self.fabricated(id, index, geo, (q, full_scale));
        let y = self.b.map(id, Scope::PerChip);
        let post = Post {
            shift: s.bias,
            ..Post::NONE
        };
        ops.push(Op::from(Conv2d {
            x,
            w,
            y,
            geo: *geo,
            post,
            codes: None,
        }));
        let (w, noise) = match self.spec.parts.clean_backward {
            true => (q, None),
            false => (w, noise),
        };
        let saved = SavedConv {
            states: s,
            noise,
            x,
            w,
            gain: None,
            slope: None,
        };
        (y, Saved::Conv(saved))
    }

    /// The quantized weight of a layer and its full scale, which all passes share.
    fn conv_weight(
        &mut self,
        n: &Numerics,
        id: NodeId,
        geo: &ConvGeometry,
        s: &ConvStates,
    ) -> (TensorId, TensorId) {
        if let Some(&made) = self.passes.quantized.get(&s.weight) {
            return made;
        }
        if n.weight_step_learned && n.weight_bits > 1 {
            self.params.push((s.weight_step, Trained::Step));
        }
        let first = self.weights.len();
        let transformed = self.transformed(id, geo, s);
        let chosen = self.weights.len();
        let of = (transformed.w, transformed.range);
        self.transforms.by_weight.insert(s.weight, transformed);
        let made = self
            .b
            .quantized(&mut self.weights, geo, s, n.weight_step, of);
        self.freeze.extend_from_slice(&self.weights[first..=chosen]);
        self.passes.quantized.insert(s.weight, made);
        made
    }

    /// What a convolution reads of `x`: quantized, by a step that moves with it in the step's own pass, or is learned.
    fn conv_input(
        &mut self,
        ops: &mut Vec<Op>,
        s: &ConvStates,
        act_step: ActStep,
        x: TensorId,
    ) -> TensorId {
        let desc = self.b.program.desc(x).clone();
        match s.input {
            InputQuantizer::None => x,
            InputQuantizer::Binary(group) => {
                let y = self.b.temp("binary", desc.shape, desc.scope);
                ops.push(Op::from(BinarizeAct { x, y, group }));
                y
            }
            InputQuantizer::Uniform(quant) => {
                if self.is_own() {
                    self.quantized_inputs.push(Quantized {
                        source: x,
                        quant,
                        before: ops.len(),
                    });
                }
                if act_step == ActStep::MovingMax && self.is_own() {
                    let value = self.b.temp("max", Shape::Flat(1), Scope::Shared);
                    ops.push(Op::from(MaxAbs {
                        x,
                        out: value,
                        divisor: quant.hi as f32,
                    }));
                    ops.push(Op::from(Lerp {
                        state: quant.scale,
                        value,
                        rate: Rate::FixedFromFirst(ACT_RATE),
                        times: 1.0,
                    }));
                } else if act_step.is_trained() && self.is_own() {
                    self.params.push((quant.scale, Trained::Step));
                }
                let y = self.b.temp("code", desc.shape, desc.scope);
                ops.push(Op::from(QuantizeAct { x, y, quant }));
                y
            }
        }
    }
}
