//! A network as a directed acyclic graph of layers, before anything is quantized or noisy.

mod check;
mod heads;

use std::sync::Arc;

use crate::program::{Activation, ConvGeometry, PoolGeometry};

/// Rate of running batch norm statistics where nothing else is said.
pub const NORM_RATE: f32 = 0.1;

/// `1 - v` of the number as it is written: 0.9 is not 0.89999998 here.
fn rest(v: f32) -> f32 {
    let written: f64 = v.to_string().parse().unwrap_or(v.into());
    (1.0 - written) as f32
}

/// Share of the running statistics that a step of training keeps at `rate`.
pub fn momentum(rate: f32) -> f32 {
    rest(rate)
}

/// Rate of the running statistics at `momentum`.
pub fn norm_rate(momentum: f32) -> f32 {
    rest(momentum)
}

/// Index of a node in [`Graph::nodes`].
pub type NodeId = usize;

/// What a node computes from its inputs.
#[derive(Debug, Clone, PartialEq)]
pub enum Layer {
    /// The image.
    Input,
    /// Convolution or fully connected layer: the part that lives on crossbars.
    Conv {
        /// Geometry.
        geo: ConvGeometry,
        /// Digital bias after the crossbar.
        bias: bool,
    },
    /// Digital batch norm.
    BatchNorm {
        /// Added to the variance.
        eps: f32,
        /// Rate of the running statistics in training: 1 - momentum, as ONNX has it.
        rate: f32,
    },
    /// Element-wise non-linearity.
    Activation(Activation),
    /// Max pooling.
    MaxPool(PoolGeometry),
    /// Average pooling.
    AvgPool(PoolGeometry),
    /// Sum of two inputs of the same shape.
    Add,
    /// Product of two inputs of the same shape, or of a map and one value per channel.
    Multiply,
    /// `a[c] x + b[c]` with constants: states `NAME.scale` and `NAME.shift`. Digital.
    Affine,
    /// A fixed uniform quantizer `d clamp(round(x/d), lo, hi)`, ties to even: state `NAME.step`.
    Quantize {
        /// Lowest code.
        lo: i32,
        /// Highest code.
        hi: i32,
    },
    /// Softmax over the channels.
    Softmax,
    /// The same values in the same (`c, h, w`) order under another shape.
    Reshape,
    /// All inputs one behind the other in `c, h, w` order (for equal `h x w`: along the channels).
    Concat,
    /// Values taken from other places: see [`crate::program::Rearrange`].
    Rearrange {
        /// Source of every value of the output.
        table: Arc<[u32]>,
        /// Value where the table says [`crate::program::NO_SOURCE`].
        fill: f32,
    },
}

impl Layer {
    /// What users call it, in messages and listings.
    pub fn kind(&self) -> &'static str {
        match self {
            Layer::Input => "input",
            Layer::Conv { geo, .. } if geo.is_linear() => "linear",
            Layer::Conv { geo, .. } if geo.groups == geo.c_in && geo.groups > 1 => "depthwise conv",
            Layer::Conv { .. } => "conv",
            Layer::BatchNorm { .. } => "batch norm",
            Layer::Activation(act) => match act {
                Activation::Identity => "identity",
                Activation::Relu => "relu",
                Activation::Tanh => "tanh",
                Activation::LeakyRelu { .. } => "leaky relu",
                Activation::Clip { .. } => "clip",
                Activation::Sigmoid => "sigmoid",
                Activation::HardSigmoid { .. } => "hard sigmoid",
                Activation::HardSwish => "hard swish",
                Activation::Abs => "abs",
                Activation::Sign => "sign",
                Activation::Floor => "floor",
            },
            Layer::MaxPool(_) => "max pool",
            Layer::AvgPool(_) => "average pool",
            Layer::Add => "add",
            Layer::Multiply => "multiply",
            Layer::Affine => "affine",
            Layer::Quantize { .. } => "quantize",
            Layer::Softmax => "softmax",
            Layer::Reshape => "reshape",
            Layer::Concat => "concat",
            Layer::Rearrange { .. } => "rearrange",
        }
    }
}

/// One layer with its name, inputs and output shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Unique name; parameters are called `NAME.weight`, `NAME.bias`, ...
    pub name: String,
    /// The operation.
    pub layer: Layer,
    /// Nodes it reads.
    pub inputs: Vec<NodeId>,
    /// Output shape `(c, h, w)`.
    pub shape: (usize, usize, usize),
}

/// A network. Nodes are in topological order; the last is the output (logits). In training a network may have
/// heads, whose nodes stand behind that ([`Graph::output`]).
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// Name of the architecture.
    pub name: String,
    /// All nodes.
    pub nodes: Vec<Node>,
    /// Auxiliary outputs.
    heads: Option<heads::Heads>,
}

impl Graph {
    /// Starts a graph whose input is `c x h x w`.
    pub fn new(name: impl Into<String>, c: usize, h: usize, w: usize) -> Self {
        let input = Node {
            name: "input".into(),
            layer: Layer::Input,
            inputs: vec![],
            shape: (c, h, w),
        };
        Self {
            name: name.into(),
            nodes: vec![input],
            heads: None,
        }
    }

    /// Takes images `(c, h, w)` where the network takes the same values as `(h, w, c)`.
    pub fn take_channels_first(&mut self) {
        let (h, w, c) = self.nodes[0].shape;
        let source = |i: usize| {
            let (pixel, channel) = (i / c, i % c);
            (channel * h * w + pixel) as u32
        };
        let name = self.unused_name("channels_last");
        self.nodes[0].shape = (c, h, w);
        for node in &mut self.nodes {
            node.inputs.iter_mut().for_each(|input| *input += 1);
        }
        let turned = Node {
            name,
            layer: Layer::Rearrange {
                table: (0..c * h * w).map(source).collect(),
                fill: 0.0,
            },
            inputs: vec![0],
            shape: (h, w, c),
        };
        self.nodes.insert(1, turned);
    }

    /// Makes every value of the output a channel of its own: `(c h w, 1, 1)`.
    pub fn flatten_output(&mut self) {
        let last = self.last();
        let (c, h, w) = self.nodes[last].shape;
        if h * w == 1 {
            return;
        }
        let name = self.unused_name("outputs");
        self.push(name, Layer::Reshape, vec![last], (c * h * w, 1, 1));
    }

    /// The name, with underscores appended until no node has it.
    fn unused_name(&self, name: &str) -> String {
        let mut name = name.to_string();
        while self.nodes.iter().any(|n| n.name == name) {
            name.push('_');
        }
        name
    }

    /// The node added last.
    pub fn last(&self) -> NodeId {
        self.nodes.len() - 1
    }

    /// Number of classes: channels of the output.
    pub fn classes(&self) -> usize {
        self.nodes[self.output()].shape.0
    }

    /// Adds a node. The caller gives the output shape; [`Graph::check`] holds it against the layer.
    pub fn push(
        &mut self,
        name: impl Into<String>,
        layer: Layer,
        inputs: Vec<NodeId>,
        shape: (usize, usize, usize),
    ) -> NodeId {
        self.nodes.push(Node {
            name: name.into(),
            layer,
            inputs,
            shape,
        });
        self.last()
    }

    /// Square convolution with equal padding on all sides.
    #[allow(clippy::too_many_arguments)] // the seven numbers of a convolution, in textbook order
    pub fn conv(
        &mut self,
        name: impl Into<String>,
        x: NodeId,
        c_out: usize,
        kernel: usize,
        stride: usize,
        pad: usize,
        groups: usize,
        bias: bool,
    ) -> NodeId {
        let (c_in, h_in, w_in) = self.nodes[x].shape;
        let geo = ConvGeometry {
            c_in,
            h_in,
            w_in,
            c_out,
            kh: kernel,
            kw: kernel,
            stride: [stride; 2],
            dilation: [1; 2],
            pad: [pad; 4],
            groups,
        };
        let shape = (c_out, geo.h_out(), geo.w_out());
        self.push(name, Layer::Conv { geo, bias }, vec![x], shape)
    }

    /// Fully connected layer on the flattened map.
    pub fn linear(
        &mut self,
        name: impl Into<String>,
        x: NodeId,
        n_out: usize,
        bias: bool,
    ) -> NodeId {
        let (c, h, w) = self.nodes[x].shape;
        let geo = ConvGeometry::linear(c * h * w, n_out);
        self.push(name, Layer::Conv { geo, bias }, vec![x], (n_out, 1, 1))
    }

    /// Batch norm.
    pub fn batch_norm(&mut self, name: impl Into<String>, x: NodeId, eps: f32) -> NodeId {
        let shape = self.nodes[x].shape;
        let rate = NORM_RATE;
        self.push(name, Layer::BatchNorm { eps, rate }, vec![x], shape)
    }

    /// Non-linearity.
    pub fn activation(&mut self, name: impl Into<String>, x: NodeId, act: Activation) -> NodeId {
        let shape = self.nodes[x].shape;
        self.push(name, Layer::Activation(act), vec![x], shape)
    }

    /// Average (`max = false`) or max pooling.
    pub fn pool(
        &mut self,
        name: impl Into<String>,
        x: NodeId,
        geo: PoolGeometry,
        max: bool,
    ) -> NodeId {
        let (c, h, w) = self.nodes[x].shape;
        let (ho, wo) = geo.out(h, w);
        let layer = if max {
            Layer::MaxPool(geo)
        } else {
            Layer::AvgPool(geo)
        };
        self.push(name, layer, vec![x], (c, ho, wo))
    }

    /// Residual addition.
    pub fn add(&mut self, name: impl Into<String>, a: NodeId, b: NodeId) -> NodeId {
        let shape = self.nodes[a].shape;
        self.push(name, Layer::Add, vec![a, b], shape)
    }

    /// The crossbar layers in order: `(node, geometry, has bias)`. Position + 1 is the layer's
    /// address in the random number counter.
    pub fn crossbars(&self) -> Vec<(NodeId, ConvGeometry, bool)> {
        let mut all = vec![];
        for (id, node) in self.nodes.iter().enumerate() {
            if let Layer::Conv { geo, bias } = node.layer {
                all.push((id, geo, bias));
            }
        }
        all
    }

    /// Multiply-accumulates per image.
    pub fn macs(&self) -> usize {
        self.crossbars().iter().map(|(_, g, _)| g.macs()).sum()
    }

    /// Number of weights on crossbars.
    pub fn weights(&self) -> usize {
        self.crossbars().iter().map(|(_, g, _)| g.weights()).sum()
    }

    /// Whether every value of the node is known to be non-negative (behind a ReLU, possibly
    /// through pooling), so that an unsigned activation code suffices. `images` says whether the
    /// network's input is.
    pub fn is_non_negative(&self, node: NodeId, images: bool) -> bool {
        match &self.nodes[node].layer {
            Layer::Activation(Activation::Identity) => {
                self.is_non_negative(self.nodes[node].inputs[0], images)
            }
            Layer::Activation(act) => act.is_non_negative(),
            Layer::Quantize { lo, .. } => *lo >= 0,
            Layer::Softmax => true,
            Layer::Rearrange { fill, .. } if *fill < 0.0 => false,
            Layer::MaxPool(_)
            | Layer::AvgPool(_)
            | Layer::Add
            | Layer::Multiply
            | Layer::Reshape
            | Layer::Concat
            | Layer::Rearrange { .. } => self.nodes[node]
                .inputs
                .iter()
                .all(|&i| self.is_non_negative(i, images)),
            Layer::Input => images,
            Layer::Conv { .. } | Layer::BatchNorm { .. } | Layer::Affine => false,
        }
    }

    /// Whether the node is the input image.
    pub fn is_image(&self, node: NodeId) -> bool {
        self.nodes[node].layer == Layer::Input
    }

    /// Whether a node is a [`Layer::Reshape`] that costs nothing: all its readers take their inputs
    /// as a plain sequence of values.
    pub fn is_free_reshape(&self, node: NodeId) -> bool {
        let mut readers = self.nodes.iter().filter(|n| n.inputs.contains(&node));
        self.nodes[node].layer == Layer::Reshape
            && node != self.last()
            && readers.all(|n| {
                is_linear(&n.layer)
                    || matches!(
                        n.layer,
                        Layer::Reshape | Layer::Concat | Layer::Rearrange { .. }
                    )
            })
    }

    /// The same network without nodes that compute nothing: reshapes in front of fully connected
    /// layers, identities. Parameters keep their names.
    pub fn simplified(&self) -> Graph {
        let mut nodes: Vec<Node> = vec![];
        // New id of every old node; for a node that was left out, that of its source.
        let mut moved: Vec<NodeId> = vec![];
        for (id, node) in self.nodes.iter().enumerate() {
            let mut readers = self.nodes.iter().filter(|n| n.inputs.contains(&id));
            let flattens = node.layer == Layer::Reshape
                && id != self.last()
                && readers.all(|n| is_linear(&n.layer));
            let same = node
                .inputs
                .first()
                .is_some_and(|&i| self.nodes[i].shape == node.shape);
            let nothing = matches!(
                node.layer,
                Layer::Reshape | Layer::Activation(Activation::Identity)
            ) && same
                && (id != self.last() || node.inputs[0] + 1 == id);
            if flattens || nothing {
                moved.push(moved[node.inputs[0]]);
                continue;
            }
            let mut node = node.clone();
            for i in &mut node.inputs {
                *i = moved[*i];
            }
            moved.push(nodes.len());
            nodes.push(node);
        }
        let heads = self.heads.as_ref().map(|heads| heads.moved(&moved));
        Graph {
            name: self.name.clone(),
            nodes,
            heads,
        }
    }

    /// The same network without a softmax at its end: what training and sweeps work on, whose loss
    /// has its own. The most likely class stays the same.
    pub fn without_final_softmax(&self) -> Graph {
        let mut graph = self.clone();
        while graph.nodes.len() > 2
            && graph.nodes[graph.last()].layer == Layer::Softmax
            && graph.nodes[graph.last()].inputs[0] + 1 == graph.last()
        {
            graph.nodes.pop();
        }
        graph
    }

    /// How many nodes read each node.
    pub fn fan_out(&self) -> Vec<usize> {
        let mut n = vec![0; self.nodes.len()];
        for node in &self.nodes {
            for &i in &node.inputs {
                n[i] += 1;
            }
        }
        n
    }

    /// Whether each node is a batch norm or depends on one: where gradients of batch norms pass.
    pub fn behind_norms(&self) -> Vec<bool> {
        let mut behind = vec![false; self.nodes.len()];
        for (id, node) in self.nodes.iter().enumerate() {
            let norm = matches!(node.layer, Layer::BatchNorm { .. });
            behind[id] = norm || node.inputs.iter().any(|&i| behind[i]);
        }
        behind
    }

    /// The node that reads each node, where there is exactly one.
    pub fn only_readers(&self) -> Vec<Option<NodeId>> {
        let mut readers = vec![None; self.nodes.len()];
        let fan_out = self.fan_out();
        for (id, node) in self.nodes.iter().enumerate() {
            for &i in node.inputs.iter().filter(|&&i| fan_out[i] == 1) {
                readers[i] = Some(id);
            }
        }
        readers
    }
}

fn is_linear(layer: &Layer) -> bool {
    matches!(layer, Layer::Conv { geo, .. } if geo.is_linear())
}
