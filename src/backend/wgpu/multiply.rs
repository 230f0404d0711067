//! `y = a * b`: `shaders/multiply.wgsl`.

use bytemuck::{Pod, Zeroable};

use super::dispatch::{Dispatch, LowerContext, OnGpu, QUADS, View, Work};
use crate::error::Result;
use crate::program::Multiply;

/// Twin of `Params` in `shaders/multiply.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Params {
    pub a: View,
    pub b: View,
    pub y: View,
    /// Quads of a channel: `h * w * 4`.
    pub channel_quads: u32,
    pub pad0: u32,
    pub pad1: u32,
    pub pad2: u32,
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
            pad0: 0,
            pad1: 0,
            pad2: 0,
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
