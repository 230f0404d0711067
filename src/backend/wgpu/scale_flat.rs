//! A flat tensor times a number: `shaders/scale_flat.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::ScaleFlat;

uniform! {
    /// Twin of `Params` in `shaders/scale_flat.wgsl`.
    struct Params {
        len: u32,
    }
}

impl OnGpu for ScaleFlat {
    /// One thread a value.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let len = cx.shape(self.x).len();
        let params = Params { len: len as u32 };
        Ok(vec![
            Dispatch::new("scale_flat", Work::flat(len))
                .params(&params)
                .read(self.x)
                .read(self.by)
                .write(self.y),
        ])
    }
}
