//! Sums in front of converters.

use crate::error::Result;
#[cfg(doc)]
use crate::program::Crossbar;
use crate::program::{Check, ConvGeometry, Draws, Operand, Operator, Reading, TensorId};

/// What the converters of [`Crossbar`] would see: `v[r,p,t,o]` as channel
/// `((p * cols + o) * row tiles + r) * conversions + t` of a map, read noise included where
/// `variance` is given.
#[derive(Debug, Clone, PartialEq)]
pub struct PartialSums {
    /// Quantized input map.
    pub x: TensorId,
    /// Step of the input.
    pub x_step: TensorId,
    /// Read planes in level units, shared or per chip.
    pub g: TensorId,
    /// Variances of read noise, as `g`.
    pub variance: Option<TensorId>,
    /// Map of partial sums, written.
    pub y: TensorId,
    /// Geometry.
    pub geo: ConvGeometry,
    /// How.
    pub spec: Reading,
}

impl Operator for PartialSums {
    const NAME: &'static str = "partial_sums";

    fn operands(&self) -> Vec<Operand> {
        let mut all = vec![
            Operand::read(self.x),
            Operand::read(self.x_step),
            Operand::read(self.g).halves(true),
        ];
        all.extend(self.variance.map(Operand::read));
        all.extend([Operand::write(self.y)]);
        all
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        at.planes(
            &self.spec,
            [Some(self.g), self.variance].into_iter().flatten(),
        )?;
        at.reads_map(self.x, &self.geo, &self.spec)?;
        at.flat(self.x_step, 1)?;
        let c = self.spec.arrays.converters() * self.spec.dac.conversions();
        at.image(self.y, c, self.geo.h_out(), self.geo.w_out())
    }

    fn draws(&self) -> Option<Draws> {
        Some(self.spec.draws(&self.geo, self.variance.is_some()))
    }

    fn draws_by_image(&self) -> bool {
        self.spec.draws_by_image(self.variance.is_some())
    }
}
