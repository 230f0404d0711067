//! A network as a directed acyclic graph of layers, before anything is quantized or noisy.

use crate::backend::program::{Activation, ConvGeometry, PoolGeometry};

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
    },
    /// Element-wise non-linearity.
    Activation(Activation),
    /// Max pooling.
    MaxPool(PoolGeometry),
    /// Average pooling.
    AvgPool(PoolGeometry),
    /// Sum of two inputs.
    Add,
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

/// A network. Nodes are in topological order; the last is the output (logits).
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// Name of the architecture.
    pub name: String,
    /// All nodes.
    pub nodes: Vec<Node>,
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
        }
    }

    /// The node added last.
    pub fn last(&self) -> NodeId {
        self.nodes.len() - 1
    }

    /// Number of classes: channels of the output.
    pub fn classes(&self) -> usize {
        self.nodes[self.last()].shape.0
    }

    fn push(
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
            stride,
            dilation: 1,
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
        self.push(name, Layer::BatchNorm { eps }, vec![x], shape)
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
        let conv = |(i, n): (NodeId, &Node)| match n.layer {
            Layer::Conv { geo, bias } => Some((i, geo, bias)),
            _ => None,
        };
        self.nodes.iter().enumerate().filter_map(conv).collect()
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
    /// through pooling), so that an unsigned activation code suffices.
    pub fn is_non_negative(&self, node: NodeId) -> bool {
        match &self.nodes[node].layer {
            Layer::Activation(Activation::Relu) => true,
            Layer::MaxPool(_) | Layer::AvgPool(_) => {
                self.is_non_negative(self.nodes[node].inputs[0])
            }
            Layer::Add => self.nodes[node]
                .inputs
                .iter()
                .all(|&i| self.is_non_negative(i)),
            _ => false,
        }
    }

    /// Whether the node is the input image.
    pub fn is_image(&self, node: NodeId) -> bool {
        self.nodes[node].layer == Layer::Input
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
}
