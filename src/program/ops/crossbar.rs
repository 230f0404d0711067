//! Layers on crossbar arrays with converters.

use crate::error::Result;
use crate::program::{
    ActQuant, Check, ConvGeometry, Draws, Operand, Operator, Post, Reading, TensorId,
};
#[cfg(doc)]
use crate::program::{Arrays, ConverterFold, RunArgs};

/// Convolution (or linear layer) on crossbar arrays with converters, [`Reading`]:
///
/// ```text
/// c[k]         = round(x[k] / x_step)                                the input's code
/// v[r,p,t,o]   = sum of k in row tile r: g[p,o,k] drive_t(c[k])      (+ read noise)
/// code         = clamp(round(a v + b), lo, hi)                       ties to even, (+ noise, INL); codes of the slice
/// u[o]         = sum over p, r: place_p (gain (lsb sum_t place_t code + lo sum_t place_t)
///                               - offset S_r)  - base S
/// y[o]         = post(w_step[o] x_step u[o])
/// ```
/// `S_r` is the sum of the codes of row tile `r`, `S` of all, `base` [`Arrays::digital_base`].
/// Without converter `lsb code + lo` is `v` itself. The sum over steps is made in 32-bit integers,
/// with [`Reading::integer`] all sums are; else row tiles, and in each planes, are added in order
/// in `f32`. Codes are limited to what the input's bits hold; with `x_step <= 0` all are 0. A
/// padded input has code 0 and is driven like any other.
///
/// Read noise is added to `v` with the variance sum of the cells' times their drive squared (where
/// steps are added up before the conversion, times the sum of the squares of all steps' weighted
/// drives: every step has noise of its own), thermal noise to `a v + b`, then the non-linearity of the code nearest to that. Read noise
/// that is drawn once a conversion has one deviate with thermal noise ([`Reading::noise_with_reads`]). A conversion's
/// deviate is word `o % 4` of block `(event, layer + image * 4096, chip, purpose)`,
/// `event = (((p * row tiles + r) * conversions + t) * pixels + pixel) * ceil(cols / 4) + o / 4`,
/// `image` counted from [`RunArgs::first_image`]; a cell's the same with `k * 4096` or-ed into the
/// purpose.
#[derive(Debug, Clone, PartialEq)]
pub struct Crossbar {
    /// Quantized input map: multiples of `x_step`.
    pub x: TensorId,
    /// Step of the input, `Flat(1)`, shared.
    pub x_step: TensorId,
    /// Read planes in level units, shared or per chip.
    pub g: TensorId,
    /// Variances of read noise, as `g`.
    pub variance: Option<TensorId>,
    /// Step of the weights, `Flat(1)` or `Flat(cols)`, shared.
    pub w_step: TensorId,
    /// From [`ConverterFold`], where there are converters.
    pub adc: Option<TensorId>,
    /// Ranges, shared, where there are converters.
    pub range: Option<TensorId>,
    /// Corrections `Flat(2 [row tile][read plane][column])`, pairs `(gain, offset)`, per chip.
    pub correct: Option<TensorId>,
    /// Output map, written.
    pub y: TensorId,
    /// Conversions of every output whose scaled input was more than half a code beyond the end of
    /// the range, a map like `y`, written.
    pub clipped: Option<TensorId>,
    /// Slopes of the sums by the logarithm of their converters' ranges, straight through the rounding, a map like `y` in level
    /// units, written; without [`Reading::integer`], [`Reading::exact`] and counts of clipped conversions:
    ///
    /// ```text
    /// slope[o] = sum over p, r, t: place_p place_t gain (lsb (code - (s - b, 0 where the conversion is clipped)) + lo)
    /// ```
    /// with `s = a v + b` before anything happens inside the converter, with the read noise that is drawn by itself.
    pub slope: Option<TensorId>,
    /// Geometry.
    pub geo: ConvGeometry,
    /// Epilogue.
    pub post: Post,
    /// How.
    pub spec: Reading,
}

impl Operator for Crossbar {
    const NAME: &'static str = "crossbar";

    fn operands(&self) -> Vec<Operand> {
        let mut all = vec![
            Operand::read(self.x),
            Operand::read(self.x_step),
            // Bits of exact conductances are counted.
            Operand::read(self.g).halves(!self.spec.exact),
            Operand::read(self.w_step),
        ];
        let optional = [self.variance, self.adc, self.range, self.correct]
            .into_iter()
            .flatten()
            .map(Operand::read);
        all.extend(optional);
        all.extend(self.post.operands());
        all.extend([Operand::write(self.y)]);
        all.extend(self.clipped.map(Operand::write));
        all.extend(self.slope.map(Operand::write));
        all
    }

    fn check(&self, at: &Check<'_>) -> Result<()> {
        let (a, spec) = (&self.spec.arrays, &self.spec);
        at.planes(spec, [Some(self.g), self.variance].into_iter().flatten())?;
        at.reads_map(self.x, &self.geo, spec)?;
        at.flat(self.x_step, 1)?;
        at.per_column(self.w_step, a.cols)?;
        let converted = spec.adc.is_some();
        let is = (self.adc.is_some(), self.range.is_some()) == (converted, converted)
            && !(spec.integer && (self.correct.is_some() || !converted))
            && !(spec.exact && self.variance.is_some())
            && (self.slope.is_none()
                || (converted && !spec.integer && !spec.exact && self.clipped.is_none()));
        at.possible(is, (self.adc, self.range, self.correct, spec))?;
        if let Some(t) = self.range {
            at.flat(t, 2 * a.read_planes() * a.cols)?;
        }
        for t in [self.adc, self.correct].into_iter().flatten() {
            at.flat(t, 2 * a.converters())?;
        }
        for t in [self.clipped, self.slope].into_iter().flatten() {
            at.same_image(t, self.y)?;
        }
        at.image(self.y, self.geo.c_out, self.geo.h_out(), self.geo.w_out())?;
        at.post(&self.post, self.y)
    }

    fn writes_codes(&self) -> Option<(TensorId, ActQuant)> {
        self.post.quant.map(|quant| (self.y, quant))
    }

    fn draws(&self) -> Option<Draws> {
        Some(self.spec.draws(&self.geo, self.variance.is_some()))
    }

    fn draws_by_image(&self) -> bool {
        self.spec.draws_by_image(self.variance.is_some())
    }
}
