//! Gradient of a range of inputs that is learned by what it cuts off: `shaders/range_grad.wgsl`,
//! `shaders/range_grad_finish.wgsl`.

use super::combine::{Parts, REDUCE};
use super::dispatch::{Dispatch, LowerContext, OnGpu, Operand, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::RangeGrad;

uniform! {
    /// Twin of `Params` in `shaders/range_grad.wgsl`.
    struct Params {
        x: View,
        dy: View,
        parts: u32,
        quads: u32,
        lo: f32,
        hi: f32,
    }
}

uniform! {
    /// Twin of `Params` in `shaders/range_grad_finish.wgsl`.
    struct FinishParams {
        parts: u32,
        by_chip: u32,
        hi: f32,
        decay: f32,
        inside: f32,
    }
}

/// Scratch number of the sums of the parts.
const SUMS: u32 = 0;

impl OnGpu for RangeGrad {
    /// One workgroup a part of a block, then one for all their sums.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let parts = Parts::of(cx, self.x);
        let pieces = u64::from(parts.parts) * cx.run_blocks() as u64 * cx.slabs(self.x) as u64;
        let sums = Operand::Scratch {
            index: SUMS,
            floats: 4 * pieces,
        };
        let quant = self.quant;
        let params = Params {
            x: cx.view(self.x),
            dy: cx.view(self.dy),
            parts: parts.parts,
            quads: parts.quads,
            lo: quant.lo as f32,
            hi: quant.hi as f32,
        };
        let finish = FinishParams {
            parts: parts.parts,
            by_chip: u32::from(cx.per_chip(self.x)),
            hi: quant.hi as f32,
            decay: self.decay,
            inside: self.inside,
        };
        Ok(vec![
            Dispatch::new("range_grad", parts.work)
                .params(&params)
                .read(self.x)
                .read(self.dy)
                .read(quant.scale)
                .write(sums),
            Dispatch::new("range_grad_finish", Work::groups(1))
                .rounds(pieces.div_ceil(REDUCE))
                .params(&finish)
                .read(sums)
                .read(quant.scale)
                .write(self.dscale),
        ])
    }
}
