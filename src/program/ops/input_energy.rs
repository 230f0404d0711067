//! What driving the inputs of a layer takes.

use std::sync::Arc;

use crate::error::Result;
#[cfg(doc)]
use crate::program::InputLoad;
use crate::program::{Check, Operand, Operator, TensorId};

/// Most codes of an input: those of 8 bits with a sign, and one more.
pub const INPUT_CODES: usize = 512;

/// Squared drives of an image times the conductances that they drive:
///
/// ```text
/// y = sum over places i of the input map: table[clamp(round(x[i] / x_step), lo, hi) - lo] load[i]
/// ```
/// with ties to even, `hi = lo + table.len() - 1`; with `x_step <= 0` all codes are 0. `table` holds the sum of the squared drives
/// of a code's steps, `load` comes from [`InputLoad`].
#[derive(Debug, Clone, PartialEq)]
pub struct InputEnergy {
    /// Quantized input map.
    pub x: TensorId,
    /// Its step, `Flat(1)`, shared.
    pub x_step: TensorId,
    /// `Flat(values of the map)`, shared or per chip.
    pub load: TensorId,
    /// `Image {1,1,1}`, written.
    pub y: TensorId,
    /// Lowest code, at most 0.
    pub lo: i32,
    /// Value of every code from the lowest on, at most [`INPUT_CODES`].
    pub table: Arc<[f32]>,
}

impl Operator for InputEnergy {
    const NAME: &'static str = "input_energy";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.x),
            Operand::read(self.x_step),
            Operand::read(self.load),
            Operand::write(self.y),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let (c, h, w) = at.any_image(self.x)?;
        // The code 0 is one of them.
        let has_zero = (-self.lo).cast_unsigned() < self.table.len() as u32;
        at.possible(
            self.lo <= 0 && has_zero && self.table.len() <= INPUT_CODES,
            self.lo,
        )?;
        at.flat(self.x_step, 1)?;
        at.flat(self.load, c * h * w)?;
        at.image(self.y, 1, 1, 1)
    }
}
