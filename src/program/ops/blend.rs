//! Weighted sum of maps.

use crate::error::Result;
use crate::program::{Check, Operand, Operator, TensorId};

/// `y = f a + g b`, or `y = f a`: maps with their factors.
#[derive(Debug, Clone, PartialEq)]
pub struct Blend {
    /// First map and its factor.
    pub a: (TensorId, f32),
    /// Second map of the same shape and its factor, where there is one.
    pub b: Option<(TensorId, f32)>,
    /// Weighted sum, written.
    pub y: TensorId,
}

impl Operator for Blend {
    const NAME: &'static str = "blend";

    fn operands(&self) -> Vec<Operand> {
        let read = [Some(self.a), self.b].into_iter().flatten();
        let read = read.map(|(t, _)| Operand::read(t));
        read.chain([Operand::write(self.y)]).collect()
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        if let Some((b, _)) = self.b {
            at.same_image(b, self.a.0)?;
        }
        at.same_image(self.y, self.a.0)
    }
}
