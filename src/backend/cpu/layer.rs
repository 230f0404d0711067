//! Operators that have tables and packed weights.

use super::conv2d::ConvPlan;
use super::crossbar::CrossbarPlan;
use super::memory::Memory;
use super::simd::Isa;
use crate::error::Result;
use crate::program::{Op, Scope, TensorId};

/// Tables of one operator.
#[derive(Debug)]
pub(super) enum LayerPlan {
    /// A convolution or one of its gradients.
    Conv(Box<ConvPlan>),
    /// Crossbar arrays.
    Crossbar(Box<CrossbarPlan>),
}

impl LayerPlan {
    /// Tables of a checked operator, if it has any.
    pub fn new(op: &Op, isa: Isa) -> Result<Option<Self>> {
        Ok(Some(match op {
            Op::Conv2d { geo, .. } | Op::Conv2dGradWeight { geo, .. } => {
                Self::Conv(Box::new(ConvPlan::forward(geo)?))
            }
            Op::Conv2dGradInput { geo, .. } => Self::Conv(Box::new(ConvPlan::grad_input(geo)?)),
            Op::Crossbar {
                geo,
                spec,
                variance,
                ..
            }
            | Op::PartialSums {
                geo,
                spec,
                variance,
                ..
            } => {
                let plan = CrossbarPlan::new(isa, geo, spec, variance.is_some())?;
                Self::Crossbar(Box::new(plan))
            }
            _ => return Ok(None),
        }))
    }

    /// Tables of a convolution.
    pub fn conv(&self) -> Option<&ConvPlan> {
        match self {
            Self::Conv(plan) => Some(plan),
            Self::Crossbar(_) => None,
        }
    }

    /// Tables of crossbar arrays.
    pub fn crossbar(&self) -> Option<&CrossbarPlan> {
        match self {
            Self::Conv(_) => None,
            Self::Crossbar(plan) => Some(plan),
        }
    }

    /// Values of one chip's packed weights.
    pub fn packed_len(&self) -> usize {
        match self {
            Self::Conv(plan) => plan.packed_len(),
            Self::Crossbar(plan) => plan.packed_len(),
        }
    }

    /// Packs the weights of one chip.
    pub fn pack(&self, weights: Weights, memory: &Memory, chip: usize, packed: &mut [f32]) {
        let isa = memory.isa();
        match self {
            Self::Conv(plan) => plan.pack(isa, memory.flat(weights.w, chip), packed),
            Self::Crossbar(plan) => {
                let w = memory.planes(weights.w, chip);
                let variance = weights.variance.map(|v| memory.flat(v, chip));
                plan.pack(isa, w, variance, packed)
            }
        }
    }
}

/// Weights of a block-local operator.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights {
    w: TensorId,
    variance: Option<TensorId>,
}

impl Weights {
    /// Those of an operator, if it has any.
    pub fn of(op: &Op) -> Option<Self> {
        match *op {
            Op::Conv2d { w, .. } | Op::Conv2dGradInput { w, .. } => {
                Some(Self { w, variance: None })
            }
            Op::Crossbar { g, variance, .. } | Op::PartialSums { g, variance, .. } => {
                Some(Self { w: g, variance })
            }
            _ => None,
        }
    }

    /// Whether all chips have the same.
    pub fn are_shared(&self, memory: &Memory) -> bool {
        let shared = |t: TensorId| memory.desc(t).scope == Scope::Shared;
        shared(self.w) && self.variance.is_none_or(shared)
    }
}
