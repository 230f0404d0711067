//! Sums over the images of a run.

use crate::error::Result;
#[cfg(doc)]
use crate::program::SoftmaxXent;
use crate::program::{Check, Operand, Operator, TensorId};

/// *Accumulates* the sum of each of `values` over the images of the run into `tally: Flat(values)` per
/// chip: lanes of a block as `((q0+q1)+(q2+q3))` with `q = (x+y)+(z+w)`, then block after block
/// in order, in `f32`, so that the sums do not depend on how the images are cut into runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    /// One number per image each, such as hit and loss from [`SoftmaxXent`].
    pub values: Vec<TensorId>,
    /// State, per chip.
    pub tally: TensorId,
}

impl Operator for Tally {
    const NAME: &'static str = "tally";

    fn operands(&self) -> Vec<Operand> {
        let values = self.values.iter().map(|&value| Operand::read(value));
        values.chain([Operand::update(self.tally)]).collect()
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let mut values = self.values.iter();
        values.try_for_each(|&value| at.image(value, 1, 1, 1))?;
        at.flat(self.tally, self.values.len())
    }
}
