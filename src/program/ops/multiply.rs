//! Product of two maps.

use crate::error::Result;
use crate::program::{Check, Operand, Operator, TensorId};

/// `y = a * b`, element by element; `b` may have one value per channel (`c x 1 x 1`) that is
/// used for the whole map (squeeze and excitation).
#[derive(Debug, Clone, PartialEq)]
pub struct Multiply {
    /// Map.
    pub a: TensorId,
    /// Factor.
    pub b: TensorId,
    /// Product, written.
    pub y: TensorId,
}

impl Operator for Multiply {
    const NAME: &'static str = "multiply";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.a),
            Operand::read(self.b),
            Operand::write(self.y),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.same_image(self.y, self.a)?;
        let (c, ..) = at.any_image(self.a)?;
        at.same_image(self.b, self.a)
            .or_else(|_| at.image(self.b, c, 1, 1))
    }
}
