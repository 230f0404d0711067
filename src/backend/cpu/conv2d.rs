//! Convolutions as gathered products ([`Gather`]): the forward operator and the gradient with
//! respect to the input.
//!
//! # Theory
//! The gradient with respect to the input is the transposed convolution. Input rows whose index
//! plus padding leaves the same remainder modulo the stride meet the same kernel taps, and within
//! such a *phase* the transposed convolution has stride 1: each phase is a gathered product of
//! its own, and nothing is multiplied by an inserted zero.
//!
//! Near the edges some of a phase's taps meet no output. They read zeros of a strip, as long
//! as those are few; where the output is small beside the kernel, the phases are cut so that every
//! part has only taps that exist ([`Line::parts`]). For an output of 1 x 1 the parts together are
//! one matrix product with the transposed weight.
//!
//! Kernels of 3 x 3 have another way ([`super::winograd`]) where [`Winograd`] says so.

mod phases;

use std::ops::Range;

use phases::{Axis, Line, choose};

use super::block::{BlockRun, Space};
use super::buffer::Buffer;
use super::gather::{Gather, GatherShape, Lines, Source};
use super::memory::Memory;
use super::post::Epilogue;
use super::simd::Isa;
use super::step::{LayerOp, OnCpu, Packing, Step, Target};
use super::strip::{STRIP_BYTES, Strip};
use super::winograd::WinogradPlan;
use crate::error::Result;
use crate::program::{Conv2d, Conv2dGradInput, ConvGeometry, LANES, Post, TensorId, Winograd};

impl OnCpu for Conv2d {
    fn step(self, target: Target) -> Result<Step> {
        let few = target.fewer(Winograd::forward(&self.geo));
        Step::layer(Layer {
            plan: match few {
                Some(layer) => Sums::Few(WinogradPlan::new(layer)),
                None => Sums::Direct(ConvPlan::forward(&self.geo)?),
            },
            x: self.x,
            w: self.w,
            y: self.y,
            post: self.post,
        })
    }
}

impl OnCpu for Conv2dGradInput {
    fn step(self, target: Target) -> Result<Step> {
        let few = target.fewer(Winograd::grad_input(&self.geo));
        Step::layer(Layer {
            plan: match few {
                Some(layer) => Sums::Few(WinogradPlan::new(layer)),
                None => Sums::Direct(ConvPlan::grad_input(&self.geo)?),
            },
            x: self.dy,
            w: self.w,
            y: self.dx,
            post: Post::NONE,
        })
    }
}

/// A convolution or its gradient with its tables.
struct Layer {
    plan: Sums,
    x: TensorId,
    w: TensorId,
    y: TensorId,
    post: Post,
}

/// How it is summed.
enum Sums {
    Direct(ConvPlan),
    Few(WinogradPlan),
}

impl Packing for Layer {
    fn weights(&self) -> Vec<TensorId> {
        vec![self.w]
    }

    fn packed_len(&self) -> usize {
        match &self.plan {
            Sums::Direct(plan) => plan.packed_len(),
            Sums::Few(plan) => plan.packed_len(),
        }
    }

    fn pack(&self, memory: &Memory, chip: usize, packed: &mut [f32]) {
        let (isa, w) = (memory.isa(), memory.flat(self.w, chip));
        match &self.plan {
            Sums::Direct(plan) => plan.pack(isa, w, packed),
            Sums::Few(plan) => plan.pack(isa, w, packed),
        }
    }
}

impl LayerOp for Layer {
    fn packing(&self) -> &dyn Packing {
        self
    }

    fn run(&self, packed: &[f32], run: &mut BlockRun<'_>, space: &mut Space) {
        run.write([self.y], |run, [y]| {
            let (x, epilogue) = (run.image(self.x), run.epilogue(&self.post));
            let copies = &mut space.copies;
            match &self.plan {
                Sums::Direct(plan) => plan.run(run.isa(), packed, x, y, &epilogue, copies),
                Sums::Few(plan) => plan.run(run.isa(), packed, x, y, &epilogue, copies),
            }
        });
    }
}

/// Tables of a convolution.
#[derive(Debug, Clone)]
pub(super) struct ConvPlan {
    gathers: Vec<Gather>,
    /// Channels and values of a block of the map that is read.
    channels: usize,
    x_len: usize,
    /// How the map is copied; `None`: it is read where it is.
    strips: Option<Strips>,
}

/// The strips of a map, one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strips {
    strip: Strip,
    count: usize,
    /// Output lines of a strip.
    lines: usize,
    /// Row of the map where the first strip begins.
    first: isize,
    /// Rows of the map from one strip to the next.
    advance: usize,
}

impl Strips {
    /// Strips of as many output lines as `lines` returns, from a function that gives the bytes of a strip by its lines. `None` without
    /// padding: the map is read where it is.
    pub fn of(
        g: &ConvGeometry,
        lines: impl FnOnce(&dyn Fn(usize) -> usize) -> usize,
    ) -> Option<Self> {
        let [top, left, bottom, right] = g.pad;
        let whole = |n| Strip::new((g.h_in, g.w_in), [left, right], rows_under(g, n));
        (top + left + bottom + right > 0).then(|| {
            let lines = lines(&|n| g.c_in * whole(n).plane() * size_of::<f32>());
            Self {
                strip: whole(lines),
                count: g.h_out().div_ceil(lines),
                lines,
                first: -(top as isize),
                advance: lines * g.stride[0],
            }
        })
    }

    /// Output lines of a strip.
    pub fn lines(&self) -> usize {
        self.lines
    }
}

/// Lines of a strip, of `count` lines in all: as many as fit [`STRIP_BYTES`] where `bytes(n)` is what
/// `n` lines take, and all strips of about the same height. All of them where the weights
/// themselves are larger: those would come from far away for every strip.
pub(super) fn strip_lines(count: usize, weights: usize, bytes: impl Fn(usize) -> usize) -> usize {
    if weights * size_of::<f32>() > STRIP_BYTES {
        return count.max(1);
    }
    let most = (1..=count).rev().find(|&n| bytes(n) <= STRIP_BYTES);
    let strips = count.div_ceil(most.unwrap_or(1)).max(1);
    count.div_ceil(strips).max(1)
}

/// Rows of the input under `lines` output lines.
pub(super) fn rows_under(g: &ConvGeometry, lines: usize) -> usize {
    (lines - 1) * g.stride[0] + (g.kh - 1) * g.dilation[0] + 1
}

/// Where the phases of an input's gradient find the output's: rows from `low` on, `left` columns of zeros before
/// each.
struct Phases<'a> {
    geo: &'a ConvGeometry,
    left: usize,
    low: isize,
    strips: Option<Strips>,
}

impl Phases<'_> {
    /// What a phase adds up: the rows `v`, the columns `u`.
    fn gather(&self, v: &Axis, u: &Axis) -> Result<Gather> {
        let &Self {
            geo: g,
            left,
            low,
            strips,
        } = self;
        let (ho, wo) = (g.h_out(), g.w_out());
        let (plane, cols, top) = match &strips {
            Some(s) => (s.strip.plane(), s.strip.cols, -low),
            None => (ho * wo * LANES, wo, 0),
        };
        let (c_group, o_group, taps) = (g.c_in / g.groups, g.c_out / g.groups, g.kh * g.kw);
        let (mut offsets, mut terms) = (Vec::new(), Vec::new());
        for o in 0..o_group {
            for &(ky, oy) in &v.taps {
                for &(kx, ox) in &u.taps {
                    // A strip begins `top` rows and `left` columns earlier.
                    let y = (oy + top) as usize;
                    let x = (ox + left as isize) as usize;
                    offsets.push((o * plane + (y * cols + x) * LANES) as u32);
                    terms.push((o * c_group * taps + ky * g.kw + kx) as u32);
                }
            }
        }
        let pixel = |x: usize| {
            let to = v.first * g.w_in + u.first + x * g.stride[1];
            ((x * LANES) as u32, (to * LANES) as u32)
        };
        let lines = Lines {
            first: (0..u.len).map(pixel).collect(),
            line_in: cols * LANES,
            line_out: g.stride[0] * g.w_in * LANES,
            strip: strips.map_or(v.len, |s| s.lines),
            count: v.len,
            held: v.len,
        };
        let shape = GatherShape {
            rows: c_group,
            groups: g.groups,
            group_in: o_group * plane,
            group_out: c_group * g.h_in * g.w_in * LANES,
            row_out: g.h_in * g.w_in * LANES,
            x_len: g.c_out * plane,
            y_len: g.c_in * g.h_in * g.w_in * LANES,
        };
        let source = Source {
            group: o_group * g.rows(),
            row: taps,
            terms,
        };
        Gather::new(shape, offsets, lines, source)
    }
}

impl ConvPlan {
    /// The forward operator.
    pub fn forward(g: &ConvGeometry) -> Result<Self> {
        let ho = g.h_out();
        let strips = Strips::of(g, |bytes| strip_lines(ho, g.weights(), bytes));
        Self::held(g, strips, ho)
    }

    /// The forward operator for blocks that hold `held` lines of the output.
    pub fn held(g: &ConvGeometry, strips: Option<Strips>, held: usize) -> Result<Self> {
        let (ho, wo) = (g.h_out(), g.w_out());
        let (plane, cols) = match &strips {
            Some(s) => (s.strip.plane(), s.strip.cols),
            None => (g.h_in * g.w_in * LANES, g.w_in),
        };
        let c_group = g.c_in / g.groups;
        let mut offsets = Vec::with_capacity(g.rows());
        for c in 0..c_group {
            for ky in 0..g.kh {
                for kx in 0..g.kw {
                    let at = ky * g.dilation[0] * cols + kx * g.dilation[1];
                    offsets.push((c * plane + at * LANES) as u32);
                }
            }
        }
        let pixel = |x: usize| ((x * g.stride[1] * LANES) as u32, (x * LANES) as u32);
        let lines = Lines {
            first: (0..wo).map(pixel).collect(),
            line_in: g.stride[0] * cols * LANES,
            line_out: wo * LANES,
            strip: strips.map_or(ho, |s| s.lines),
            count: ho,
            held,
        };
        let rows = g.c_out / g.groups;
        let shape = GatherShape {
            rows,
            groups: g.groups,
            group_in: c_group * plane,
            group_out: rows * held * wo * LANES,
            row_out: held * wo * LANES,
            x_len: g.c_in * plane,
            y_len: g.c_out * held * wo * LANES,
        };
        let source = Source {
            group: rows * g.rows(),
            row: g.rows(),
            terms: (0..g.rows() as u32).collect(),
        };
        Ok(Self {
            gathers: vec![Gather::new(shape, offsets, lines, source)?],
            channels: g.c_in,
            x_len: g.c_in * g.h_in * g.w_in * LANES,
            strips,
        })
    }

    /// The gradient with respect to the input: `x` is the output's gradient, `y` the input's.
    pub fn grad_input(g: &ConvGeometry) -> Result<Self> {
        let along = |axis: usize, n_in, n_out, kernel| Line {
            n_in,
            n_out,
            kernel,
            pad: g.pad[axis],
            stride: g.stride[axis],
            dilation: g.dilation[axis],
        };
        let (ho, wo) = (g.h_out(), g.w_out());
        let lines = [along(0, g.h_in, ho, g.kh), along(1, g.w_in, wo, g.kw)];
        let [vertical, horizontal] = choose(
            lines.each_ref().map(Line::phases),
            lines.each_ref().map(Line::parts),
        );
        let before = |axes: &[Axis]| axes.iter().map(|a| a.before).max().unwrap_or(0);
        let after = |axes: &[Axis]| axes.iter().map(|a| a.after).max().unwrap_or(0);
        let inside = |axes: &[Axis]| before(axes) + after(axes) == 0;
        let left = before(&horizontal);
        // Rows of the gradient that a line of a phase meets, relative to the line.
        let met = || vertical.iter().flat_map(|a| a.taps.iter().map(|t| t.1));
        let (low, high) = (met().min().unwrap_or(0), met().max().unwrap_or(0));
        let count = vertical.iter().map(|a| a.len).max().unwrap_or(0);
        let whole = |n: usize| {
            let rows = n + (high - low) as usize;
            Strip::new((ho, wo), [left, after(&horizontal)], rows)
        };
        let bytes = |n| g.c_out * whole(n).plane() * size_of::<f32>();
        let strips = (!inside(&vertical) || !inside(&horizontal)).then(|| {
            let lines = strip_lines(count, g.weights(), bytes);
            Strips {
                strip: whole(lines),
                count: count.div_ceil(lines),
                lines,
                first: low,
                advance: lines,
            }
        });
        let phases = Phases {
            geo: g,
            left,
            low,
            strips,
        };
        let mut gathers = Vec::new();
        for v in &vertical {
            for u in &horizontal {
                gathers.push(phases.gather(v, u)?);
            }
        }
        Ok(Self {
            gathers,
            channels: g.c_out,
            x_len: g.c_out * ho * wo * LANES,
            strips,
        })
    }

    /// Values of the packed weights.
    pub fn packed_len(&self) -> usize {
        self.gathers.iter().map(Gather::packed_len).sum()
    }

    /// Packs the weights of one chip into a buffer of [`ConvPlan::packed_len`] values or more.
    pub fn pack(&self, isa: Isa, w: &[f32], packed: &mut [f32]) {
        let mut rest = packed;
        for gather in &self.gathers {
            let (part, tail) = rest.split_at_mut(gather.packed_len());
            gather.pack(isa, w, part);
            rest = tail;
        }
    }

    /// Computes all blocks of `x` into `y`; `copies` is working space.
    pub fn run(
        &self,
        isa: Isa,
        packed: &[f32],
        x: &[f32],
        y: &mut [f32],
        epilogue: &Epilogue,
        copies: &mut Buffer,
    ) {
        let products = |x: &[f32], y: &mut [f32], lines: Range<usize>| {
            let mut packed = packed;
            for gather in &self.gathers {
                let (part, tail) = packed.split_at(gather.packed_len());
                gather.run(isa, part, x, y, epilogue, lines.clone());
                packed = tail;
            }
        };
        let Some(s) = &self.strips else {
            return products(x, y, 0..usize::MAX);
        };
        let len = self.channels * s.strip.plane();
        let blocks = x.len() / self.x_len;
        copies.reserve(blocks * len);
        let copies = &mut copies[..blocks * len];
        for i in 0..s.count {
            let first = s.first + (i * s.advance) as isize;
            for (x, to) in x.chunks_exact(self.x_len).zip(copies.chunks_exact_mut(len)) {
                s.strip.copy(x, first, to);
            }
            products(copies, y, i * s.lines..(i + 1) * s.lines);
        }
    }

    /// Computes the first `lines` output lines of one block of `x`, as many at a time as `held` holds
    /// ([`ConvPlan::held`]); `take` gets them before the next ones.
    pub fn run_held(
        &self,
        isa: Isa,
        (packed, x): (&[f32], &[f32]),
        epilogue: &Epilogue,
        (copies, held): (&mut Buffer, &mut [f32]),
        lines: usize,
        mut take: impl FnMut(Range<usize>, &[f32]),
    ) {
        let gather = &self.gathers[0];
        let mut piecewise = |x: &[f32], strip: Range<usize>| {
            for first in strip.clone().step_by(gather.held()) {
                let end = (first + gather.held()).min(strip.end);
                let inside = first - strip.start..end - strip.start;
                gather.run_held(isa, packed, x, held, epilogue, inside);
                take(first..end, held);
            }
        };
        let Some(s) = &self.strips else {
            return piecewise(x, 0..lines);
        };
        copies.reserve(self.channels * s.strip.plane());
        for i in 0..s.count {
            s.strip.copy(x, s.first + (i * s.advance) as isize, copies);
            piecewise(copies, i * s.lines..((i + 1) * s.lines).min(lines));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(size: usize, kernel: usize, pad: usize) -> ConvGeometry {
        ConvGeometry {
            h_in: size,
            w_in: size,
            kh: kernel,
            kw: kernel,
            pad: [pad; 4],
            ..ConvGeometry::linear(3, 2)
        }
    }

    /// Products of the gradient with respect to the input, per pair of channels.
    fn products(g: &ConvGeometry) -> usize {
        let plan = ConvPlan::grad_input(g).expect("plan");
        plan.gathers.iter().map(Gather::products).sum::<usize>() / 2
    }

    /// Where the output is small beside the kernel, only products that exist are made; else one
    /// gather does it all.
    #[test]
    fn small_outputs_are_not_padded() {
        assert_eq!(products(&geometry(5, 5, 0)), 25);
        assert_eq!(products(&geometry(2, 3, 1)), 16);
        assert_eq!(
            ConvPlan::grad_input(&geometry(2, 3, 1))
                .expect("plan")
                .packed_len(),
            2 * 3 * 16
        );
        let large = ConvPlan::grad_input(&geometry(8, 3, 1)).expect("plan");
        assert_eq!(large.gathers.len(), 1);
        assert_eq!(products(&geometry(8, 3, 1)), 64 * 9);
    }
}
