//! Clears flat tensors: `shaders/zero.wgsl`.

use super::dispatch::{Dispatch, LowerContext, OnGpu, Operand, Work};
use super::uniform::uniform;
use crate::error::Result;
use crate::program::Zero;

uniform! {
    /// Twin of `Params` in `shaders/zero.wgsl`.
    struct Params {
        quads: u32,
    }
}

impl OnGpu for Zero {
    /// All slabs, whatever the run's chips.
    fn lower(&self, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
        let Self { t } = *self;
        Ok(vec![zero(
            Operand::Tensor(t),
            cx.slab_floats(t) * cx.slabs(t) as u64,
        )])
    }
}

/// Clears the first `floats` values, a multiple of four, of an operand.
pub(super) fn zero(operand: Operand, floats: u64) -> Dispatch {
    let quads = floats / 4;
    let params = Params {
        quads: quads as u32,
    };
    Dispatch::new("zero", Work::flat(quads as usize))
        .params(&params)
        .write(operand)
}
