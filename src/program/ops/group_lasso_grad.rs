//! Gradient of the sum of the lengths of groups of weights.

use crate::error::Result;
use crate::program::{Check, Operand, Operator, TensorId};

/// Adds the gradient of `factor * sum over groups of sqrt(sum w^2)` to `dw`, shared:
/// `dw += factor w / sqrt(sum w^2 of its group)`, nothing where the whole group is 0; of a group of one
/// weight `factor sign(w)`.
///
/// Weight `o*rows + k` of `w: Flat(cols*rows)` is in group `(o / tile.0, k / tile.1)`: groups are tiles of so many
/// columns and rows of the layer's matrix, those at its ends perhaps smaller.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupLassoGrad {
    /// Weight.
    pub w: TensorId,
    /// Its gradient, updated.
    pub dw: TensorId,
    /// Rows of the layer.
    pub rows: usize,
    /// Columns and rows of a group.
    pub tile: (usize, usize),
    /// Factor on the sum.
    pub factor: f32,
}

impl GroupLassoGrad {
    /// Groups along the columns and along the rows of a layer with `n` weights.
    pub fn groups(&self, n: usize) -> (usize, usize) {
        let cols = n / self.rows;
        (cols.div_ceil(self.tile.0), self.rows.div_ceil(self.tile.1))
    }
}

impl Operator for GroupLassoGrad {
    const NAME: &'static str = "group_lasso_grad";

    fn operands(&self) -> Vec<Operand> {
        vec![Operand::read(self.w), Operand::update(self.dw)]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let n = at.any_flat(self.w)?;
        at.flat(self.dw, n)?;
        let (cols, rows) = self.tile;
        if cols == 0 || rows == 0 || self.rows == 0 || !n.is_multiple_of(self.rows) {
            return at.fail(format!(
                "groups of {cols} x {rows} of {n} weights in {} rows",
                self.rows
            ));
        }
        Ok(())
    }
}
