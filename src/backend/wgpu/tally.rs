//! Hits and losses of a chip, summed over all runs: `shaders/tally.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, QUADS, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::Tally;

uniform! {
    /// Twin of `Params` in `shaders/tally.wgsl`.
    struct Params {
        hit: View,
        loss: View,
        tally: View,
    }
}

impl OnGpu for Tally {
    /// One workgroup a chip.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self { hit, loss, tally } = *self;
        let params = Params {
            hit: cx.view(hit),
            loss: cx.view(loss),
            tally: cx.view(tally),
        };
        Ok(vec![
            Dispatch::new("tally", Work::groups(1).per_chip(cx.per_chip(tally)))
                .rounds((cx.run_blocks() + (1 + QUADS) * cx.run_blocks().div_ceil(64)) as u64)
                .params(&params)
                .read(hit)
                .read(loss)
                .write(tally),
        ])
    }
}
