//! Convolution and linear layers with their epilogue: `shaders/conv2d.wgsl` on packed weights.

use super::conv::{self, ConvParams};
use super::conv2d_coop;
use super::conv2d_depthwise;
use super::conv2d_tiled::{self, Operands};
use super::conv2d_winograd;
use super::dispatch::{Dispatch, LowerContext, OnGpu, View, Work};
use super::post::{self, PostParams};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::{Conv2d, Winograd};

uniform! {
    /// Twin of `Params` in `shaders/conv2d.wgsl`.
    struct Params {
        x: View,
        y: View,
        post: PostParams,
        conv: ConvParams,
        w_chip: u32,
        tiles: u32,
        groups: u32,
    }
}

impl OnGpu for Conv2d {
    /// By one of the kernels for GPUs where it suits, else packing, then the convolution.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            x, w, y, geo, post, ..
        } = *self;
        let operands = Operands { x, w, y };
        if let Some(own) = conv2d_depthwise::forward(operands, &geo, &post, cx) {
            return Ok(vec![own]);
        }
        if let Some(cooperative) = conv2d_coop::forward(self, cx) {
            return Ok(cooperative);
        }
        let layer = Winograd::forward(&geo);
        if let Some(few) = conv2d_winograd::product(layer, operands, &post, cx) {
            return Ok(few);
        }
        if let Some(tiled) = conv2d_tiled::forward(operands, &geo, &post, cx) {
            return Ok(vec![tiled]);
        }
        let packed = conv::pack(w, &geo, true, cx);
        let params = Params {
            x: cx.view(x),
            y: cx.view(y),
            post: post::params(&post, cx),
            conv: ConvParams::from(&geo),
            w_chip: packed.chip_stride,
            tiles: packed.tiles,
            groups: geo.groups as u32,
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
