//! Batch norm that keeps its statistics while a network is trained or calibrated.

use super::training::{Saved, Trainer};
use super::*;

impl Trainer<'_> {
    pub(super) fn frozen_norm(
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
        ops.push(Op::BatchNormFold {
            mean: s.mean,
            var: s.var,
            gamma: s.gamma,
            beta: s.beta,
            scale,
            shift,
            eps,
        });
        let y = self.b.map(id, Scope::PerChip);
        let post = Post {
            scale: Some(scale),
            shift: Some(shift),
            ..Post::NONE
        };
        ops.push(Op::Pointwise { x, y, post });
        (y, Saved::Affine { scale })
    }
}
