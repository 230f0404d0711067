//! A flat tensor times a number.

use crate::error::Result;
use crate::program::{Check, Operand, Operator, TensorId};

/// `y = by[0] x`, element by element; flat and shared: the ranges of converters that share a reference.
#[derive(Debug, Clone, PartialEq)]
pub struct ScaleFlat {
    /// Values.
    pub x: TensorId,
    /// Factor, `Flat(1)`.
    pub by: TensorId,
    /// Product, written.
    pub y: TensorId,
}

impl Operator for ScaleFlat {
    const NAME: &'static str = "scale_flat";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.x),
            Operand::read(self.by),
            Operand::write(self.y),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let n = at.any_flat(self.x)?;
        at.flat(self.by, 1)?;
        at.flat(self.y, n)?;
        at.one_scope(&[self.x, self.by, self.y])
    }
}
