//! Constants of converters.

use crate::error::Result;
use crate::program::{Check, ConverterErrors, Draws, Operand, Operator, TensorId};

/// Constants of every converter of every chip, `out: Flat(2 [row tile][read plane][column])`
/// pairs `(a, b)`: a sum `v` becomes `a v + b` codes,
/// `a = (1 + gain error) / (lsb scale)`, `b = offset error - (1 + gain error) lo / lsb`: the gain's
/// error turns the line about code 0, which is what `lo scale` gives.
/// `range: Flat(2 [read plane][column])` pairs `(lsb, lo)` in level units; `scale` (absent: 1) is
/// the factor on the chip's reference, one value per row tile, column tile and read plane. Errors and the factor
/// are those of the column of the arrays ([`ConverterErrors::columns`]), the range is the layer's.
#[derive(Debug, Clone, PartialEq)]
pub struct ConverterFold {
    /// Ranges, shared.
    pub range: TensorId,
    /// Factor on the reference, per chip, `Flat(row tiles * column tiles * read planes)`.
    pub scale: Option<TensorId>,
    /// Constants, written; per chip.
    pub out: TensorId,
    /// Errors.
    pub spec: ConverterErrors,
}

impl Operator for ConverterFold {
    const NAME: &'static str = "converter_fold";

    fn operands(&self) -> Vec<Operand> {
        let mut all = vec![Operand::read(self.range)];
        all.extend(self.scale.map(Operand::read));
        all.extend([Operand::write(self.out)]);
        all
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let a = &self.spec.arrays;
        at.possible(self.spec.is_possible(), &self.spec)?;
        at.flat(self.range, 2 * a.read_planes() * a.cols)?;
        if let Some(t) = self.scale {
            at.flat(t, a.row_tiles() * a.col_tiles() * a.read_planes())?;
        }
        at.flat(self.out, 2 * a.converters())
    }

    fn draws(&self) -> Option<Draws> {
        Some(self.spec.draws())
    }
}
