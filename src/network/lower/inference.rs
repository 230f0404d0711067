//! The program of a Monte Carlo wave: fabricate chips, then classify images on all of them.
//!
//! Sections:
//! * `fabricate`: quantize the weights with their frozen steps, draw the wave's chips, fold batch
//!   norm.
//! * `evaluate`: one fused pass; adds hits and losses to the tally.
//! * `recalibrate`, `refold` (only with [`NormMode::Recalibrated`]): batch norm statistics of each
//!   chip from calibration images, as a running mean over the batches.

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

/// What a node needs at evaluation.
#[derive(Debug, Clone, Copy)]
enum Prepared {
    Conv {
        weight: TensorId,
        bias: Option<TensorId>,
        input: InputQuantizer,
    },
    Norm {
        states: NormStates,
        eps: f32,
        scale: TensorId,
        shift: TensorId,
        /// Per-chip running mean and variance.
        measured: Option<(TensorId, TensorId)>,
    },
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
    let steps = b.program.desc(s.weight_step).shape;
    let full_scale = b.temp("full_scale", steps, Scope::Shared);
    let q = b.temp("quantized", Shape::Flat(geo.weights()), Scope::Shared);
    let bits = b.numerics.weight_bits;
    ops.push(Op::WeightScale {
        w: s.weight,
        scale: s.weight_step,
        full_scale,
        bits,
        step: WeightStep::Keep,
    });
    ops.push(Op::QuantizeWeight {
        w: s.weight,
        scale: s.weight_step,
        q,
        bits,
    });
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

/// Emits the operators of a forward pass.
struct Walk<'b, 'a> {
    b: &'b mut Builder<'a>,
    layers: &'b [Option<Prepared>],
    ops: Vec<Op>,
}

impl Walk<'_, '_> {
    /// Output map of a node; the last one may be a readable output.
    fn target(&mut self, node: NodeId, scope: Scope, readable: bool) -> TensorId {
        if !readable {
            return self.b.map(node, scope);
        }
        let (c, h, w) = self.b.graph.nodes[node].shape;
        let shape = Shape::Image { c, h, w };
        self.b.program.tensor("logits", shape, scope, Role::Output)
    }

    /// The input of a crossbar layer after its quantizer.
    fn quantized(&mut self, x: TensorId, input: InputQuantizer) -> TensorId {
        let desc = self.b.program.desc(x).clone();
        match input {
            InputQuantizer::None => x,
            InputQuantizer::Binary(group) => {
                let y = self.b.temp("binary", desc.shape, desc.scope);
                self.ops.push(Op::BinarizeAct { x, y, group });
                y
            }
            InputQuantizer::Uniform(quant) => {
                let y = self.b.temp("code", desc.shape, desc.scope);
                self.ops.push(Op::QuantizeAct { x, y, quant });
                y
            }
        }
    }

    /// Forward pass with batch norm, residual, activation and quantizer fused into the
    /// convolutions wherever nobody else reads the value in between. Returns the logits.
    fn fused(&mut self, images: TensorId, keep_logits: bool) -> TensorId {
        let graph = self.b.graph;
        let fan_out = graph.fan_out();
        let consumer = |n: NodeId| -> Option<NodeId> {
            (fan_out[n] == 1)
                .then(|| graph.nodes.iter().position(|m| m.inputs.contains(&n)))
                .flatten()
        };
        let last = graph.last();
        let mut value: Vec<Option<TensorId>> = vec![None; graph.nodes.len()];
        // Inputs of crossbar layers that their producer has already quantized.
        let mut done_quant = vec![false; graph.nodes.len()];
        value[0] = Some(images);
        for id in 1..graph.nodes.len() {
            if value[id].is_some() {
                continue; // fused into an earlier node
            }
            let node = &graph.nodes[id];
            let x = value[node.inputs[0]].expect("nodes are in topological order");
            let mut scope = self.b.program.desc(x).scope;
            match (&node.layer, self.layers[id]) {
                (
                    Layer::Conv { geo, .. },
                    Some(Prepared::Conv {
                        weight,
                        bias,
                        input,
                    }),
                ) => {
                    let x = if done_quant[node.inputs[0]] {
                        x
                    } else {
                        self.quantized(x, input)
                    };
                    let mut post = Post {
                        shift: bias,
                        ..Post::NONE
                    };
                    let mut end = id;
                    while let Some(next) = consumer(end) {
                        match (&graph.nodes[next].layer, self.layers[next]) {
                            (
                                Layer::BatchNorm { .. },
                                Some(Prepared::Norm { scale, shift, .. }),
                            ) if post.is_none() => {
                                post.scale = Some(scale);
                                post.shift = Some(shift);
                            }
                            (Layer::Add, _)
                                if post.residual.is_none() && post.act == Activation::Identity =>
                            {
                                let inputs = &graph.nodes[next].inputs;
                                let other = if inputs[0] == end {
                                    inputs[1]
                                } else {
                                    inputs[0]
                                };
                                let Some(r) = value[other] else { break };
                                if done_quant[other] {
                                    break;
                                }
                                post.residual = Some(r);
                            }
                            (Layer::Activation(act), _) if post.act == Activation::Identity => {
                                post.act = *act;
                            }
                            (Layer::Conv { .. }, Some(Prepared::Conv { input, .. })) => {
                                if let InputQuantizer::Uniform(q) = input {
                                    post.quant = Some(q);
                                    done_quant[end] = true;
                                }
                                break;
                            }
                            _ => break,
                        }
                        end = next;
                    }
                    let y = self.target(end, Scope::PerChip, keep_logits && end == last);
                    self.ops.push(Op::Conv2d {
                        x,
                        w: weight,
                        y,
                        geo: *geo,
                        post,
                    });
                    // Everything up to `end` is now this tensor.
                    let mut n = id;
                    while n != end {
                        value[n] = Some(y);
                        n = consumer(n).expect("fused along single consumers");
                    }
                    value[end] = Some(y);
                }
                (Layer::BatchNorm { .. }, Some(Prepared::Norm { scale, shift, .. })) => {
                    if self.b.program.desc(scale).scope == Scope::PerChip {
                        scope = Scope::PerChip;
                    }
                    let post = Post {
                        scale: Some(scale),
                        shift: Some(shift),
                        ..Post::NONE
                    };
                    value[id] = Some(self.pointwise(id, x, post, scope, keep_logits && id == last));
                }
                _ => {
                    value[id] = Some(self.plain(id, x, &value, keep_logits && id == last));
                }
            }
        }
        value[last].expect("the last node has been computed")
    }

    fn pointwise(
        &mut self,
        id: NodeId,
        x: TensorId,
        post: Post,
        scope: Scope,
        readable: bool,
    ) -> TensorId {
        let y = self.target(id, scope, readable);
        self.ops.push(Op::Pointwise { x, y, post });
        y
    }

    /// Layers without states.
    fn plain(
        &mut self,
        id: NodeId,
        x: TensorId,
        value: &[Option<TensorId>],
        readable: bool,
    ) -> TensorId {
        let node = &self.b.graph.nodes[id];
        let scope = self.b.program.desc(x).scope;
        match node.layer {
            Layer::Activation(act) => {
                let post = Post { act, ..Post::NONE };
                self.pointwise(id, x, post, scope, readable)
            }
            Layer::MaxPool(geo) => {
                let y = self.target(id, scope, readable);
                self.ops.push(Op::MaxPool { x, y, geo });
                y
            }
            Layer::AvgPool(geo) => {
                let y = self.target(id, scope, readable);
                self.ops.push(Op::AvgPool { x, y, geo });
                y
            }
            Layer::Add => {
                let other = value[node.inputs[1]].expect("nodes are in topological order");
                let scope = match (scope, self.b.program.desc(other).scope) {
                    (Scope::Shared, Scope::Shared) => Scope::Shared,
                    _ => Scope::PerChip,
                };
                let y = self.target(id, scope, readable);
                self.ops.push(Op::Add { a: x, b: other, y });
                y
            }
            Layer::Input | Layer::Conv { .. } | Layer::BatchNorm { .. } => {
                unreachable!("handled by the callers: these layers have states")
            }
            Layer::Multiply
            | Layer::Affine
            | Layer::Quantize { .. }
            | Layer::Softmax
            | Layer::Reshape
            | Layer::Concat
            | Layer::Rearrange { .. } => unreachable!("in no network of the zoo"),
        }
    }

    /// Forward pass on calibration images that normalises with each batch's own statistics and
    /// averages them per chip. Layers behind the last batch norm are not needed.
    fn measuring(&mut self, images: TensorId) {
        let graph = self.b.graph;
        let Some(stop) = graph
            .nodes
            .iter()
            .rposition(|n| matches!(n.layer, Layer::BatchNorm { .. }))
        else {
            return;
        };
        let mut value: Vec<Option<TensorId>> = vec![None; graph.nodes.len()];
        value[0] = Some(images);
        for id in 1..=stop {
            let node = &graph.nodes[id];
            let x = value[node.inputs[0]].expect("nodes are in topological order");
            value[id] = Some(match (&node.layer, self.layers[id]) {
                (
                    Layer::Conv { geo, .. },
                    Some(Prepared::Conv {
                        weight,
                        bias,
                        input,
                    }),
                ) => {
                    let x = self.quantized(x, input);
                    let y = self.b.map(id, Scope::PerChip);
                    let post = Post {
                        shift: bias,
                        ..Post::NONE
                    };
                    self.ops.push(Op::Conv2d {
                        x,
                        w: weight,
                        y,
                        geo: *geo,
                        post,
                    });
                    y
                }
                (
                    Layer::BatchNorm { .. },
                    Some(Prepared::Norm {
                        states,
                        eps,
                        measured: Some((run_mean, run_var)),
                        ..
                    }),
                ) => {
                    let c = Shape::Flat(node.shape.0);
                    let mut t = |what: &str| self.b.temp(what, c, Scope::PerChip);
                    let (mean, var) = (t("mean"), t("var"));
                    let (scale, shift) = (t("scale"), t("shift"));
                    self.ops.push(Op::BatchNormStats { x, mean, var });
                    for (state, value) in [(run_mean, mean), (run_var, var)] {
                        self.ops.push(Op::Lerp {
                            state,
                            value,
                            rate: Rate::Cumulative,
                            times: 1.0,
                        });
                    }
                    self.ops.push(Op::BatchNormFold {
                        mean,
                        var,
                        gamma: states.gamma,
                        beta: states.beta,
                        scale,
                        shift,
                        eps,
                    });
                    let post = Post {
                        scale: Some(scale),
                        shift: Some(shift),
                        ..Post::NONE
                    };
                    self.pointwise(id, x, post, Scope::PerChip, false)
                }
                _ => self.plain(id, x, &value, false),
            });
        }
    }
}
