//! The forward pass of an inference program: element-wise layers are fused into the operator before
//! them ([`Walk::fused`]), or kept apart where batch norm is measured ([`Walk::measuring`] in `measured`).

use super::cells::{Maps, Product, Tap, Tapped, codes_of, read_layer};
use super::inference::inputs::{LayerInputs, copy};
use super::taps::tap_layer;
use super::*;
use crate::chip::layer::CellLayer;
use crate::network::graph::Layer;

/// What a node needs at evaluation.
#[derive(Debug, Clone, Copy)]
pub(super) enum Prepared {
    Conv {
        /// Position among the layers on arrays, if it is one.
        at: Option<usize>,
        product: Product,
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
    Affine {
        scale: TensorId,
        shift: TensorId,
    },
    Quantize(ActQuant),
}

impl Prepared {
    /// Factor and offset per channel of a batch norm or an affine map.
    fn affine(self) -> Option<(TensorId, TensorId)> {
        match self {
            Prepared::Norm { scale, shift, .. } | Prepared::Affine { scale, shift } => {
                Some((scale, shift))
            }
            _ => None,
        }
    }
}

/// Whether an epilogue ([`Post`]) can hold the layer.
fn is_elementwise(layer: &Layer) -> bool {
    matches!(
        layer,
        Layer::BatchNorm { .. }
            | Layer::Affine
            | Layer::Add
            | Layer::Activation(_)
            | Layer::Quantize { .. }
    )
}

/// Where the values of the nodes are while a program is written.
struct Values {
    of: Vec<Option<TensorId>>,
    /// Inputs of crossbar layers that their producer has already quantized.
    quantized: Vec<bool>,
    /// The node that reads each node, where there is exactly one.
    only_reader: Vec<Option<NodeId>>,
}

impl Values {
    fn new(graph: &Graph) -> Self {
        Self {
            of: vec![None; graph.nodes.len()],
            quantized: vec![false; graph.nodes.len()],
            only_reader: graph.only_readers(),
        }
    }

    fn get(&self, node: NodeId) -> TensorId {
        self.of[node].expect("nodes are in topological order")
    }

    fn consumer(&self, node: NodeId) -> Option<NodeId> {
        self.only_reader[node]
    }
}

/// Emits the operators of a forward pass.
pub(super) struct Walk<'b, 'a> {
    pub(super) b: &'b mut Builder<'a>,
    pub(super) layers: &'b [Option<Prepared>],
    /// Layers on arrays, in order.
    cells: &'b [CellLayer],
    pub(super) ops: Vec<Op>,
    /// Clipped conversions are counted.
    pub(super) clips: Option<Clips>,
    /// Partial sums are counted.
    pub(super) taps: Option<Taps<'b>>,
    /// Inputs of crossbar layers are kept.
    pub(super) inputs: Option<Vec<LayerInputs>>,
}

/// Partial sums to count, and the counts.
pub(super) struct Taps<'b> {
    /// By layer on arrays.
    pub kinds: &'b [Tap],
    /// Read planes by layer on arrays, and the variances of their read noise.
    pub planes: Vec<(TensorId, Option<TensorId>)>,
    pub found: Vec<Tapped>,
}

/// Counts of clipped conversions by layer on arrays.
#[derive(Default)]
pub(super) struct Clips {
    /// Position of the layer, counts per column and chip.
    pub counts: Vec<(usize, TensorId)>,
}

impl<'b, 'a> Walk<'b, 'a> {
    pub(super) fn new(
        b: &'b mut Builder<'a>,
        layers: &'b [Option<Prepared>],
        cells: &'b [CellLayer],
    ) -> Self {
        Self {
            b,
            layers,
            cells,
            ops: vec![],
            clips: None,
            taps: None,
            inputs: None,
        }
    }

    /// The product of a crossbar layer with the quantized map `x`.
    pub(super) fn product(
        &mut self,
        (at, product, input): (Option<usize>, Product, InputQuantizer),
        x: TensorId,
        y: TensorId,
        geo: ConvGeometry,
        post: Post,
    ) {
        let x_step = match input {
            InputQuantizer::Uniform(quant) => Some(quant.scale),
            _ => None,
        };
        if let (Some(taps), Some(x_step), Some(at)) = (&mut self.taps, x_step, at) {
            let found = tap_layer(
                self.b,
                &mut self.ops,
                (at, taps.kinds[at]),
                taps.planes[at],
                &self.cells[at].reading,
                (x, x_step),
                geo,
            );
            taps.found.extend(found);
        }
        let mut counted = None;
        if let (Some(_), Product::Arrays(t)) = (&self.clips, product)
            && t.adc.is_some()
        {
            let shape = self.b.program.desc(y).shape;
            counted = Some((t.at, self.b.temp("clipped", shape, Scope::PerChip)));
        }
        let maps = Maps {
            x,
            x_step,
            y,
            clipped: counted.map(|(_, t)| t),
            slope: None,
            codes: codes_of(&self.ops, x),
        };
        self.ops.push(read_layer(
            product,
            |at| &self.cells[at].reading,
            maps,
            geo,
            post,
        ));
        if let (Some((index, map)), Some(clips)) = (counted, &mut self.clips) {
            let columns = Shape::Flat(geo.c_out);
            let value = self.b.temp("clips", columns, Scope::PerChip);
            let name = format!("clips of layer {index}");
            let state = self
                .b
                .program
                .tensor(name, columns, Scope::PerChip, Role::State);
            self.ops.push(Op::from(ChannelSum { x: map, y: value }));
            self.ops.push(Op::from(Lerp {
                state,
                value,
                rate: Rate::Sum,
                times: 1.0,
            }));
            clips.counts.push((index, state));
        }
    }

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
    pub(super) fn quantized(&mut self, x: TensorId, input: InputQuantizer) -> TensorId {
        let desc = self.b.program.desc(x).clone();
        match input {
            InputQuantizer::None => x,
            InputQuantizer::Binary(group) => {
                let y = self.b.temp("binary", desc.shape, desc.scope);
                self.ops.push(Op::from(BinarizeAct { x, y, group }));
                y
            }
            InputQuantizer::Uniform(quant) => {
                let y = self.b.temp("code", desc.shape, desc.scope);
                self.ops.push(Op::from(QuantizeAct { x, y, quant }));
                y
            }
        }
    }

    /// Copies what a crossbar layer sees, where that is asked for.
    fn keep_inputs(
        &mut self,
        name: &str,
        (raw, quantized): (TensorId, TensorId),
        input: InputQuantizer,
    ) {
        let Some(mut inputs) = self.inputs.take() else {
            return;
        };
        let mut kept = |what: &str, x| copy(self.b, &mut self.ops, format!("{name}.{what}"), x);
        inputs.push(LayerInputs {
            raw: kept("raw", raw),
            quantized: kept("inputs", quantized),
            step: match input {
                InputQuantizer::Uniform(quant) => Some(quant.scale),
                InputQuantizer::None | InputQuantizer::Binary(_) => None,
            },
        });
        self.inputs = Some(inputs);
    }

    /// Forward pass with affine maps, residual, activation and quantizer fused into the operator
    /// before them wherever nobody else reads the value in between. Returns the logits.
    pub(super) fn fused(&mut self, images: TensorId, keep_logits: bool) -> TensorId {
        let graph = self.b.graph;
        let last = graph.last();
        let mut values = Values::new(graph);
        values.of[0] = Some(images);
        for id in 1..graph.nodes.len() {
            if values.of[id].is_some() {
                continue; // fused into an earlier node
            }
            let node = &graph.nodes[id];
            let x = values.get(node.inputs[0]);
            let (start, mut post, mut scope) = match (&node.layer, self.layers[id]) {
                (Layer::Conv { .. }, Some(Prepared::Conv { bias, .. })) => {
                    let post = Post {
                        shift: bias,
                        ..Post::NONE
                    };
                    (Some(id), post, Scope::PerChip)
                }
                _ if is_elementwise(&node.layer) => {
                    (None, Post::NONE, self.b.program.desc(x).scope)
                }
                _ => {
                    let y = self.plain(id, &values.of, keep_logits && id == last);
                    values.of[id] = Some(y);
                    continue;
                }
            };
            let end = self.tail(start, id, &mut post, &mut scope, &mut values);
            let readable = keep_logits && end == last;
            let y = match (&node.layer, self.layers[id]) {
                (
                    Layer::Conv { geo, .. },
                    Some(Prepared::Conv {
                        at, product, input, ..
                    }),
                ) => {
                    let raw = x;
                    let x = if values.quantized[node.inputs[0]] {
                        x
                    } else {
                        self.quantized(x, input)
                    };
                    self.keep_inputs(&node.name, (raw, x), input);
                    let y = self.target(end, scope, readable);
                    self.product((at, product, input), x, y, *geo, post);
                    y
                }
                _ => self.pointwise(end, x, post, scope, readable),
            };
            // Everything from the node to `end` is now this tensor.
            let mut n = id;
            while n != end {
                values.of[n] = Some(y);
                n = values.consumer(n).expect("fused along single consumers");
            }
            values.of[end] = Some(y);
        }
        values.get(last)
    }

    /// Takes element-wise nodes into `post` as far as its order of operations allows: from the only
    /// consumer of `done`, or from `first` itself when nothing is done yet. Returns the last node
    /// taken.
    fn tail(
        &self,
        done: Option<NodeId>,
        first: NodeId,
        post: &mut Post,
        scope: &mut Scope,
        values: &mut Values,
    ) -> NodeId {
        let graph = self.b.graph;
        let mut end = done.unwrap_or(first);
        let mut next = match done {
            Some(node) => values.consumer(node),
            None => Some(first),
        };
        while let Some(id) = next {
            let before_activation = post.act == Activation::Identity && post.quant.is_none();
            match (&graph.nodes[id].layer, self.layers[id]) {
                (Layer::BatchNorm { .. } | Layer::Affine, Some(p)) if post.is_none() => {
                    let Some((scale, shift)) = p.affine() else {
                        break;
                    };
                    post.scale = Some(scale);
                    post.shift = Some(shift);
                    if self.b.program.desc(scale).scope == Scope::PerChip {
                        *scope = Scope::PerChip;
                    }
                }
                (Layer::Add, _) if post.residual.is_none() && before_activation => {
                    // A node that begins with its own sum adds its second input to its first.
                    let inputs = &graph.nodes[id].inputs;
                    let other = if id == first || inputs[0] == end {
                        inputs[1]
                    } else {
                        inputs[0]
                    };
                    let Some(residual) = values.of[other] else {
                        break;
                    };
                    if values.quantized[other] {
                        break;
                    }
                    post.residual = Some(residual);
                    if self.b.program.desc(residual).scope == Scope::PerChip {
                        *scope = Scope::PerChip;
                    }
                }
                (Layer::Activation(act), _) if before_activation => post.act = *act,
                (Layer::Quantize { .. }, Some(Prepared::Quantize(quant)))
                    if post.quant.is_none() =>
                {
                    post.quant = Some(quant);
                }
                (Layer::Conv { .. }, Some(Prepared::Conv { input, .. })) if id != first => {
                    // Inputs that are looked at are kept as they were before the quantizer, too.
                    if let (InputQuantizer::Uniform(quant), None, None) =
                        (input, post.quant, &self.inputs)
                    {
                        post.quant = Some(quant);
                        values.quantized[end] = true;
                    }
                    break;
                }
                _ => break,
            }
            end = id;
            next = values.consumer(id);
        }
        end
    }

    pub(super) fn pointwise(
        &mut self,
        id: NodeId,
        x: TensorId,
        post: Post,
        scope: Scope,
        readable: bool,
    ) -> TensorId {
        let y = self.target(id, scope, readable);
        self.ops.push(Op::from(Pointwise { x, y, post }));
        y
    }

    /// A layer by itself, with an operator of its own.
    pub(super) fn plain(
        &mut self,
        id: NodeId,
        values: &[Option<TensorId>],
        readable: bool,
    ) -> TensorId {
        let node = &self.b.graph.nodes[id];
        let value = |i: usize| values[node.inputs[i]].expect("nodes are in topological order");
        let x = value(0);
        let per_chip =
            (0..node.inputs.len()).any(|i| self.b.program.desc(value(i)).scope == Scope::PerChip);
        let scope = match per_chip {
            true => Scope::PerChip,
            false => Scope::Shared,
        };
        let mut post = Post::NONE;
        let op = match (&node.layer, self.layers[id]) {
            (
                Layer::BatchNorm { .. } | Layer::Affine,
                Some(Prepared::Norm { scale, shift, .. } | Prepared::Affine { scale, shift }),
            ) => {
                post.scale = Some(scale);
                post.shift = Some(shift);
                let scope = match self.b.program.desc(scale).scope {
                    Scope::PerChip => Scope::PerChip,
                    Scope::Shared => scope,
                };
                return self.pointwise(id, x, post, scope, readable);
            }
            (Layer::Activation(act), _) => {
                post.act = *act;
                return self.pointwise(id, x, post, scope, readable);
            }
            (Layer::Quantize { .. }, Some(Prepared::Quantize(quant))) => {
                post.quant = Some(quant);
                return self.pointwise(id, x, post, scope, readable);
            }
            (Layer::Reshape, _) if !readable && self.b.graph.is_free_reshape(id) => return x,
            (layer, _) => layer,
        };
        let y = self.target(id, scope, readable);
        match op {
            Layer::MaxPool(geo) => self.ops.push(Op::from(MaxPool { x, y, geo: *geo })),
            Layer::AvgPool(geo) => self.ops.push(Op::from(AvgPool { x, y, geo: *geo })),
            Layer::Add | Layer::Multiply => {
                let (a, b) = (x, value(1));
                self.ops.push(match op {
                    Layer::Add => Op::from(Add { a, b, y }),
                    _ => Op::from(Multiply { a, b, y }),
                });
            }
            Layer::Softmax => self.ops.push(Op::from(Softmax { x, y })),
            Layer::Rearrange { table, fill } => self.ops.push(Op::from(Rearrange {
                x,
                y,
                first: 0,
                table: table.clone(),
                fill: *fill,
            })),
            Layer::Reshape | Layer::Concat => {
                let mut first = 0;
                for i in 0..node.inputs.len() {
                    let x = value(i);
                    let n = self.b.program.desc(x).shape.len();
                    self.ops.push(Op::from(Rearrange {
                        x,
                        y,
                        first,
                        table: (0..n as u32).collect(),
                        fill: 0.0,
                    }));
                    first += n;
                }
            }
            _ => unreachable!("handled by the callers: these layers have states"),
        }
        y
    }
}
