//! Max pooling.

use super::block::BlockRun;
use super::simd::{Kernel, Simd};
use super::step::{BlockOp, scheduled};
use crate::program::{LANES, MaxPool, MaxPoolGrad, PoolGeometry, TensorId};

scheduled!(MaxPool: block);

impl BlockOp for MaxPool {
    fn run(&self, run: &mut BlockRun<'_>) {
        let window = Window::of(run, self.x, self.geo);
        run.write([self.y], |run, [y]| {
            run.isa().run(Forward {
                window,
                x: run.image(self.x),
                y,
            });
        });
    }
}

scheduled!(MaxPoolGrad: block);

impl BlockOp for MaxPoolGrad {
    fn run(&self, run: &mut BlockRun<'_>) {
        let window = Window::of(run, self.x, self.geo);
        run.write([self.dx], |run, [dx]| {
            run.isa().run(Backward {
                window,
                x: run.image(self.x),
                y: run.image(self.y),
                dy: run.image(self.dy),
                dx,
            });
        });
    }
}

/// The part of a window that lies inside the map.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// Geometry.
    pub geo: PoolGeometry,
    /// Rows of the input.
    pub h: usize,
    /// Columns of the input.
    pub w: usize,
}

impl Window {
    /// On the map `x`.
    pub fn of(run: &BlockRun<'_>, x: TensorId, geo: PoolGeometry) -> Self {
        let (_, h, w) = run.shape(x).chw();
        Self { geo, h, w }
    }

    /// Values of an input plane and of an output plane.
    pub fn planes(&self) -> (usize, usize) {
        let (ho, wo) = self.geo.out(self.h, self.w);
        (self.h * self.w * LANES, ho * wo * LANES)
    }

    /// Rows and columns of the input under output pixel `(y, x)`.
    #[inline(always)]
    pub fn under(&self, y: usize, x: usize) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
        let g = &self.geo;
        let cut = |first: usize, pad: usize, k: usize, n: usize| {
            first.saturating_sub(pad)..(first + k).saturating_sub(pad).min(n)
        };
        (
            cut(y * g.stride[0], g.pad[0], g.kh, self.h),
            cut(x * g.stride[1], g.pad[1], g.kw, self.w),
        )
    }
}

/// 16 lanes of a slice.
#[inline(always)]
pub(super) fn lanes(from: &[f32], pixel: usize) -> &[f32; LANES] {
    match from[pixel * LANES..].first_chunk() {
        Some(v) => v,
        None => &[0.0; LANES],
    }
}

/// `y = max x` on all planes.
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
                let mut most = [f32::NEG_INFINITY; LANES];
                for r in rows {
                    for c in cols.clone() {
                        for (m, &v) in most.iter_mut().zip(lanes(x, r * self.window.w + c)) {
                            *m = if v > *m { v } else { *m };
                        }
                    }
                }
                y.copy_from_slice(&most);
            }
        }
    }
}

/// The gradient goes to the first element of the window that equals the maximum.
struct Backward<'a> {
    window: Window,
    x: &'a [f32],
    y: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (plane_in, plane_out) = self.window.planes();
        let (_, wo) = self.window.geo.out(self.window.h, self.window.w);
        let inputs = self.x.chunks_exact(plane_in);
        let outputs = self
            .y
            .chunks_exact(plane_out)
            .zip(self.dy.chunks_exact(plane_out));
        let planes = self.dx.chunks_exact_mut(plane_in).zip(inputs).zip(outputs);
        for ((dx, x), (y, dy)) in planes {
            dx.fill(0.0);
            for i in 0..plane_out / LANES {
                let (rows, cols) = self.window.under(i / wo, i % wo);
                let y = lanes(y, i);
                // What is still to be given away.
                let mut left = *lanes(dy, i);
                for r in rows {
                    for c in cols.clone() {
                        let pixel = r * self.window.w + c;
                        let x = lanes(x, pixel);
                        let to = &mut dx[pixel * LANES..][..LANES];
                        for lane in 0..LANES {
                            let wins = x[lane] == y[lane];
                            to[lane] += if wins { left[lane] } else { 0.0 };
                            left[lane] = if wins { 0.0 } else { left[lane] };
                        }
                    }
                }
            }
        }
    }
}
