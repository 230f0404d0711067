//! Sum of a map per channel.

use crate::error::Result;
use crate::program::{Check, Operand, Operator, TensorId};

/// `y[c] = sum over images, rows, columns (and chips when y is shared) of x` (bias gradient).
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelSum {
    /// Map.
    pub x: TensorId,
    /// `Flat(c)`, written.
    pub y: TensorId,
}

impl Operator for ChannelSum {
    const NAME: &'static str = "channel_sum";

    fn operands(&self) -> Vec<Operand> {
        vec![Operand::read(self.x), Operand::sum(self.y)]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let (c, ..) = at.any_image(self.x)?;
        at.flat(self.y, c)
    }
}
