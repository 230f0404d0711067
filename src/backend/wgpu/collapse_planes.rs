//! Effective weights of arrays without converters: `shaders/collapse_planes.wgsl`.

use std::sync::Arc;

use super::dispatch::{Dispatch, LowerContext, OnGpu, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::CollapsePlanes;

uniform! {
    /// Twin of `Params` in `shaders/collapse_planes.wgsl`.
    struct Params {
        g: View,
        correct: View,
        out: View,
        rows: u32,
        cols: u32,
        planes: u32,
        per_column: u32,
        base: f32,
    }
}

impl OnGpu for CollapsePlanes {
    /// One thread a weight.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            g,
            w_step,
            correct,
            out,
            spec,
        } = self;
        let arrays = &spec.arrays;
        let params = Params {
            g: cx.view(*g),
            correct: cx.view_opt(*correct),
            out: cx.view(*out),
            rows: arrays.rows as u32,
            cols: arrays.cols as u32,
            planes: arrays.read_planes() as u32,
            per_column: u32::from(cx.shape(*w_step).len() > 1),
            base: arrays.digital_base(),
        };
        let tiles = (0..arrays.rows).map(|k| arrays.row_tile(k) as u32);
        let places = (0..arrays.read_planes()).map(|p| arrays.place(p).cast_unsigned());
        let table: Arc<[u32]> = tiles.chain(places).collect();
        let work = Work::flat(arrays.plane_len()).per_chip(cx.per_chip(*out));
        Ok(vec![
            Dispatch::new("collapse_planes", work)
                .rounds(arrays.read_planes() as u64)
                .constant("CORRECTED", correct.is_some())
                .constant("HALF", cx.halves(*g))
                .params(&params)
                .read(*g)
                .read(*w_step)
                .read(*correct)
                .table(&table)
                .write(*out),
        ])
    }
}
