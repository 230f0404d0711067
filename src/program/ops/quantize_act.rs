//! Uniform activation quantizer and its straight-through gradients.

use crate::error::Result;
use crate::program::{ActQuant, Check, Operand, Operator, StraightThrough, TensorId};

/// Uniform activation quantizer as an operator of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizeAct {
    /// Map.
    pub x: TensorId,
    /// Quantized map, written.
    pub y: TensorId,
    /// The quantizer.
    pub quant: ActQuant,
}

impl Operator for QuantizeAct {
    const NAME: &'static str = "quantize_act";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.x),
            Operand::read(self.quant.scale),
            Operand::write(self.y),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.same_image(self.y, self.x)?;
        at.quant(&self.quant)
    }

    fn writes_codes(&self) -> Option<(TensorId, ActQuant)> {
        Some((self.y, self.quant))
    }
}

/// `dx = dy * mask` (identity, or 1 inside, where `lo d <= x <= hi d`, the ends with a relative
/// slack of 2^-20; with `d <= 0` only zeros are inside); with `dscale` the LSQ gradient of the
/// step over the whole batch,
/// `dd = g sum dy * (round(x/d) - x/d inside, lo or hi outside)`,
/// `g = 1/sqrt(n max(hi, 1))`, `n` the values per image.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizeActGrad {
    /// Input of the quantizer.
    pub x: TensorId,
    /// Gradient of its output.
    pub dy: TensorId,
    /// Gradient of its input, written.
    pub dx: TensorId,
    /// Gradient of the step, written.
    pub dscale: Option<TensorId>,
    /// The quantizer.
    pub quant: ActQuant,
    /// Mask.
    pub ste: StraightThrough,
}

impl Operator for QuantizeActGrad {
    const NAME: &'static str = "quantize_act_grad";

    fn operands(&self) -> Vec<Operand> {
        let mut all = vec![
            Operand::read(self.x),
            Operand::read(self.dy),
            Operand::read(self.quant.scale),
            Operand::write(self.dx),
        ];
        all.extend(self.dscale.map(Operand::sum));
        all
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.same_image(self.dy, self.x)?;
        at.same_image(self.dx, self.x)?;
        at.quant(&self.quant)?;
        self.dscale.map_or(Ok(()), |d| at.flat(d, 1))
    }
}
