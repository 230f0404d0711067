//! Max pooling.

use super::block::BlockRun;
use super::simd::{Isa, Kernel, Simd};
use super::step::{BlockOp, scheduled};
use crate::program::{LANES, MaxPool, MaxPoolGrad, PoolGeometry, TensorId};

scheduled!(MaxPool: block);

impl BlockOp for MaxPool {
    fn run(&self, run: &mut BlockRun<'_>) {
        let window = Window::of(run, self.x, self.geo);
        run.write([self.y], |run, [y]| {
            window.forward::<false>(run.isa(), run.image(self.x), y, |isa, x, y| {
                isa.run(Forward { window, x, y });
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

    /// Pools `x` by [`Whole`], or by `padded` where windows may be cut.
    pub fn forward<const AVERAGE: bool>(
        self,
        isa: Isa,
        x: &[f32],
        y: &mut [f32],
        padded: impl FnOnce(Isa, &[f32], &mut [f32]),
    ) {
        let window = self;
        match (self.geo.pad, self.geo.kh, self.geo.kw) {
            ([0, 0, 0, 0], 2, 2) => isa.run(Whole::<AVERAGE, 2> { window, x, y }),
            ([0, 0, 0, 0], ..) => isa.run(Whole::<AVERAGE, 0> { window, x, y }),
            _ => padded(isa, x, y),
        }
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

/// Pooling without padding, where every window is whole: the mean with `AVERAGE`, else the maximum. `K` rows and
/// columns of a window, 0: as many as the window says. The same operations in the same order as with padding.
struct Whole<'a, const AVERAGE: bool, const K: usize> {
    window: Window,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl<const AVERAGE: bool, const K: usize> Kernel for Whole<'_, AVERAGE, K> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Window { geo, h, w } = self.window;
        let (plane_in, plane_out) = self.window.planes();
        let (_, wo) = geo.out(h, w);
        let planes = self.x.chunks_exact(plane_in);
        for (x, y) in planes.zip(self.y.chunks_exact_mut(plane_out)) {
            for (line, y) in y.chunks_exact_mut(wo * LANES).enumerate() {
                let rows = &x[line * geo.stride[0] * w * LANES..];
                pool_line::<S, AVERAGE, K>(s, &geo, rows, w, y);
            }
        }
    }
}

/// A line of [`Whole`]: `rows` begin at the first row of its windows and have `w` columns.
#[inline(always)]
pub(super) fn pool_line<S: Simd, const AVERAGE: bool, const K: usize>(
    s: S,
    geo: &PoolGeometry,
    rows: &[f32],
    w: usize,
    y: &mut [f32],
) {
    let (kh, kw) = if K > 0 { (K, K) } else { (geo.kh, geo.kw) };
    let inverse = s.splat(1.0 / (kh * kw) as f32);
    let begin = s.splat(if AVERAGE { 0.0 } else { f32::NEG_INFINITY });
    let rows = &rows[..kh * w * LANES];
    for (column, y) in y.chunks_exact_mut(LANES).enumerate() {
        let first = column * geo.stride[1] * LANES;
        let mut v = begin;
        for row in 0..kh {
            let values = &rows[row * w * LANES + first..][..kw * LANES];
            for value in values.chunks_exact(LANES) {
                v = match AVERAGE {
                    true => s.add(v, s.load(value)),
                    false => s.max(s.load(value), v),
                };
            }
        }
        if AVERAGE {
            v = s.mul(v, inverse);
        }
        s.store(v, y);
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
