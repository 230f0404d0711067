//! `y = a + b`: `shaders/add.wgsl`.

use bytemuck::{Pod, Zeroable};

use super::dispatch::{Dispatch, LowerContext, QUADS, View, Work};
use crate::error::Result;
use crate::program::Op;

/// Twin of `Params` in `shaders/add.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Params {
    pub a: View,
    pub b: View,
    pub y: View,
}

/// One thread a quad of images.
pub(super) fn lower(op: &Op, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
    let Op::Add { a, b, y } = *op else {
        return super::lower::mismatch("add", op);
    };
    let params = Params {
        a: cx.view(a),
        b: cx.view(b),
        y: cx.view(y),
    };
    let work = Work::flat(cx.shape(y).len() * QUADS)
        .per_block()
        .per_chip(cx.per_chip(y));
    Ok(vec![
        Dispatch::new("add", work)
            .params(&params)
            .read(a)
            .read(b)
            .write(y),
    ])
}
