//! Constants of converters: `shaders/converter_fold.wgsl`.

use std::sync::Arc;

use super::dispatch::{Dispatch, LowerContext, OnGpu, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::ConverterFold;

uniform! {
    /// Twin of `Params` in `shaders/converter_fold.wgsl`.
    struct Params {
        range: View,
        scale: View,
        out: View,
        cols: u32,
        col_tiles: u32,
        planes: u32,
        converters: u32,
        groups: u32,
        layer: u32,
        gain: f32,
        offset: f32,
    }
}

impl OnGpu for ConverterFold {
    /// One thread a converter.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            range,
            scale,
            out,
            spec,
        } = self;
        let arrays = &spec.arrays;
        let converters = arrays.converters();
        let params = Params {
            range: cx.view(*range),
            scale: cx.view_opt(*scale),
            out: cx.view(*out),
            cols: arrays.cols as u32,
            col_tiles: arrays.col_tiles() as u32,
            planes: arrays.read_planes() as u32,
            converters: converters as u32,
            groups: spec.groups() as u32,
            layer: spec.layer,
            gain: spec.gain,
            offset: spec.offset,
        };
        let tiles = (0..arrays.cols).map(|o| arrays.col_tile(o) as u32);
        let columns = spec.columns.iter().flat_map(|c| c.iter().copied());
        let places: Arc<[u32]> = tiles.chain(spec.group()).chain(columns).collect();
        let work = Work::flat(converters).per_chip(cx.per_chip(*out));
        Ok(vec![
            Dispatch::new("converter_fold", work)
                .constant("HAS_SCALE", scale.is_some())
                .constant("MOVED", spec.columns.is_some())
                .params(&params)
                .read(*range)
                .read(*scale)
                .table(&places)
                .write(*out),
        ])
    }
}
