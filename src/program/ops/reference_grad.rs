//! Gradient of the reference that converters share.

use crate::error::Result;
#[cfg(doc)]
use crate::program::Crossbar;
use crate::program::{Check, Operand, Operator, TensorId};

/// Gradient of what the ranges of a layer's converters are proportional to, from the slopes of its outputs
/// ([`Crossbar::slope`]) times the gradients of these, added up by column:
///
/// ```text
/// d = x_step / by  sum over columns o: w_step[o] sums[o]
/// ```
/// flat and shared. With `by` the shared reference it is its gradient; with `by` the step of the layer's inputs, what their
/// range has of it where the converters' is tied to it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceGrad {
    /// Sums of columns.
    pub sums: TensorId,
    /// Step of the weights, `Flat(1)` or one a column.
    pub w_step: TensorId,
    /// Step of the inputs, `Flat(1)`.
    pub x_step: TensorId,
    /// What the ranges are proportional to, `Flat(1)`, above 0.
    pub by: TensorId,
    /// Gradient, `Flat(1)`, written.
    pub d: TensorId,
}

impl Operator for ReferenceGrad {
    const NAME: &'static str = "reference_grad";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.sums),
            Operand::read(self.w_step),
            Operand::read(self.x_step),
            Operand::read(self.by),
            Operand::write(self.d),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let n = at.any_flat(self.sums)?;
        at.per_column(self.w_step, n)?;
        at.flat(self.x_step, 1)?;
        at.flat(self.by, 1)?;
        at.flat(self.d, 1)?;
        at.one_scope(&[self.sums, self.w_step, self.x_step, self.by, self.d])
    }
}
