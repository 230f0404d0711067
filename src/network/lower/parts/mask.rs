//! Weights of which some are removed.

use super::*;

/// A mask of one layer, for its backward pass.
#[derive(Debug, Clone, Copy)]
pub(in crate::network::lower) struct Masked {
    mask: TensorId,
    pub y: TensorId,
}

/// Adds the mask of a layer's weight, a state that the host writes, and the masked weight.
pub(super) fn lower(b: &mut Builder, ops: &mut Vec<Op>, mask: TensorId, w: TensorId) -> Masked {
    let shape = b.program.desc(w).shape;
    let y = b.temp("masked", shape, Scope::Shared);
    ops.push(Op::from(MaskWeight { w, mask, y }));
    Masked { mask, y }
}

impl Masked {
    /// The gradient of what was masked.
    pub(super) fn backward(self, b: &mut Builder, ops: &mut Vec<Op>, dy: TensorId) -> TensorId {
        let shape = b.program.desc(self.y).shape;
        let dw = b.temp("dmasked", shape, Scope::Shared);
        ops.push(Op::from(MaskWeight {
            w: dy,
            mask: self.mask,
            y: dw,
        }));
        dw
    }
}
