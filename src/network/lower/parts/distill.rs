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
    /// Walks the graph backwards from the gradient of the whole loss; `dlogits` is that of the cross-entropy.
    pub(in crate::network::lower) fn gradients(
        &mut self,
        dlogits: TensorId,
        ops: &mut Vec<Op>,
        updates: &mut Vec<(TensorId, TensorId)>,
    ) {
        let mut dz = dlogits;
        if let (Some(teaching), Some(&logits)) = (self.spec.parts.teaching, self.values.last()) {
            let last = self.b.graph.last();
            let shape = self.b.program.desc(logits).shape;
            let program = &mut self.b.program;
            let teacher = program.tensor("teacher", shape, Scope::PerChip, Role::Input);
            self.transforms.tensors.teacher = Some(teacher);
            dz = self.b.map(last, Scope::PerChip);
            ops.push(Op::from(DistillGrad {
                logits,
                teacher,
                dlogits,
                dz,
                share: teaching.share,
                temperature: teaching.temperature,
            }));
        }
        self.backward(dz, ops, updates);
    }
}
