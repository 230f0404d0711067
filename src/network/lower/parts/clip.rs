//! Weights that are clipped to a magnitude of their layer or channel.

use super::*;

/// What weights are clipped to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// So many standard deviations of the weights that share it.
    Deviations(f32),
    /// A percentile of their magnitudes, as [`Step::Percentile`] takes it.
    Percentile(f32),
}

/// Weights are clipped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clip {
    /// Their largest magnitude.
    pub bound: Bound,
    /// Every output channel has a bound of its own; else the layer.
    pub per_channel: bool,
    /// Quantizer steps and the range of conductances are those of the weights before.
    pub keeps_range: bool,
}

/// A clip of one layer, for its backward pass.
#[derive(Debug, Clone, Copy)]
pub(in crate::network::lower) struct Clipped {
    x: TensorId,
    bound: TensorId,
    spread: Option<(TensorId, f32)>,
    run: usize,
    pub y: TensorId,
}

impl Clip {
    /// Adds the bound and the clip of `w`.
    pub(super) fn lower(
        &self,
        b: &mut Builder,
        ops: &mut Vec<Op>,
        geo: &ConvGeometry,
        w: TensorId,
    ) -> Clipped {
        let (groups, run) = match self.per_channel {
            true => (geo.c_out, geo.rows()),
            false => (1, geo.weights()),
        };
        let per_group = Shape::Flat(groups);
        let bound = b.temp("bound", per_group, Scope::Shared);
        let other = b.temp("mean", per_group, Scope::Shared);
        let spread = match self.bound {
            Bound::Deviations(times) => {
                ops.push(Op::from(WeightSpread {
                    w,
                    mean: other,
                    bound,
                    run,
                    times,
                }));
                Some((other, times))
            }
            Bound::Percentile(p) => {
                // The step of two bits, whose highest code is 1, is the percentile itself.
                ops.push(Op::from(WeightScale {
                    w,
                    scale: bound,
                    full_scale: other,
                    run,
                    bits: 2,
                    step: Some(Step::Percentile(p)),
                }));
                None
            }
        };
        let y = b.temp("clipped", Shape::Flat(geo.weights()), Scope::Shared);
        ops.push(Op::from(ClipWeight { w, bound, run, y }));
        Clipped {
            x: w,
            bound,
            spread,
            run,
            y,
        }
    }
}

impl Clipped {
    /// The gradient of what was clipped.
    pub(super) fn backward(self, b: &mut Builder, ops: &mut Vec<Op>, dy: TensorId) -> TensorId {
        let shape = b.program.desc(self.y).shape;
        let dw = b.temp("dclipped", shape, Scope::Shared);
        ops.push(Op::from(ClipWeightGrad {
            w: self.x,
            bound: self.bound,
            spread: self.spread,
            run: self.run,
            dy,
            dw,
        }));
        dw
    }
}
