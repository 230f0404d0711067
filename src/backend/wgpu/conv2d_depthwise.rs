//! Depthwise convolutions of 3x3 kernels with stride 1, and the gradient of their input:
//! `shaders/conv2d_depthwise.wgsl`, whose sums are those of the general kernels. These compute eight
//! channels of a group at a time, of which such a layer has one.

use super::conv2d_tiled::Operands;
use super::dispatch::{Dispatch, LowerContext, QUADS, View, Work};
use super::post::{self, PostParams};
use super::uniform::uniform;
use crate::backend::Kernels;
use crate::program::{ConvGeometry, Post};

/// Rows and columns that a thread computes.
const ROWS: usize = 2;
const COLUMNS: usize = 4;

uniform! {
    /// Twin of `Params` in `shaders/conv2d_depthwise.wgsl`.
    struct Params {
        x: View,
        y: View,
        w: View,
        post: PostParams,
        h_in: u32,
        w_in: u32,
        h_out: u32,
        w_out: u32,
        top: u32,
        left: u32,
        channels: u32,
        tiles_x: u32,
        tiles: u32,
    }
}

/// Whether the kernel computes such a layer.
fn suits(geo: &ConvGeometry, kernels: Kernels) -> bool {
    let depthwise = geo.c_in == geo.groups && geo.c_out == geo.groups;
    let window = (geo.kh, geo.kw, geo.stride, geo.dilation) == (3, 3, [1; 2], [1; 2]);
    match kernels {
        Kernels::Portable => false,
        Kernels::Fitting | Kernels::Tiled | Kernels::Cooperative => depthwise && window,
    }
}

/// The forward product with its epilogue, where the layer is one of these.
pub(super) fn forward(
    operands: Operands,
    geo: &ConvGeometry,
    post: &Post,
    cx: &LowerContext<'_>,
) -> Option<Dispatch> {
    let extents = [[geo.h_in, geo.w_in], [geo.h_out(), geo.w_out()]];
    let first = [geo.pad[0], geo.pad[1]].map(|pad| 0_u32.wrapping_sub(pad as u32));
    suits(geo, cx.kernels).then(|| dispatch(operands, extents, first, false, post, cx))
}

/// The gradient of the input, where the layer is one of these.
pub(super) fn backward(
    operands: Operands,
    geo: &ConvGeometry,
    cx: &LowerContext<'_>,
) -> Option<Dispatch> {
    let extents = [[geo.h_out(), geo.w_out()], [geo.h_in, geo.w_in]];
    // The last position of the kernel reaches furthest back.
    let first = [geo.pad[0], geo.pad[1]].map(|pad| (pad as u32).wrapping_sub(2));
    suits(geo, cx.kernels).then(|| dispatch(operands, extents, first, true, &Post::NONE, cx))
}

/// `extents` of the maps that are read and written; `first`: from a result's place to the first that it
/// sees.
fn dispatch(
    Operands { x, w, y }: Operands,
    [read, written]: [[usize; 2]; 2],
    first: [u32; 2],
    turned: bool,
    post: &Post,
    cx: &LowerContext<'_>,
) -> Dispatch {
    let channels = cx.shape(y).chw().0;
    let tiles_x = written[1].div_ceil(COLUMNS);
    let tiles = written[0].div_ceil(ROWS) * tiles_x;
    let params = Params {
        x: cx.view(x),
        y: cx.view(y),
        w: cx.view(w),
        post: post::params(post, cx),
        h_in: read[0] as u32,
        w_in: read[1] as u32,
        h_out: written[0] as u32,
        w_out: written[1] as u32,
        top: first[0],
        left: first[1],
        channels: channels as u32,
        tiles_x: tiles_x as u32,
        tiles: tiles as u32,
    };
    let work = Work::flat(tiles * QUADS)
        .repeated(channels)
        .per_block()
        .per_chip(cx.per_chip(y));
    let dispatch = Dispatch::new("conv2d_depthwise", work)
        .params(&params)
        .constant("TURNED", turned)
        .read(x)
        .read(w)
        .write(y);
    post::attach(dispatch, post)
}
