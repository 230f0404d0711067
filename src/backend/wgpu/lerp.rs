//! Running averages: `shaders/lerp.wgsl`.

use bytemuck::{Pod, Zeroable};

use super::dispatch::{Dispatch, LowerContext, OnGpu, View, Work};
use crate::error::Result;
use crate::program::{Lerp, Rate};

/// Twin of `Params` in `shaders/lerp.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Params {
    pub state: View,
    pub value: View,
    pub kind: u32,
    pub rate: f32,
    pub times: f32,
    pub unused: u32,
}

impl OnGpu for Lerp {
    /// One thread four values.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            state,
            value,
            rate,
            times,
        } = *self;
        let (kind, rate) = match rate {
            Rate::Fixed(rate) => (0, rate),
            Rate::FixedFromFirst(rate) => (1, rate),
            Rate::Cumulative => (2, 0.0),
            Rate::Sum => (3, 0.0),
        };
        let params = Params {
            state: cx.view(state),
            value: cx.view(value),
            kind,
            rate,
            times,
            unused: 0,
        };
        let work = Work::flat(cx.shape(state).len().div_ceil(4)).per_chip(cx.per_chip(state));
        Ok(vec![
            Dispatch::new("lerp", work)
                .params(&params)
                .write(state)
                .read(value),
        ])
    }
}
