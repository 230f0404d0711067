//! Gradient of a loss that has a teacher.

use crate::error::Result;
use crate::program::{Check, Operand, Operator, TensorId};

/// Mixes the gradient of the cross-entropy with that of the distance from a teacher's probabilities (Hinton et al.,
/// arXiv 1503.02531): of `(1 - a) loss + a T^2 KL(softmax(teacher / T) || softmax(logits / T))`, the mean over all images
/// of all chips, `dz = (1 - a) dlogits + a T (softmax(logits / T) - softmax(teacher / T)) / (images * chips)`.
#[derive(Debug, Clone, PartialEq)]
pub struct DistillGrad {
    /// `Image {c: classes, 1, 1}`.
    pub logits: TensorId,
    /// Logits of the teacher, the same shape, shared or per chip.
    pub teacher: TensorId,
    /// Gradient of the cross-entropy.
    pub dlogits: TensorId,
    /// Gradient of both, written.
    pub dz: TensorId,
    /// The teacher's share, a.
    pub share: f32,
    /// Temperature, T.
    pub temperature: f32,
}

impl Operator for DistillGrad {
    const NAME: &'static str = "distill_grad";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.logits),
            Operand::read(self.teacher),
            Operand::read(self.dlogits),
            Operand::write(self.dz),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let (classes, ..) = at.any_image(self.logits)?;
        at.image(self.logits, classes, 1, 1)?;
        [self.teacher, self.dlogits, self.dz]
            .into_iter()
            .try_for_each(|t| at.same_image(t, self.logits))
    }
}
