//! A reference of all converters that is learned.

use super::*;
use crate::network::lower::update::Trained;
use crate::network::state::{CONVERTERS, Part};

/// What the backward pass needs of a layer whose converters have the learned reference.
#[derive(Debug, Clone, Copy)]
pub(in crate::network::lower) struct Slope {
    /// Slopes of the layer's sums by the logarithm of the range.
    pub map: TensorId,
    /// What a code of the arrays stands for.
    pub w_step: TensorId,
    /// Step of the inputs.
    pub x_step: TensorId,
    /// The reference.
    pub reference: TensorId,
}

impl Trainer<'_> {
    /// The reference of all converters, a trainable state.
    pub(in crate::network::lower) fn reference(&mut self) -> TensorId {
        let reference = self.b.state(Part::Reference.of(CONVERTERS), vec![1]);
        if !self.params.iter().any(|(known, _)| *known == reference) {
            self.params.push((reference, Trained::Step));
        }
        reference
    }

    /// Adds what a layer has of the reference's gradient, `dy` that of its output; and what the learned range of its inputs
    /// has of it, as the converters' range is tied to it.
    pub(in crate::network::lower) fn reference_grad(
        &mut self,
        ops: &mut Vec<Op>,
        updates: &mut Vec<(TensorId, TensorId)>,
        id: NodeId,
        slope: Slope,
        dy: TensorId,
    ) {
        let y = self.b.map(id, Scope::PerChip);
        ops.push(Op::from(Multiply {
            a: dy,
            b: slope.map,
            y,
        }));
        let (columns, ..) = self.b.program.desc(y).shape.chw();
        let sums = self.b.temp("slopes", Shape::Flat(columns), Scope::Shared);
        ops.push(Op::from(ChannelSum { x: y, y: sums }));
        let tied = self.b.numerics.act_step == ActStep::Range;
        let tied = tied.then_some(slope.x_step);
        for by in [Some(slope.reference), tied].into_iter().flatten() {
            let d = self.b.temp("dreference", Shape::Flat(1), Scope::Shared);
            ops.push(Op::from(ReferenceGrad {
                sums,
                w_step: slope.w_step,
                x_step: slope.x_step,
                by,
                d,
            }));
            updates.push((by, d));
        }
    }
}
