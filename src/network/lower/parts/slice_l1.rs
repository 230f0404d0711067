//! A term of the loss that draws digits of quantized weights to 0.

use super::*;

/// `factor` times the mean digit of all weights and slices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlicePenalty {
    /// Factor.
    pub factor: f32,
    /// Bits of a slice.
    pub slice_bits: u32,
}

impl SlicePenalty {
    /// Adds the gradient of the term to that of what is quantized, `w`, of a network with so many weights.
    pub(super) fn lower(
        &self,
        s: &ConvStates,
        weights: usize,
        (w, dw): (TensorId, TensorId),
    ) -> Op {
        let slices = (s.bits - 1).div_ceil(self.slice_bits);
        Op::from(SliceL1Grad {
            w,
            scale: s.weight_step,
            run: s.run,
            dw,
            bits: s.bits,
            slice_bits: self.slice_bits,
            factor: self.factor / (weights as f32 * slices as f32),
        })
    }
}
