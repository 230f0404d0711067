//! Weighted sum of maps: `shaders/blend.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, QUADS, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::Blend;

uniform! {
    /// Twin of `Params` in `shaders/blend.wgsl`.
    struct Params {
        a: View,
        b: View,
        y: View,
        f: f32,
        g: f32,
        two: u32,
    }
}

impl OnGpu for Blend {
    /// One thread a quad of images.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let (a, f) = self.a;
        // Of one map alone the second is not looked at.
        let (b, g) = self.b.unwrap_or((a, 0.0));
        let params = Params {
            a: cx.view(a),
            b: cx.view(b),
            y: cx.view(self.y),
            f,
            g,
            two: u32::from(self.b.is_some()),
        };
        let work = Work::flat(cx.shape(self.y).len() * QUADS)
            .per_block()
            .per_chip(cx.per_chip(self.y));
        Ok(vec![
            Dispatch::new("blend", work)
                .params(&params)
                .read(a)
                .read(b)
                .write(self.y),
        ])
    }
}
