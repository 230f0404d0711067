//! Training of batch norm on a chip: gain and offset of every channel by stochastic gradient descent, weights as
//! the chip has them.
//!
//! # Theory
//! Every chip has a gain and an offset of its own, which begin as those that were trained. A step looks at a batch
//! of calibration images, normalises with the batch's own statistics and takes the gradient of the chip's mean
//! cross-entropy back to its batch norms: through quantizers straight, through products with the weights that
//! the chip really holds (reads of the same cells in the other direction), or with the nominal ones, which is what a
//! digital unit beside the chip knows. Layers in front of the first batch norm have no gradient. Statistics are
//! measured after the last step, with the gains and offsets of then.

use super::fused::{Prepared, Walk};
use super::gradients::{Passed, of_plain, sum};
use super::inference::NormSgd;
use super::training::Saved;
use super::*;
use crate::network::graph::Layer;

/// A batch norm that is trained on every chip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainedNorm {
    /// Trained gain, shared.
    pub from_gamma: TensorId,
    /// Trained offset, shared.
    pub from_beta: TensorId,
    /// The chip's gain.
    pub gamma: TensorId,
    /// The chip's offset.
    pub beta: TensorId,
    /// Momentum of both.
    pub(super) moments: [TensorId; 2],
}

impl TrainedNorm {
    /// The states of a chip's batch norm, beside those of the network.
    pub(super) fn new(b: &mut Builder, id: NodeId, s: &NormStates) -> Self {
        let name = b.graph.nodes[id].name.clone();
        let shape = Shape::Flat(b.graph.nodes[id].shape.0);
        let mut t = |part: &str| {
            let name = format!("{name}.{part}");
            b.program.tensor(name, shape, Scope::PerChip, Role::State)
        };
        Self {
            from_gamma: s.gamma,
            from_beta: s.beta,
            gamma: t("chip_gamma"),
            beta: t("chip_beta"),
            moments: [t("gamma_momentum"), t("beta_momentum")],
        }
    }

    /// Operators that begin a training.
    pub(super) fn begin(&self) -> impl Iterator<Item = Op> + use<> {
        let copies = [(self.gamma, self.from_gamma), (self.beta, self.from_beta)];
        let copies = copies.map(|(state, value)| {
            Op::from(Lerp {
                state,
                value,
                rate: Rate::Fixed(1.0),
                times: 1.0,
            })
        });
        let zeros = self.moments.map(|t| Op::from(Zero { t }));
        copies.into_iter().chain(zeros)
    }
}

impl Walk<'_, '_> {
    /// A step of the training. `weights` are those of crossbar layers for the backward pass, `norms` what is
    /// trained, both by node.
    pub(super) fn adapting(
        &mut self,
        (images, labels): (TensorId, TensorId),
        weights: &[Option<TensorId>],
        norms: &[Option<TrainedNorm>],
        sgd: NormSgd,
    ) {
        let graph = self.b.graph;
        let pass = self.passage(images, graph.last(), false);
        let values: Vec<TensorId> = pass.values.iter().map(|v| v.expect("all nodes")).collect();
        let behind = graph.behind_norms();
        let mut grads: Vec<Vec<TensorId>> = vec![vec![]; graph.nodes.len()];
        grads[graph.last()].push(self.loss(values[graph.last()], labels));
        let mut updates = vec![];
        for id in (1..graph.nodes.len()).rev().filter(|&id| behind[id]) {
            let parts = std::mem::take(&mut grads[id]);
            let Some(dy) = sum(self.b, &mut self.ops, id, &parts) else {
                continue;
            };
            let node = &graph.nodes[id];
            let source = node.inputs[0];
            let made = match (&node.layer, self.layers[id]) {
                (Layer::Conv { geo, .. }, Some(Prepared::Conv { input, .. })) => {
                    let w = weights[id].expect("crossbar layers behind a norm have weights");
                    let dx = self.through_product(source, geo, (values[source], w, dy), input);
                    vec![(source, dx)]
                }
                (Layer::BatchNorm { eps, .. }, _) => {
                    let (Some(norm), Some(statistics)) = (norms[id], pass.statistics[id]) else {
                        continue;
                    };
                    let at = (id, *eps, values[source], dy);
                    let (dx, [dgamma, dbeta]) = self.through_norm(at, &norm, statistics, &behind);
                    updates.push((norm.gamma, dgamma, norm.moments[0]));
                    updates.push((norm.beta, dbeta, norm.moments[1]));
                    dx.map(|dx| (source, dx)).into_iter().collect()
                }
                (_, prepared) => {
                    let saved = match prepared {
                        Some(Prepared::Affine { scale, .. }) => Saved::Affine { scale },
                        Some(Prepared::Quantize(quant)) => Saved::Quantize(quant),
                        Some(Prepared::Conv { .. } | Prepared::Norm { .. }) | None => {
                            Saved::Nothing
                        }
                    };
                    let map = |node: NodeId| values[node];
                    let at = Passed { id, dy, map: &map };
                    of_plain(self.b, &mut self.ops, at, saved)
                }
            };
            made.into_iter().for_each(|(i, dx)| grads[i].push(dx));
        }
        let step = |(w, g, m)| {
            Op::from(Sgd {
                w,
                g,
                m,
                momentum: sgd.momentum,
                weight_decay: 0.0,
                nesterov: false,
                positive: false,
            })
        };
        self.ops.extend(updates.into_iter().map(step));
    }

    /// Gradient of the logits.
    fn loss(&mut self, logits: TensorId, labels: TensorId) -> TensorId {
        let one = Shape::Image { c: 1, h: 1, w: 1 };
        let shape = self.b.program.desc(logits).shape;
        let mut t = |what: &str, shape| self.b.temp(what, shape, Scope::PerChip);
        let dlogits = t("dlogits", shape);
        self.ops.push(Op::from(SoftmaxXent {
            logits,
            labels,
            loss: t("loss", one),
            hit: t("hit", one),
            dlogits: Some(dlogits),
            smoothing: 0.0,
            apart: true,
        }));
        dlogits
    }

    /// Back through a crossbar layer and the quantizer of its input.
    fn through_product(
        &mut self,
        source: NodeId,
        geo: &ConvGeometry,
        (x, w, dy): (TensorId, TensorId, TensorId),
        input: InputQuantizer,
    ) -> TensorId {
        let dq = self.b.map(source, Scope::PerChip);
        self.ops.push(Op::from(Conv2dGradInput {
            dy,
            w,
            dx: dq,
            geo: *geo,
        }));
        let ste = self.b.numerics.straight_through;
        let mut through = |op: &dyn Fn(TensorId) -> Op| {
            let dx = self.b.map(source, Scope::PerChip);
            self.ops.push(op(dx));
            dx
        };
        match input {
            InputQuantizer::None => dq,
            InputQuantizer::Binary(_) => through(&|dx| Op::from(BinarizeActGrad { x, dy: dq, dx })),
            InputQuantizer::Uniform(quant) => through(&|dx| {
                Op::from(QuantizeActGrad {
                    x,
                    dy: dq,
                    dx,
                    dscale: None,
                    quant,
                    ste,
                })
            }),
        }
    }

    /// Gradients of a batch norm, of its input only where another one comes before it.
    fn through_norm(
        &mut self,
        (id, eps, x, dy): (NodeId, f32, TensorId, TensorId),
        norm: &TrainedNorm,
        (mean, var): (TensorId, TensorId),
        behind: &[bool],
    ) -> (Option<TensorId>, [TensorId; 2]) {
        let node = &self.b.graph.nodes[id];
        let (source, c) = (node.inputs[0], Shape::Flat(node.shape.0));
        let mut t = |what: &str| self.b.temp(what, c, Scope::PerChip);
        let (dgamma, dbeta) = (t("dgamma"), t("dbeta"));
        self.ops.push(Op::from(BatchNormGradSums {
            x,
            mean,
            var,
            dy,
            dgamma,
            dbeta,
            eps,
        }));
        let dx = behind[source].then(|| self.b.map(source, Scope::PerChip));
        self.ops.extend(dx.map(|dx| {
            Op::from(BatchNormGrad {
                x,
                mean,
                var,
                gamma: norm.gamma,
                dy,
                dgamma,
                dbeta,
                dx,
                eps,
            })
        }));
        (dx, [dgamma, dbeta])
    }
}
