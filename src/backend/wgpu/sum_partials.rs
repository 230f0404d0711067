//! Second stage of sums over images and chips: `shaders/sum_partials.wgsl`.

use super::dispatch::{Dispatch, LowerContext, Operand, View, Work};
use super::uniform::uniform;
use crate::program::TensorId;

uniform! {
    /// Twin of `Params` in `shaders/sum_partials.wgsl`.
    struct Params {
        out: View,
        len: u32,
        splits: u32,
        chip_stride: u32,
        all_chips: u32,
    }
}

/// `out = sum of partial[chip][split][..]` over splits, and over the chips where the partial sums
/// are `per_chip` and `out` is not.
pub(super) fn dispatch(
    partial: Operand,
    out: TensorId,
    splits: usize,
    per_chip: bool,
    cx: &LowerContext<'_>,
) -> Dispatch {
    let len = cx.shape(out).len();
    let params = Params {
        out: cx.view(out),
        len: len as u32,
        splits: splits as u32,
        chip_stride: if per_chip { (splits * len) as u32 } else { 0 },
        all_chips: u32::from(per_chip && !cx.per_chip(out)),
    };
    let chips = if params.all_chips == 1 {
        cx.capacity.chips
    } else {
        1
    };
    Dispatch::new("sum_partials", Work::flat(len).per_chip(cx.per_chip(out)))
        .rounds((splits * chips) as u64)
        .params(&params)
        .read(partial)
        .write(out)
}
