//! Stochastic gradient descent.

use crate::error::Result;
#[cfg(doc)]
use crate::program::RunArgs;
use crate::program::{Check, Operand, Operator, TensorId};

/// Stochastic gradient descent with momentum: `g' = g + decay w`, `m = momentum m + g'`,
/// `w -= lr m` (Nesterov: `w -= lr (g' + momentum m)`), `lr` from [`RunArgs::lr`]. With
/// `positive` an update changes a value by a factor of 1/2 to 2 at most.
#[derive(Debug, Clone, PartialEq)]
pub struct Sgd {
    /// Parameter.
    pub w: TensorId,
    /// Gradient.
    pub g: TensorId,
    /// Momentum buffer.
    pub m: TensorId,
    /// Momentum.
    pub momentum: f32,
    /// L2 coefficient.
    pub weight_decay: f32,
    /// Nesterov variant.
    pub nesterov: bool,
    /// Quantizer steps: they stay positive.
    pub positive: bool,
}

impl Operator for Sgd {
    const NAME: &'static str = "sgd";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::update(self.w),
            Operand::read(self.g),
            Operand::update(self.m),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let n = at.any_flat(self.w)?;
        at.flat(self.g, n)?;
        at.flat(self.m, n)?;
        at.one_scope(&[self.w, self.g, self.m])
    }
}
