//! Metrics of classified images: `shaders/class_metric.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, QUADS, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::{ClassMetric, Metric};

uniform! {
    /// Twin of `Params` in `shaders/class_metric.wgsl`.
    struct Params {
        logits: View,
        labels: View,
        score: View,
        classes: u32,
    }
}

impl OnGpu for ClassMetric {
    /// One thread a quad of images.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            metric,
            logits,
            labels,
            score,
        } = *self;
        let classes = cx.shape(logits).len();
        let params = Params {
            logits: cx.view(logits),
            labels: cx.view(labels),
            score: cx.view(score),
            classes: classes as u32,
        };
        // METRIC in the shader.
        let number: u32 = match metric {
            Metric::Top5 => 0,
            Metric::Brier => 1,
        };
        let work = Work::flat(QUADS).per_block().per_chip(cx.per_chip(score));
        Ok(vec![
            Dispatch::new("class_metric", work)
                .rounds(3 * classes as u64)
                .params(&params)
                .constant("METRIC", number)
                .read(logits)
                .read(labels)
                .write(score),
        ])
    }
}
