//! A convolution that is pooled in registers: `shaders/conv2d_pool.wgsl` on packed weights.

use super::conv::{self, ConvParams};
use super::dispatch::{Dispatch, LowerContext, OnGpu, View, Work};
use super::post::{self, PostParams};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::{Conv2dPool, Pooling, Rounding};

uniform! {
    /// Twin of `Params` in `shaders/conv2d_pool.wgsl`.
    struct Params {
        x: View,
        y: View,
        post: PostParams,
        conv: ConvParams,
        w_chip: u32,
        tiles: u32,
        kh: u32,
        kw: u32,
        h_out: u32,
        w_out: u32,
        lo: f32,
        hi: f32,
    }
}

impl OnGpu for Conv2dPool {
    /// Packing, then the convolution.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            x,
            w,
            y,
            geo,
            post,
            window,
            quant,
            ..
        } = *self;
        let packed = conv::pack(w, &geo, true, cx);
        let (_, h_out, w_out) = cx.shape(y).chw();
        let (lo, hi) = quant.map_or((0, 0), |q| (q.lo, q.hi));
        let params = Params {
            x: cx.view(x),
            y: cx.view(y),
            post: post::params(&post, cx),
            conv: ConvParams::from(&geo),
            w_chip: packed.chip_stride,
            tiles: packed.tiles,
            kh: window.kh as u32,
            kw: window.kw as u32,
            h_out: h_out as u32,
            w_out: w_out as u32,
            lo: lo as f32,
            hi: hi as f32,
        };
        let work = Work::flat(conv::tile_items(packed.tiles, 1, h_out * w_out));
        let pixels = (window.kh * window.kw) as u64;
        let dispatch = Dispatch::new("conv2d_pool", work.per_block().per_chip(cx.per_chip(y)))
            .params(&params)
            .constant("ONE_TAP", conv::one_tap(&geo))
            .constant("MEAN", self.pooling == Pooling::Mean)
            .constant("POOLED_QUANT", quant.is_some())
            .constant(
                "POOLED_FLOOR",
                quant.is_some_and(|q| q.rounding == Rounding::Floor),
            )
            .rounds(pixels * (1 + conv::rounds(&geo, geo.c_in)));
        let dispatch = post::constants(dispatch, &post)
            .read(x)
            .read(packed.operand)
            .write(y)
            .read(post.scale)
            .read(post.shift)
            .read(post.quant.map(|q| q.scale))
            .read(quant.map(|q| q.scale));
        Ok(vec![packed.dispatch, dispatch])
    }
}
