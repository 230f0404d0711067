//! Gradient of a loss that has a teacher: `shaders/distill_grad.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, QUADS, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::DistillGrad;

uniform! {
    /// Twin of `Params` in `shaders/distill_grad.wgsl`.
    struct Params {
        logits: View,
        teacher: View,
        dlogits: View,
        dz: View,
        classes: u32,
        per_chip: u32,
        share: f32,
        temperature: f32,
    }
}

impl OnGpu for DistillGrad {
    /// One thread a quad of images.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let per_chip = cx.per_chip(self.dz);
        let params = Params {
            logits: cx.view(self.logits),
            teacher: cx.view(self.teacher),
            dlogits: cx.view(self.dlogits),
            dz: cx.view(self.dz),
            classes: cx.shape(self.logits).len() as u32,
            per_chip: u32::from(per_chip),
            share: self.share,
            temperature: self.temperature,
        };
        let work = Work::flat(QUADS).per_block().per_chip(per_chip);
        Ok(vec![
            Dispatch::new("distill_grad", work)
                .rounds(3 * cx.shape(self.logits).len() as u64)
                .params(&params)
                .read(self.logits)
                .read(self.teacher)
                .read(self.dlogits)
                .write(self.dz),
        ])
    }
}
