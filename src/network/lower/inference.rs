//! The program of a Monte Carlo wave: fabricate chips, then classify images on all of them.
//!
//! Sections:
//! * `fabricate`: quantize the weights with their frozen steps, draw the wave's chips, fold batch
//!   norm.
//! * `evaluate`: one fused pass; adds hits and losses to the tally.
//! * `begin norms`, `train norms` (only with [`NormMode::Trained`]): gains and offsets of each chip's batch norms
//!   from the network's, a step of their training ([`super::adapted`]).
//! * `recalibrate`, `refold` (only where batch norm is of each chip): batch norm statistics of each
//!   chip from calibration images, as a running mean over the batches.
//!
//! [`alone`] has one layer by itself, [`inputs`] the inputs of every layer.

pub mod alone;
pub mod inputs;

mod pools;

use pools::pool_at_once;

use super::adapted::TrainedNorm;
use super::cells::{CellTensors, Place, Product, Tap, Tapped, program_layer};
pub use super::chip_norms::{NormMode, NormSgd, NormTraining};
use super::chip_norms::{backward_weight, chip_norm, frozen_norm};
use super::energy::InputEnergies;
use super::fused::{Clips, Prepared, Taps, Walk};
use super::*;
use crate::chip::layer::CellLayer;
use crate::network::graph::Layer;

/// What fabrication does to a network's crossbar layers.
#[derive(Debug, Clone, Copy)]
pub enum Chips<'a> {
    /// One deviation per weight: the rules of every crossbar layer, `None` where it is executed digitally.
    Weight(&'a [Option<CellNoise>]),
    /// Cells in arrays, read through converters.
    Cell {
        /// The layers on arrays, in order; other crossbar layers are executed digitally.
        layers: &'a [CellLayer],
        /// Partial sums that are looked at, one entry for every layer on arrays; empty: none.
        taps: &'a [Tap],
        /// Whether conversions beyond their range can be counted.
        count_clips: bool,
    },
}

/// Clipped conversions on the first images: a section and, for every layer with converters, its
/// position among the layers on arrays and the counts `Flat(columns)` per chip that it adds to.
#[derive(Debug, Clone)]
pub struct ClipCounts {
    /// The section.
    pub section: SectionId,
    /// Section that clears the counts.
    pub clear: SectionId,
    /// Layers and counts.
    pub counts: Vec<(usize, TensorId)>,
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
    /// Calibration images (where batch norm is of each chip only).
    pub calibration: Option<TensorId>,
    /// Training of batch norm on each chip.
    pub training: Option<NormTraining>,
    /// `[hits, loss]` per chip.
    pub tally: TensorId,
    /// Sums of the metrics per chip, in the order they were asked for; none where there are none.
    pub metrics: Option<TensorId>,
    /// Energy of the arrays, where it is asked for.
    pub energy: Option<InputEnergies>,
    /// Weight level: per crossbar layer that is not digital the `[e, gain, offset, 0]` of every chip.
    pub chips: Vec<TensorId>,
    /// Cell level: what the host writes of every layer on arrays.
    pub cells: Vec<CellTensors>,
    /// Cell level with converters: counts of what they clip.
    pub clips: Option<ClipCounts>,
    /// Cell level with taps: the section that looks at partial sums, and what it leaves.
    pub taps: Option<(SectionId, Vec<Tapped>)>,
    /// Logits of the last run (`Output`), where asked for.
    pub logits: Option<TensorId>,
    /// Logits while `evaluate` runs.
    scored: TensorId,
    /// Section: fabricate the wave.
    pub fabricate: SectionId,
    /// Section: clear the tally and the metrics' sums.
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
    chips: Chips,
    norm: NormMode,
    keep_logits: bool,
) -> Inference {
    let mut b = Builder::new(graph, numerics);
    let (images, labels) = b.image_io("", Scope::Shared);
    let tally = tally(&mut b.program);
    let laid = lay(&mut b, chips, norm);
    let (layers, cells) = (&laid.layers, &laid.made.cells);
    let cell_layers = match chips {
        Chips::Weight(_) => &[],
        Chips::Cell { layers, .. } => layers,
    };
    let mut walk = Walk::new(&mut b, layers, cell_layers);
    let logits = walk.fused(images, keep_logits);
    let ops = walk.ops;
    let mut evaluate = pool_at_once(&b.program, ops);
    b.score(&mut evaluate, logits, labels, None, 0.0, tally);
    let own = own_norms(&mut b, (&laid, cell_layers), norm);
    let counts = matches!(
        chips,
        Chips::Cell {
            count_clips: true,
            ..
        }
    );
    let counts = counts && cells.iter().any(|c| c.range.is_some());
    let clips = counts.then(|| count_clips(Walk::new(&mut b, layers, cell_layers), images));
    let tapped = match chips {
        Chips::Cell { taps, .. } if taps.iter().any(|&t| t != Tap::No) => {
            let walk = Walk::new(&mut b, layers, cell_layers);
            Some(tap(walk, images, taps, cells))
        }
        Chips::Cell { .. } | Chips::Weight(_) => None,
    };
    let fabricate = b.program.section("fabricate", laid.fabricate);
    let zero = vec![Op::from(Zero { t: tally })];
    let clear = b.program.section("clear", zero);
    let evaluate = b.program.section("evaluate", evaluate);
    Inference {
        states: b.states,
        program: b.program,
        images,
        labels,
        calibration: own.calibration,
        training: own.training,
        tally,
        metrics: None,
        energy: None,
        chips: laid.made.chips,
        cells: laid.made.cells,
        clips,
        taps: tapped,
        logits: keep_logits.then_some(logits),
        scored: logits,
        fabricate,
        clear,
        evaluate,
        recalibrate: own.recalibrate,
    }
}

/// What gives chips batch norms of their own.
#[derive(Default)]
struct OwnNorms {
    calibration: Option<TensorId>,
    training: Option<NormTraining>,
    recalibrate: Option<(SectionId, SectionId)>,
}

/// Adds its sections, where chips have such.
fn own_norms(b: &mut Builder, (laid, cells): (&Laid, &[CellLayer]), norm: NormMode) -> OwnNorms {
    if norm == NormMode::Frozen {
        return OwnNorms::default();
    }
    let (input, labels) = b.image_io("calibration.", Scope::Shared);
    let mut training = None;
    if let NormMode::Trained(sgd) = norm {
        let mut walk = Walk::new(b, &laid.layers, cells);
        walk.adapting((input, labels), &laid.backward, &laid.norms, sgd);
        let step = walk.ops;
        let norms: Vec<TrainedNorm> = laid.norms.iter().copied().flatten().collect();
        let begin = norms.iter().flat_map(TrainedNorm::begin).collect();
        training = Some(NormTraining {
            labels,
            begin: b.program.section("begin norms", begin),
            step: b.program.section("train norms", step),
            norms,
        });
    }
    let mut walk = Walk::new(b, &laid.layers, cells);
    walk.measuring(input);
    let measure = walk.ops;
    let measure = b.program.section("recalibrate", measure);
    OwnNorms {
        calibration: Some(input),
        training,
        recalibrate: Some((measure, b.program.section("refold", laid.refold.clone()))),
    }
}

/// The layers of a network, with what makes their chips.
struct Laid {
    layers: Vec<Option<Prepared>>,
    made: Made,
    fabricate: Vec<Op>,
    refold: Vec<Op>,
    /// By node, where batch norm is trained: weights for the backward pass, and what is trained.
    backward: Vec<Option<TensorId>>,
    norms: Vec<Option<TrainedNorm>>,
}

/// Lays out the layers with states.
fn lay(b: &mut Builder, chips: Chips, norm: NormMode) -> Laid {
    let graph = b.graph;
    let mut fabricate = vec![];
    let mut refold = vec![];
    let (mut made, mut index) = (Made::default(), 0);
    let n = graph.nodes.len();
    let (mut laid, mut backward, mut norms) = (vec![None; n], vec![None; n], vec![None; n]);
    for (id, node) in graph.nodes.iter().enumerate() {
        laid[id] = match node.layer {
            Layer::Conv { geo, bias } => {
                let states = b.conv_states(id, &geo, bias);
                let place = Place {
                    name: &node.name,
                    index,
                    geo: &geo,
                    states,
                };
                index += 1;
                let layer = made.layer(b, &mut fabricate, &place, chips);
                if let NormMode::Trained(sgd) = norm {
                    let w = backward_weight(b, &mut fabricate, &place, chips, layer, sgd);
                    backward[id] = Some(w);
                }
                Some(layer)
            }
            Layer::BatchNorm { eps, .. } => {
                let s = b.norm_states(id);
                Some(match norm {
                    NormMode::Frozen => frozen_norm(b, &mut fabricate, id, s, eps),
                    NormMode::Recalibrated => chip_norm(b, &mut refold, id, s, eps),
                    NormMode::Trained(_) => {
                        let own = TrainedNorm::new(b, id, &s);
                        norms[id] = Some(own);
                        let (gamma, beta) = (own.gamma, own.beta);
                        let s = NormStates { gamma, beta, ..s };
                        chip_norm(b, &mut refold, id, s, eps)
                    }
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
    Laid {
        layers: laid,
        made,
        fabricate,
        refold,
        backward,
        norms,
    }
}

/// The pass that counts conversions beyond their ranges.
fn count_clips(mut walk: Walk, images: TensorId) -> ClipCounts {
    walk.clips = Some(Clips::default());
    walk.fused(images, false);
    let (ops, counts) = (walk.ops, walk.clips.unwrap_or_default().counts);
    let zero = counts.iter().map(|&(_, t)| Op::from(Zero { t })).collect();
    ClipCounts {
        section: walk.b.program.section("count clips", ops),
        clear: walk.b.program.section("clear clips", zero),
        counts,
    }
}

/// The pass that keeps what is tapped, and what that is.
fn tap<'w>(
    mut walk: Walk<'w, '_>,
    images: TensorId,
    kinds: &'w [Tap],
    cells: &[CellTensors],
) -> (SectionId, Vec<Tapped>) {
    walk.taps = Some(Taps {
        kinds,
        planes: cells.iter().map(|c| (c.planes, c.variance)).collect(),
        found: vec![],
    });
    walk.fused(images, false);
    let (ops, taps) = (walk.ops, walk.taps);
    let found = taps.map_or(vec![], |t| t.found);
    (walk.b.program.section("tap", ops), found)
}

/// Hits and summed loss of every chip.
fn tally(program: &mut Program) -> TensorId {
    let tally = program.tensor("tally", Shape::Flat(2), Scope::PerChip, Role::State);
    program.read_in_flight(tally);
    tally
}

impl Inference {
    /// The program that adds up these metrics of the images, too.
    pub fn with_metrics(mut self, metrics: &[Metric]) -> Self {
        if metrics.is_empty() {
            return self;
        }
        let shape = Shape::Flat(metrics.len());
        let program = &mut self.program;
        let sums = program.tensor("metrics", shape, Scope::PerChip, Role::State);
        program.read_in_flight(sums);
        let (mut values, mut ops) = (vec![], vec![]);
        for &metric in metrics {
            let one = Shape::Image { c: 1, h: 1, w: 1 };
            let score = program.tensor(metric.as_str(), one, Scope::PerChip, Role::Temp);
            ops.push(Op::from(ClassMetric {
                metric,
                logits: self.scored,
                labels: self.labels,
                score,
            }));
            values.push(score);
        }
        ops.push(Op::from(Tally {
            values,
            tally: sums,
        }));
        program.sections[self.evaluate.0].ops.extend(ops);
        let clear = Op::from(Zero { t: sums });
        program.sections[self.clear.0].ops.push(clear);
        self.metrics = Some(sums);
        self
    }
}

/// What fabrication leaves for the host to write, layer by layer.
#[derive(Default)]
struct Made {
    /// At weight level.
    chips: Vec<TensorId>,
    /// At cell level.
    cells: Vec<CellTensors>,
}

impl Made {
    /// Fabricates a crossbar layer; one without noise and without arrays is digital.
    fn layer(
        &mut self,
        b: &mut Builder,
        ops: &mut Vec<Op>,
        place: &Place,
        chips: Chips,
    ) -> Prepared {
        let (mut at, mut product) = (None, None);
        match chips {
            Chips::Weight(noises) => {
                if let Some(noise) = noises.get(place.index).and_then(Option::as_ref) {
                    let (chip, weight) = fabricate_layer(b, ops, place, noise);
                    self.chips.push(chip);
                    product = Some(Product::Weights(weight));
                }
            }
            Chips::Cell { layers, taps, .. } => {
                at = layers.iter().position(|l| l.index() == place.index);
                if let Some(at) = at {
                    let tapped = taps.get(at).is_some_and(|&t| t != Tap::No);
                    let (found, arrays) = program_layer(b, ops, place, (at, &layers[at]), tapped);
                    self.cells.push(found);
                    product = Some(arrays);
                }
            }
        }
        Prepared::Conv {
            at,
            product: product.unwrap_or_else(|| {
                Product::Weights(b.digital_weight(ops, place.geo, &place.states))
            }),
            bias: place.states.bias,
            input: place.states.input,
        }
    }
}

/// Adds the operators that fabricate a layer at weight level; what the host writes of every chip, and the effective weight.
fn fabricate_layer(
    b: &mut Builder,
    ops: &mut Vec<Op>,
    place: &Place,
    noise: &CellNoise,
) -> (TensorId, TensorId) {
    let Place {
        name,
        geo,
        states,
        index,
    } = place;
    let (q, full_scale) = b.quantized_weight(ops, geo, states, None);
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
    ops.push(Op::from(Fabricate {
        w: q,
        full_scale,
        chip,
        out,
        spec: noise.fabrication(*index, geo),
    }));
    (chip, out)
}
