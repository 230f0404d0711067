//! Loss, hits and the gradient of the logits: `shaders/softmax_xent.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, Operand, QUADS, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::SoftmaxXent;

uniform! {
    /// Twin of `Params` in `shaders/softmax_xent.wgsl`.
    struct Params {
        logits: View,
        labels: View,
        loss: View,
        hit: View,
        dlogits: View,
        classes: u32,
        smoothing: f32,
        over_chips: u32,
    }
}

impl OnGpu for SoftmaxXent {
    /// One thread a quad of images.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            logits,
            labels,
            loss,
            hit,
            dlogits,
            smoothing,
            apart,
        } = *self;
        let per_chip = cx.per_chip(loss);
        let params = Params {
            logits: cx.view(logits),
            labels: cx.view(labels),
            loss: cx.view(loss),
            hit: cx.view(hit),
            dlogits: cx.view_opt(dlogits),
            classes: cx.shape(logits).len() as u32,
            smoothing,
            over_chips: u32::from(per_chip && !apart),
        };
        // The gradient's binding is written by its text even where the variant has none.
        let gradient = dlogits.map_or(
            Operand::Scratch {
                index: 0,
                floats: 4,
            },
            Operand::Tensor,
        );
        let work = Work::flat(QUADS).per_block().per_chip(per_chip);
        Ok(vec![
            Dispatch::new("softmax_xent", work)
                .rounds(3 * cx.shape(logits).len() as u64)
                .params(&params)
                .constant("HAS_GRADIENT", dlogits.is_some())
                .read(logits)
                .read(labels)
                .write(loss)
                .write(hit)
                .write(gradient),
        ])
    }
}
