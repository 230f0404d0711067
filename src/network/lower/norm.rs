//! Batch norm in a training step: with the statistics of the batch, or keeping its own.

use super::training::{Saved, Trainer};
use super::update::Trained;
use super::*;
use crate::network::graph::Layer;

impl Trainer<'_> {
    /// Batch norm, and with it the addition and the activation behind it where nobody else reads
    /// what is in between: their backward passes need only the last value.
    pub(super) fn norm(
        &mut self,
        ops: &mut Vec<Op>,
        id: NodeId,
        eps: f32,
        x: TensorId,
    ) -> (TensorId, Saved) {
        let s = self.b.norm_states(id);
        if self.spec.frozen_norm {
            return self.frozen_norm(ops, id, eps, x, s);
        }
        if self.is_own() {
            self.params.push((s.gamma, Trained::Other));
            self.params.push((s.beta, Trained::Other));
        }
        let (c, h, w) = self.b.graph.nodes[id].shape;
        let mut t = |what: &str| self.b.temp(what, Shape::Flat(c), Scope::Shared);
        let (mean, var) = (t("mean"), t("var"));
        let (scale, shift) = (t("scale"), t("shift"));
        ops.push(Op::from(BatchNormStats { x, mean, var }));
        ops.push(Op::from(BatchNormFold {
            mean,
            var,
            gamma: s.gamma,
            beta: s.beta,
            scale,
            shift,
            eps,
        }));
        // Running statistics keep the unbiased variance, as is customary.
        let count = (self.spec.batch * h * w) as f32;
        let rate = match self.b.graph.nodes[id].layer {
            // A program that must not move them says so for all.
            Layer::BatchNorm { rate, .. } if self.spec.norm_rate > 0.0 => rate,
            _ => self.spec.norm_rate,
        };
        let moved = [
            (s.mean, mean, 1.0),
            (s.var, var, count / (count - 1.0).max(1.0)),
        ];
        for (state, value, times) in moved.into_iter().filter(|_| self.is_own()) {
            ops.push(Op::from(Lerp {
                state,
                value,
                rate: Rate::Fixed(rate),
                times,
            }));
        }
        let (post, nodes) = self.followed(id, scale, shift);
        let y = self.b.map(nodes[nodes.len() - 1], Scope::PerChip);
        self.fused
            .extend(nodes.iter().skip(1).map(|&node| (node, y)));
        ops.push(Op::from(Pointwise { x, y, post }));
        let saved = Saved::Norm {
            states: s,
            mean,
            var,
        };
        (y, saved)
    }

    /// What the normalisation does at once: it, and a sum and an activation that follow; with their nodes.
    fn followed(&self, id: NodeId, scale: TensorId, shift: TensorId) -> (Post, Vec<NodeId>) {
        let mut post = Post {
            scale: Some(scale),
            shift: Some(shift),
            ..Post::NONE
        };
        let graph = self.b.graph;
        let mut nodes = vec![id];
        while let Some(next) = self.readers[nodes[nodes.len() - 1]] {
            let node = &graph.nodes[next];
            match &node.layer {
                Layer::Add if post.residual.is_none() => {
                    let other = node.inputs.iter().find(|i| !nodes.contains(i));
                    let Some(&residual) = other.and_then(|&i| self.values.get(i)) else {
                        break;
                    };
                    post.residual = Some(residual);
                }
                Layer::Activation(act) if !act.derivative_from_input() => post.act = *act,
                _ => break,
            }
            nodes.push(next);
            if post.act != Activation::Identity {
                break;
            }
        }
        (post, nodes)
    }

    /// Batch norm that keeps its statistics.
    fn frozen_norm(
        &mut self,
        ops: &mut Vec<Op>,
        id: NodeId,
        eps: f32,
        x: TensorId,
        s: NormStates,
    ) -> (TensorId, Saved) {
        let c = Shape::Flat(self.b.graph.nodes[id].shape.0);
        let scale = self.b.temp("scale", c, Scope::Shared);
        let shift = self.b.temp("shift", c, Scope::Shared);
        ops.push(Op::from(BatchNormFold {
            mean: s.mean,
            var: s.var,
            gamma: s.gamma,
            beta: s.beta,
            scale,
            shift,
            eps,
        }));
        let y = self.b.map(id, Scope::PerChip);
        let post = Post {
            scale: Some(scale),
            shift: Some(shift),
            ..Post::NONE
        };
        ops.push(Op::from(Pointwise { x, y, post }));
        (y, Saved::Affine { scale })
    }
}
