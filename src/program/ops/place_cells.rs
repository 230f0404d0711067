//! Cells at other places.

use std::sync::Arc;

use super::NO_SOURCE;
use crate::error::Result;
use crate::program::{Check, Operand, Operator, TensorId};

/// Takes the values of planes to other places: `y[p][i] = x[p][table[i]]`, or `fill` where `table[i]` is
/// [`NO_SOURCE`], for every plane `p`; `y` has planes of `table.len()` values, `x` as many of [`PlaceCells::len`].
/// With `step` the values become codes on the way, `round(x / step)`, ties to even, 0 with a step that is not
/// positive: a value's step is that of its column in `x`, `table[i] / rows`.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaceCells {
    /// Values, shared or per chip.
    pub x: TensorId,
    /// What a code stands for, `Flat(1)` or one a column of `x`, shared; absent: values stay what they are.
    pub step: Option<TensorId>,
    /// The values at their new places, written; as `x`.
    pub y: TensorId,
    /// Values of a plane of `x`.
    pub len: usize,
    /// Values of a column of `x`.
    pub rows: usize,
    /// Source of every place of a plane.
    pub table: Arc<[u32]>,
    /// Value of places without a source.
    pub fill: f32,
}

impl Operator for PlaceCells {
    const NAME: &'static str = "place_cells";

    fn operands(&self) -> Vec<Operand> {
        let mut all = vec![Operand::read(self.x)];
        all.extend(self.step.map(Operand::read));
        all.push(Operand::write(self.y));
        all
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let (len, rows, table) = (self.len, self.rows, &self.table);
        let shaped = rows > 0 && len > 0 && len.is_multiple_of(rows) && !table.is_empty();
        let outside = |&&source: &&u32| source != NO_SOURCE && source as usize >= len;
        at.possible(shaped && !table.iter().any(|s| outside(&s)), (len, rows))?;
        let planes = at.any_flat(self.y)? / table.len();
        at.flat(self.y, planes * table.len())?;
        at.flat(self.x, planes * len)?;
        self.step
            .map_or(Ok(()), |step| at.per_column(step, len / rows))
    }
}
