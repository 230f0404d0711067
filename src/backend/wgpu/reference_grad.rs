//! Gradient of the reference that converters share: `shaders/reference_grad.wgsl`.

use super::combine::REDUCE;
use super::dispatch::{Dispatch, LowerContext, OnGpu, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::ReferenceGrad;

uniform! {
    /// Twin of `Params` in `shaders/reference_grad.wgsl`.
    struct Params {
        columns: u32,
        per_column: u32,
    }
}

impl OnGpu for ReferenceGrad {
    /// One workgroup.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let columns = cx.shape(self.sums).len();
        let params = Params {
            columns: columns as u32,
            per_column: u32::from(cx.shape(self.w_step).len() > 1),
        };
        let call = Dispatch::new("reference_grad", Work::groups(1))
            .rounds((columns as u64).div_ceil(REDUCE))
            .params(&params)
            .read(self.sums)
            .read(self.w_step)
            .read(self.x_step)
            .read(self.by)
            .write(self.d);
        Ok(vec![call])
    }
}
