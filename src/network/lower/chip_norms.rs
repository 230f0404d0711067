//! Batch norm of an inference program: whose statistics, gains and offsets a chip has.

use super::adapted::TrainedNorm;
use super::cells::{Place, Product};
use super::fused::Prepared;
use super::inference::Chips;
use super::*;

/// Where batch norm gets its statistics, its gain and its offset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NormMode {
    /// The trained running statistics, the same on every chip.
    Frozen,
    /// Statistics measured on each chip.
    Recalibrated,
    /// Gain and offset trained on each chip, then statistics measured.
    Trained(NormSgd),
}

/// How batch norm is trained on a chip; the learning rate is [`RunArgs::lr`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormSgd {
    /// Momentum.
    pub momentum: f32,
    /// Gradients go through the nominal weights instead of those of the chip.
    pub nominal: bool,
}

/// Sections of a training of batch norm on every chip.
#[derive(Debug, Clone)]
pub struct NormTraining {
    /// Labels of the calibration images.
    pub labels: TensorId,
    /// Section: gains and offsets become the network's, momentum 0.
    pub begin: SectionId,
    /// Section: one step.
    pub step: SectionId,
    /// What is trained, in order.
    pub norms: Vec<TrainedNorm>,
}

/// The weights that a gradient goes back through.
pub(super) fn backward_weight(
    b: &mut Builder,
    ops: &mut Vec<Op>,
    place: &Place,
    chips: Chips,
    layer: Prepared,
    sgd: NormSgd,
) -> TensorId {
    let Prepared::Conv { product, .. } = layer else {
        unreachable!("crossbar layers are prepared as such");
    };
    match (product, chips) {
        (Product::Weights(w), _) if !sgd.nominal => w,
        (Product::Arrays(arrays), Chips::Cell { layers, .. }) if !sgd.nominal => {
            let name = format!("{}.effective", place.name);
            let shape = Shape::Flat(place.geo.weights());
            let out = b.program.tensor(name, shape, Scope::PerChip, Role::State);
            ops.push(Op::from(CollapsePlanes {
                g: arrays.g,
                w_step: arrays.w_step,
                correct: None,
                out,
                spec: layers[arrays.at].reading.linear(),
            }));
            out
        }
        (Product::Weights(_) | Product::Arrays(_), _) => {
            b.digital_weight(ops, place.geo, &place.states)
        }
    }
}

pub(super) fn frozen_norm(
    b: &mut Builder,
    ops: &mut Vec<Op>,
    id: NodeId,
    s: NormStates,
    eps: f32,
) -> Prepared {
    let name = b.graph.nodes[id].name.clone();
    let shape = Shape::Flat(b.graph.nodes[id].shape.0);
    let mut t = |part: &str| {
        b.program
            .tensor(format!("{name}.{part}"), shape, Scope::Shared, Role::State)
    };
    let (scale, shift) = (t("scale"), t("shift"));
    ops.push(Op::from(BatchNormFold {
        mean: s.mean,
        var: s.var,
        gamma: s.gamma,
        beta: s.beta,
        scale,
        shift,
        eps,
    }));
    Prepared::Norm {
        states: s,
        eps,
        scale,
        shift,
        measured: None,
    }
}

pub(super) fn chip_norm(
    b: &mut Builder,
    refold: &mut Vec<Op>,
    id: NodeId,
    s: NormStates,
    eps: f32,
) -> Prepared {
    let name = b.graph.nodes[id].name.clone();
    let shape = Shape::Flat(b.graph.nodes[id].shape.0);
    let mut t = |part: &str| {
        b.program
            .tensor(format!("{name}.{part}"), shape, Scope::PerChip, Role::State)
    };
    let (mean, var) = (t("chip_mean"), t("chip_var"));
    let (scale, shift) = (t("scale"), t("shift"));
    refold.push(Op::from(BatchNormFold {
        mean,
        var,
        gamma: s.gamma,
        beta: s.beta,
        scale,
        shift,
        eps,
    }));
    Prepared::Norm {
        states: s,
        eps,
        scale,
        shift,
        measured: Some((mean, var)),
    }
}
