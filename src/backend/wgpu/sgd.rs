//! Stochastic gradient descent with momentum: `shaders/sgd.wgsl`.

use bytemuck::{Pod, Zeroable};

use super::dispatch::{Dispatch, LowerContext, OnGpu, View, Work};
use crate::error::Result;
use crate::program::Sgd;

/// Twin of `Params` in `shaders/sgd.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Params {
    pub w: View,
    pub momentum: f32,
    pub weight_decay: f32,
    pub nesterov: u32,
    pub positive: u32,
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
