//! Max pooling and its gradient.

use crate::error::Result;
use crate::program::{Check, Operand, Operator, PoolGeometry, TensorId};

/// Max pooling (padding never wins).
#[derive(Debug, Clone, PartialEq)]
pub struct MaxPool {
    /// Input map.
    pub x: TensorId,
    /// Output map, written.
    pub y: TensorId,
    /// Window.
    pub geo: PoolGeometry,
}

impl Operator for MaxPool {
    const NAME: &'static str = "max_pool";

    fn operands(&self) -> Vec<Operand> {
        vec![Operand::read(self.x), Operand::write(self.y)]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.pool(self.x, self.y, &self.geo)
    }
}

/// The gradient goes to the first (row-major) element that equals the maximum.
#[derive(Debug, Clone, PartialEq)]
pub struct MaxPoolGrad {
    /// Input map of the forward operator.
    pub x: TensorId,
    /// Output map of the forward operator.
    pub y: TensorId,
    /// Gradient of the output.
    pub dy: TensorId,
    /// Gradient of the input, written.
    pub dx: TensorId,
    /// Window.
    pub geo: PoolGeometry,
}

impl Operator for MaxPoolGrad {
    const NAME: &'static str = "max_pool_grad";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.x),
            Operand::read(self.y),
            Operand::read(self.dy),
            Operand::write(self.dx),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.pool(self.x, self.y, &self.geo)?;
        at.same_image(self.dy, self.y)?;
        at.same_image(self.dx, self.x)
    }
}
