//! Gradient of a convolution's input: `shaders/conv2d_grad_input.wgsl` on packed weights.

use super::conv::{self, ConvParams};
use super::conv2d_depthwise;
use super::conv2d_tiled::{self, Operands};
use super::conv2d_winograd;
use super::dispatch::{Dispatch, LowerContext, OnGpu, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::{Conv2dGradInput, Post, Winograd};

uniform! {
    /// Twin of `Params` in `shaders/conv2d_grad_input.wgsl`.
    struct Params {
        dy: View,
        dx: View,
        conv: ConvParams,
        w_chip: u32,
        tiles: u32,
        groups: u32,
    }
}

impl OnGpu for Conv2dGradInput {
    /// By one of the kernels for GPUs where it suits, else packing, then the gathering kernel.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self { dy, w, dx, geo } = *self;
        let operands = Operands { x: dy, w, y: dx };
        if let Some(own) = conv2d_depthwise::backward(operands, &geo, cx) {
            return Ok(vec![own]);
        }
        let layer = Winograd::grad_input(&geo);
        if let Some(few) = conv2d_winograd::product(layer, operands, &Post::NONE, cx) {
            return Ok(few);
        }
        if let Some(tiled) = conv2d_tiled::backward(operands, &geo, cx) {
            return Ok(tiled);
        }
        let packed = conv::pack(w, &geo, false, cx);
        let params = Params {
            dy: cx.view(dy),
            dx: cx.view(dx),
            conv: ConvParams::from(&geo),
            w_chip: packed.chip_stride,
            tiles: packed.tiles,
            groups: geo.groups as u32,
        };
        let items = conv::tile_items(packed.tiles, geo.groups, geo.h_in * geo.w_in);
        let work = Work::flat(items).per_block().per_chip(cx.per_chip(dx));
        let dispatch = Dispatch::new("conv2d_grad_input", work)
            .params(&params)
            .constant("ONE_TAP", conv::one_tap(&geo))
            .rounds(conv::rounds(&geo, geo.c_out))
            .read(dy)
            .read(packed.operand)
            .write(dx);
        Ok(vec![packed.dispatch, dispatch])
    }
}
