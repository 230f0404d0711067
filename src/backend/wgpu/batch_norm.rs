//! Batch norm: `shaders/batch_norm_stats.wgsl`, `shaders/batch_norm_fold.wgsl`,
//! `shaders/batch_norm_grad_sums.wgsl`, `shaders/batch_norm_grad.wgsl`.

use bytemuck::{Pod, Zeroable};

use super::combine::REDUCE;
use super::dispatch::{Dispatch, LowerContext, QUADS, View, Work};
use crate::error::Result;
use crate::program::Op;

/// Twin of `Params` in `shaders/batch_norm_stats.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct StatsParams {
    pub x: View,
    pub mean: View,
    pub channels: u32,
    pub quads: u32,
    pub over_chips: u32,
    pub unused: u32,
}

/// Twin of `Params` in `shaders/batch_norm_fold.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct FoldParams {
    pub statistics: View,
    pub eps: f32,
    pub unused0: u32,
    pub unused1: u32,
    pub unused2: u32,
}

/// Twin of `Params` in `shaders/batch_norm_grad_sums.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct SumsParams {
    pub x: View,
    pub dy: View,
    pub channels: u32,
    pub quads: u32,
    pub over_chips: u32,
    pub eps: f32,
}

/// Twin of `Params` in `shaders/batch_norm_grad.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct GradParams {
    pub x: View,
    pub dy: View,
    pub dx: View,
    pub quads: u32,
    pub over_chips: u32,
    pub eps: f32,
    pub unused: u32,
}

/// Statistics and sums take one workgroup a channel, the rest one thread a value or quad.
/// Rounds of a thread that adds up its share of a channel of so many quads.
fn rounds(quads: u32, over_chips: u32, cx: &LowerContext<'_>) -> u64 {
    let share = (cx.run_blocks() as u64 * u64::from(quads)).div_ceil(REDUCE);
    let chips = if over_chips == 1 {
        cx.capacity.chips
    } else {
        1
    };
    chips as u64 * (1 + share)
}

pub(super) fn lower(op: &Op, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
    match *op {
        Op::BatchNormStats { x, mean, var } => {
            let (c, h, w) = cx.shape(x).chw();
            let per_chip = cx.per_chip(mean);
            let params = StatsParams {
                x: cx.view(x),
                mean: cx.view(mean),
                channels: c as u32,
                quads: (h * w * QUADS) as u32,
                over_chips: u32::from(cx.per_chip(x) && !per_chip),
                unused: 0,
            };
            Ok(vec![
                Dispatch::new("batch_norm_stats", Work::groups(c).per_chip(per_chip))
                    .rounds(2 * rounds(params.quads, params.over_chips, cx))
                    .params(&params)
                    .read(x)
                    .write(mean)
                    .write(var),
            ])
        }
        Op::BatchNormFold {
            mean,
            var,
            gamma,
            beta,
            scale,
            shift,
            eps,
        } => {
            let params = FoldParams {
                statistics: cx.view(mean),
                eps,
                unused0: 0,
                unused1: 0,
                unused2: 0,
            };
            let work = Work::flat(cx.shape(mean).len()).per_chip(cx.per_chip(mean));
            Ok(vec![
                Dispatch::new("batch_norm_fold", work)
                    .params(&params)
                    .read(mean)
                    .read(var)
                    .read(gamma)
                    .read(beta)
                    .write(scale)
                    .write(shift),
            ])
        }
        Op::BatchNormGradSums {
            x,
            mean,
            var,
            dy,
            dgamma,
            dbeta,
            eps,
        } => {
            let (c, h, w) = cx.shape(x).chw();
            let params = SumsParams {
                x: cx.view(x),
                dy: cx.view(dy),
                channels: c as u32,
                quads: (h * w * QUADS) as u32,
                over_chips: u32::from(cx.per_chip(x) || cx.per_chip(dy)),
                eps,
            };
            Ok(vec![
                Dispatch::new("batch_norm_grad_sums", Work::groups(c))
                    .rounds(rounds(params.quads, params.over_chips, cx))
                    .params(&params)
                    .read(x)
                    .read(mean)
                    .read(var)
                    .read(dy)
                    .write(dgamma)
                    .write(dbeta),
            ])
        }
        Op::BatchNormGrad {
            x,
            mean,
            var,
            gamma,
            dy,
            dgamma,
            dbeta,
            dx,
            eps,
        } => {
            let (_, h, w) = cx.shape(x).chw();
            let per_chip = cx.per_chip(dx);
            let params = GradParams {
                x: cx.view(x),
                dy: cx.view(dy),
                dx: cx.view(dx),
                quads: (h * w * QUADS) as u32,
                over_chips: u32::from(per_chip),
                eps,
                unused: 0,
            };
            let work = Work::flat(cx.shape(dx).len() * QUADS)
                .per_block()
                .per_chip(per_chip);
            Ok(vec![
                Dispatch::new("batch_norm_grad", work)
                    .params(&params)
                    .read(x)
                    .read(mean)
                    .read(var)
                    .read(gamma)
                    .read(dy)
                    .read(dgamma)
                    .read(dbeta)
                    .write(dx),
            ])
        }
        _ => super::lower::mismatch("batch_norm", op),
    }
}
