//! The backward half of a training step: reverse-mode differentiation of the graph.

use super::fabricated::Deviating;
use super::gradients::{Passed, of_plain, sum};
use super::training::{Saved, SavedConv, Trainer};
use super::*;
use crate::error::{Error, Result};
use crate::network::graph::Layer;

/// Whether the backward pass knows every layer of the network.
///
/// # Errors
/// Names every node that it does not know, and what can be done.
pub fn check_trainable(graph: &Graph) -> Result<()> {
    let mut refused = vec![];
    for node in &graph.nodes {
        let reason = match &node.layer {
            Layer::Softmax => "a softmax inside the network",
            Layer::Activation(act) if act.is_step() => "a step, whose derivative is 0",
            Layer::Multiply if graph.nodes[node.inputs[1]].shape != node.shape => {
                "a product with one value per channel"
            }
            Layer::Rearrange { table, .. } if !is_injective(table) => {
                "values are copied to several places"
            }
            _ => continue,
        };
        refused.push(format!("`{}` ({}): {reason}", node.name, node.layer.kind()));
    }
    if refused.is_empty() {
        return Ok(());
    }
    Err(Error::input(format!(
        "the network `{}` cannot be trained: no gradient for {}; it can be swept with recipe \"ptq\" as it is",
        graph.name,
        refused.join(", ")
    )))
}

/// Whether no value is copied to two places.
fn is_injective(table: &[u32]) -> bool {
    let mut seen = std::collections::HashSet::new();
    table.iter().all(|&t| t == NO_SOURCE || seen.insert(t))
}

impl Trainer<'_> {
    /// Walks the graph backwards from the gradients of outputs; `updates` receives `(parameter, gradient)`.
    pub(super) fn backward(
        &mut self,
        outputs: &[(NodeId, TensorId)],
        ops: &mut Vec<Op>,
        updates: &mut Vec<(TensorId, TensorId)>,
    ) {
        let graph = self.b.graph;
        let mut grads: Vec<Vec<TensorId>> = vec![vec![]; graph.nodes.len()];
        for &(output, dy) in outputs {
            grads[output].push(dy);
        }
        for id in (1..graph.nodes.len()).rev() {
            let parts = std::mem::take(&mut grads[id]);
            let Some(dy) = sum(&mut self.b, ops, id, &parts) else {
                continue; // nothing downstream depends on it
            };
            let node = &graph.nodes[id];
            let source = node.inputs[0];
            let dx = match (&node.layer, self.saved[id].clone()) {
                (Layer::Conv { geo, .. }, Saved::Conv(saved)) => {
                    let Some(dx) = self.conv_grad(ops, updates, geo, (id, saved, dy)) else {
                        continue;
                    };
                    dx
                }
                (&Layer::BatchNorm { eps, .. }, Saved::Norm { states, mean, var }) => {
                    self.norm_grad(ops, updates, eps, (source, states, [mean, var], dy))
                }
                (_, saved) => {
                    let map = |node: NodeId| self.values[node];
                    let at = Passed { id, dy, map: &map };
                    let made = of_plain(&mut self.b, ops, at, saved);
                    made.into_iter().for_each(|(i, dx)| grads[i].push(dx));
                    continue;
                }
            };
            grads[source].push(dx);
        }
    }

    /// Gradient of a convolution's weights, bias and steps to `updates`, that of its input as the result: none where
    /// nobody asks for it.
    fn conv_grad(
        &mut self,
        ops: &mut Vec<Op>,
        updates: &mut Vec<(TensorId, TensorId)>,
        geo: &ConvGeometry,
        (id, saved, dy): (NodeId, SavedConv, TensorId),
    ) -> Option<TensorId> {
        let SavedConv {
            states,
            noise,
            x: quantized,
            w,
            gain,
            slope,
        } = saved;
        let source = self.b.graph.nodes[id].inputs[0];
        let x = self.values[source];
        if let Some(slope) = slope {
            self.reference_grad(ops, updates, id, slope, dy);
        }
        let dy = self.scaled(ops, id, states.bias, dy, gain, updates);
        let dq = self.weight_grad(ops, geo, (states, noise), (quantized, w, dy));
        if let Some(dq) = self.over_passes(ops, states.weight, dq) {
            self.master_grad(ops, updates, (id, geo), &states, dq);
        }
        let image = self.b.graph.is_image(source);
        let learned = self.b.numerics.act_step.is_trained();
        let quantizer_learns = learned && matches!(states.input, InputQuantizer::Uniform(_));
        if image && !quantizer_learns {
            return None;
        }
        Some(self.input_grad(ops, updates, geo, states.input, (source, x, w, dy)))
    }

    /// Gradient through a batch norm with the statistics of its batch.
    fn norm_grad(
        &mut self,
        ops: &mut Vec<Op>,
        updates: &mut Vec<(TensorId, TensorId)>,
        eps: f32,
        (source, states, [mean, var], dy): (NodeId, NormStates, [TensorId; 2], TensorId),
    ) -> TensorId {
        let x = self.values[source];
        let dx = self.b.map(source, Scope::PerChip);
        let channels = self.b.program.desc(states.gamma).shape;
        let dgamma = self.b.temp("dgamma", channels, Scope::Shared);
        let dbeta = self.b.temp("dbeta", channels, Scope::Shared);
        ops.push(Op::from(BatchNormGradSums {
            x,
            mean,
            var,
            dy,
            dgamma,
            dbeta,
            eps,
        }));
        ops.push(Op::from(BatchNormGrad {
            x,
            mean,
            var,
            gamma: states.gamma,
            dy,
            dgamma,
            dbeta,
            dx,
            eps,
        }));
        updates.push((states.gamma, dgamma));
        updates.push((states.beta, dbeta));
        dx
    }

    /// Adds the bias's gradient to the updates and scales what goes on through the product.
    fn scaled(
        &mut self,
        ops: &mut Vec<Op>,
        id: NodeId,
        bias: Option<TensorId>,
        dy: TensorId,
        gain: Option<TensorId>,
        updates: &mut Vec<(TensorId, TensorId)>,
    ) -> TensorId {
        if let Some(bias) = bias {
            let shape = self.b.program.desc(bias).shape;
            let db = self.b.temp("dbias", shape, Scope::Shared);
            ops.push(Op::from(ChannelSum { x: dy, y: db }));
            updates.push((bias, db));
        }
        let Some(scale) = gain else {
            return dy;
        };
        let y = self.b.map(id, Scope::PerChip);
        let post = Post {
            scale: Some(scale),
            ..Post::NONE
        };
        ops.push(Op::from(Pointwise { x: dy, y, post }));
        y
    }

    /// Gradient of a layer's quantized weight.
    fn weight_grad(
        &mut self,
        ops: &mut Vec<Op>,
        geo: &ConvGeometry,
        (s, noise): (ConvStates, Option<Deviating>),
        (x, w, dy): (TensorId, TensorId, TensorId),
    ) -> TensorId {
        let shape = Shape::Flat(geo.weights());
        // At cell level the chips' gradients are added as they are.
        let scope = match self.spec.cells {
            Some(_) => Scope::Shared,
            None => self.b.program.desc(w).scope,
        };
        let dw = self.b.temp("dweight", shape, scope);
        ops.push(Op::from(Conv2dGradWeight {
            x,
            dy,
            dw,
            geo: *geo,
        }));
        match noise {
            None => dw,
            Some(deviating) => {
                let dq = self.b.temp("dquantized", shape, Scope::Shared);
                ops.push(deviating.backward(s.weight, dw, dq));
                dq
            }
        }
    }

    /// From the gradient of a layer's quantized weight to that of the trained one, with the terms of the loss on
    /// weights, which heads are no part of.
    fn master_grad(
        &mut self,
        ops: &mut Vec<Op>,
        updates: &mut Vec<(TensorId, TensorId)>,
        (id, geo): (NodeId, &ConvGeometry),
        s: &ConvStates,
        dq: TensorId,
    ) {
        let n = self.b.numerics;
        let shape = Shape::Flat(geo.weights());
        let counts = !self.b.graph.is_of_head(id);
        let mut dmaster = dq;
        let transformed = self.transforms.by_weight.remove(&s.weight);
        let w = transformed.as_ref().map_or(s.weight, |t| t.w);
        if s.bits > 0 {
            dmaster = self.b.temp("dmaster", shape, Scope::Shared);
            let learned = n.weight_step_learned && s.bits > 1;
            let dscale = learned.then(|| {
                let shape = self.b.program.desc(s.weight_step).shape;
                self.b.temp("dstep", shape, Scope::Shared)
            });
            ops.push(Op::from(QuantizeWeightGrad {
                w,
                scale: s.weight_step,
                run: s.run,
                dq,
                dw: dmaster,
                dscale,
                bits: s.bits,
                ste: match s.bits {
                    1 => StraightThrough::Clip,
                    _ => n.straight_through,
                },
            }));
            updates.extend(dscale.map(|d| (s.weight_step, d)));
            if s.bits > 1 && counts {
                self.slice_penalties(ops, s, (w, dmaster));
            }
        }
        if let Some(transformed) = transformed {
            dmaster = self.through_transforms(ops, &transformed, dmaster);
        }
        if counts {
            self.penalties(ops, geo, (s.weight, dmaster));
        }
        updates.push((s.weight, dmaster));
    }

    fn input_grad(
        &mut self,
        ops: &mut Vec<Op>,
        updates: &mut Vec<(TensorId, TensorId)>,
        geo: &ConvGeometry,
        input: InputQuantizer,
        (source, x, w, dy): (NodeId, TensorId, TensorId, TensorId),
    ) -> TensorId {
        let dq = self.b.map(source, Scope::PerChip);
        ops.push(Op::from(Conv2dGradInput {
            dy,
            w,
            dx: dq,
            geo: *geo,
        }));
        match input {
            InputQuantizer::None => dq,
            InputQuantizer::Binary(_) => {
                let dx = self.b.map(source, Scope::PerChip);
                ops.push(Op::from(BinarizeActGrad { x, dy: dq, dx }));
                dx
            }
            InputQuantizer::Uniform(quant) => {
                let n = self.b.numerics;
                let dx = self.b.map(source, Scope::PerChip);
                let dscale = (n.act_step == ActStep::Learned)
                    .then(|| self.b.temp("dstep", Shape::Flat(1), Scope::Shared));
                ops.push(Op::from(QuantizeActGrad {
                    x,
                    dy: dq,
                    dx,
                    dscale,
                    quant,
                    ste: self.b.numerics.straight_through,
                }));
                updates.extend(dscale.map(|d| (quant.scale, d)));
                if n.act_step == ActStep::Range {
                    let dscale = self.range_grad(ops, quant, (x, dq));
                    updates.push((quant.scale, dscale));
                }
                dx
            }
        }
    }
}
