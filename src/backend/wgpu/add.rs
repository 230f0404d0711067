//! `y = a + b`: `shaders/add.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, QUADS, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::Add;

uniform! {
    /// Twin of `Params` in `shaders/add.wgsl`.
    struct Params {
        a: View,
        b: View,
        y: View,
    }
}

impl OnGpu for Add {
    /// One thread a quad of images.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self { a, b, y } = *self;
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
}
