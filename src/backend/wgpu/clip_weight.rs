//! Clipped weights and their gradient: `shaders/weight_spread.wgsl`, `shaders/clip_weight.wgsl`,
//! `shaders/clip_weight_grad.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, Operand, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::{ClipWeight, ClipWeightGrad, WeightSpread};

uniform! {
    /// Twin of `Params` in `shaders/weight_spread.wgsl`.
    struct SpreadParams {
        groups: u32,
        run: u32,
        times: f32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/clip_weight.wgsl`.
    struct Params {
        len: u32,
        run: u32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/clip_weight_grad.wgsl`.
    struct GradParams {
        groups: u32,
        run: u32,
        follows: u32,
        times: f32,
    }
}

/// Additions of a lane of a workgroup that adds `n` values, with those of the tree.
fn rounds(n: usize) -> u64 {
    n.div_ceil(256) as u64
}

impl OnGpu for WeightSpread {
    /// One workgroup a group.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let groups = cx.shape(self.bound).len();
        let params = SpreadParams {
            groups: groups as u32,
            run: self.run as u32,
            times: self.times,
        };
        Ok(vec![
            Dispatch::new("weight_spread", Work::groups(groups))
                .rounds(2 * rounds(self.run))
                .params(&params)
                .read(self.w)
                .write(self.mean)
                .write(self.bound),
        ])
    }
}

impl OnGpu for ClipWeight {
    /// One thread a weight.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let len = cx.shape(self.w).len();
        let params = Params {
            len: len as u32,
            run: self.run as u32,
        };
        Ok(vec![
            Dispatch::new("clip_weight", Work::flat(len))
                .params(&params)
                .read(self.w)
                .read(self.bound)
                .write(self.y),
        ])
    }
}

impl OnGpu for ClipWeightGrad {
    /// One workgroup a group.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let groups = cx.shape(self.bound).len();
        let params = GradParams {
            groups: groups as u32,
            run: self.run as u32,
            follows: u32::from(self.spread.is_some()),
            times: self.spread.map_or(0.0, |(_, times)| times),
        };
        let mean = self.spread.map_or(Operand::Unused, |(mean, _)| mean.into());
        Ok(vec![
            Dispatch::new("clip_weight_grad", Work::groups(groups))
                .rounds(2 * rounds(self.run))
                .params(&params)
                .read(self.w)
                .read(self.bound)
                .read(mean)
                .read(self.dy)
                .write(self.dw),
        ])
    }
}
