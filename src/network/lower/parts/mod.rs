//! Parts of a training step, a file each: what a part needs to know, and the operators that it adds to the
//! program. The experiment's side is `src/config/parts`.

mod clip;
mod distill;
mod group_lasso;
mod loss;
mod mask;
mod passes;
mod range;
mod shared_gain;
mod slice_l1;
pub(super) mod variants;

pub use clip::{Bound, Clip};
pub use distill::Teaching;
pub use group_lasso::{Groups, Penalty};
pub use loss::Subtracted;
pub use passes::Pass;
pub(super) use passes::Passes;
pub use range::RangeRule;
pub(super) use shared_gain::Slope;
pub use slice_l1::SlicePenalty;
pub use variants::Variant;

use std::collections::HashMap;

use super::training::Trainer;
use super::*;

/// Parts of a step besides those that every training has.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StepParts {
    /// Transforms of every weight before its quantizer, in order.
    pub weights: Vec<Transform>,
    /// Terms of the loss besides the cross-entropy.
    pub penalties: Vec<Penalty>,
    /// Terms of the loss on the digits of quantized weights.
    pub slices: Vec<SlicePenalty>,
    /// What a teacher says, where there is one.
    pub teaching: Option<Teaching>,
    /// Logits that are subtracted from the network's, where there are some.
    pub subtracted: Option<Subtracted>,
    /// Factor on the cross-entropies of heads, where they count.
    pub heads: Option<f32>,
    /// How ranges of inputs are learned, with [`ActStep::Range`].
    pub range: RangeRule,
    /// Variation, cells and converters in the forward pass only: gradients are those of the quantized weights.
    pub clean_backward: bool,
}

/// A transform of weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Transform {
    /// They are clipped.
    Clip(Clip),
    /// Some are removed; the host says which ([`PartTensors::masks`]).
    Mask,
}

/// A transform of one layer's weight, for the backward pass.
#[derive(Debug, Clone, Copy)]
pub(super) enum Applied {
    Clip(clip::Clipped),
    Mask(mask::Masked),
}

/// The weight of a layer after its transforms.
#[derive(Debug, Clone)]
pub(super) struct Transformed {
    /// What is quantized.
    pub w: TensorId,
    /// What the range of a quantizer and of the cells follows.
    pub range: TensorId,
    /// Transforms, in order.
    applied: Vec<Applied>,
}

/// Tensors of parts that the host writes or reads.
#[derive(Debug, Clone, Default)]
pub struct PartTensors {
    /// Weights as they are deployed, where transforms change them: with the names of the trained ones.
    pub baked: Vec<StateTensor>,
    /// Masks of weights, by the name of the layer. Part of checkpoints.
    pub masks: Vec<StateTensor>,
    /// What the teacher says of the images, `[chip][image][class]`.
    pub teacher: Option<TensorId>,
}

/// Transforms of all weights.
#[derive(Debug, Default)]
pub(super) struct Transforms {
    /// What weights are before they are quantized, by trained weight.
    pub by_weight: HashMap<TensorId, Transformed>,
    /// Operators of [`super::training::Training::bake`].
    pub bake: Vec<Op>,
    /// Tensors for the host.
    pub tensors: PartTensors,
}

impl Trainer<'_> {
    /// Adds the transforms of a layer's weight to the step, and to what deploys it.
    pub(super) fn transformed(
        &mut self,
        id: NodeId,
        geo: &ConvGeometry,
        s: &ConvStates,
    ) -> Transformed {
        let mut ops = vec![];
        let of_head = self.b.graph.is_of_head(id);
        let mut out = Transformed {
            w: s.weight,
            range: s.weight,
            applied: vec![],
        };
        let spec = self.spec;
        for transform in &spec.parts.weights {
            let (applied, y, keeps_range) = match transform {
                Transform::Clip(clip) => {
                    let clipped = clip.lower(&mut self.b, &mut ops, geo, out.w);
                    (Applied::Clip(clipped), clipped.y, clip.keeps_range)
                }
                // What is not deployed need not be sparse.
                Transform::Mask if of_head => continue,
                Transform::Mask => {
                    let mask = self.mask(s.weight);
                    let masked = mask::lower(&mut self.b, &mut ops, mask, out.w);
                    (Applied::Mask(masked), masked.y, false)
                }
            };
            out.applied.push(applied);
            if out.range == out.w && !keeps_range {
                out.range = y;
            }
            out.w = y;
        }
        if !ops.is_empty() {
            self.deploys(s.weight, out.w, &ops);
        }
        self.weights.extend(ops);
        out
    }

    /// Gradient of a layer's weight from that of what its transforms make of it.
    pub(super) fn through_transforms(
        &mut self,
        ops: &mut Vec<Op>,
        transformed: &Transformed,
        dy: TensorId,
    ) -> TensorId {
        let applied = transformed.applied.iter().rev();
        applied.fold(dy, |dy, applied| match applied {
            Applied::Clip(clipped) => clipped.backward(&mut self.b, ops, dy),
            Applied::Mask(masked) => masked.backward(&mut self.b, ops, dy),
        })
    }

    /// The mask of a layer's weight: a state of the name of the layer.
    fn mask(&mut self, weight: TensorId) -> TensorId {
        let state = self.b.states.iter().find(|s| s.tensor == weight);
        let (name, shape) =
            state.map_or_else(Default::default, |s| (s.name.as_str(), s.shape.clone()));
        let node = Part::parse(name).map_or(name, |(node, _)| node).to_string();
        let flat = self.b.program.desc(weight).shape;
        let program = &mut self.b.program;
        let tensor = program.tensor(format!("{node}.mask"), flat, Scope::Shared, Role::State);
        self.transforms.tensors.masks.push(StateTensor {
            name: node,
            shape,
            tensor,
        });
        tensor
    }

    /// Adds the gradients of the loss's terms on codes to that of what is quantized.
    pub(super) fn slice_penalties(
        &mut self,
        ops: &mut Vec<Op>,
        s: &ConvStates,
        (w, dw): (TensorId, TensorId),
    ) {
        let layers = self.b.graph.crossbars().into_iter();
        let own = layers.filter(|(id, ..)| !self.b.graph.is_of_head(*id));
        let weights = own.map(|(_, geo, _)| geo.weights()).sum();
        let slices = self.spec.parts.slices.iter();
        ops.extend(slices.map(|penalty| penalty.lower(s, weights, (w, dw))));
    }

    /// Adds the gradients of the loss's terms to that of a weight.
    pub(super) fn penalties(
        &mut self,
        ops: &mut Vec<Op>,
        geo: &ConvGeometry,
        (w, dw): (TensorId, TensorId),
    ) {
        let penalties = self.spec.parts.penalties.iter();
        ops.extend(penalties.map(|penalty| penalty.lower(geo, w, dw)));
    }

    /// Makes the transformed weight readable in place of the trained one, by operators of its own.
    fn deploys(&mut self, weight: TensorId, transformed: TensorId, ops: &[Op]) {
        let state = self.b.states.iter().find(|s| s.tensor == weight);
        let Some(state) = state.cloned() else {
            return;
        };
        let shape = self.b.program.desc(weight).shape;
        let name = format!("{}.deployed", state.name);
        let program = &mut self.b.program;
        let tensor = program.tensor(name, shape, Scope::Shared, Role::State);
        self.transforms.bake.extend_from_slice(ops);
        self.transforms.bake.push(Op::from(Lerp {
            state: tensor,
            value: transformed,
            rate: Rate::Fixed(1.0),
            times: 1.0,
        }));
        self.transforms
            .tensors
            .baked
            .push(StateTensor { tensor, ..state });
    }
}
