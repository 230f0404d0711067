//! One-bit activations and their gradient.

use crate::error::Result;
use crate::program::{BinaryGroup, Check, Operand, Operator, TensorId};

/// One-bit activation `y = a sign(x)`, `sign(0) = 0` as in the reference code, `a` the mean
/// of `|x|` over the group.
#[derive(Debug, Clone, PartialEq)]
pub struct BinarizeAct {
    /// Map.
    pub x: TensorId,
    /// Binarized map, written.
    pub y: TensorId,
    /// What shares a magnitude.
    pub group: BinaryGroup,
}

impl Operator for BinarizeAct {
    const NAME: &'static str = "binarize_act";

    fn operands(&self) -> Vec<Operand> {
        vec![Operand::read(self.x), Operand::write(self.y)]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.same_image(self.y, self.x)
    }
}

/// `dx = dy` where `|x| <= 1`, else 0.
#[derive(Debug, Clone, PartialEq)]
pub struct BinarizeActGrad {
    /// Input of the quantizer.
    pub x: TensorId,
    /// Gradient of its output.
    pub dy: TensorId,
    /// Gradient of its input, written.
    pub dx: TensorId,
}

impl Operator for BinarizeActGrad {
    const NAME: &'static str = "binarize_act_grad";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.x),
            Operand::read(self.dy),
            Operand::write(self.dx),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.same_image(self.dy, self.x)?;
        at.same_image(self.dx, self.x)
    }
}
