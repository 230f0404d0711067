//! Values of a chip's images, summed over all runs: `shaders/tally.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, QUADS, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::Tally;

uniform! {
    /// Twin of `Params` in `shaders/tally.wgsl`.
    struct Params {
        first: View,
        second: View,
        tally: View,
        /// Place of the first sum.
        place: u32,
    }
}

impl OnGpu for Tally {
    /// Two values a call, one workgroup a chip.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let tally = self.tally;
        let pairs = self.values.chunks(2).enumerate();
        let calls = pairs.map(|(i, pair)| {
            let (first, second) = (pair[0], pair.get(1).copied());
            let params = Params {
                first: cx.view(first),
                second: cx.view_opt(second),
                tally: cx.view(tally),
                place: 2 * i as u32,
            };
            Dispatch::new("tally", Work::groups(1).per_chip(cx.per_chip(tally)))
                .rounds((cx.run_blocks() + (1 + QUADS) * cx.run_blocks().div_ceil(64)) as u64)
                .params(&params)
                .constant("HAS_SECOND", second.is_some())
                .read(first)
                .read(second.unwrap_or(first))
                .write(tally)
        });
        Ok(calls.collect())
    }
}
