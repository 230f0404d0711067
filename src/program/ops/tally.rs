//! Counts of a run.

use crate::error::Result;
#[cfg(doc)]
use crate::program::SoftmaxXent;
use crate::program::{Check, Operand, Operator, TensorId};

/// *Accumulates* `[sum hit, sum loss]` over the images of the run into `tally: Flat(2)` per
/// chip: lanes of a block as `((q0+q1)+(q2+q3))` with `q = (x+y)+(z+w)`, then block after block
/// in order, in `f32`, so that the sums do not depend on how the images are cut into runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    /// From [`SoftmaxXent`].
    pub hit: TensorId,
    /// From [`SoftmaxXent`].
    pub loss: TensorId,
    /// State, per chip.
    pub tally: TensorId,
}

impl Operator for Tally {
    const NAME: &'static str = "tally";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.hit),
            Operand::read(self.loss),
            Operand::update(self.tally),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.image(self.hit, 1, 1, 1)?;
        at.image(self.loss, 1, 1, 1)?;
        at.flat(self.tally, 2)
    }
}
