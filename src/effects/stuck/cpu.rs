//! Vector form of stuck cells.

use super::Stuck;
use crate::effects::{Batch, Buffers, Layer, Step};
use crate::random::Purpose;

/// Sets cells that do not obey.
pub(super) struct Sticking<'a> {
    pub stuck: Stuck,
    pub layer: &'a Layer<'a>,
}

impl Step for Sticking<'_> {
    fn apply(&self, batch: &Batch, cells: &mut Buffers) {
        let stream = self.layer.stream(Purpose::CellStuck, batch.flags);
        let Buffers {
            g,
            programmed,
            draws,
            ..
        } = cells;
        stream.fill_uniforms(batch.first, draws);
        for cells in [g, programmed] {
            for (g, &u) in cells.iter_mut().zip(&*draws) {
                if u < self.stuck.off {
                    *g = self.layer.lines.g_min;
                } else if u >= 1.0 - self.stuck.on {
                    *g = 1.0;
                }
            }
        }
    }
}
