//! Sum per channel (gradient of a bias): `shaders/channel_sum.wgsl`, then
//! `shaders/sum_partials.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, Operand, QUADS, View, Work};
use super::sum_partials;
use super::uniform::uniform;
use crate::error::Result;
use crate::program::ChannelSum;

/// Workgroups that keep a large GPU busy.
const GROUPS: usize = 1 << 10;

uniform! {
    /// Twin of `Params` in `shaders/channel_sum.wgsl`.
    struct Params {
        x: View,
        channels: u32,
        channel_quads: u32,
        splits: u32,
    }
}

impl OnGpu for ChannelSum {
    /// Partial sums over splits of the blocks, then their sum.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self { x, y } = *self;
        let (c, h, w) = cx.shape(x).chw();
        let per_chip = cx.per_chip(x);
        let chips = cx.slabs(x);
        let splits = (GROUPS / (c * chips)).clamp(1, cx.run_blocks());
        let params = Params {
            x: cx.view(x),
            channels: c as u32,
            channel_quads: (h * w * QUADS) as u32,
            splits: splits as u32,
        };
        let partial = Operand::Scratch {
            index: 0,
            floats: (c * splits * chips) as u64,
        };
        let first = Dispatch::new("channel_sum", Work::groups(c * splits).per_chip(per_chip))
            .rounds(
                cx.run_blocks().div_ceil(splits) as u64 * (1 + (h * w * QUADS).div_ceil(64) as u64),
            )
            .params(&params)
            .read(x)
            .write(partial);
        let second = sum_partials::dispatch(partial, y, splits, per_chip, cx);
        Ok(vec![first, second])
    }
}
