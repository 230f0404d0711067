//! What driving inputs takes: `shaders/input_energy.wgsl`.

use std::sync::Arc;

use super::dispatch::{Dispatch, LowerContext, OnGpu, View, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::InputEnergy;

uniform! {
    /// Twin of `Params` in `shaders/input_energy.wgsl`.
    struct Params {
        x: View,
        load: View,
        y: View,
        lo: i32,
        top: i32,
    }
}

/// Places that a workgroup adds at a time.
const PLACES: usize = 16;

impl OnGpu for InputEnergy {
    /// One workgroup a block of images.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self {
            x,
            x_step,
            load,
            y,
            lo,
            table,
        } = self;
        let params = Params {
            x: cx.view(*x),
            load: cx.view(*load),
            y: cx.view(*y),
            lo: *lo,
            top: table.len() as i32 - 1,
        };
        let bits: Arc<[u32]> = table.iter().map(|v| v.to_bits()).collect();
        let work = Work::groups(1).per_block().per_chip(cx.per_chip(*y));
        let places = cx.shape(*x).len();
        Ok(vec![
            Dispatch::new("input_energy", work)
                .rounds((places.div_ceil(PLACES) + PLACES) as u64)
                .params(&params)
                .read(*x)
                .read(*x_step)
                .read(*load)
                .table(&bits)
                .write(*y),
        ])
    }
}
