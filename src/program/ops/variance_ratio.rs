//! Change of the spread of a layer's outputs by converters.

use crate::error::Result;
use crate::program::{Check, Operand, Operator, TensorId};

/// `out[i] = sqrt(sum a / sum b)` for every `i` (1 where `sum b` is 0): the factor by which
/// converters change the spread of a layer's outputs, `a` and `b` the channel variances with and
/// without them. The gradient through the converters is scaled by it (PIM-QAT, Jin et al.,
/// arXiv 2209.08617, generalised straight-through estimator).
#[derive(Debug, Clone, PartialEq)]
pub struct VarianceRatio {
    /// Variances, `Flat(n)`.
    pub a: TensorId,
    /// Variances, `Flat(n)`.
    pub b: TensorId,
    /// Written, `Flat(n)`.
    pub out: TensorId,
}

impl Operator for VarianceRatio {
    const NAME: &'static str = "variance_ratio";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.a),
            Operand::read(self.b),
            Operand::write(self.out),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let n = at.any_flat(self.a)?;
        at.flat(self.b, n)?;
        at.flat(self.out, n)
    }
}
