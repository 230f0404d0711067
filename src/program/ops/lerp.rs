//! Running statistics.

use crate::error::Result;
use crate::program::{Check, Operand, Operator, Rate, TensorId};

/// Moves a state towards a value of the same shape; `times` multiplies the value first (for
/// the unbiased variance).
#[derive(Debug, Clone, PartialEq)]
pub struct Lerp {
    /// Moved.
    pub state: TensorId,
    /// Target.
    pub value: TensorId,
    /// How fast.
    pub rate: Rate,
    /// Factor on the value.
    pub times: f32,
}

impl Operator for Lerp {
    const NAME: &'static str = "lerp";

    fn operands(&self) -> Vec<Operand> {
        vec![Operand::update(self.state), Operand::read(self.value)]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.flat(self.value, at.any_flat(self.state)?)
    }
}
