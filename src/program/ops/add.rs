//! Sum of two maps.

use crate::error::Result;
use crate::program::{Check, Operand, Operator, TensorId};

/// `y = a + b`.
#[derive(Debug, Clone, PartialEq)]
pub struct Add {
    /// First map.
    pub a: TensorId,
    /// Second map.
    pub b: TensorId,
    /// Sum, written.
    pub y: TensorId,
}

impl Operator for Add {
    const NAME: &'static str = "add";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.a),
            Operand::read(self.b),
            Operand::write(self.y),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.same_image(self.b, self.a)?;
        at.same_image(self.y, self.a)
    }
}
