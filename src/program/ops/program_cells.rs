//! Programming of cells.

use crate::effects::Effect;
use crate::error::Result;
use crate::program::{Check, Draws, Encoding, Operand, Operator, Programming, TensorId};

/// Programs the cells of a layer on every chip of the wave: from the quantized weight `w` to
/// conductances by [`Programming`], `out: Flat([read plane][column][row])` in level units (or the raw
/// cells, see [`Programming::raw`]). Code `q = round(w / step)`. `array: Flat(cell arrays)` per chip
/// is the common deviation of every array. With `variance: Flat([read plane][column][row])` also the
/// variance of the read noise of every cell (pairs with analog subtraction together), level
/// units squared.
#[derive(Debug, Clone, PartialEq)]
pub struct ProgramCells {
    /// Quantized weight, shared.
    pub w: TensorId,
    /// Its step, `Flat(1)` or `Flat(cols)`, shared.
    pub step: TensorId,
    /// Common deviation of every cell array, per chip.
    pub array: TensorId,
    /// Conductances, written; per chip.
    pub out: TensorId,
    /// Variance of a read, written; per chip.
    pub variance: Option<TensorId>,
    /// How.
    pub spec: Programming,
}

impl Operator for ProgramCells {
    const NAME: &'static str = "program_cells";

    fn operands(&self) -> Vec<Operand> {
        let mut all = vec![
            Operand::read(self.w),
            Operand::read(self.step),
            Operand::read(self.array),
            Operand::write(self.out).halves(!self.spec.raw),
        ];
        all.extend(self.variance.map(Operand::write));
        all
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let (a, spec) = (&self.spec.arrays, &self.spec);
        let effects = spec.effects.all().flat_map(Effect::curves);
        let noise = spec.read_noise.curve.iter();
        let noise = noise.chain(&spec.read_noise.one_over_f);
        let is = a.is_possible()
            && spec.fills()
            && effects.chain(noise).all(|c| c.len() >= 2)
            && !(spec.raw
                && (spec.reference_columns > 0
                    || self.variance.is_some()
                    || matches!(a.encoding, Encoding::Offset { reference: 1.. })));
        at.possible(is, spec)?;
        at.flat(self.w, a.plane_len())?;
        at.per_column(self.step, a.cols)?;
        at.flat(self.array, a.cell_arrays())?;
        let planes = match spec.raw {
            true => a.cell_planes(),
            false => a.read_planes(),
        };
        let n = planes * a.plane_len();
        at.flat(self.out, n)?;
        self.variance.map_or(Ok(()), |v| at.flat(v, n))
    }

    fn draws(&self) -> Option<Draws> {
        Some(self.spec.draws())
    }
}
