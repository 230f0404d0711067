//! Ranges of inputs that are learned.

use super::*;

/// How a range follows what it cuts off, see [`RangeGrad`].
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RangeRule {
    /// Rate at which it shrinks.
    pub decay: f32,
    /// Share of the inputs that stays inside.
    pub inside: f32,
}

impl Trainer<'_> {
    /// Gradient of a quantizer's step from its input `x` and the gradient of its output.
    pub(in crate::network::lower) fn range_grad(
        &mut self,
        ops: &mut Vec<Op>,
        quant: ActQuant,
        (x, dy): (TensorId, TensorId),
    ) -> TensorId {
        let RangeRule { decay, inside } = self.spec.parts.range;
        // Once a step, however many passes it has.
        let decay = if self.is_own() { decay } else { 0.0 };
        let dscale = self.b.temp("dstep", Shape::Flat(1), Scope::Shared);
        ops.push(Op::from(RangeGrad {
            x,
            dy,
            quant,
            decay,
            inside,
            dscale,
        }));
        dscale
    }
}
