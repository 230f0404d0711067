//! `y = a * b`: `shaders/multiply.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, QUADS, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::Multiply;

uniform! {
    /// Twin of `Params` in `shaders/multiply.wgsl`.
    struct Params {
        a: View,
        b: View,
        y: View,
        /// Quads of a channel: `h * w * 4`.
        channel_quads: u32,
    }
}

impl OnGpu for Multiply {
    /// One thread a quad of images.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self { a, b, y } = *self;
        let (_, h, w) = cx.shape(y).chw();
        let params = Params {
            a: cx.view(a),
            b: cx.view(b),
            y: cx.view(y),
            channel_quads: (h * w * QUADS) as u32,
        };
        let work = Work::flat(cx.shape(y).len() * QUADS)
            .per_block()
            .per_chip(cx.per_chip(y));
        Ok(vec![
            Dispatch::new("multiply", work)
                .params(&params)
                .constant("BY_CHANNEL", cx.shape(b) != cx.shape(a))
                .read(a)
                .read(b)
                .write(y),
        ])
    }
}
