//! Copies of values to other places: `shaders/rearrange.wgsl`.

use bytemuck::{Pod, Zeroable};

use super::dispatch::{Dispatch, LowerContext, OnGpu, QUADS, View, Work};
use crate::error::Result;
use crate::program::Rearrange;

/// Twin of `Params` in `shaders/rearrange.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Params {
    pub x: View,
    pub y: View,
    pub first: u32,
    pub len: u32,
    pub fill: f32,
    pub pad0: u32,
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
            pad0: 0,
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
