//! Counts of a map's values: `shaders/histogram_count.wgsl`, `shaders/histogram.wgsl`.

use bytemuck::{Pod, Zeroable};

use super::dispatch::{Dispatch, LowerContext, OnGpu, Operand, QUADS, View, Work};
use super::zero;
use crate::error::Result;
use crate::program::Histogram;

/// Bins of a window and quads of a part in `shaders/histogram_count.wgsl`.
const WINDOW: usize = 2048;
const PART: usize = 4096;

/// Twin of `Params` in `shaders/histogram_count.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct CountParams {
    pub x: View,
    pub group_quads: u32,
    pub parts: u32,
    pub windows: u32,
    pub groups: u32,
    pub bins: u32,
    pub chip_counts: u32,
    pub pad0: u32,
    pub pad1: u32,
}

/// Twin of `Params` in `shaders/histogram.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Params {
    pub out: View,
    pub chip_counts: u32,
    pub pad0: u32,
    pub pad1: u32,
    pub pad2: u32,
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
            pad0: 0,
            pad1: 0,
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
            pad0: 0,
            pad1: 0,
            pad2: 0,
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
