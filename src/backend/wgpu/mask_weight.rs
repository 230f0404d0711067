//! Weights of which some are removed: `shaders/mask_weight.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::MaskWeight;

uniform! {
    /// Twin of `Params` in `shaders/mask_weight.wgsl`.
    struct Params {
        len: u32,
    }
}

impl OnGpu for MaskWeight {
    /// One thread a weight.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let len = cx.shape(self.w).len();
        let params = Params { len: len as u32 };
        Ok(vec![
            Dispatch::new("mask_weight", Work::flat(len))
                .params(&params)
                .read(self.w)
                .read(self.mask)
                .write(self.y),
        ])
    }
}
