//! Counts of a map's values.

use crate::error::Result;
use crate::program::{Check, Operand, Operator, TensorId};

/// Counts of the values of a map in `groups` groups of consecutive channels, over images, rows and
/// columns (and chips when `out` is shared): `out: Flat(groups * bins)`, bin
/// `clamp(floor((x / limit + 1)/2 * bins), 0, bins - 1)` of group `g`, `limit: Flat(groups)`.
/// Counts are exact up to 2^24.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Map.
    pub x: TensorId,
    /// Half the range of every group, shared.
    pub limit: TensorId,
    /// Counts, written.
    pub out: TensorId,
    /// Bins per group.
    pub bins: usize,
}

impl Operator for Histogram {
    const NAME: &'static str = "histogram";

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read(self.x),
            Operand::read(self.limit),
            Operand::sum(self.out),
        ]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let (c, ..) = at.any_image(self.x)?;
        let groups = at.any_flat(self.limit)?;
        let is = self.bins > 0 && c.is_multiple_of(groups);
        at.possible(is, (self.bins, groups))?;
        at.flat(self.out, groups * self.bins)
    }
}
