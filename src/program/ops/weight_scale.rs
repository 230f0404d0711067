//! Steps of a weight quantizer.

use crate::error::Result;
use crate::program::{Check, Operand, Operator, Step, TensorId};

/// Chooses the quantization steps of a weight `w: Flat(cols*rows)` and writes the largest
/// representable magnitude `full_scale = Q * scale` (same shape). Weight `i` has step
/// `(i / run) % n` of the `n` of `scale`: one for the layer (`run = cols*rows`), one per output
/// channel (`run = rows`, `n = cols`) or one per input channel (`run` the pixels of a kernel).
/// `bits = 0`: no quantization, `scale = 1`, `full_scale = max|w|`.
/// `bits = 1`: `scale = full_scale = mean|w|` whatever the choice (except none).
/// A percentile is that of the weights that are not 0, and 0 where all are.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightScale {
    /// Master weight.
    pub w: TensorId,
    /// Step, written (or kept).
    pub scale: TensorId,
    /// Largest representable magnitude, written.
    pub full_scale: TensorId,
    /// Consecutive weights that share a step.
    pub run: usize,
    /// Bits, 0 to 8.
    pub bits: u32,
    /// Choice of the step; `None` keeps the one that is in `scale` (LSQ, or frozen).
    pub step: Option<Step>,
}

impl Operator for WeightScale {
    const NAME: &'static str = "weight_scale";

    fn operands(&self) -> Vec<Operand> {
        let scale = match self.step {
            None => Operand::update(self.scale),
            Some(_) => Operand::write(self.scale),
        };
        vec![
            Operand::read(self.w),
            scale,
            Operand::write(self.full_scale),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.bits(self.bits)?;
        let n = at.any_flat(self.w)?;
        at.steps(self.scale, self.run, n)?;
        at.flat(self.full_scale, at.any_flat(self.scale)?)
    }
}
