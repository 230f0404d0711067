//! `out = max|x| / divisor`: `shaders/max_abs.wgsl`, then `shaders/combine.wgsl`.

use bytemuck::{Pod, Zeroable};

use super::combine::{Fold, Parts};
use super::dispatch::{Dispatch, LowerContext, OnGpu, View};
use crate::error::Result;
use crate::program::MaxAbs;

/// Twin of `Params` in `shaders/max_abs.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Params {
    pub x: View,
    pub parts: u32,
    pub quads: u32,
    pub unused0: u32,
    pub unused1: u32,
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
            unused0: 0,
            unused1: 0,
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
