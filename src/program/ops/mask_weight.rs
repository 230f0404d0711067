//! Weights of which some are removed.

use crate::error::Result;
use crate::program::{Check, Operand, Operator, TensorId};

/// `y = w mask`, element by element; flat and shared. The same operator leads the gradient back.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskWeight {
    /// Weight.
    pub w: TensorId,
    /// 1 where a weight stays, 0 where it is removed.
    pub mask: TensorId,
    /// Product, written.
    pub y: TensorId,
}

impl Operator for MaskWeight {
    const NAME: &'static str = "mask_weight";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.w),
            Operand::read(self.mask),
            Operand::write(self.y),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let n = at.any_flat(self.w)?;
        at.flat(self.mask, n)?;
        at.flat(self.y, n)
    }
}
