//! An epilogue on its own.

use crate::error::Result;
use crate::program::{ActQuant, Check, Operand, Operator, Post, TensorId};

/// `y = post(x)`; a bias is `shift`, a folded batch norm `scale` and `shift`, a residual
/// addition `residual`.
#[derive(Debug, Clone, PartialEq)]
pub struct Pointwise {
    /// Input map.
    pub x: TensorId,
    /// Output map, written.
    pub y: TensorId,
    /// What to do.
    pub post: Post,
}

impl Operator for Pointwise {
    const NAME: &'static str = "pointwise";

    fn operands(&self) -> Vec<Operand> {
        let mut all = vec![Operand::read(self.x)];
        all.extend(self.post.operands());
        all.extend([Operand::write(self.y)]);
        all
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.same_image(self.y, self.x)?;
        at.post(&self.post, self.y)
    }

    fn writes_codes(&self) -> Option<(TensorId, ActQuant)> {
        self.post.quant.map(|quant| (self.y, quant))
    }
}
