//! The program of a Monte Carlo wave: fabricate chips, then classify images on all of them.
//!
//! Sections:
//! * `fabricate`: quantize the weights with their frozen steps, draw the wave's chips, fold batch
//!   norm.
//! * `evaluate`: one fused pass; adds hits and losses to the tally.
//! * `recalibrate`, `refold` (only with [`NormMode::Recalibrated`]): batch norm statistics of each
//!   chip from calibration images, as a running mean over the batches.

use super::fused::{Prepared, Walk};
use super::*;
use crate::network::graph::Layer;

/// Where batch norm gets its statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormMode {
    /// The trained running statistics, the same on every chip.
    Frozen,
    /// Measured on each chip.
    Recalibrated,
}

/// An inference program and the tensors to talk to it.
#[derive(Debug, Clone)]
pub struct Inference {
    /// The program.
    pub program: Program,
    /// Network states to load.
    pub states: Vec<StateTensor>,
    /// Images, shared by all chips.
    pub images: TensorId,
    /// Labels.
    pub labels: TensorId,
    /// Calibration images (recalibration only).
    pub calibration: Option<TensorId>,
    /// `[hits, loss]` per chip.
    pub tally: TensorId,
    /// Per crossbar layer the `[e, gain, offset, 0]` of every chip.
    pub chips: Vec<TensorId>,
    /// Logits of the last run (`Output`), where asked for.
    pub logits: Option<TensorId>,
    /// Section: fabricate the wave.
    pub fabricate: SectionId,
    /// Section: clear the tally.
    pub clear: SectionId,
    /// Section: classify.
    pub evaluate: SectionId,
    /// Sections: one calibration batch; fold what was measured.
    pub recalibrate: Option<(SectionId, SectionId)>,
}

/// Builds the inference program. `keep_logits` adds them as an `Output`.
pub fn lower(
    graph: &Graph,
    numerics: &Numerics,
    noise: &CellNoise,
    norm: NormMode,
    keep_logits: bool,
) -> Inference {
    let mut b = Builder::new(graph, numerics);
    let (images, labels) = b.image_io("", Scope::Shared);
    let tally = b
        .program
        .tensor("tally", Shape::Flat(2), Scope::PerChip, Role::State);
    let mut fabricate = vec![];
    let mut refold = vec![];
    let mut chips = vec![];
    let mut layers = vec![None; graph.nodes.len()];
    for (id, node) in graph.nodes.iter().enumerate() {
        layers[id] = match node.layer {
            Layer::Conv { geo, bias } => {
                let s = b.conv_states(id, &geo, bias);
                let (chip, weight) =
                    fabricate_layer(&mut b, &mut fabricate, chips.len(), id, &geo, s, noise);
                chips.push(chip);
                Some(Prepared::Conv {
                    weight,
                    bias: s.bias,
                    input: s.input,
                })
            }
            Layer::BatchNorm { eps } => {
                let s = b.norm_states(id);
                Some(match norm {
                    NormMode::Frozen => frozen_norm(&mut b, &mut fabricate, id, s, eps),
                    NormMode::Recalibrated => chip_norm(&mut b, &mut refold, id, s, eps),
                })
            }
            Layer::Affine => {
                let (scale, shift) = b.affine_states(id);
                Some(Prepared::Affine { scale, shift })
            }
            Layer::Quantize { lo, hi } => Some(Prepared::Quantize(b.fixed_quantizer(id, lo, hi))),
            _ => None,
        };
    }
    let mut walk = Walk {
        b: &mut b,
        layers: &layers,
        ops: vec![],
    };
    let logits = walk.fused(images, keep_logits);
    let mut evaluate = walk.ops;
    b.score(&mut evaluate, logits, labels, None, 0.0, tally);
    let mut calibration = None;
    let mut recalibrate = None;
    if norm == NormMode::Recalibrated {
        let (input, _) = b.image_io("calibration.", Scope::Shared);
        let mut walk = Walk {
            b: &mut b,
            layers: &layers,
            ops: vec![],
        };
        walk.measuring(input);
        let measure = walk.ops;
        calibration = Some(input);
        recalibrate = Some((
            b.program.section("recalibrate", measure),
            b.program.section("refold", refold),
        ));
    }
    let fabricate = b.program.section("fabricate", fabricate);
    let clear = b.program.section("clear", vec![Op::Zero { t: tally }]);
    let evaluate = b.program.section("evaluate", evaluate);
    Inference {
        states: b.states,
        program: b.program,
        images,
        labels,
        calibration,
        tally,
        chips,
        logits: keep_logits.then_some(logits),
        fabricate,
        clear,
        evaluate,
        recalibrate,
    }
}

fn fabricate_layer(
    b: &mut Builder,
    ops: &mut Vec<Op>,
    index: usize,
    id: NodeId,
    geo: &ConvGeometry,
    s: ConvStates,
    noise: &CellNoise,
) -> (TensorId, TensorId) {
    let name = b.graph.nodes[id].name.clone();
    let (q, full_scale) = b.quantized_weight(ops, geo, &s, WeightStep::Keep);
    let chip = b.program.tensor(
        format!("{name}.chip"),
        Shape::Flat(CHIP_FIELDS),
        Scope::PerChip,
        Role::State,
    );
    let out = b.program.tensor(
        format!("{name}.effective"),
        Shape::Flat(geo.weights()),
        Scope::PerChip,
        Role::State,
    );
    ops.push(Op::Fabricate {
        w: q,
        full_scale,
        chip,
        out,
        spec: noise.fabrication(index, geo),
    });
    (chip, out)
}

fn frozen_norm(
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
    ops.push(Op::BatchNormFold {
        mean: s.mean,
        var: s.var,
        gamma: s.gamma,
        beta: s.beta,
        scale,
        shift,
        eps,
    });
    Prepared::Norm {
        states: s,
        eps,
        scale,
        shift,
        measured: None,
    }
}

fn chip_norm(
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
    refold.push(Op::BatchNormFold {
        mean,
        var,
        gamma: s.gamma,
        beta: s.beta,
        scale,
        shift,
        eps,
    });
    Prepared::Norm {
        states: s,
        eps,
        scale,
        shift,
        measured: Some((mean, var)),
    }
}
