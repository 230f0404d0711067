//! Convolutions of codes by cooperative matrices (tensor cores): `shaders/conv2d_coop_codes.wgsl`,
//! `conv2d_coop_rows.wgsl` and `conv2d_coop_pack.wgsl`, then `shaders/shared/conv2d_coop.wgsl` for the
//! adapter's matrices.
//!
//! A weight is the sum of two halves, and a code of at most 11 bits is one, so every product is exact; sums
//! are made in `f32`. Each output channel's weights are first multiplied by the power of two that brings the
//! largest to `[2^13, 2^14)`. What a weight loses is at most
//!
//! ```text
//! |w - (high + low) 2^-s| <= 2^-23 |w| + 2^-27 max|w|
//! ```
//!
//! the largest of its channel: the low half has a unit in the last place of `2^-22` of the high one's power
//! of two, and what would be a subnormal half, below `2^-14`, is 0. Sums of `k` terms are rounded at most
//! `2 k` times, as two terms of each are added. The step of the codes is multiplied once, so that the rounding of `x = d k` is not
//! in the result at all. Together, with `u = 2^-24`:
//!
//! ```text
//! |y - sum w d k| <= (2 k + 6) u sum |w d k| + 2^-27 max|w| sum |d k|
//! ```

use super::cooperative::Matrices;
use super::dispatch::{Dispatch, LowerContext, Operand, QUADS, View, Work};
use super::post::{self, PostParams};
use super::uniform::uniform;
use crate::backend::Kernels;
use crate::program::{ActQuant, Conv2d, ConvGeometry, LANES, TensorId};

/// Largest magnitude of a code that a half holds exactly, with all below.
const LARGEST_CODE: i32 = 1 << 11;

/// Rows of matrices of a workgroup, and columns of them.
const ROWS: usize = 2;
const FOURS: usize = 4;

/// Workgroups below which a large GPU is idle.
pub(super) const ENOUGH: usize = 256;

/// How much larger the products may be made by channels that fill matrices up.
pub(super) const MOST_FILL: f64 = 1.5;

uniform! {
    /// Twin of `Params` in `shaders/conv2d_coop_codes.wgsl`.
    struct CodesParams {
        x: View,
        block_words: u32,
        chip_words: u32,
        h: u32,
        w: u32,
        h_in: u32,
        w_in: u32,
        top: u32,
        left: u32,
        group_in: u32,
        group_padded: u32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/conv2d_coop_rows.wgsl`.
    struct RowsParams {
        w: View,
        rows: u32,
        channels: u32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/conv2d_coop_pack.wgsl`.
    struct PackParams {
        w: View,
        words: u32,
        side: u32,
        matrices: u32,
        depth: u32,
        taps: u32,
        group_out: u32,
        group_in: u32,
        factor_chip: u32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/shared/conv2d_coop.wgsl`.
    struct Params {
        y: View,
        post: PostParams,
        codes_chip: u32,
        codes_block: u32,
        codes_group: u32,
        codes_channel: u32,
        pixel_y: u32,
        pixel_x: u32,
        tap_y: u32,
        tap_x: u32,
        kw: u32,
        depth: u32,
        steps: u32,
        w_chip: u32,
        pairs: u32,
        groups: u32,
        group_out: u32,
        pixels: u32,
        w_out: u32,
        factor_chip: u32,
    }
}

/// Whether codes are exact in halves.
fn exact(codes: &ActQuant) -> bool {
    codes.lo >= -LARGEST_CODE && codes.hi <= LARGEST_CODE
}

/// A product in matrices.
struct Tiles {
    side: usize,
    threads: u32,
    /// Matrices of a group's inputs, pairs of matrices of its outputs.
    depth: usize,
    pairs: usize,
    taps: usize,
    /// Extents of the map with its padding.
    h: usize,
    w: usize,
}

impl Tiles {
    fn new(geo: &ConvGeometry, matrices: Matrices) -> Self {
        let side = matrices.side as usize;
        let (inputs, outputs) = (geo.c_in / geo.groups, geo.c_out / geo.groups);
        let reach =
            |n: usize, stride: usize, k: usize, dilation| (n - 1) * stride + (k - 1) * dilation + 1;
        Self {
            side,
            threads: matrices.threads,
            depth: inputs.div_ceil(side),
            pairs: outputs.div_ceil(ROWS * side),
            taps: geo.kh * geo.kw,
            h: reach(geo.h_out(), geo.stride[0], geo.kh, geo.dilation[0]),
            w: reach(geo.w_out(), geo.stride[1], geo.kw, geo.dilation[1]),
        }
    }

    /// Inputs of a group with those that fill the last matrix up.
    fn padded(&self) -> usize {
        self.depth * self.side
    }

    /// Matrix products of a row of matrices, of both factors' halves together counted once.
    fn steps(&self) -> usize {
        self.taps * self.depth
    }

    /// Blocks of images at a pixel of a workgroup.
    fn slots(&self) -> usize {
        FOURS * self.side / LANES
    }

    /// Whether matrices gain by it: few channels fill them up with zeros, few workgroups leave a GPU idle.
    fn worth(&self, geo: &ConvGeometry, y: TensorId, cx: &LowerContext<'_>) -> bool {
        let (inputs, outputs) = (geo.c_in / geo.groups, geo.c_out / geo.groups);
        let filled = self.padded() * self.pairs * ROWS * self.side;
        let slots = cx.run_blocks() * geo.h_out() * geo.w_out();
        let calls = slots.div_ceil(self.slots()) * self.pairs * geo.groups * cx.slabs(y);
        filled as f64 <= MOST_FILL * (inputs * outputs) as f64 && calls >= ENOUGH
    }
}

/// The product with its epilogue where the adapter's matrices may make it: of codes only.
pub(super) fn forward(op: &Conv2d, cx: &LowerContext<'_>) -> Option<Vec<Dispatch>> {
    let matrices = cx.matrices?;
    let codes = op.codes.as_ref().filter(|codes| exact(codes))?;
    let tiles = Tiles::new(&op.geo, matrices);
    if cx.kernels != Kernels::Cooperative && !tiles.worth(&op.geo, op.y, cx) {
        return None;
    }
    let (map, operand, block) = codes_call(op, codes, &tiles, cx);
    let (weights, packed, factors) = weight_calls(op, codes, &tiles, cx);
    let mut calls = vec![map];
    calls.extend(weights);
    calls.push(product(op, &tiles, (operand, block), (packed, factors), cx));
    Some(calls)
}

/// The map of codes; where it is, and its halves of a block.
fn codes_call(
    op: &Conv2d,
    codes: &ActQuant,
    tiles: &Tiles,
    cx: &LowerContext<'_>,
) -> (Dispatch, Operand, usize) {
    let geo = &op.geo;
    let block = geo.groups * tiles.padded() * tiles.h * tiles.w * LANES;
    let per_chip = cx.per_chip(op.x);
    let chip_words = block / 2 * cx.run_blocks();
    let operand = Operand::Scratch {
        index: 0,
        floats: (chip_words * cx.slabs(op.x)) as u64,
    };
    let params = CodesParams {
        x: cx.view(op.x),
        block_words: (block / 2) as u32,
        chip_words: if per_chip { chip_words as u32 } else { 0 },
        h: tiles.h as u32,
        w: tiles.w as u32,
        h_in: geo.h_in as u32,
        w_in: geo.w_in as u32,
        top: geo.pad[0] as u32,
        left: geo.pad[1] as u32,
        group_in: (geo.c_in / geo.groups) as u32,
        group_padded: tiles.padded() as u32,
    };
    let work = Work::flat(block / 4).per_block().per_chip(per_chip);
    let call = Dispatch::new("conv2d_coop_codes", work)
        .params(&params)
        .read(op.x)
        .read(codes.scale)
        .write(operand);
    (call, operand, block)
}

/// The weights in matrices; where they are, and the factors of their channels.
fn weight_calls(
    op: &Conv2d,
    codes: &ActQuant,
    tiles: &Tiles,
    cx: &LowerContext<'_>,
) -> ([Dispatch; 2], Operand, Operand) {
    let geo = &op.geo;
    let (per_chip, slabs) = (cx.per_chip(op.w), cx.slabs(op.w));
    let words = words(geo, tiles);
    let packed = Operand::Scratch {
        index: 1,
        floats: (words * slabs) as u64,
    };
    let factors = Operand::Scratch {
        index: 2,
        floats: (2 * geo.c_out * slabs) as u64,
    };
    let rows = RowsParams {
        w: cx.view(op.w),
        rows: geo.rows() as u32,
        channels: geo.c_out as u32,
    };
    let scaling = Dispatch::new(
        "conv2d_coop_rows",
        Work::groups(geo.c_out).per_chip(per_chip),
    )
    .params(&rows)
    .rounds((geo.rows().div_ceil(256) + 16) as u64)
    .read(op.w)
    .read(codes.scale)
    .write(factors);
    let params = PackParams {
        w: cx.view(op.w),
        words: words as u32,
        side: tiles.side as u32,
        matrices: (ROWS * tiles.pairs) as u32,
        depth: tiles.depth as u32,
        taps: tiles.taps as u32,
        group_out: (geo.c_out / geo.groups) as u32,
        group_in: (geo.c_in / geo.groups) as u32,
        factor_chip: if per_chip { geo.c_out as u32 } else { 0 },
    };
    let packing = Dispatch::new("conv2d_coop_pack", Work::flat(words / 2).per_chip(per_chip))
        .params(&params)
        .read(op.w)
        .read(factors)
        .write(packed);
    ([scaling, packing], packed, factors)
}

/// Words of a chip's weights: a high and a low half each.
fn words(geo: &ConvGeometry, tiles: &Tiles) -> usize {
    geo.groups * ROWS * tiles.pairs * tiles.steps() * tiles.side * tiles.side
}

/// The matrix products and the epilogue.
fn product(
    op: &Conv2d,
    tiles: &Tiles,
    (codes, block): (Operand, usize),
    (packed, factors): (Operand, Operand),
    cx: &LowerContext<'_>,
) -> Dispatch {
    let geo = &op.geo;
    let (row, channel) = (tiles.w * LANES, tiles.h * tiles.w * LANES);
    let pixels = geo.h_out() * geo.w_out();
    let per_chip = |t: TensorId, stride: usize| if cx.per_chip(t) { stride as u32 } else { 0 };
    let params = Params {
        y: cx.view(op.y),
        post: post::params(&op.post, cx),
        codes_chip: per_chip(op.x, block * cx.run_blocks()),
        codes_block: block as u32,
        codes_group: (tiles.padded() * channel) as u32,
        codes_channel: channel as u32,
        pixel_y: (geo.stride[0] * row) as u32,
        pixel_x: (geo.stride[1] * LANES) as u32,
        tap_y: (geo.dilation[0] * row) as u32,
        tap_x: (geo.dilation[1] * LANES) as u32,
        kw: geo.kw as u32,
        depth: tiles.depth as u32,
        steps: tiles.steps() as u32,
        w_chip: per_chip(op.w, 2 * words(geo, tiles)),
        pairs: tiles.pairs as u32,
        groups: geo.groups as u32,
        group_out: (geo.c_out / geo.groups) as u32,
        pixels: pixels as u32,
        w_out: geo.w_out() as u32,
        factor_chip: per_chip(op.w, geo.c_out),
    };
    let work = Work {
        group: tiles.slots() as u32,
        ..Work::flat(pixels)
    };
    let work = work
        .repeated(tiles.pairs * geo.groups)
        .per_block()
        .per_chip(cx.per_chip(op.y));
    let shader = match tiles.side {
        8 => "conv2d_coop8",
        _ => "conv2d_coop16",
    };
    let quads = tiles.side * FOURS * tiles.side / QUADS;
    let call = Dispatch::new(shader, work)
        .params(&params)
        .constant("THREADS", tiles.threads)
        .rounds((2 * tiles.steps() + 2 * quads.div_ceil(tiles.threads as usize)) as u64)
        .read(codes)
        .read(packed)
        .read(factors)
        .write(op.y);
    post::attach(call, &op.post)
}
