//! A convolution that is pooled line by line: what the windows of a line see stays in the first-level cache and is
//! gone before the next line.

use super::block::{BlockRun, Space};
use super::conv2d::{ConvPlan, Strips, strip_lines};
use super::gather::NEAR_BYTES;
use super::max_pool::pool_line;
use super::memory::Memory;
use super::post::{Quant, quantize};
use super::simd::{Isa, Kernel, Simd};
use super::step::{LayerOp, OnCpu, Packing, Step, Target};
use crate::error::Result;
use crate::program::{Conv2dPool, LANES, PoolGeometry, Pooling, TensorId};

impl OnCpu for Conv2dPool {
    fn step(self, _: Target) -> Result<Step> {
        let (geo, window) = (&self.geo, &self.window);
        let (ho, wo) = (geo.h_out(), geo.w_out());
        let (lines, columns) = window.out(ho, wo);
        // Whole windows, in strips and in what is held.
        let strips = Strips::of(geo, |bytes| {
            strip_lines(lines, geo.weights(), |n| bytes(n * window.kh)) * window.kh
        });
        let line = geo.c_out * window.kh * wo * LANES;
        let most = strips.map_or(lines, |s| s.lines() / window.kh);
        let at_once = (NEAR_BYTES / size_of::<f32>() / line).clamp(1, most);
        Step::layer(Layer {
            plan: ConvPlan::held(geo, strips, at_once * window.kh)?,
            held: at_once * line,
            lines,
            columns,
            wide: wo,
            channels: geo.c_out,
            x_len: geo.c_in * geo.h_in * geo.w_in * LANES,
            op: self,
        })
    }
}

/// The operator with its tables.
struct Layer {
    op: Conv2dPool,
    plan: ConvPlan,
    /// Values of the lines that are held.
    held: usize,
    /// Lines and columns of the pooled map, columns of the convolution's.
    lines: usize,
    columns: usize,
    wide: usize,
    channels: usize,
    /// Values of a block of the input.
    x_len: usize,
}

impl Packing for Layer {
    fn weights(&self) -> Vec<TensorId> {
        vec![self.op.w]
    }

    fn packed_len(&self) -> usize {
        self.plan.packed_len()
    }

    fn pack(&self, memory: &Memory, chip: usize, packed: &mut [f32]) {
        let w = memory.flat(self.op.w, chip);
        self.plan.pack(memory.isa(), w, packed);
    }
}

impl LayerOp for Layer {
    fn packing(&self) -> &dyn Packing {
        self
    }

    fn run(&self, packed: &[f32], run: &mut BlockRun<'_>, space: &mut Space) {
        space.lines.reserve(self.held);
        run.write([self.op.y], |run, [y]| {
            let epilogue = run.epilogue(&self.op.post);
            let pieces = Pieces {
                layer: self,
                isa: run.isa(),
                quant: self.op.quant.map(|q| run.quant(&q)),
            };
            let len = self.channels * self.lines * self.columns * LANES;
            let blocks = run.image(self.op.x).chunks_exact(self.x_len);
            for (x, y) in blocks.zip(y.chunks_exact_mut(len)) {
                let held = &mut space.lines[..self.held];
                let (kh, lines) = (self.op.window.kh, self.lines * self.op.window.kh);
                let space = (&mut space.copies, held);
                let products = (packed, x);
                self.plan.run_held(
                    run.isa(),
                    products,
                    &epilogue,
                    space,
                    lines,
                    |at, values| {
                        pieces.pool(values, at.start / kh..at.end / kh, y);
                    },
                );
            }
        });
    }
}

/// How held lines are pooled.
struct Pieces<'a> {
    layer: &'a Layer,
    isa: Isa,
    quant: Option<Quant>,
}

impl Pieces<'_> {
    /// Pools to the lines `lines` of a block.
    fn pool(&self, held: &[f32], lines: std::ops::Range<usize>, y: &mut [f32]) {
        let window = &self.layer.op.window;
        match (self.layer.op.pooling, window.kh, window.kw) {
            (Pooling::Mean, 2, 2) => self.by::<true, 2>(held, lines, y),
            (Pooling::Mean, ..) => self.by::<true, 0>(held, lines, y),
            (Pooling::Max, 2, 2) => self.by::<false, 2>(held, lines, y),
            (Pooling::Max, ..) => self.by::<false, 0>(held, lines, y),
        }
    }

    fn by<const MEAN: bool, const K: usize>(
        &self,
        held: &[f32],
        lines: std::ops::Range<usize>,
        y: &mut [f32],
    ) {
        let layer = self.layer;
        self.isa.run(Windows::<MEAN, K> {
            window: &layer.op.window,
            held,
            wide: layer.wide,
            planes: [held.len(), y.len()].map(|n| n / layer.channels),
            columns: layer.columns,
            quant: self.quant,
            lines,
            y,
        });
    }
}

/// Windows side by side of some lines of all channels, as [`pool_line`].
struct Windows<'a, const MEAN: bool, const K: usize> {
    window: &'a PoolGeometry,
    held: &'a [f32],
    wide: usize,
    /// Values of a channel: of what is held, of the pooled map.
    planes: [usize; 2],
    columns: usize,
    quant: Option<Quant>,
    lines: std::ops::Range<usize>,
    y: &'a mut [f32],
}

impl<const MEAN: bool, const K: usize> Kernel for Windows<'_, MEAN, K> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let line = self.columns * LANES;
        let planes = self.held.chunks_exact(self.planes[0]);
        for (held, y) in planes.zip(self.y.chunks_exact_mut(self.planes[1])) {
            let y = &mut y[self.lines.start * line..self.lines.end * line];
            for (i, y) in y.chunks_exact_mut(line).enumerate() {
                let rows = &held[i * self.window.kh * self.wide * LANES..];
                pool_line::<S, MEAN, K>(s, self.window, rows, self.wide, y);
                let Some(quant) = &self.quant else {
                    continue;
                };
                if quant.step <= 0.0 {
                    y.fill(0.0);
                    continue;
                }
                for value in y.chunks_exact_mut(LANES) {
                    s.store(quantize(s, s.load(value), quant), value);
                }
            }
        }
    }
}
