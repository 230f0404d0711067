//! Softmax over channels: `shaders/softmax.wgsl`.

use bytemuck::{Pod, Zeroable};

use super::dispatch::{Dispatch, LowerContext, OnGpu, QUADS, View, Work};
use crate::error::Result;
use crate::program::Softmax;

/// Twin of `Params` in `shaders/softmax.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Params {
    pub x: View,
    pub y: View,
    pub channels: u32,
    /// Quads of a channel: `h * w * 4`.
    pub channel_quads: u32,
    pub pad0: u32,
    pub pad1: u32,
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
            pad0: 0,
            pad1: 0,
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
