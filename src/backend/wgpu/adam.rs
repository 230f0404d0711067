//! Adam and AdamW: `shaders/adam.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::Adam;

uniform! {
    /// Twin of `Params` in `shaders/adam.wgsl`.
    struct Params {
        w: View,
        beta1: f32,
        beta2: f32,
        log_beta1: f32,
        log_beta2: f32,
        eps: f32,
        weight_decay: f32,
        decoupled: u32,
        positive: u32,
    }
}

impl OnGpu for Adam {
    /// One thread four parameters.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            w,
            g,
            m,
            v,
            beta1,
            beta2,
            eps,
            weight_decay,
            decoupled,
            positive,
        } = *self;
        let params = Params {
            w: cx.view(w),
            beta1,
            beta2,
            log_beta1: f64::from(beta1).ln() as f32,
            log_beta2: f64::from(beta2).ln() as f32,
            eps,
            weight_decay,
            decoupled: u32::from(decoupled),
            positive: u32::from(positive),
        };
        let work = Work::flat(cx.shape(w).len().div_ceil(4)).per_chip(cx.per_chip(w));
        Ok(vec![
            Dispatch::new("adam", work)
                .params(&params)
                .write(w)
                .read(g)
                .write(m)
                .write(v),
        ])
    }
}
