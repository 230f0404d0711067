//! Wires of arrays.

use crate::error::Result;
use crate::program::{Check, Operand, Operator, TensorId, Wires};

/// Effect of the wires on the cells of every array: the matrix from input voltages to output
/// currents (the mesh is linear), as if it were conductances: raw cells in, read planes in
/// level units out.
#[derive(Debug, Clone, PartialEq)]
pub struct IrDrop {
    /// Raw cells `[cell plane][column][row]` relative to `G_max`, per chip.
    pub g: TensorId,
    /// Read planes, written; per chip.
    pub out: TensorId,
    /// The wires.
    pub spec: Wires,
}

impl Operator for IrDrop {
    const NAME: &'static str = "ir_drop";

    fn operands(&self) -> Vec<Operand> {
        vec![Operand::read(self.g), Operand::write(self.out).halves(true)]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let (a, spec) = (&self.spec.arrays, &self.spec);
        let resistances = [spec.row, spec.col, spec.row_terminal, spec.col_terminal];
        let is = a.is_possible()
            && resistances.iter().all(|r| *r >= 0.0 && r.is_finite())
            && (0.0..=1.0).contains(&spec.activity);
        at.possible(is, spec)?;
        at.flat(self.g, a.cells())?;
        at.flat(self.out, a.read_planes() * a.plane_len())
    }
}
