//! Vector form of the programming error.

use super::{Deviate, Law, Variation};
use crate::effects::{Batch, Buffers, Layer, Step, curve};
use crate::random::{Purpose, Stream, lognormal_shape, squeeze};
use crate::vector::wide;

/// Writes cells with their errors.
pub(super) struct Programmed<'a> {
    pub variation: &'a Variation,
    pub layer: &'a Layer<'a>,
}

impl Step for Programmed<'_> {
    fn apply(&self, batch: &Batch, cells: &mut Buffers) {
        let stream = self.layer.stream(Purpose::CellProgram, batch.flags);
        self.deviations(&stream, batch.first, &cells.g, &mut cells.draws);
        self.vary(batch.common, &cells.draws, &mut cells.g);
    }
}

impl Programmed<'_> {
    /// `s z` of cells, or `sigma(g) z`.
    fn deviations(&self, stream: &Stream, first: u32, g: &[f32], out: &mut [f32]) {
        let v = self.variation;
        if let Some(sigma) = &v.curve {
            stream.fill_normals(first, out);
            for (z, g) in out.iter_mut().zip(g) {
                *z *= curve(sigma, *g);
            }
            return;
        }
        if v.sigma == 0.0 {
            return out.fill(0.0);
        }
        match v.deviate {
            Deviate::Gaussian => stream.fill_normals(first, out),
            Deviate::Truncated { at } => stream.fill_truncated(first, squeeze(at), out),
            Deviate::Lognormal => {
                return stream.fill_lognormal(first, lognormal_shape(v.sigma), out);
            }
        }
        wide(|| out.iter_mut().for_each(|z| *z *= v.sigma));
    }

    /// Applies the law.
    fn vary(&self, e: &[f32], z: &[f32], g: &mut [f32]) {
        let v = self.variation;
        let span = 1.0 - self.layer.lines.g_min;
        let table = v.curve.is_some();
        let cells = g.iter_mut().zip(e).zip(z);
        let cells = cells.map(|((g, &e), &z)| (g, e, z));
        wide(|| match (v.law, v.deviate) {
            (Law::WeightProportional, _) if table => {
                cells.for_each(|(g, e, z)| *g = *g * (1.0 + e) + z)
            }
            (Law::LayerFixed, _) if table => cells.for_each(|(g, e, z)| *g += span * e + z),
            (Law::WeightProportional, Deviate::Lognormal) => {
                cells.for_each(|(g, e, z)| *g = *g * (1.0 + e) * (1.0 + z))
            }
            (Law::WeightProportional, _) => cells.for_each(|(g, e, z)| *g *= 1.0 + (e + z)),
            (Law::LayerFixed, _) => cells.for_each(|(g, e, z)| *g += span * (e + z)),
        });
    }
}
