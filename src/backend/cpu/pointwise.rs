//! Point-wise maps: an [`Epilogue`] on its own.

use super::block::BlockRun;
use super::post::Epilogue;
use super::simd::{Kernel, Simd};
use super::step::{BlockOp, scheduled};
use crate::program::{LANES, Pointwise};

scheduled!(Pointwise: block);

impl BlockOp for Pointwise {
    fn run(&self, run: &mut BlockRun<'_>) {
        let (channels, h, w) = run.shape(self.x).chw();
        run.write([self.y], |run, [y]| {
            run.isa().run(Maps {
                x: run.image(self.x),
                y,
                channels,
                pixels: h * w,
                epilogue: &run.epilogue(&self.post),
            });
        });
    }
}

/// Values copied at once, so that they are still in the first-level cache when they are changed.
const PIECE: usize = 64 * LANES;

/// `y = post(x)` on blocks of `channels` maps of `pixels` pixels.
struct Maps<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
    channels: usize,
    pixels: usize,
    epilogue: &'a Epilogue<'a>,
}

impl Kernel for Maps<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let plane = self.pixels * LANES;
        let planes = self
            .x
            .chunks_exact(plane)
            .zip(self.y.chunks_exact_mut(plane));
        for (i, (x, y)) in planes.enumerate() {
            for (j, (x, y)) in x.chunks(PIECE).zip(y.chunks_mut(PIECE)).enumerate() {
                y.copy_from_slice(x);
                self.epilogue
                    .apply(s, i % self.channels, i * plane + j * PIECE, y);
            }
        }
    }
}
