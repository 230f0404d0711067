//! `out = max|x| / divisor`: `shaders/max_abs.wgsl`, then `shaders/combine.wgsl`.

use super::combine::{Fold, Parts};
use super::dispatch::{Dispatch, LowerContext, OnGpu, View};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::MaxAbs;

uniform! {
    /// Twin of `Params` in `shaders/max_abs.wgsl`.
    struct Params {
        x: View,
        parts: u32,
        quads: u32,
    }
}

impl OnGpu for MaxAbs {
    /// Two stages.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self { x, out, divisor } = *self;
        let parts = Parts::of(cx, x);
        let params = Params {
            x: cx.view(x),
            parts: parts.parts,
            quads: parts.quads,
        };
        Ok(vec![
            Dispatch::new("max_abs", parts.work)
                .params(&params)
                .read(x)
                .write(parts.partial),
            parts.combine(Fold::Maximum, 1.0, divisor, out),
        ])
    }
}
