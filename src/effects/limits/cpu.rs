//! Vector form of limits.

use super::Limits;
use crate::effects::{Batch, Buffers, Step};
use crate::vector::wide;

/// Limits cells.
pub(super) struct Limiting(pub Limits);

impl Step for Limiting {
    fn apply(&self, _: &Batch, cells: &mut Buffers) {
        let high = self.0.clip;
        let low = if self.0.clip_low {
            0.0
        } else {
            f32::NEG_INFINITY
        };
        for cells in [&mut cells.g, &mut cells.programmed] {
            wide(|| cells.iter_mut().for_each(|g| *g = g.max(low).min(high)));
        }
    }
}
