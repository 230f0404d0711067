//! Convolution and linear layers with their epilogue: `shaders/conv2d.wgsl` on packed weights.

use bytemuck::{Pod, Zeroable};

use super::conv::{self, ConvParams};
use super::dispatch::{Dispatch, LowerContext, OnGpu, View, Work};
use super::post::{self, PostParams};
use crate::error::Result;
use crate::program::Conv2d;

/// Twin of `Params` in `shaders/conv2d.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Params {
    pub x: View,
    pub y: View,
    pub post: PostParams,
    pub conv: ConvParams,
    pub w_chip: u32,
    pub tiles: u32,
    pub groups: u32,
    pub pad0: u32,
}

impl OnGpu for Conv2d {
    /// Packing, then the convolution.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self { x, w, y, geo, post } = *self;
        let packed = conv::pack(w, &geo, true, cx);
        let params = Params {
            x: cx.view(x),
            y: cx.view(y),
            post: post::params(&post, cx),
            conv: ConvParams::from(&geo),
            w_chip: packed.chip_stride,
            tiles: packed.tiles,
            groups: geo.groups as u32,
            pad0: 0,
        };
        let items = conv::tile_items(packed.tiles, geo.groups, geo.h_out() * geo.w_out());
        let work = Work::flat(items).per_block().per_chip(cx.per_chip(y));
        let dispatch = Dispatch::new("conv2d", work)
            .params(&params)
            .constant("ONE_TAP", conv::one_tap(&geo))
            .rounds(conv::rounds(&geo, geo.c_in))
            .read(x)
            .read(packed.operand)
            .write(y);
        Ok(vec![packed.dispatch, post::attach(dispatch, &post)])
    }
}
