//! Stochastic gradient descent with momentum: `shaders/sgd.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::Sgd;

uniform! {
    /// Twin of `Params` in `shaders/sgd.wgsl`.
    struct Params {
        w: View,
        momentum: f32,
        weight_decay: f32,
        nesterov: u32,
        positive: u32,
    }
}

impl OnGpu for Sgd {
    /// One thread four parameters.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            w,
            g,
            m,
            momentum,
            weight_decay,
            nesterov,
            positive,
        } = *self;
        let params = Params {
            w: cx.view(w),
            momentum,
            weight_decay,
            nesterov: u32::from(nesterov),
            positive: u32::from(positive),
        };
        let work = Work::flat(cx.shape(w).len().div_ceil(4)).per_chip(cx.per_chip(w));
        Ok(vec![
            Dispatch::new("sgd", work)
                .params(&params)
                .write(w)
                .read(g)
                .write(m),
        ])
    }
}
