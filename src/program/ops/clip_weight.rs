//! Clipped weights, and the gradient through them.

use crate::error::Result;
use crate::program::{Check, Operand, Operator, TensorId};

/// Mean and spread of every group of `run` consecutive weights of `w: Flat(n*run)`, shared:
/// `mean = sum w / run`, `bound = times * sqrt(sum (w - mean)^2 / run)`, both `Flat(n)`.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightSpread {
    /// Weight.
    pub w: TensorId,
    /// Mean of every group, written.
    pub mean: TensorId,
    /// Standard deviations times [`WeightSpread::times`], written.
    pub bound: TensorId,
    /// Weights of a group.
    pub run: usize,
    /// Factor on the standard deviation.
    pub times: f32,
}

impl Operator for WeightSpread {
    const NAME: &'static str = "weight_spread";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.w),
            Operand::write(self.mean),
            Operand::write(self.bound),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let groups = at.any_flat(self.bound)?;
        at.flat(self.w, groups * self.run)?;
        at.flat(self.mean, groups)
    }
}

/// `y = max(-c, min(w, c))`, with `c` that of the weight's group: `bound: Flat(n)`, `w` and `y: Flat(n*run)`,
/// all shared.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipWeight {
    /// Weight.
    pub w: TensorId,
    /// Largest magnitude of every group.
    pub bound: TensorId,
    /// Weights of a group.
    pub run: usize,
    /// Clipped weight, written.
    pub y: TensorId,
}

impl Operator for ClipWeight {
    const NAME: &'static str = "clip_weight";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.w),
            Operand::read(self.bound),
            Operand::write(self.y),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let n = at.any_flat(self.bound)? * self.run;
        at.flat(self.w, n)?;
        at.flat(self.y, n)
    }
}

/// Backward of [`ClipWeight`]: `dw = dy` where `|w| <= c`, else 0. With `spread`, of a bound that
/// [`WeightSpread`] wrote, `dw` also has its share of the bound's gradient
/// `s = sum of dy sign(w) over the clipped weights of the group`: `dc/dw = times^2 (w - mean) / (run c)`,
/// nothing where `c = 0`. Without it the bound counts as a constant.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipWeightGrad {
    /// Weight.
    pub w: TensorId,
    /// Largest magnitude of every group.
    pub bound: TensorId,
    /// Mean of every group, and the factor on its standard deviation.
    pub spread: Option<(TensorId, f32)>,
    /// Weights of a group.
    pub run: usize,
    /// Gradient of the clipped weight.
    pub dy: TensorId,
    /// Gradient of the weight, written.
    pub dw: TensorId,
}

impl Operator for ClipWeightGrad {
    const NAME: &'static str = "clip_weight_grad";

    fn operands(&self) -> Vec<Operand> {
        let mut all = vec![
            Operand::read(self.w),
            Operand::read(self.bound),
            Operand::read(self.dy),
            Operand::write(self.dw),
        ];
        all.extend(self.spread.map(|(mean, _)| Operand::read(mean)));
        all
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let groups = at.any_flat(self.bound)?;
        for t in [self.w, self.dy, self.dw] {
            at.flat(t, groups * self.run)?;
        }
        match self.spread {
            Some((mean, _)) => at.flat(mean, groups),
            None => Ok(()),
        }
    }
}
