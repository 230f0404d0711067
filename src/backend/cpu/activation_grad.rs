//! Gradient of an element-wise non-linearity, from its output (hard swish, magnitude: its input).

use super::block::BlockRun;
use super::simd::{Kernel, Simd};
use super::step::{BlockOp, scheduled};
use crate::program::{Activation, ActivationGrad, LANES};

scheduled!(ActivationGrad: block);

impl BlockOp for ActivationGrad {
    fn run(&self, run: &mut BlockRun<'_>) {
        let (channels, h, w) = run.shape(self.y).chw();
        run.write([self.dx], |run, [dx]| {
            run.isa().run(Maps {
                y: run.image(self.y),
                dy: run.image(self.dy),
                dx,
                act: self.act,
                scale: self.scale.map(|s| run.flat(s)),
                channels,
                pixels: h * w,
            });
        });
    }
}

/// `dx = dy f'(y) scale[c]` on blocks of `channels` maps of `pixels` pixels.
struct Maps<'a> {
    /// Output (hard swish, magnitude: input) of the non-linearity.
    y: &'a [f32],
    /// Its gradient.
    dy: &'a [f32],
    /// Gradient of the input, written.
    dx: &'a mut [f32],
    /// The non-linearity.
    act: Activation,
    /// Factor per channel.
    scale: Option<&'a [f32]>,
    /// Channels of a block.
    channels: usize,
    /// Pixels of a channel.
    pixels: usize,
}

impl Kernel for Maps<'_> {
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
