//! Batch norm: `shaders/batch_norm_stats.wgsl`, `shaders/batch_norm_fold.wgsl`,
//! `shaders/batch_norm_grad_sums.wgsl`, `shaders/batch_norm_grad.wgsl`.

use super::combine::REDUCE;
use super::dispatch::{Dispatch, LowerContext, OnGpu, QUADS, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::{BatchNormFold, BatchNormGrad, BatchNormGradSums, BatchNormStats};

uniform! {
    /// Twin of `Params` in `shaders/batch_norm_stats.wgsl`.
    struct StatsParams {
        x: View,
        mean: View,
        channels: u32,
        quads: u32,
        over_chips: u32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/batch_norm_fold.wgsl`.
    struct FoldParams {
        statistics: View,
        gamma: View,
        eps: f32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/batch_norm_grad_sums.wgsl`.
    struct SumsParams {
        x: View,
        dy: View,
        statistics: View,
        channels: u32,
        quads: u32,
        over_chips: u32,
        eps: f32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/batch_norm_grad.wgsl`.
    struct GradParams {
        x: View,
        dy: View,
        dx: View,
        statistics: View,
        gamma: View,
        quads: u32,
        over_chips: u32,
        eps: f32,
    }
}

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

impl OnGpu for BatchNormStats {
    /// One workgroup a channel.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self { x, mean, var } = *self;
        let (c, h, w) = cx.shape(x).chw();
        let per_chip = cx.per_chip(mean);
        let params = StatsParams {
            x: cx.view(x),
            mean: cx.view(mean),
            channels: c as u32,
            quads: (h * w * QUADS) as u32,
            over_chips: u32::from(cx.per_chip(x) && !per_chip),
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
}

impl OnGpu for BatchNormFold {
    /// One thread a channel.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            mean,
            var,
            gamma,
            beta,
            scale,
            shift,
            eps,
        } = *self;
        let params = FoldParams {
            statistics: cx.view(mean),
            gamma: cx.view(gamma),
            eps,
        };
        let work = Work::flat(cx.shape(mean).len()).per_chip(cx.per_chip(scale));
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
}

impl OnGpu for BatchNormGradSums {
    /// One workgroup a channel.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            x,
            mean,
            var,
            dy,
            dgamma,
            dbeta,
            eps,
        } = *self;
        let (c, h, w) = cx.shape(x).chw();
        let per_chip = cx.per_chip(dgamma);
        let params = SumsParams {
            x: cx.view(x),
            dy: cx.view(dy),
            statistics: cx.view(dgamma),
            channels: c as u32,
            quads: (h * w * QUADS) as u32,
            over_chips: u32::from((cx.per_chip(x) || cx.per_chip(dy)) && !per_chip),
            eps,
        };
        Ok(vec![
            Dispatch::new("batch_norm_grad_sums", Work::groups(c).per_chip(per_chip))
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
}

impl OnGpu for BatchNormGrad {
    /// One thread a quad of images.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            x,
            mean,
            var,
            gamma,
            dy,
            dgamma,
            dbeta,
            dx,
            eps,
        } = *self;
        let (_, h, w) = cx.shape(x).chw();
        let per_chip = cx.per_chip(dx);
        let params = GradParams {
            x: cx.view(x),
            dy: cx.view(dy),
            dx: cx.view(dx),
            statistics: cx.view(dgamma),
            gamma: cx.view(gamma),
            quads: (h * w * QUADS) as u32,
            over_chips: u32::from(per_chip && !cx.per_chip(dgamma)),
            eps,
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
}
