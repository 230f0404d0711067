//! `dx = dy f'(y) scale`: `shaders/activation_grad.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, QUADS, View, Work};
use super::post;
use super::uniform::uniform;
use crate::error::Result;
use crate::program::ActivationGrad;

uniform! {
    /// Twin of `Params` in `shaders/activation_grad.wgsl`.
    struct Params {
        y: View,
        dy: View,
        dx: View,
        scale: View,
        /// Quads of a channel: `h * w * 4`.
        channel_quads: u32,
        /// Constants of the activation.
        act: [f32; 2],
    }
}

impl OnGpu for ActivationGrad {
    /// One thread a quad of images.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            y,
            dy,
            dx,
            act,
            scale,
        } = *self;
        let (_, h, w) = cx.shape(dx).chw();
        let params = Params {
            y: cx.view(y),
            dy: cx.view(dy),
            dx: cx.view(dx),
            scale: cx.view_opt(scale),
            channel_quads: (h * w * QUADS) as u32,
            act: act.constants(),
        };
        let work = Work::flat(cx.shape(dx).len() * QUADS)
            .per_block()
            .per_chip(cx.per_chip(dx));
        Ok(vec![
            Dispatch::new("activation_grad", work)
                .params(&params)
                .constant("ACT", post::activation(act))
                .constant("HAS_SCALE", scale.is_some())
                .read(y)
                .read(dy)
                .read(scale)
                .write(dx),
        ])
    }
}
