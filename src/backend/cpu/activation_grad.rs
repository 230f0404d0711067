//! Gradient of an element-wise non-linearity, from its output (hard swish, magnitude: its input).

use super::simd::{Isa, Kernel, Simd};
use crate::program::{Activation, LANES};

/// `dx = dy f'(y) scale[c]` on blocks of `channels` maps of `pixels` pixels.
pub(super) struct ActivationGrad<'a> {
    /// Output (hard swish, magnitude: input) of the non-linearity.
    pub y: &'a [f32],
    /// Its gradient.
    pub dy: &'a [f32],
    /// Gradient of the input, written.
    pub dx: &'a mut [f32],
    /// The non-linearity.
    pub act: Activation,
    /// Factor per channel.
    pub scale: Option<&'a [f32]>,
    /// Channels of a block.
    pub channels: usize,
    /// Pixels of a channel.
    pub pixels: usize,
}

impl ActivationGrad<'_> {
    /// Computes it.
    pub fn compute(self, isa: Isa) {
        isa.run(self);
    }
}

impl Kernel for ActivationGrad<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let plane = self.pixels * LANES;
        let inputs = self.y.chunks_exact(plane).zip(self.dy.chunks_exact(plane));
        for (i, (dx, (y, dy))) in self.dx.chunks_exact_mut(plane).zip(inputs).enumerate() {
            let factor = self.scale.map_or(1.0, |s| s[i % self.channels]);
            let values = dx.iter_mut().zip(y).zip(dy);
            match self.act {
                Activation::Identity => values.for_each(|((dx, _), dy)| *dx = dy * factor),
                Activation::Relu => values.for_each(|((dx, &y), &dy)| {
                    *dx = if y > 0.0 { dy * factor } else { 0.0 };
                }),
                Activation::Tanh => {
                    values.for_each(|((dx, y), dy)| *dx = dy * (1.0 - y * y) * factor);
                }
                Activation::LeakyRelu { slope } => values.for_each(|((dx, &y), &dy)| {
                    *dx = dy * if y > 0.0 { 1.0 } else { slope } * factor;
                }),
                Activation::Clip { lo, hi } => values.for_each(|((dx, &y), &dy)| {
                    *dx = if y > lo && y < hi { dy * factor } else { 0.0 };
                }),
                Activation::Sigmoid => {
                    values.for_each(|((dx, y), dy)| *dx = dy * (y * (1.0 - y)) * factor);
                }
                Activation::HardSigmoid { slope, .. } => values.for_each(|((dx, &y), &dy)| {
                    let inside = y > 0.0 && y < 1.0;
                    *dx = if inside { dy * slope * factor } else { 0.0 };
                }),
                Activation::HardSwish => values.for_each(|((dx, &x), &dy)| {
                    let between = x * (1.0 / 3.0) + 0.5;
                    let above = if x >= 3.0 { 1.0 } else { between };
                    *dx = dy * if x <= -3.0 { 0.0 } else { above } * factor;
                }),
                Activation::Abs => values.for_each(|((dx, &x), &dy)| {
                    let below = if x < 0.0 { -1.0 } else { 0.0 };
                    *dx = dy * if x > 0.0 { 1.0 } else { below } * factor;
                }),
                Activation::Sign | Activation::Floor => values.for_each(|((dx, _), _)| *dx = 0.0),
            }
        }
    }
}
