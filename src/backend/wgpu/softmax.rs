//! Softmax over channels: `shaders/softmax.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, QUADS, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::Softmax;

uniform! {
    /// Twin of `Params` in `shaders/softmax.wgsl`.
    struct Params {
        x: View,
        y: View,
        channels: u32,
        /// Quads of a channel: `h * w * 4`.
        channel_quads: u32,
    }
}

impl OnGpu for Softmax {
    /// One thread a quad of images of one pixel.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self { x, y } = *self;
        let (c, h, w) = cx.shape(y).chw();
        let params = Params {
            x: cx.view(x),
            y: cx.view(y),
            channels: c as u32,
            channel_quads: (h * w * QUADS) as u32,
        };
        let work = Work::flat(h * w * QUADS)
            .per_block()
            .per_chip(cx.per_chip(y));
        Ok(vec![
            Dispatch::new("softmax", work)
                .rounds(3 * c as u64)
                .params(&params)
                .read(x)
                .write(y),
        ])
    }
}
