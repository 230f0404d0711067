//! Read planes added up to effective weights.

use crate::error::Result;
#[cfg(doc)]
use crate::program::Crossbar;
use crate::program::{Check, Operand, Operator, Reading, TensorId};

/// Effective weights of arrays without converters and read noise, exactly equivalent to
/// [`Crossbar`] then: `out[o,k] = w_step[o] (sum_p place_p (gain g[p,o,k] - offset) - base)`
/// with the row tile's correction. A linear drive only.
#[derive(Debug, Clone, PartialEq)]
pub struct CollapsePlanes {
    /// Read planes in level units, shared or per chip.
    pub g: TensorId,
    /// Step of the weights.
    pub w_step: TensorId,
    /// Corrections, per chip.
    pub correct: Option<TensorId>,
    /// Effective weights `[column][row]`, written.
    pub out: TensorId,
    /// How.
    pub spec: Reading,
}

impl Operator for CollapsePlanes {
    const NAME: &'static str = "collapse_planes";

    fn operands(&self) -> Vec<Operand> {
        let mut all = vec![
            Operand::read(self.g).halves(true),
            Operand::read(self.w_step),
        ];
        all.extend(self.correct.map(Operand::read));
        all.extend([Operand::write(self.out)]);
        all
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let (a, spec) = (&self.spec.arrays, &self.spec);
        at.planes(spec, [self.g])?;
        at.possible(spec.adc.is_none() && spec.dac.table.is_none(), spec)?;
        at.per_column(self.w_step, a.cols)?;
        if let Some(t) = self.correct {
            at.flat(t, 2 * a.converters())?;
        }
        at.flat(self.out, a.plane_len())
    }
}
