//! Clears flat tensors: `shaders/zero.wgsl`.

use bytemuck::{Pod, Zeroable};

use super::dispatch::{Dispatch, LowerContext, OnGpu, Operand, Work};
use crate::error::Result;
use crate::program::Zero;

/// Twin of `Params` in `shaders/zero.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Params {
    pub quads: u32,
    pub unused0: u32,
    pub unused1: u32,
    pub unused2: u32,
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
        unused0: 0,
        unused1: 0,
        unused2: 0,
    };
    Dispatch::new("zero", Work::flat(quads as usize))
        .params(&params)
        .write(operand)
}
