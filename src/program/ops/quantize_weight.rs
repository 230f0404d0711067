//! Weight quantizer and its straight-through gradient.

use crate::error::Result;
#[cfg(doc)]
use crate::program::WeightScale;
use crate::program::{Check, Operand, Operator, StraightThrough, TensorId};

/// `q = d clamp(round(w/d), -Q, Q)`, ties to even; `bits = 1`: `q = d` where `w >= 0`, else
/// `-d`; `bits = 0`: `q = w`. `d = 0` gives 0.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizeWeight {
    /// Master weight.
    pub w: TensorId,
    /// Steps, see [`WeightScale`].
    pub scale: TensorId,
    /// Consecutive weights that share a step.
    pub run: usize,
    /// Quantized value.
    pub q: TensorId,
    /// Bits, 0 to 8.
    pub bits: u32,
}

impl Operator for QuantizeWeight {
    const NAME: &'static str = "quantize_weight";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.w),
            Operand::read(self.scale),
            Operand::write(self.q),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.bits(self.bits)?;
        let n = at.any_flat(self.w)?;
        at.steps(self.scale, self.run, n)?;
        at.flat(self.q, n)
    }
}

/// `dw = dq * mask`, mask 1 for [`StraightThrough::Identity`], else 1 inside, where `|w| <= Q d`
/// (`|w| <= 1` for one bit); the end has a relative slack of 2^-20, so that the weight that sets
/// the step is inside however `d` was rounded. With `d <= 0` only zeros are inside.
/// With `dscale` also the LSQ gradient of the step (Esser et al., arXiv 1902.08153):
/// `dd = g sum dq * (round(w/d) - w/d inside, +-Q outside)`, `g = 1/sqrt(n Q)`, `n` the
/// weights that share the step (one bit: `g sum dq sign(w)`; no bits: 0).
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizeWeightGrad {
    /// Master weight.
    pub w: TensorId,
    /// Steps, see [`WeightScale`].
    pub scale: TensorId,
    /// Consecutive weights that share a step.
    pub run: usize,
    /// Gradient of the quantized value.
    pub dq: TensorId,
    /// Gradient of the master weight, written.
    pub dw: TensorId,
    /// Gradient of the step, written, for LSQ.
    pub dscale: Option<TensorId>,
    /// Bits.
    pub bits: u32,
    /// Mask.
    pub ste: StraightThrough,
}

impl Operator for QuantizeWeightGrad {
    const NAME: &'static str = "quantize_weight_grad";

    fn operands(&self) -> Vec<Operand> {
        let mut all = vec![
            Operand::read(self.w),
            Operand::read(self.scale),
            Operand::read(self.dq),
            Operand::write(self.dw),
        ];
        all.extend(self.dscale.map(Operand::write));
        all
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.bits(self.bits)?;
        let n = at.any_flat(self.w)?;
        at.steps(self.scale, self.run, n)?;
        at.flat(self.dq, n)?;
        at.flat(self.dw, n)?;
        match self.dscale {
            Some(dscale) => at.flat(dscale, at.any_flat(self.scale)?),
            None => Ok(()),
        }
    }
}
