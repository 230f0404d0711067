//! Softmax over channels.

use crate::error::Result;
use crate::program::{Check, Operand, Operator, TensorId};

/// Softmax over the channels of every pixel: `y[c] = exp(x[c] - m) / sum_k exp(x[k] - m)`,
/// `m = max_k x[k]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Softmax {
    /// Map.
    pub x: TensorId,
    /// Probabilities, written.
    pub y: TensorId,
}

impl Operator for Softmax {
    const NAME: &'static str = "softmax";

    fn operands(&self) -> Vec<Operand> {
        vec![Operand::read(self.x), Operand::write(self.y)]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.same_image(self.y, self.x)
    }
}
