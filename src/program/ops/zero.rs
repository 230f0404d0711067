//! Clearing.

use crate::error::Result;
use crate::program::{Check, Operand, Operator, TensorId};

/// Sets a flat tensor to zero.
#[derive(Debug, Clone, PartialEq)]
pub struct Zero {
    /// Cleared.
    pub t: TensorId,
}

impl Operator for Zero {
    const NAME: &'static str = "zero";

    fn operands(&self) -> Vec<Operand> {
        vec![Operand::write(self.t)]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.any_flat(self.t).map(|_| ())
    }
}
