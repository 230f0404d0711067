//! Average pooling; padded positions are not counted.

use super::block::BlockRun;
use super::max_pool::{Window, lanes};
use super::simd::{Kernel, Simd};
use super::step::{BlockOp, scheduled};
use crate::program::{AvgPool, AvgPoolGrad, LANES};

scheduled!(AvgPool: block);

impl BlockOp for AvgPool {
    fn run(&self, run: &mut BlockRun<'_>) {
        let window = Window::of(run, self.x, self.geo);
        run.write([self.y], |run, [y]| {
            window.forward::<true>(run.isa(), run.image(self.x), y, |isa, x, y| {
                isa.run(Forward { window, x, y });
            });
        });
    }
}

scheduled!(AvgPoolGrad: block);

impl BlockOp for AvgPoolGrad {
    fn run(&self, run: &mut BlockRun<'_>) {
        let window = Window::of(run, self.dx, self.geo);
        run.write([self.dx], |run, [dx]| {
            run.isa().run(Backward {
                window,
                dy: run.image(self.dy),
                dx,
            });
        });
    }
}

/// `y = mean x` on all planes.
struct Forward<'a> {
    window: Window,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (plane_in, plane_out) = self.window.planes();
        let (_, wo) = self.window.geo.out(self.window.h, self.window.w);
        let planes = self.x.chunks_exact(plane_in);
        for (x, y) in planes.zip(self.y.chunks_exact_mut(plane_out)) {
            for (i, y) in y.chunks_exact_mut(LANES).enumerate() {
                let (rows, cols) = self.window.under(i / wo, i % wo);
                let inverse = 1.0 / (rows.len() * cols.len()) as f32;
                let mut sum = [0.0; LANES];
                for r in rows {
                    for c in cols.clone() {
                        for (s, &v) in sum.iter_mut().zip(lanes(x, r * self.window.w + c)) {
                            *s += v;
                        }
                    }
                }
                for (y, s) in y.iter_mut().zip(sum) {
                    *y = s * inverse;
                }
            }
        }
    }
}

/// Spreads the gradient evenly over the window.
struct Backward<'a> {
    window: Window,
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (plane_in, plane_out) = self.window.planes();
        let (_, wo) = self.window.geo.out(self.window.h, self.window.w);
        let planes = self.dy.chunks_exact(plane_out);
        for (dy, dx) in planes.zip(self.dx.chunks_exact_mut(plane_in)) {
            dx.fill(0.0);
            for (i, dy) in dy.chunks_exact(LANES).enumerate() {
                let (rows, cols) = self.window.under(i / wo, i % wo);
                let inverse = 1.0 / (rows.len() * cols.len()) as f32;
                for r in rows {
                    for c in cols.clone() {
                        let to = &mut dx[(r * self.window.w + c) * LANES..][..LANES];
                        for (to, dy) in to.iter_mut().zip(dy) {
                            *to += dy * inverse;
                        }
                    }
                }
            }
        }
    }
}
