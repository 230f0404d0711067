//! Softmax over the channels of every pixel.

use super::block::BlockRun;
use super::max_pool::lanes;
use super::simd::{Kernel, Simd};
use super::step::{BlockOp, scheduled};
use crate::program::{LANES, Softmax};
use crate::vector::exp_negative;

scheduled!(Softmax: block);

impl BlockOp for Softmax {
    fn run(&self, run: &mut BlockRun<'_>) {
        let (channels, h, w) = run.shape(self.x).chw();
        run.write([self.y], |run, [y]| {
            run.isa().run(Pixels {
                x: run.image(self.x),
                y,
                channels,
                pixels: h * w,
            });
        });
    }
}

/// `y[c] = exp(x[c] - max) / sum exp(x - max)` on blocks of `channels` maps of `pixels` pixels.
struct Pixels<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
    channels: usize,
    pixels: usize,
}

impl Kernel for Pixels<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let block = self.channels * self.pixels * LANES;
        let blocks = self.x.chunks_exact(block);
        for (x, y) in blocks.zip(self.y.chunks_exact_mut(block)) {
            for pixel in 0..self.pixels {
                let at = |c: usize| c * self.pixels + pixel;
                let mut most = [f32::NEG_INFINITY; LANES];
                for c in 0..self.channels {
                    for (m, &v) in most.iter_mut().zip(lanes(x, at(c))) {
                        *m = if v > *m { v } else { *m };
                    }
                }
                let mut sum = [0.0; LANES];
                for c in 0..self.channels {
                    let x = lanes(x, at(c));
                    let y = &mut y[at(c) * LANES..][..LANES];
                    for i in 0..LANES {
                        y[i] = exp_negative(x[i] - most[i]);
                        sum[i] += y[i];
                    }
                }
                for c in 0..self.channels {
                    let y = &mut y[at(c) * LANES..][..LANES];
                    for (y, sum) in y.iter_mut().zip(&sum) {
                        *y /= sum;
                    }
                }
            }
        }
    }
}
