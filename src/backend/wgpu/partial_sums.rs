//! What converters see: `shaders/partial_sums.wgsl` after the first kernels of
//! [`super::crossbar`].

use super::crossbar_tile::Tile;
use super::dispatch::{Dispatch, LowerContext, OnGpu, View};
use super::reading::{self, Inputs, ReadingParams};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::PartialSums;

uniform! {
    /// Twin of `Params` in `shaders/partial_sums.wgsl`.
    struct Params {
        reading: ReadingParams,
        y: View,
    }
}

impl OnGpu for PartialSums {
    /// Codes and packed conductances, the sums.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            x,
            x_step,
            g,
            variance,
            y,
            geo,
            spec,
        } = self;
        let input = Inputs {
            x: *x,
            x_step: *x_step,
            g: *g,
            variance: *variance,
            geo,
            spec,
        };
        let tile = Tile::portable(&input);
        let mut prepared = reading::prepare(&input, tile, cx);
        let packed = reading::pack(&input, tile, &mut prepared, cx);
        let params = Params {
            reading: prepared.params,
            y: cx.view(*y),
        };
        let work = reading::work(geo).per_chip(cx.per_chip(*y));
        // Columns are written one by one.
        let sums = spec.arrays.row_tiles() * spec.arrays.read_planes() * spec.dac.conversions();
        let written = (4 * sums) as u64;
        let call = Dispatch::new("partial_sums", work)
            .rounds(reading::rounds(&input, tile, false) + written)
            .params(&params)
            .read(prepared.codes)
            .table(&prepared.table)
            .read(packed)
            .write(*y);
        let mut calls = prepared.calls;
        calls.push(reading::attach(call, &input, tile));
        Ok(calls)
    }
}
