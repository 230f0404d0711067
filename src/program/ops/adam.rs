//! Adam and AdamW.

use crate::error::Result;
#[cfg(doc)]
use crate::program::Sgd;
use crate::program::{Check, Operand, Operator, TensorId};

/// Adam (Kingma, Ba, arXiv 1412.6980), or AdamW with `decoupled`: at update `t = step + 1`,
/// `m = b1 m + (1-b1) g`, `v = b2 v + (1-b2) g^2`,
/// `w -= lr m/(1-b1^t) / (sqrt(v/(1-b2^t)) + eps)`; decay is added to `g`, or (decoupled)
/// `w -= lr decay w` first. With `positive` it is the logarithm of `w` that moves, to first order:
/// `g` is multiplied by `w`, and the change too, and the factor is limited as in [`Sgd`].
#[derive(Debug, Clone, PartialEq)]
pub struct Adam {
    /// Parameter.
    pub w: TensorId,
    /// Gradient.
    pub g: TensorId,
    /// First moment.
    pub m: TensorId,
    /// Second moment.
    pub v: TensorId,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the denominator.
    pub eps: f32,
    /// Decay coefficient.
    pub weight_decay: f32,
    /// AdamW.
    pub decoupled: bool,
    /// Quantizer steps: they stay positive. Without decay.
    pub positive: bool,
}

impl Operator for Adam {
    const NAME: &'static str = "adam";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::update(self.w),
            Operand::read(self.g),
            Operand::update(self.m),
            Operand::update(self.v),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let n = at.any_flat(self.w)?;
        [self.g, self.m, self.v]
            .into_iter()
            .try_for_each(|t| at.flat(t, n))
    }
}
