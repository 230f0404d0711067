//! Counts of a map's values: `shaders/histogram_count.wgsl`, `shaders/histogram.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, Operand, QUADS, View, Work};
use super::uniform::uniform;
use super::zero;
use crate::error::Result;
use crate::program::Histogram;

/// Bins of a window and quads of a part in `shaders/histogram_count.wgsl`.
const WINDOW: usize = 2048;
const PART: usize = 4096;

uniform! {
    /// Twin of `Params` in `shaders/histogram_count.wgsl`.
    struct CountParams {
        x: View,
        group_quads: u32,
        parts: u32,
        windows: u32,
        groups: u32,
        bins: u32,
        chip_counts: u32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/histogram.wgsl`.
    struct Params {
        out: View,
        chip_counts: u32,
    }
}

impl OnGpu for Histogram {
    /// Zeros, then one workgroup a part of a group's channels and a window of bins, then one thread a
    /// bin.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            x,
            limit,
            out,
            bins,
        } = *self;
        let groups = cx.shape(limit).len();
        let group_quads = cx.shape(x).len() / groups * QUADS;
        let (parts, windows) = (group_quads.div_ceil(PART), bins.div_ceil(WINDOW));
        let floats = (groups * bins).next_multiple_of(4);
        let chip_counts = if cx.per_chip(out) { floats as u32 } else { 0 };
        let total = (floats * cx.slabs(out)) as u64;
        let counts = Operand::Scratch {
            index: 0,
            floats: total,
        };
        let params = CountParams {
            x: cx.view(x),
            group_quads: group_quads as u32,
            parts: parts as u32,
            windows: windows as u32,
            groups: groups as u32,
            bins: bins as u32,
            chip_counts,
        };
        let per_chip = cx.per_chip(x) || cx.per_chip(out);
        let work = Work::groups(parts * windows * groups)
            .per_block()
            .per_chip(per_chip);
        let count = Dispatch::new("histogram_count", work)
            .params(&params)
            .read(x)
            .read(limit)
            .write(counts);
        let params = Params {
            out: cx.view(out),
            chip_counts,
        };
        let convert = Dispatch::new(
            "histogram",
            Work::flat(groups * bins).per_chip(cx.per_chip(out)),
        )
        .params(&params)
        .read(counts)
        .write(out);
        Ok(vec![zero::zero(counts, total), count, convert])
    }
}
