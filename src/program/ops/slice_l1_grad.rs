//! Gradient of the sum of the digits of quantized weights.

use crate::error::Result;
#[cfg(doc)]
use crate::program::QuantizeWeight;
use crate::program::{Check, Operand, Operator, TensorId};

/// Adds the gradient of `factor * sum of the digits of all codes` to `dw` (bit-slice L1, arXiv 1909.08496), shared.
///
/// The code of a weight is that of [`QuantizeWeight`], `q = min(|round(w/d)|, Q)`, and has digits `B_k` of
/// `slice_bits` bits, the lowest `B_0`: `q = sum_k B_k 2^(k slice_bits)`. The gradient goes straight through
/// rounding, every digit on its own: `dw += factor sign(w) / d * sum over k with B_k > 0 of 2^(-k slice_bits)`, nothing
/// where `d <= 0`. A digit that is 0 draws no more; the step counts as a constant.
#[derive(Debug, Clone, PartialEq)]
pub struct SliceL1Grad {
    /// Weight before its quantizer.
    pub w: TensorId,
    /// Steps, see [`crate::program::WeightScale`].
    pub scale: TensorId,
    /// Consecutive weights that share a step.
    pub run: usize,
    /// Gradient of the weight, updated.
    pub dw: TensorId,
    /// Bits of a weight, 2 to 8.
    pub bits: u32,
    /// Bits of a digit, 1 to 7.
    pub slice_bits: u32,
    /// Factor on the sum.
    pub factor: f32,
}

impl Operator for SliceL1Grad {
    const NAME: &'static str = "slice_l1_grad";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.w),
            Operand::read(self.scale),
            Operand::update(self.dw),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.bits(self.bits)?;
        let n = at.any_flat(self.w)?;
        at.steps(self.scale, self.run, n)?;
        at.flat(self.dw, n)?;
        if self.bits < 2 || !(1..=7).contains(&self.slice_bits) {
            return at.fail(format!(
                "digits of {} bits of weights of {} bits",
                self.slice_bits, self.bits
            ));
        }
        Ok(())
    }
}
