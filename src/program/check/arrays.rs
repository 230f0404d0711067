//! Checks that the operators of layers on arrays share.

use super::*;

impl Check<'_> {
    /// `Flat(1)` or `Flat(cols)`.
    pub(in crate::program) fn per_column(&self, t: TensorId, cols: usize) -> Result<()> {
        match self.any_flat(t)? {
            n if n == 1 || n == cols => Ok(()),
            n => self.fail(format!(
                "`{}` has {n} values, expected 1 or {cols}",
                self.name(t)
            )),
        }
    }

    /// Constants that fit together.
    pub(in crate::program) fn possible(&self, is: bool, spec: impl std::fmt::Debug) -> Result<()> {
        match is {
            true => Ok(()),
            false => self.fail(format!("impossible {spec:?}")),
        }
    }

    /// Read planes and what goes with them.
    pub(in crate::program) fn planes(
        &self,
        spec: &Reading,
        tensors: impl IntoIterator<Item = TensorId>,
    ) -> Result<()> {
        self.possible(spec.is_possible(), spec)?;
        let n = spec.arrays.read_planes() * spec.arrays.plane_len();
        tensors.into_iter().try_for_each(|t| self.flat(t, n))
    }

    /// Geometry and input map.
    pub(in crate::program) fn reads_map(
        &self,
        x: TensorId,
        geo: &ConvGeometry,
        spec: &Reading,
    ) -> Result<()> {
        self.possible(geo.is_possible() && spec.fits(geo), (geo, &spec.arrays))?;
        // A linear layer takes a flattened map, whatever its shape.
        let (c, h, w) = self.any_image(x)?;
        match geo.is_linear() && c * h * w == geo.c_in {
            true => Ok(()),
            false => self.image(x, geo.c_in, geo.h_in, geo.w_in),
        }
    }
}
