//! Graphs as ONNX models of operator set 17.
//!
//! Maps have four dimensions `(N, c, h, w)`; behind a fully connected layer they have two, until an
//! operator needs four again. Names of nodes are those of the graph; what is added around them is
//! `NODE/what`, which no node of a graph is called.

use prost::Message;

use super::proto::{
    DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use super::write::{Attribute, floats, ints, node};
use crate::error::{Error, Result};
use crate::network::file::Loaded;
use crate::network::graph::{Layer, Node, NodeId, momentum};
use crate::network::state::Part;
use crate::program::{Activation, ConvGeometry, NO_SOURCE, PoolGeometry, Rounding};

/// The operator set that is written.
const OPSET: i64 = 17;

/// Along the dimension after the batch.
const CHANNELS: [(&str, Attribute); 1] = [("axis", Attribute::Int(1))];

/// The bytes of an ONNX model that computes what the network computes, with its quantizers.
///
/// # Errors
/// A parameter that is missing or has another size.
pub fn export(network: &Loaded) -> Result<Vec<u8>> {
    let mut w = Writer {
        network,
        nodes: vec![],
        constants: vec![],
        values: vec![],
        flattened: vec![None; network.graph.nodes.len()],
        shaped: vec![None; network.graph.nodes.len()],
    };
    for id in 0..network.graph.nodes.len() {
        let value = w.layer(id)?;
        w.values.push(value);
    }
    let last = network.graph.last();
    let (c, h, wide) = network.graph.nodes[last].shape;
    let (output, dims) = if h * wide == 1 {
        (w.flat(last), vec![c])
    } else {
        (w.map(last), vec![c, h, wide])
    };
    let (c, h, wide) = network.graph.nodes[0].shape;
    let model = ModelProto {
        ir_version: 8,
        producer_name: "pimento".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: OPSET,
        }],
        graph: Some(GraphProto {
            node: w.nodes,
            name: network.graph.name.clone(),
            initializer: w.constants,
            input: vec![described("input", &[c, h, wide])],
            output: vec![described(&output, &dims)],
            sparse_initializer: vec![],
        }),
    };
    Ok(model.encode_to_vec())
}

/// Name and type of an input or output of the model, whose first dimension is the batch.
fn described(name: &str, dims: &[usize]) -> ValueInfoProto {
    let batch = DimensionProto {
        dim_value: None,
        dim_param: Some("N".into()),
    };
    let fixed = |&d: &usize| DimensionProto {
        dim_value: Some(d as i64),
        dim_param: None,
    };
    let dim = std::iter::once(batch)
        .chain(dims.iter().map(fixed))
        .collect();
    let shape = Some(TensorShapeProto { dim });
    ValueInfoProto {
        name: name.into(),
        kind: Some(TypeProto {
            tensor_type: Some(TensorTypeProto {
                elem_type: 1,
                shape,
            }),
        }),
    }
}

/// A value of the model: its name, and whether it has two dimensions.
#[derive(Debug, Clone)]
struct Written {
    name: String,
    flat: bool,
}

/// A model being written.
pub(super) struct Writer<'a> {
    pub network: &'a Loaded,
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
    values: Vec<Written>,
    /// Copies of values with two and with four dimensions.
    flattened: Vec<Option<String>>,
    shaped: Vec<Option<String>>,
}

impl Writer<'_> {
    /// Adds an operator whose output is called `output`.
    pub fn op(
        &mut self,
        kind: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[(&str, Attribute)],
    ) -> String {
        self.nodes.push(node(kind, inputs, output, attributes));
        output.to_string()
    }

    /// Adds a constant.
    pub fn constant(&mut self, tensor: TensorProto) -> String {
        let name = tensor.name.clone();
        self.constants.push(tensor);
        name
    }

    /// A parameter of a node.
    pub fn parameter(&self, name: &str, part: Part, len: usize) -> Result<&[f32]> {
        let full = part.of(name);
        match self.network.parameters.tensors.get(&full) {
            Some(t) if t.data.len() == len => Ok(&t.data),
            Some(t) => Err(Error::input(format!(
                "parameter `{full}` has {} values; the network needs {len}",
                t.data.len()
            ))),
            None => Err(Error::input(format!("parameter `{full}` is missing"))),
        }
    }

    /// A node's value with two dimensions.
    pub fn flat(&mut self, id: NodeId) -> String {
        if self.values[id].flat {
            return self.values[id].name.clone();
        }
        if let Some(name) = &self.flattened[id] {
            return name.clone();
        }
        let source = self.values[id].name.clone();
        let to = format!("{}/flat", self.network.graph.nodes[id].name);
        let name = self.op("Flatten", &[&source], &to, &CHANNELS);
        self.flattened[id] = Some(name.clone());
        name
    }

    /// A node's value with four dimensions.
    pub fn map(&mut self, id: NodeId) -> String {
        if !self.values[id].flat {
            return self.values[id].name.clone();
        }
        if let Some(name) = &self.shaped[id] {
            return name.clone();
        }
        let source = self.values[id].name.clone();
        let node = &self.network.graph.nodes[id];
        let to = format!("{}/map", node.name);
        let name = self.reshape(&source, node.shape, &to);
        self.shaped[id] = Some(name.clone());
        name
    }

    fn reshape(&mut self, source: &str, shape: (usize, usize, usize), to: &str) -> String {
        let (c, h, w) = shape;
        // The 0 keeps the batch.
        let dims = [0, c as i64, h as i64, w as i64];
        let dims = self.constant(ints(&format!("{to}/shape"), &[4], &dims));
        self.op("Reshape", &[source, &dims], to, &[])
    }

    /// The inputs of a node, all with two dimensions if they all have them, else all with four.
    fn alike(&mut self, inputs: &[NodeId]) -> (Vec<String>, bool) {
        let flat = inputs.iter().all(|&i| self.values[i].flat);
        let names = inputs
            .iter()
            .map(|&i| if flat { self.flat(i) } else { self.map(i) })
            .collect();
        (names, flat)
    }

    fn layer(&mut self, id: NodeId) -> Result<Written> {
        let node: &Node = &self.network.graph.nodes[id];
        match &node.layer {
            Layer::Input => Ok(Written {
                name: "input".into(),
                flat: false,
            }),
            Layer::Conv { geo, bias } => self.crossbar(node, geo, *bias),
            Layer::BatchNorm { eps, rate } => self.batch_norm(node, *eps, *rate),
            Layer::Activation(act) => self.activation(node, *act),
            Layer::MaxPool(geo) => self.pool(node, geo, "MaxPool"),
            Layer::AvgPool(geo) => self.pool(node, geo, "AveragePool"),
            Layer::Add => Ok(self.simple(node, "Add", &[])),
            Layer::Multiply => Ok(self.simple(node, "Mul", &[])),
            Layer::Softmax => Ok(self.simple(node, "Softmax", &CHANNELS)),
            Layer::Affine => self.affine(node),
            Layer::Quantize { lo, hi } => self.quantize(node, *lo, *hi),
            Layer::Reshape => {
                let source = self.flat(node.inputs[0]);
                Ok(self.unflattened(&source, node))
            }
            Layer::Concat => Ok(self.concat(node)),
            Layer::Rearrange { table, fill } => Ok(self.rearrange(node, table, *fill)),
        }
    }

    /// An operator on the inputs as they are.
    fn simple(&mut self, node: &Node, kind: &str, attributes: &[(&str, Attribute)]) -> Written {
        let (inputs, flat) = self.alike(&node.inputs);
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let name = self.op(kind, &inputs, &node.name, attributes);
        Written { name, flat }
    }

    fn batch_norm(&mut self, node: &Node, eps: f32, rate: f32) -> Result<Written> {
        let (name, c) = (node.name.as_str(), node.shape.0);
        let (mut inputs, flat) = self.alike(&node.inputs);
        for part in Part::NORM {
            let values = self.parameter(name, part, c)?.to_vec();
            inputs.push(self.constant(floats(&part.of(name), &[c], &values)));
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let attributes = [
            ("epsilon", Attribute::Float(eps)),
            ("momentum", Attribute::Float(momentum(rate))),
        ];
        let name = self.op("BatchNormalization", &inputs, name, &attributes);
        Ok(Written { name, flat })
    }

    fn quantize(&mut self, node: &Node, lo: i32, hi: i32) -> Result<Written> {
        let name = node.name.as_str();
        let step = self.parameter(name, Part::Step, 1)?[0];
        let (inputs, flat) = self.alike(&node.inputs);
        let name = self.quantizer(&inputs[0], name, name, step, (lo, hi), Rounding::Nearest);
        Ok(Written { name, flat })
    }

    fn concat(&mut self, node: &Node) -> Written {
        let (_, h, w) = node.shape;
        let mut shapes = node
            .inputs
            .iter()
            .map(|&i| self.network.graph.nodes[i].shape);
        if shapes.all(|(_, height, width)| (height, width) == (h, w)) {
            return self.simple(node, "Concat", &CHANNELS);
        }
        let parts: Vec<String> = node.inputs.iter().map(|&i| self.flat(i)).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let joined = self.op(
            "Concat",
            &parts,
            &format!("{}/joined", node.name),
            &CHANNELS,
        );
        self.unflattened(&joined, node)
    }

    fn rearrange(&mut self, node: &Node, table: &[u32], fill: f32) -> Written {
        let name = node.name.as_str();
        let mut source = self.flat(node.inputs[0]);
        let (c, h, w) = self.network.graph.nodes[node.inputs[0]].shape;
        let beyond = (c * h * w) as i64;
        if table.contains(&NO_SOURCE) {
            // One more value after all others, to be picked where there is no source.
            let pads = self.constant(ints(&format!("{name}/pads"), &[4], &[0, 0, 0, 1]));
            let fill = self.constant(floats(&format!("{name}/fill"), &[], &[fill]));
            source = self.op("Pad", &[&source, &pads, &fill], &format!("{name}/pad"), &[]);
        }
        let of = |&t: &u32| if t == NO_SOURCE { beyond } else { i64::from(t) };
        let indices: Vec<i64> = table.iter().map(of).collect();
        let tensor = ints(&format!("{name}/table"), &[indices.len()], &indices);
        let indices = self.constant(tensor);
        let (_, h, w) = node.shape;
        let flat = h * w == 1;
        let to = match flat {
            true => name.to_string(),
            false => format!("{name}/picked"),
        };
        let picked = self.op("Gather", &[&source, &indices], &to, &CHANNELS);
        let name = match flat {
            true => picked,
            false => self.reshape(&picked, node.shape, name),
        };
        Written { name, flat }
    }

    /// A value of two dimensions as the node's.
    fn unflattened(&mut self, source: &str, node: &Node) -> Written {
        let (_, h, w) = node.shape;
        let flat = h * w == 1;
        let name = match flat {
            true => self.op("Identity", &[source], &node.name, &[]),
            false => self.reshape(source, node.shape, &node.name),
        };
        Written { name, flat }
    }

    fn crossbar(&mut self, node: &Node, geo: &ConvGeometry, bias: bool) -> Result<Written> {
        let name = node.name.as_str();
        let source = node.inputs[0];
        let gemm = geo.is_linear() && geo.groups == 1;
        let input = match self.input_quantizer(node, geo)? {
            Some(quantized) if gemm => self.op(
                "Flatten",
                &[&quantized],
                &format!("{name}/values"),
                &CHANNELS,
            ),
            Some(quantized) => quantized,
            None if gemm => self.flat(source),
            None => self.map(source),
        };
        let mut inputs = vec![input, self.weight(node, geo, gemm)?];
        if bias {
            let values = self.parameter(name, Part::Bias, geo.c_out)?.to_vec();
            let tensor = floats(&Part::Bias.of(name), &[geo.c_out], &values);
            inputs.push(self.constant(tensor));
        }
        if gemm {
            let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
            let name = self.op("Gemm", &inputs, name, &[("transB", Attribute::Int(1))]);
            return Ok(Written { name, flat: true });
        }
        if self.network.graph.nodes[source].shape != (geo.c_in, geo.h_in, geo.w_in) {
            let shape = (geo.c_in, geo.h_in, geo.w_in);
            inputs[0] = self.reshape(&inputs[0].clone(), shape, &format!("{name}/in"));
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let attributes = [
            ("kernel_shape", wide(&[geo.kh, geo.kw])),
            ("strides", wide(&geo.stride)),
            ("pads", wide(&geo.pad)),
            ("dilations", wide(&geo.dilation)),
            ("group", Attribute::Int(geo.groups as i64)),
        ];
        let name = self.op("Conv", &inputs, name, &attributes);
        Ok(Written { name, flat: false })
    }

    fn pool(&mut self, node: &Node, geo: &PoolGeometry, kind: &str) -> Result<Written> {
        let input = self.map(node.inputs[0]);
        let attributes = [
            ("kernel_shape", wide(&[geo.kh, geo.kw])),
            ("strides", wide(&geo.stride)),
            ("pads", wide(&geo.pad)),
        ];
        let name = self.op(kind, &[&input], &node.name, &attributes);
        Ok(Written { name, flat: false })
    }

    fn activation(&mut self, node: &Node, act: Activation) -> Result<Written> {
        let (inputs, flat) = self.alike(&node.inputs);
        let x = inputs[0].as_str();
        let name = node.name.as_str();
        let mut plain =
            |kind: &str, attributes: &[(&str, Attribute)]| self.op(kind, &[x], name, attributes);
        let name = match act {
            Activation::Identity => plain("Identity", &[]),
            Activation::Relu => plain("Relu", &[]),
            Activation::Tanh => plain("Tanh", &[]),
            Activation::Sigmoid => plain("Sigmoid", &[]),
            Activation::HardSwish => plain("HardSwish", &[]),
            Activation::Abs => plain("Abs", &[]),
            Activation::Sign => plain("Sign", &[]),
            Activation::Floor => plain("Floor", &[]),
            Activation::LeakyRelu { slope } => {
                plain("LeakyRelu", &[("alpha", Attribute::Float(slope))])
            }
            Activation::HardSigmoid { slope, offset } => plain(
                "HardSigmoid",
                &[
                    ("alpha", Attribute::Float(slope)),
                    ("beta", Attribute::Float(offset)),
                ],
            ),
            Activation::Clip { lo, hi } => self.clip(x, name, lo, hi),
        };
        Ok(Written { name, flat })
    }

    /// Limits; infinite ones are left out.
    pub fn clip(&mut self, x: &str, to: &str, lo: f32, hi: f32) -> String {
        let mut limit = |part: &str, v: f32| match v.is_finite() {
            true => self.constant(floats(&format!("{to}/{part}"), &[], &[v])),
            false => String::new(),
        };
        let (lo, hi) = (limit("min", lo), limit("max", hi));
        self.op("Clip", &[x, &lo, &hi], to, &[])
    }

    fn affine(&mut self, node: &Node) -> Result<Written> {
        let name = node.name.as_str();
        let (inputs, flat) = self.alike(&node.inputs);
        let c = node.shape.0;
        let scale = self.parameter(name, Part::Scale, c)?.to_vec();
        let shift = self.parameter(name, Part::Shift, c)?.to_vec();
        let dims: &[usize] = if flat { &[1, c] } else { &[1, c, 1, 1] };
        let scale = self.constant(floats(&Part::Scale.of(name), dims, &scale));
        let shift = self.constant(floats(&Part::Shift.of(name), dims, &shift));
        let scaled = self.op("Mul", &[&inputs[0], &scale], &format!("{name}/scaled"), &[]);
        let name = self.op("Add", &[&scaled, &shift], name, &[]);
        Ok(Written { name, flat })
    }
}

fn wide(sizes: &[usize]) -> Attribute {
    Attribute::Ints(sizes.iter().map(|&i| i as i64).collect())
}
