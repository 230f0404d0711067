//! A teacher's part in the loss.

use super::*;

/// What a teacher says counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Teaching {
    /// Its share of the loss.
    pub share: f32,
    /// Temperature.
    pub temperature: f32,
}

impl Trainer<'_> {
    /// The gradient of the loss with what a teacher says, where there is one; `dlogits` is that of the cross-entropy.
    pub(super) fn taught(
        &mut self,
        ops: &mut Vec<Op>,
        logits: TensorId,
        dlogits: TensorId,
    ) -> TensorId {
        let Some(teaching) = self.spec.parts.teaching else {
            return dlogits;
        };
        let shape = self.b.program.desc(logits).shape;
        let program = &mut self.b.program;
        let teacher = program.tensor("teacher", shape, Scope::PerChip, Role::Input);
        self.transforms.tensors.teacher = Some(teacher);
        let dz = self.b.map(self.b.graph.output(), Scope::PerChip);
        ops.push(Op::from(DistillGrad {
            logits,
            teacher,
            dlogits,
            dz,
            share: teaching.share,
            temperature: teaching.temperature,
        }));
        dz
    }
}
