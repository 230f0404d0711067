//! Gradient of the sum of the digits of quantized weights: `shaders/slice_l1_grad.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, Work};
use super::uniform::uniform;
use super::weight_scale::groups;
use crate::error::Result;
use crate::program::SliceL1Grad;
use crate::quantize::weight::highest_code;

uniform! {
    /// Twin of `Params` in `shaders/slice_l1_grad.wgsl`.
    struct Params {
        len: u32,
        run: u32,
        groups: u32,
        slice_bits: u32,
        q: f32,
        factor: f32,
    }
}

impl OnGpu for SliceL1Grad {
    /// One thread a weight.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let (size, groups) = groups(cx, self.w, self.scale)?;
        let len = size * groups;
        let params = Params {
            len: len as u32,
            run: self.run as u32,
            groups: groups as u32,
            slice_bits: self.slice_bits,
            q: highest_code(self.bits),
            factor: self.factor,
        };
        Ok(vec![
            Dispatch::new("slice_l1_grad", Work::flat(len))
                .params(&params)
                .read(self.w)
                .read(self.scale)
                .write(self.dw),
        ])
    }
}
