//! One-bit activations: `shaders/binarize_act.wgsl`, `shaders/binarize_act_grad.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, QUADS, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::{BinarizeAct, BinarizeActGrad, BinaryGroup};

uniform! {
    /// Twin of `Params` in `shaders/binarize_act.wgsl`.
    struct Params {
        x: View,
        y: View,
        groups: u32,
        positions: u32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/binarize_act_grad.wgsl`.
    struct GradParams {
        x: View,
        dy: View,
        dx: View,
    }
}

/// Threads that take a quad of a position each; twin of `WORKERS` in `shaders/binarize_act.wgsl`.
const WORKERS: usize = 16;

impl OnGpu for BinarizeAct {
    /// One workgroup a group of a block.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self { x, y, group } = *self;
        let (c, h, w) = cx.shape(x).chw();
        let (groups, positions) = match group {
            BinaryGroup::Channel => (c, h * w),
            BinaryGroup::Image => (1, c * h * w),
        };
        let params = Params {
            x: cx.view(x),
            y: cx.view(y),
            groups: groups as u32,
            positions: positions as u32,
        };
        let work = Work::groups(groups).per_block().per_chip(cx.per_chip(y));
        Ok(vec![
            Dispatch::new("binarize_act", work)
                .rounds(2 * positions.div_ceil(WORKERS) as u64)
                .params(&params)
                .read(x)
                .write(y),
        ])
    }
}

impl OnGpu for BinarizeActGrad {
    /// One thread a quad of images.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self { x, dy, dx } = *self;
        let params = GradParams {
            x: cx.view(x),
            dy: cx.view(dy),
            dx: cx.view(dx),
        };
        let work = Work::flat(cx.shape(dx).len() * QUADS)
            .per_block()
            .per_chip(cx.per_chip(dx));
        Ok(vec![
            Dispatch::new("binarize_act_grad", work)
                .params(&params)
                .read(x)
                .read(dy)
                .write(dx),
        ])
    }
}
