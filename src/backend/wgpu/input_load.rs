//! Conductances that inputs drive: `shaders/input_load.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::InputLoad;

uniform! {
    /// Twin of `Params` in `shaders/input_load.wgsl`.
    struct Params {
        g: View,
        out: View,
        rows: u32,
        cols: u32,
        planes: u32,
        /// Columns of a group of channels, and its channels.
        group_cols: u32,
        group_channels: u32,
        h_in: u32,
        w_in: u32,
        h_out: u32,
        w_out: u32,
        kh: u32,
        kw: u32,
        stride_y: u32,
        stride_x: u32,
        dilation_y: u32,
        dilation_x: u32,
        top: u32,
        left: u32,
    }
}

impl OnGpu for InputLoad {
    /// One thread a place of the input map.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            g,
            out,
            arrays,
            geo,
        } = self;
        let planes = arrays.cell_planes();
        let group_cols = arrays.cols / geo.groups;
        let params = Params {
            g: cx.view(*g),
            out: cx.view(*out),
            rows: arrays.rows as u32,
            cols: arrays.cols as u32,
            planes: planes as u32,
            group_cols: group_cols as u32,
            group_channels: (geo.c_in / geo.groups) as u32,
            h_in: geo.h_in as u32,
            w_in: geo.w_in as u32,
            h_out: geo.h_out() as u32,
            w_out: geo.w_out() as u32,
            kh: geo.kh as u32,
            kw: geo.kw as u32,
            stride_y: geo.stride[0] as u32,
            stride_x: geo.stride[1] as u32,
            dilation_y: geo.dilation[0] as u32,
            dilation_x: geo.dilation[1] as u32,
            top: geo.pad[0] as u32,
            left: geo.pad[1] as u32,
        };
        let work = Work::flat(geo.c_in * geo.h_in * geo.w_in).per_chip(cx.per_chip(*out));
        let kernel = (geo.kh * geo.kw) as u64;
        Ok(vec![
            Dispatch::new("input_load", work)
                .rounds(kernel * (1 + (planes * (1 + group_cols)) as u64))
                .params(&params)
                .read(*g)
                .write(*out),
        ])
    }
}
