//! Ratio of spreads: `shaders/variance_ratio.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::VarianceRatio;

uniform! {
    /// Twin of `Params` in `shaders/variance_ratio.wgsl`.
    struct Params {
        a: View,
        b: View,
        out: View,
    }
}

impl OnGpu for VarianceRatio {
    /// One thread a chip: there are as many values as channels.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self { a, b, out } = *self;
        let params = Params {
            a: cx.view(a),
            b: cx.view(b),
            out: cx.view(out),
        };
        Ok(vec![
            Dispatch::new("variance_ratio", Work::flat(1).per_chip(cx.per_chip(out)))
                .rounds(2 * cx.shape(out).len() as u64)
                .params(&params)
                .read(a)
                .read(b)
                .write(out),
        ])
    }
}
