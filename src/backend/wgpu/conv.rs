//! What the three convolution operators share: geometry for the kernels and packed weights
//! (`shaders/shared/conv.wgsl`, `shaders/conv2d_pack.wgsl`).

use super::dispatch::{Dispatch, LowerContext, Operand, View, Work};
use super::uniform::uniform;
use crate::program::{ConvGeometry, TensorId};

/// Channels of a tile in `shaders/shared/tile.wgsl`.
const TILE: usize = 8;

uniform! {
    /// Twin of `Conv` in `shaders/shared/conv.wgsl`.
    struct ConvParams {
        h_in: u32,
        w_in: u32,
        h_out: u32,
        w_out: u32,
        kh: u32,
        kw: u32,
        stride_y: u32,
        stride_x: u32,
        dilation_y: u32,
        dilation_x: u32,
        pad_top: u32,
        pad_left: u32,
        group_in: u32,
        group_out: u32,
    }
}

impl From<&ConvGeometry> for ConvParams {
    fn from(geo: &ConvGeometry) -> Self {
        Self {
            h_in: geo.h_in as u32,
            w_in: geo.w_in as u32,
            h_out: geo.h_out() as u32,
            w_out: geo.w_out() as u32,
            kh: geo.kh as u32,
            kw: geo.kw as u32,
            stride_y: geo.stride[0] as u32,
            stride_x: geo.stride[1] as u32,
            dilation_y: geo.dilation[0] as u32,
            dilation_x: geo.dilation[1] as u32,
            pad_top: geo.pad[0] as u32,
            pad_left: geo.pad[1] as u32,
            group_in: (geo.c_in / geo.groups) as u32,
            group_out: (geo.c_out / geo.groups) as u32,
        }
    }
}

uniform! {
    /// Twin of `Params` in `shaders/conv2d_pack.wgsl`.
    struct PackParams {
        w: View,
        w_chip: u32,
        groups: u32,
        tiles: u32,
        channels: u32,
        a: u32,
        b: u32,
        a_stride: u32,
        b_stride: u32,
        j_stride: u32,
        group_stride: u32,
    }
}

/// Weights with the channels of a tile side by side.
pub(super) struct Packed {
    /// The kernel call that makes them.
    pub dispatch: Dispatch,
    /// Where they are.
    pub operand: Operand,
    /// `vec4<f32>` from chip to chip, 0 where all chips share the weights.
    pub chip_stride: u32,
    /// Tiles of a group.
    pub tiles: u32,
}

/// Rounds of a thread that sums over so many channels, of all groups.
pub(super) fn rounds(geo: &ConvGeometry, channels: usize) -> u64 {
    let channels = channels / geo.groups;
    let rounds = match one_tap(geo) {
        true => channels / 2,
        false => channels * (1 + geo.kh * (1 + geo.kw)),
    };
    // The strides, where a backward pass looks for its taps.
    (rounds + 2 * (geo.stride[0] + geo.stride[1])) as u64
}

/// Packs by output channels (`forward`: the sum runs over inputs) or by input channels.
pub(super) fn pack(
    w: TensorId,
    geo: &ConvGeometry,
    forward: bool,
    cx: &LowerContext<'_>,
) -> Packed {
    let (inputs, outputs) = (geo.c_in / geo.groups, geo.c_out / geo.groups);
    let (rows, taps) = (geo.rows(), geo.kh * geo.kw);
    // Channels of the tile and their stride; channels of the sum and theirs.
    let (channels, j_stride, a, a_stride) = if forward {
        (outputs, rows, inputs, taps)
    } else {
        (inputs, taps, outputs, rows)
    };
    let tiles = channels.div_ceil(TILE);
    let quads = geo.groups * tiles * a * taps * (TILE / 4);
    let params = PackParams {
        w: cx.view(w),
        w_chip: quads as u32,
        groups: geo.groups as u32,
        tiles: tiles as u32,
        channels: channels as u32,
        a: a as u32,
        b: taps as u32,
        a_stride: a_stride as u32,
        b_stride: 1,
        j_stride: j_stride as u32,
        group_stride: (outputs * rows) as u32,
    };
    let operand = Operand::Scratch {
        index: 0,
        floats: (quads * 4 * cx.slabs(w)) as u64,
    };
    let per_chip = cx.per_chip(w);
    let dispatch = Dispatch::new("conv2d_pack", Work::flat(quads).per_chip(per_chip))
        .params(&params)
        .read(w)
        .write(operand);
    Packed {
        dispatch,
        operand,
        chip_stride: if per_chip { quads as u32 } else { 0 },
        tiles: tiles as u32,
    }
}

/// Threads per block of images for tiles over a map of `pixels`: a tile is two quads.
pub(super) fn tile_items(tiles: u32, groups: usize, pixels: usize) -> usize {
    tiles as usize * groups * pixels * 2
}

/// Whether every output sees one tap and no edge.
pub(super) fn one_tap(geo: &ConvGeometry) -> bool {
    geo.kh == 1 && geo.kw == 1 && geo.pad == [0; 4]
}
