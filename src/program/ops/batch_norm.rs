//! Batch norm: statistics, folding, backward.

use crate::error::Result;
#[cfg(doc)]
use crate::program::Pointwise;
use crate::program::{Check, Operand, Operator, TensorId};

/// Biased mean and variance per channel over images, rows and columns: per chip when the
/// outputs are per chip, else over all chips together.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchNormStats {
    /// Map.
    pub x: TensorId,
    /// `Flat(c)`, written.
    pub mean: TensorId,
    /// `Flat(c)`, written (biased).
    pub var: TensorId,
}

impl Operator for BatchNormStats {
    const NAME: &'static str = "batch_norm_stats";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.x),
            Operand::sum(self.mean),
            Operand::sum(self.var),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let (c, ..) = at.any_image(self.x)?;
        at.flat(self.mean, c)?;
        at.flat(self.var, c)
    }
}

/// `scale = gamma / sqrt(var + eps)`, `shift = beta - mean * scale`, per channel; `gamma` and
/// `beta` of one scope, the rest of one. Frozen batch norm is this and [`Pointwise`].
#[derive(Debug, Clone, PartialEq)]
pub struct BatchNormFold {
    /// Mean.
    pub mean: TensorId,
    /// Variance.
    pub var: TensorId,
    /// Gain.
    pub gamma: TensorId,
    /// Offset.
    pub beta: TensorId,
    /// Factor, written.
    pub scale: TensorId,
    /// Offset, written.
    pub shift: TensorId,
    /// Added to the variance.
    pub eps: f32,
}

impl Operator for BatchNormFold {
    const NAME: &'static str = "batch_norm_fold";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.mean),
            Operand::read(self.var),
            Operand::read(self.gamma),
            Operand::read(self.beta),
            Operand::write(self.scale),
            Operand::write(self.shift),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let c = at.any_flat(self.mean)?;
        [self.var, self.gamma, self.beta, self.scale, self.shift]
            .into_iter()
            .try_for_each(|t| at.flat(t, c))?;
        at.one_scope(&[self.mean, self.var, self.scale, self.shift])?;
        at.one_scope(&[self.gamma, self.beta])
    }
}

/// First half of the backward pass of batch norm in training mode (`mean`, `var` are the batch's
/// own), with `xh = (x - mean)/sqrt(var + eps)`: `dbeta = sum dy`, `dgamma = sum dy xh` over images, rows and
/// columns: over all chips together where statistics and sums are shared, of each chip where they are per chip.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchNormGradSums {
    /// Input of the batch norm.
    pub x: TensorId,
    /// Batch mean.
    pub mean: TensorId,
    /// Batch variance.
    pub var: TensorId,
    /// Gradient of the output.
    pub dy: TensorId,
    /// Gradient of the gain, written.
    pub dgamma: TensorId,
    /// Gradient of the offset, written.
    pub dbeta: TensorId,
    /// Added to the variance.
    pub eps: f32,
}

impl Operator for BatchNormGradSums {
    const NAME: &'static str = "batch_norm_grad_sums";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.x),
            Operand::read(self.mean),
            Operand::read(self.var),
            Operand::read(self.dy),
            Operand::sum(self.dgamma),
            Operand::sum(self.dbeta),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let (c, ..) = at.any_image(self.x)?;
        at.same_image(self.dy, self.x)?;
        let flat = [self.mean, self.var, self.dgamma, self.dbeta];
        flat.into_iter().try_for_each(|t| at.flat(t, c))?;
        at.one_scope(&flat)
    }
}

/// Second half: with `m` the number of values per channel (over all chips where statistics and sums are shared),
/// `gamma` shared or per chip, `dx = gamma/sqrt(var + eps) (dy - dbeta/m - xh dgamma/m)`, 0 in lanes without an image.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchNormGrad {
    /// Input of the batch norm.
    pub x: TensorId,
    /// Batch mean.
    pub mean: TensorId,
    /// Batch variance.
    pub var: TensorId,
    /// Gain.
    pub gamma: TensorId,
    /// Gradient of the output.
    pub dy: TensorId,
    /// Gradient of the gain.
    pub dgamma: TensorId,
    /// Gradient of the offset.
    pub dbeta: TensorId,
    /// Gradient of the input, written.
    pub dx: TensorId,
    /// Added to the variance.
    pub eps: f32,
}

impl Operator for BatchNormGrad {
    const NAME: &'static str = "batch_norm_grad";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.x),
            Operand::read(self.mean),
            Operand::read(self.var),
            Operand::read(self.gamma),
            Operand::read(self.dy),
            Operand::read(self.dgamma),
            Operand::read(self.dbeta),
            Operand::write(self.dx),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let (c, ..) = at.any_image(self.x)?;
        at.same_image(self.dy, self.x)?;
        at.same_image(self.dx, self.x)?;
        at.flat(self.gamma, c)?;
        let flat = [self.mean, self.var, self.dgamma, self.dbeta];
        flat.into_iter().try_for_each(|t| at.flat(t, c))?;
        at.one_scope(&flat)
    }
}
