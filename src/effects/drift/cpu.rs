//! Vector form of drift.

use super::Exponent;
use crate::effects::{Batch, Buffers, Layer, Step, curve};
use crate::random::Purpose;
use crate::vector::exp_negative;

/// Lets cells age.
pub(super) struct Drifting<'a> {
    pub log_time: f32,
    pub nu: &'a Exponent,
    pub layer: &'a Layer<'a>,
}

impl Step for Drifting<'_> {
    fn apply(&self, batch: &Batch, cells: &mut Buffers) {
        let stream = self.layer.stream(Purpose::CellDrift, batch.flags);
        stream.fill_normals(batch.first, &mut cells.draws);
        for (g, z) in cells.g.iter_mut().zip(&cells.draws) {
            let nu = (curve(&self.nu.mean, *g) + curve(&self.nu.sigma, *g) * z).max(0.0);
            *g *= exp_negative(-nu * self.log_time);
        }
    }
}
