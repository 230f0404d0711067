//! Running averages: `shaders/lerp.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::{Lerp, Rate};

uniform! {
    /// Twin of `Params` in `shaders/lerp.wgsl`.
    struct Params {
        state: View,
        value: View,
        kind: u32,
        rate: f32,
        times: f32,
    }
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
