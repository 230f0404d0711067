//! Average pooling and its gradient.

use crate::error::Result;
use crate::program::{Check, Operand, Operator, PoolGeometry, TensorId};

/// Average pooling; padded positions are not counted. Global average pooling is a window of
/// the whole map.
#[derive(Debug, Clone, PartialEq)]
pub struct AvgPool {
    /// Input map.
    pub x: TensorId,
    /// Output map, written.
    pub y: TensorId,
    /// Window.
    pub geo: PoolGeometry,
}

impl Operator for AvgPool {
    const NAME: &'static str = "avg_pool";

    fn operands(&self) -> Vec<Operand> {
        vec![Operand::read(self.x), Operand::write(self.y)]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.pool(self.x, self.y, &self.geo)
    }
}

/// Spreads the gradient evenly over the window.
#[derive(Debug, Clone, PartialEq)]
pub struct AvgPoolGrad {
    /// Gradient of the output.
    pub dy: TensorId,
    /// Gradient of the input, written.
    pub dx: TensorId,
    /// Window.
    pub geo: PoolGeometry,
}

impl Operator for AvgPoolGrad {
    const NAME: &'static str = "avg_pool_grad";

    fn operands(&self) -> Vec<Operand> {
        vec![Operand::read(self.dy), Operand::write(self.dx)]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.pool(self.dx, self.dy, &self.geo)
    }
}
