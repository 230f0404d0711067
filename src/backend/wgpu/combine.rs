//! Second stage of the deterministic reductions: `shaders/combine.wgsl`.

use super::dispatch::{Dispatch, LowerContext, Operand, QUADS, Work};
use super::uniform::uniform;
use crate::program::TensorId;

/// Quads of a block that one workgroup of a first stage takes: 16 for each of 256 threads.
const PART_QUADS: u32 = 4096;

/// Threads of a workgroup that reduces; twin of `REDUCE_SIZE` in `shaders/shared/reduce.wgsl`.
pub(super) const REDUCE: u64 = 256;

/// Scratch number of the partial results.
const PARTIAL: u32 = 0;

uniform! {
    /// Twin of `Params` in `shaders/combine.wgsl`.
    struct Params {
        items: u32,
        by_block: u32,
        by_chip: u32,
        groups: u32,
        factor: f32,
        divisor: f32,
    }
}

/// What the second stage does with the partial results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    Sum,
    Maximum,
}

/// How a map is cut for the first stage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts {
    /// Workgroups per block of images.
    pub parts: u32,
    /// Quads of each.
    pub quads: u32,
    /// Grid of the first stage.
    pub work: Work,
    /// Whether there is one grid per chip.
    by_chip: bool,
    /// The partial results, `[chip][block][part]`.
    pub partial: Operand,
}

impl Parts {
    /// Of a map with that many values per image, for the chips of `map`.
    pub fn of(cx: &LowerContext<'_>, map: TensorId) -> Self {
        let block_quads = (cx.shape(map).len() * QUADS) as u32;
        let parts = block_quads.div_ceil(PART_QUADS).max(1);
        let by_chip = cx.per_chip(map);
        let work = Work::groups(parts as usize).per_block().per_chip(by_chip);
        let floats = u64::from(parts) * cx.run_blocks() as u64 * cx.slabs(map) as u64;
        Self {
            parts,
            quads: PART_QUADS,
            work,
            by_chip,
            partial: Operand::Scratch {
                index: PARTIAL,
                floats,
            },
        }
    }

    /// `out = factor * fold / divisor`.
    pub fn combine(&self, fold: Fold, factor: f32, divisor: f32, out: TensorId) -> Dispatch {
        let Operand::Scratch { floats, .. } = self.partial else {
            unreachable!("partial results are scratch")
        };
        let params = Params {
            items: self.parts,
            by_block: 1,
            by_chip: u32::from(self.by_chip),
            groups: 1,
            factor,
            divisor,
        };
        dispatch(&params, fold, self.partial, out).rounds(floats.div_ceil(REDUCE))
    }
}

/// Sums `items` partial results of each of `groups` flat groups: `out[g] = factor * sum`.
pub(super) fn sum_groups(
    partial: Operand,
    items: u32,
    groups: u32,
    factor: f32,
    out: TensorId,
) -> Dispatch {
    let params = Params {
        items,
        by_block: 0,
        by_chip: 0,
        groups,
        factor,
        divisor: 1.0,
    };
    dispatch(&params, Fold::Sum, partial, out).rounds(u64::from(items).div_ceil(REDUCE))
}

fn dispatch(params: &Params, fold: Fold, partial: Operand, out: TensorId) -> Dispatch {
    Dispatch::new("combine", Work::groups(params.groups as usize))
        .constant("MAXIMUM", fold == Fold::Maximum)
        .params(params)
        .read(partial)
        .write(out)
}
