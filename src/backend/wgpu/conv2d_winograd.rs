//! Convolutions of 3 x 3 with fewer products: `shaders/conv2d_winograd.wgsl` on what
//! `shaders/conv2d_winograd_pack.wgsl` makes of the weights. Equations and rule are at [`Winograd`].
//!
//! The kernel needs workgroup memory and many registers: [`Kernels::Portable`] sums such layers term by term.
//! Nothing but the layer's shape decides otherwise, so that results do not depend on how many chips and images
//! an adapter holds.

use super::conv2d_tiled::Operands;
use super::dispatch::{Dispatch, LowerContext, Operand, View, Work};
use super::post::{self, PostParams};
use super::uniform::uniform;
use crate::backend::{Kernels, Products};
use crate::program::{Post, Winograd};

/// Channels of a workgroup and how its cost exceeds that of the larger one, which makes its values V for more
/// channels.
const TILES: [(usize, f64); 2] = [(32, 1.0), (16, 1.25)];

uniform! {
    /// Twin of `Params` in `shaders/conv2d_winograd.wgsl`.
    struct Params {
        x: View,
        y: View,
        post: PostParams,
        h_in: u32,
        w_in: u32,
        pad_y: u32,
        pad_x: u32,
        h_out: u32,
        w_out: u32,
        rows: u32,
        columns: u32,
        read: u32,
        depth: u32,
        written: u32,
        tiles: u32,
        w_chip: u32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/conv2d_winograd_pack.wgsl`.
    struct PackParams {
        w: View,
        w_chip: u32,
        depth: u32,
        read: u32,
        written: u32,
        read_stride: u32,
        written_stride: u32,
        threads: u32,
    }
}

/// The two calls of a layer, if it takes the route.
pub(super) fn product(
    layer: Option<Winograd>,
    operands: Operands,
    post: &Post,
    cx: &LowerContext<'_>,
) -> Option<Vec<Dispatch>> {
    if cx.products == Products::Direct || cx.kernels == Kernels::Portable {
        return None;
    }
    let layer = layer?;
    let cost = |(tile, dear): &(usize, f64)| layer.written.next_multiple_of(*tile) as f64 * dear;
    let best = TILES.iter().min_by(|a, b| cost(a).total_cmp(&cost(b)));
    let channels = best.map(|(tile, _)| *tile)?;
    let Operands { x, w, y } = operands;
    // Channels that are read come in steps of one or two.
    let depth = layer.read.next_multiple_of(channels / 16);
    let tiles = layer.written.div_ceil(channels);
    let quads = tiles * depth * 4 * channels;
    let packed = Operand::Scratch {
        index: 0,
        floats: (4 * quads * cx.slabs(w)) as u64,
    };
    let [rows, columns] = layer.tiles();
    let params = Params {
        x: cx.view(x),
        y: cx.view(y),
        post: post::params(post, cx),
        h_in: layer.from[0] as u32,
        w_in: layer.from[1] as u32,
        pad_y: layer.pad[0] as u32,
        pad_x: layer.pad[1] as u32,
        h_out: layer.to[0] as u32,
        w_out: layer.to[1] as u32,
        rows: rows as u32,
        columns: columns as u32,
        read: layer.read as u32,
        depth: depth as u32,
        written: layer.written as u32,
        tiles: tiles as u32,
        w_chip: if cx.per_chip(w) { quads as u32 } else { 0 },
    };
    let work = Work {
        // Tiles of 2 x 2 results of a workgroup.
        group: (128 / channels) as u32,
        ..Work::flat(rows * columns)
    };
    let work = work.repeated(tiles).per_block().per_chip(cx.per_chip(y));
    let dispatch = Dispatch::new("conv2d_winograd", work)
        .params(&params)
        .constant("CHANNELS", channels as u32)
        .rounds((depth / (channels / 16)) as u64)
        .read(x)
        .read(packed)
        .write(y);
    Some(vec![
        pack(&layer, operands, (channels, depth), packed, cx),
        post::attach(dispatch, post),
    ])
}

/// The call that makes U of the weights.
fn pack(
    layer: &Winograd,
    Operands { w, .. }: Operands,
    (channels, depth): (usize, usize),
    packed: Operand,
    cx: &LowerContext<'_>,
) -> Dispatch {
    let tiles = layer.written.div_ceil(channels);
    let threads = tiles * depth * channels / 4;
    let params = PackParams {
        w: cx.view(w),
        w_chip: 16 * threads as u32,
        depth: depth as u32,
        read: layer.read as u32,
        written: layer.written as u32,
        read_stride: layer.strides[1] as u32,
        written_stride: layer.strides[0] as u32,
        threads: threads as u32,
    };
    let work = Work::flat(threads).per_chip(cx.per_chip(w));
    Dispatch::new("conv2d_winograd_pack", work)
        .params(&params)
        .constant("CHANNELS", channels as u32)
        .constant("TURNED", layer.turned)
        .read(w)
        .write(packed)
}
