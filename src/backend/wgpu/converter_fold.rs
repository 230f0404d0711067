//! Constants of converters: `shaders/converter_fold.wgsl`.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::dispatch::{Dispatch, LowerContext, OnGpu, View, Work};
use crate::error::Result;
use crate::program::ConverterFold;

/// Twin of `Params` in `shaders/converter_fold.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Params {
    pub range: View,
    pub scale: View,
    pub out: View,
    pub cols: u32,
    pub col_tiles: u32,
    pub planes: u32,
    pub converters: u32,
    pub groups: u32,
    pub layer: u32,
    pub gain: f32,
    pub offset: f32,
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
        let places: Arc<[u32]> = tiles.chain(spec.group()).collect();
        let work = Work::flat(converters).per_chip(cx.per_chip(*out));
        Ok(vec![
            Dispatch::new("converter_fold", work)
                .constant("HAS_SCALE", scale.is_some())
                .params(&params)
                .read(*range)
                .read(*scale)
                .table(&places)
                .write(*out),
        ])
    }
}
