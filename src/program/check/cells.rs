//! Operands of the operators at cell level.

use super::*;
use crate::effects::Effect;

impl At<'_> {
    /// `Flat(1)` or `Flat(cols)`.
    fn per_column(&self, t: TensorId, cols: usize) -> Result<()> {
        match self.any_flat(t)? {
            n if n == 1 || n == cols => Ok(()),
            n => self.fail(format!(
                "`{}` has {n} values, expected 1 or {cols}",
                self.name(t)
            )),
        }
    }

    fn possible(&self, is: bool, spec: impl std::fmt::Debug) -> Result<()> {
        match is {
            true => Ok(()),
            false => self.fail(format!("impossible {spec:?}")),
        }
    }

    /// Read planes and what goes with them.
    fn planes(&self, spec: &Reading, tensors: impl IntoIterator<Item = TensorId>) -> Result<()> {
        self.possible(spec.is_possible(), spec)?;
        let n = spec.arrays.read_planes() * spec.arrays.plane_len();
        tensors.into_iter().try_for_each(|t| self.flat(t, n))
    }

    /// Geometry and input map.
    fn reads_map(&self, x: TensorId, geo: &ConvGeometry, spec: &Reading) -> Result<()> {
        self.possible(geo.is_possible() && spec.fits(geo), (geo, &spec.arrays))?;
        // A linear layer takes a flattened map, whatever its shape.
        let (c, h, w) = self.any_image(x)?;
        match geo.is_linear() && c * h * w == geo.c_in {
            true => Ok(()),
            false => self.image(x, geo.c_in, geo.h_in, geo.w_in),
        }
    }

    /// Operands that may be kept in halves: read planes, unless their bits are counted.
    pub(super) fn may_be_halves(&self) -> Vec<TensorId> {
        match self.op {
            Op::ProgramCells { out, spec, .. } if !spec.raw => vec![*out],
            Op::Crossbar { g, spec, .. } if !spec.exact => vec![*g],
            Op::IrDrop { out: t, .. }
            | Op::PartialSums { g: t, .. }
            | Op::CollapsePlanes { g: t, .. } => vec![*t],
            _ => vec![],
        }
    }

    /// Operators at cell level.
    pub(super) fn cells(&self) -> Result<()> {
        match self.op {
            Op::ProgramCells {
                w,
                step,
                array,
                out,
                variance,
                spec,
            } => {
                let a = &spec.arrays;
                let effects = spec.effects.all().flat_map(Effect::curves);
                let noise = spec.read_noise.curve.iter();
                let noise = noise.chain(&spec.read_noise.one_over_f);
                let is = a.is_possible()
                    && effects.chain(noise).all(|c| c.len() >= 2)
                    && !(spec.raw
                        && (spec.reference_columns > 0
                            || variance.is_some()
                            || matches!(a.encoding, Encoding::Offset { reference: 1.. })));
                self.possible(is, spec)?;
                self.flat(*w, a.plane_len())?;
                self.per_column(*step, a.cols)?;
                self.flat(*array, a.cell_arrays())?;
                let planes = match spec.raw {
                    true => a.cell_planes(),
                    false => a.read_planes(),
                };
                let n = planes * a.plane_len();
                self.flat(*out, n)?;
                variance.map_or(Ok(()), |v| self.flat(v, n))
            }
            Op::IrDrop { g, out, spec } => {
                let a = &spec.arrays;
                let resistances = [spec.row, spec.col, spec.row_terminal, spec.col_terminal];
                let is = a.is_possible()
                    && resistances.iter().all(|r| *r >= 0.0 && r.is_finite())
                    && (0.0..=1.0).contains(&spec.activity);
                self.possible(is, spec)?;
                self.flat(*g, a.cells())?;
                self.flat(*out, a.read_planes() * a.plane_len())
            }
            Op::ConverterFold {
                range,
                scale,
                out,
                spec,
            } => {
                let a = &spec.arrays;
                self.possible(a.is_possible() && spec.sharing > 0, spec)?;
                self.flat(*range, 2 * a.read_planes() * a.cols)?;
                if let Some(t) = *scale {
                    self.flat(t, a.row_tiles() * a.col_tiles() * a.read_planes())?;
                }
                self.flat(*out, 2 * a.converters())
            }
            Op::Crossbar {
                x,
                x_step,
                g,
                variance,
                w_step,
                adc,
                range,
                correct,
                y,
                clipped,
                geo,
                post,
                spec,
            } => {
                let a = &spec.arrays;
                self.planes(spec, [Some(*g), *variance].into_iter().flatten())?;
                self.reads_map(*x, geo, spec)?;
                self.flat(*x_step, 1)?;
                self.per_column(*w_step, a.cols)?;
                let is = (adc.is_some(), range.is_some())
                    == (spec.adc.is_some(), spec.adc.is_some())
                    && !(spec.integer && (correct.is_some() || spec.adc.is_none()))
                    && !(spec.exact && variance.is_some());
                self.possible(is, (adc, range, correct, spec))?;
                if let Some(t) = *range {
                    self.flat(t, 2 * a.read_planes() * a.cols)?;
                }
                for &t in [adc, correct].into_iter().flatten() {
                    self.flat(t, 2 * a.converters())?;
                }
                if let Some(t) = *clipped {
                    self.same_image(t, *y)?;
                }
                self.image(*y, geo.c_out, geo.h_out(), geo.w_out())?;
                self.post(post, *y)
            }
            Op::PartialSums {
                x,
                x_step,
                g,
                variance,
                y,
                geo,
                spec,
            } => {
                self.planes(spec, [Some(*g), *variance].into_iter().flatten())?;
                self.reads_map(*x, geo, spec)?;
                self.flat(*x_step, 1)?;
                let c = spec.arrays.converters() * spec.dac.conversions();
                self.image(*y, c, geo.h_out(), geo.w_out())
            }
            Op::CollapsePlanes {
                g,
                w_step,
                correct,
                out,
                spec,
            } => {
                let a = &spec.arrays;
                self.planes(spec, [*g])?;
                self.possible(spec.adc.is_none() && spec.dac.table.is_none(), spec)?;
                self.per_column(*w_step, a.cols)?;
                if let Some(t) = *correct {
                    self.flat(t, 2 * a.converters())?;
                }
                self.flat(*out, a.plane_len())
            }
            Op::Histogram {
                x,
                limit,
                out,
                bins,
            } => {
                let (c, ..) = self.any_image(*x)?;
                let groups = self.any_flat(*limit)?;
                self.possible(*bins > 0 && c.is_multiple_of(groups), (bins, groups))?;
                self.flat(*out, groups * bins)
            }
            _ => self.fail("is not an operator at cell level"),
        }
    }
}
