//! Vector form of measured cells.

use super::Samples;
use crate::effects::{Batch, Buffers, Layer, Step};
use crate::random::Purpose;

/// Draws cells from a table.
pub(super) struct Drawn<'a> {
    pub table: &'a Samples,
    pub layer: &'a Layer<'a>,
}

impl Step for Drawn<'_> {
    fn apply(&self, batch: &Batch, cells: &mut Buffers) {
        let stream = self.layer.stream(Purpose::CellSample, batch.flags);
        stream.fill_uniforms(batch.first, &mut cells.draws);
        let targets = &self.table.targets;
        let last = targets.len() - 1;
        for (g, &u) in cells.g.iter_mut().zip(&cells.draws) {
            let inner = &targets[..last];
            let below = inner.partition_point(|t| *t <= *g).max(1) - 1;
            let above = (below + 1).min(last);
            let (low, high) = (targets[below], targets[above]);
            let t = match high > low {
                true => ((*g - low) / (high - low)).clamp(0.0, 1.0),
                false => 0.0,
            };
            let [a, b] = [below, above].map(|i| self.table.quantile(i, u));
            *g += (1.0 - t) * a + t * b;
        }
    }
}
