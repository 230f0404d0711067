//! Copies of values to other places: `shaders/rearrange.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, QUADS, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::Rearrange;

uniform! {
    /// Twin of `Params` in `shaders/rearrange.wgsl`.
    struct Params {
        x: View,
        y: View,
        first: u32,
        len: u32,
        fill: f32,
    }
}

impl OnGpu for Rearrange {
    /// One thread a quad of images of one place.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            x,
            y,
            first,
            table,
            fill,
        } = self;
        let params = Params {
            x: cx.view(*x),
            y: cx.view(*y),
            first: *first as u32,
            len: table.len() as u32,
            fill: *fill,
        };
        let work = Work::flat(table.len() * QUADS)
            .per_block()
            .per_chip(cx.per_chip(*y));
        Ok(vec![
            Dispatch::new("rearrange", work)
                .params(&params)
                .read(*x)
                .table(table)
                .write(*y),
        ])
    }
}
