//! Ratio of spreads: `shaders/variance_ratio.wgsl`.

use bytemuck::{Pod, Zeroable};

use super::dispatch::{Dispatch, LowerContext, View, Work};
use crate::error::Result;
use crate::program::Op;

/// Twin of `Params` in `shaders/variance_ratio.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Params {
    pub a: View,
    pub b: View,
    pub out: View,
}

/// One thread a chip: there are as many values as channels.
pub(super) fn lower(op: &Op, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
    let Op::VarianceRatio { a, b, out } = *op else {
        return super::lower::mismatch("variance_ratio", op);
    };
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
