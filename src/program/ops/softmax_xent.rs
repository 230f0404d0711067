//! Loss of a classifier and its gradient.

use crate::error::Result;
use crate::program::{Check, Operand, Operator, TensorId};

/// Softmax cross-entropy with label smoothing `s`: target `(1-s) onehot + s/n`.
/// `loss` and `hit` are one value per image (0 where the label is negative: no image);
/// `hit = 1` where the first largest logit is the label;
/// `dlogits = (softmax - target) / (images * chips)` where given, with `apart` `/ images`.
#[derive(Debug, Clone, PartialEq)]
pub struct SoftmaxXent {
    /// `Image {c: classes, 1, 1}`.
    pub logits: TensorId,
    /// Class index as `f32`, `Image {1,1,1}`, shared or per chip.
    pub labels: TensorId,
    /// Loss, written.
    pub loss: TensorId,
    /// 1 or 0, written.
    pub hit: TensorId,
    /// Gradient, written.
    pub dlogits: Option<TensorId>,
    /// Label smoothing.
    pub smoothing: f32,
    /// Every chip has a loss of its own, the mean over its images, instead of one over all chips: the gradient
    /// does not depend on how many there are.
    pub apart: bool,
}

impl Operator for SoftmaxXent {
    const NAME: &'static str = "softmax_xent";

    fn operands(&self) -> Vec<Operand> {
        let mut all = vec![
            Operand::read(self.logits),
            Operand::read(self.labels),
            Operand::write(self.loss),
            Operand::write(self.hit),
        ];
        all.extend(self.dlogits.map(Operand::write));
        all
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let (classes, ..) = at.any_image(self.logits)?;
        at.image(self.logits, classes, 1, 1)?;
        [self.labels, self.loss, self.hit]
            .into_iter()
            .try_for_each(|t| at.image(t, 1, 1, 1))?;
        self.dlogits
            .map_or(Ok(()), |d| at.same_image(d, self.logits))
    }
}
