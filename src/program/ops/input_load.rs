//! Conductance that the inputs of a layer drive.

use crate::error::Result;
use crate::program::{Arrays, Check, ConvGeometry, Operand, Operator, TensorId};
#[cfg(doc)]
use crate::program::{InputEnergy, ProgramCells};

/// Conductance of all cells that a place of the input map drives, over all output pixels:
///
/// ```text
/// out[c, y, x] = sum over kernel places (i, j) whose output pixel exists,
///                cell planes p and columns o of c's group: g[p, o, k(c, i, j)]
/// ```
/// with `g: Flat([cell plane][column][row])` from [`ProgramCells`] with raw cells, and `out: Flat(c_in h_in w_in)` per chip,
/// for [`InputEnergy`]. Reference columns are not in it. Each of the sums over planes and columns is added in `f32` or better.
#[derive(Debug, Clone, PartialEq)]
pub struct InputLoad {
    /// Cells relative to `G_max`.
    pub g: TensorId,
    /// Loads, written; per chip.
    pub out: TensorId,
    /// Where the cells are.
    pub arrays: Arrays,
    /// Geometry.
    pub geo: ConvGeometry,
}

impl Operator for InputLoad {
    const NAME: &'static str = "input_load";

    fn operands(&self) -> Vec<Operand> {
        vec![Operand::read(self.g), Operand::write(self.out)]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let (a, geo) = (&self.arrays, &self.geo);
        let fits = (a.cols, a.rows) == (geo.c_out, geo.rows());
        at.possible(a.is_possible() && geo.is_possible() && fits, (a, geo))?;
        at.flat(self.g, a.cells())?;
        at.flat(self.out, geo.c_in * geo.h_in * geo.w_in)
    }
}
