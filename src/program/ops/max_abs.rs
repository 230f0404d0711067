//! Largest magnitude of a map.

use crate::error::Result;
use crate::program::{Check, Operand, Operator, TensorId};

/// `out = max|x| / divisor` over everything (images, chips): `Flat(1)`, shared.
#[derive(Debug, Clone, PartialEq)]
pub struct MaxAbs {
    /// Map.
    pub x: TensorId,
    /// Written.
    pub out: TensorId,
    /// Divisor, the highest code of the quantizer.
    pub divisor: f32,
}

impl Operator for MaxAbs {
    const NAME: &'static str = "max_abs";

    fn operands(&self) -> Vec<Operand> {
        vec![Operand::read(self.x), Operand::sum(self.out)]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.any_image(self.x)?;
        at.flat(self.out, 1)
    }
}
