//! Gradient of a range of inputs that is learned by what it cuts off.

use crate::error::Result;
use crate::program::{ActQuant, Check, Operand, Operator, TensorId};

/// Gradient of the step `d` of a quantizer whose range `r = hi d` follows what is beyond it, over everything (images,
/// chips): `Flat(1)`, shared.
///
/// ```text
/// dscale = hi (sum over x >= r of min(dy, 0) - sum over x <= -r of max(dy, 0) + [s > inside] decay r)
/// ```
/// with `s` the share of the values with `|x| < r`; the second sum only where codes are signed (`lo < 0`).
#[derive(Debug, Clone, PartialEq)]
pub struct RangeGrad {
    /// Input of the quantizer.
    pub x: TensorId,
    /// Gradient of its output.
    pub dy: TensorId,
    /// The quantizer.
    pub quant: ActQuant,
    /// Rate at which the range shrinks.
    pub decay: f32,
    /// Share of the values that stays inside.
    pub inside: f32,
    /// Gradient of the step, written.
    pub dscale: TensorId,
}

impl Operator for RangeGrad {
    const NAME: &'static str = "range_grad";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.x),
            Operand::read(self.dy),
            Operand::read(self.quant.scale),
            Operand::sum(self.dscale),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.same_image(self.dy, self.x)?;
        at.quant(&self.quant)?;
        at.flat(self.dscale, 1)
    }
}
