//! `y = post(x)`: `shaders/pointwise.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, QUADS, View, Work};
use super::post::{self, PostParams};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::Pointwise;

uniform! {
    /// Twin of `Params` in `shaders/pointwise.wgsl`.
    struct Params {
        x: View,
        y: View,
        post: PostParams,
        /// Quads of a channel: `h * w * 4`.
        channel_quads: u32,
    }
}

impl OnGpu for Pointwise {
    /// One thread a quad of images.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self { x, y, post } = *self;
        let (_, h, w) = cx.shape(y).chw();
        let params = Params {
            x: cx.view(x),
            y: cx.view(y),
            post: post::params(&post, cx),
            channel_quads: (h * w * QUADS) as u32,
        };
        let work = Work::flat(cx.shape(y).len() * QUADS)
            .per_block()
            .per_chip(cx.per_chip(y));
        let dispatch = Dispatch::new("pointwise", work)
            .params(&params)
            .read(x)
            .write(y);
        Ok(vec![post::attach(dispatch, &post)])
    }
}
