//! Copies of values to other places of a map.

use std::sync::Arc;

use crate::error::Result;
use crate::program::{Check, Operand, Operator, TensorId};

/// Copies values of every image to other places: `y[first + j] = x[table[j]]`, or `fill` where
/// `table[j]` is [`NO_SOURCE`]. Places of `y` outside `first .. first + table.len()` keep what
/// they have, so several of these make a concatenation. `x` and `y` are the values of one
/// image in `c, h, w` order; their shapes need not agree. Transposition, padding with a
/// constant, cropping, channel shuffle and nearest-neighbour scaling are tables.
#[derive(Debug, Clone, PartialEq)]
pub struct Rearrange {
    /// Source map.
    pub x: TensorId,
    /// Target map.
    pub y: TensorId,
    /// First place written.
    pub first: usize,
    /// Source of every place.
    pub table: Arc<[u32]>,
    /// Value of places without a source.
    pub fill: f32,
}

impl Operator for Rearrange {
    const NAME: &'static str = "rearrange";

    fn operands(&self) -> Vec<Operand> {
        let places = self.first..self.first.saturating_add(self.table.len());
        // The places it leaves are not read: another one may have yet to write them.
        vec![Operand::read(self.x), Operand::write_places(self.y, places)]
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let count = |(c, h, w)| c * h * w;
        let sources = count(at.any_image(self.x)?);
        let places = count(at.any_image(self.y)?);
        let (first, table) = (self.first, &self.table);
        if table.is_empty() || first > places || table.len() > places - first {
            return at.fail(format!(
                "{} values from place {first} on do not fit `{}`, which has {places}",
                table.len(),
                at.name(self.y)
            ));
        }
        let outside = |&&source: &&u32| source != NO_SOURCE && source as usize >= sources;
        match table.iter().find(outside) {
            None => Ok(()),
            Some(source) => at.fail(format!(
                "takes value {source} of `{}`, which has {sources}",
                at.name(self.x)
            )),
        }
    }
}

/// Entry of a [`Rearrange`] table that has no source.
pub const NO_SOURCE: u32 = u32::MAX;
