//! Networks described in JSON: an ordered list of operations with the names of their tensors, which
//! are in a safetensors file. docs/networks.md is the description for people.
//!
//! A file of that kind comes from outside (with the names that PyTorch gives to tensors), or from
//! here: the metadata of every network that is written holds the description of itself.

use crate::network::state::Part;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::file::Loaded;
use super::graph::{Graph, Layer, NORM_RATE, NodeId, norm_rate};
use super::lower::{ActStep, Numerics};
use super::parameters::{Parameters, Tensor};
use crate::error::{Error, Result};
use crate::program::{
    Activation, BinaryGroup, ConvGeometry, NO_SOURCE, PoolGeometry, Rounding, StraightThrough,
};

mod op;

use op::{Kind, Op};

/// Largest size of anything in a description.
const LARGEST: usize = 1 << 24;

/// A description.
#[derive(Debug, Serialize, Deserialize)]
pub struct Description {
    name: String,
    input: Input,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quantizers: Option<Quantizers>,
    /// Tensors that are one in the model that the network comes from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tied: Vec<Vec<String>>,
    layers: Vec<Op>,
}

/// The images.
#[derive(Debug, Serialize, Deserialize)]
struct Input {
    name: String,
    /// `[N, c, h, w]`; N is text or a number, and is not looked at.
    shape: (serde_json::Value, usize, usize, usize),
}

/// Number formats of a network that was trained here, as in the experiment file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Quantizers {
    weight_bits: u32,
    per_channel: bool,
    /// Came later, so it may be missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    binary_per_input: bool,
    activation_bits: u32,
    floor: bool,
    signed: bool,
    linear_inputs: bool,
    input_bits: u32,
    /// Came later; images had signed codes before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unsigned_images: bool,
    binary_per_image: bool,
}

impl Quantizers {
    fn of(n: &Numerics) -> Option<Self> {
        (n.weight_bits > 0 || n.act_bits > 0 || n.input_bits > 0).then_some(Self {
            weight_bits: n.weight_bits,
            per_channel: n.per_channel,
            binary_per_input: n.binary_per_input,
            activation_bits: n.act_bits,
            floor: n.act_rounding == Rounding::Floor,
            signed: n.act_signed,
            linear_inputs: n.linear_inputs,
            input_bits: n.input_bits,
            unsigned_images: !n.signed_images,
            binary_per_image: n.binary_group == BinaryGroup::Image,
        })
    }

    fn numerics(&self) -> Numerics {
        Numerics {
            weight_bits: self.weight_bits,
            weight_step: None,
            weight_step_learned: false,
            per_channel: self.per_channel,
            binary_per_input: self.binary_per_input,
            act_bits: self.activation_bits,
            act_step: ActStep::Fixed,
            act_rounding: if self.floor {
                Rounding::Floor
            } else {
                Rounding::Nearest
            },
            act_signed: self.signed,
            straight_through: StraightThrough::Clip,
            linear_inputs: self.linear_inputs,
            input_bits: self.input_bits,
            signed_images: !self.unsigned_images,
            binary_group: if self.binary_per_image {
                BinaryGroup::Image
            } else {
                BinaryGroup::Channel
            },
        }
    }
}

/// The description of a network whose tensors are called as [`super::parameters`] calls them; `tied`
/// as in [`Loaded`].
pub fn describe(graph: &Graph, numerics: &Numerics, tied: &[Vec<String>]) -> Description {
    let (c, h, w) = graph.nodes[0].shape;
    let layers = graph.nodes[1..]
        .iter()
        .map(|node| {
            let input = |i: usize| graph.nodes[node.inputs[i]].name.clone();
            Op {
                kind: op::kind(node),
                name: None,
                input: (node.inputs.len() == 1).then(|| input(0)),
                inputs: match node.inputs.len() {
                    1 => None,
                    n => Some((0..n).map(input).collect()),
                },
                out: node.name.clone(),
            }
        })
        .collect();
    Description {
        name: graph.name.clone(),
        input: Input {
            name: graph.nodes[0].name.clone(),
            shape: ("N".into(), c, h, w),
        },
        quantizers: Quantizers::of(numerics),
        tied: tied.to_vec(),
        layers,
    }
}

/// A description as one line of JSON.
///
/// # Errors
/// None that a description can cause.
pub fn to_json(graph: &Graph, numerics: &Numerics) -> Result<String> {
    to_json_with_ties(graph, numerics, &[])
}

/// As [`to_json`], with the groups of tensors that were one ([`Loaded::tied`]).
///
/// # Errors
/// As [`to_json`].
pub fn to_json_with_ties(
    graph: &Graph,
    numerics: &Numerics,
    tied: &[Vec<String>],
) -> Result<String> {
    serde_json::to_string(&describe(graph, numerics, tied))
        .map_err(|e| Error::Internal(format!("network to JSON: {e}")))
}

/// The network of a description whose tensors are `tensors`. `source` stands for the description in
/// messages.
///
/// # Errors
/// A description that is none, an operation whose input nothing before it makes, a tensor that is
/// missing or has another size, shapes that do not fit: with the operation's name.
pub fn read(text: &str, tensors: &Parameters, source: &Path) -> Result<Loaded> {
    let bad = |what: String| Error::input(format!("{}: {what}", source.display()));
    let refused = |e| bad(format!("not a network description: {e}"));
    let value: serde_json::Value = serde_json::from_str(text).map_err(refused)?;
    let keys = keys(&value);
    for (i, key) in keys.iter().enumerate().flat_map(each) {
        if !op::KEYS.contains(&key.as_str()) {
            return Err(bad(format!(
                "operation {} has a key `{key}`; allowed: {}",
                i + 1,
                op::KEYS.join(", ")
            )));
        }
    }
    let d: Description = serde_json::from_value(value).map_err(refused)?;
    for (i, key) in keys.iter().enumerate().flat_map(each) {
        let Op { kind, out, .. } = &d.layers[i];
        let own = kind.keys();
        if !op::COMMON.contains(&key.as_str()) && !own.contains(&key.as_str()) {
            return Err(bad(format!(
                "operation `{out}` ({}) has a key `{key}`; allowed: {}",
                kind.name(),
                [op::COMMON, own].concat().join(", ")
            )));
        }
    }
    let (_, c, h, w) = d.input.shape;
    if [c, h, w].iter().any(|n| !(1..=LARGEST).contains(n)) {
        return Err(bad(format!(
            "input of {c} x {h} x {w}; allowed: 1 and more"
        )));
    }
    let numerics = d
        .quantizers
        .as_ref()
        .map_or(Numerics::FLOAT, Quantizers::numerics);
    if [numerics.weight_bits, numerics.act_bits, numerics.input_bits]
        .iter()
        .any(|b| *b > 8)
    {
        return Err(bad("quantizers of more than 8 bits; allowed: 0 to 8".into()));
    }
    let mut reading = Reading {
        graph: Graph::new(d.name, c, h, w),
        parameters: Parameters::default(),
        tensors,
        values: HashMap::from([(d.input.name, 0)]),
        sources: BTreeMap::new(),
    };
    for op in &d.layers {
        reading.take(op).map_err(|what| {
            bad(format!(
                "operation `{}` ({}): {what}",
                op.out,
                op.kind.name()
            ))
        })?;
    }
    if reading.graph.nodes.len() == 1 {
        return Err(bad("no operations".into()));
    }
    reading.graph.check().map_err(|e| bad(e.to_string()))?;
    if let Some(name) = unread(&reading.graph) {
        return Err(bad(format!(
            "operation `{name}`: a crossbar layer whose result does not reach the logits; allowed: \
             layers that the last operation depends on"
        )));
    }
    let checked = reading.parameters.check(&reading.graph);
    checked.map_err(|e| bad(e.to_string()))?;
    let shared = reading
        .sources
        .into_values()
        .filter(|names| names.len() > 1);
    Ok(Loaded {
        graph: reading.graph,
        parameters: reading.parameters,
        numerics,
        tied: d.tied.into_iter().chain(shared).collect(),
    })
}

/// The keys of every operation.
fn keys(description: &serde_json::Value) -> Vec<Vec<String>> {
    let layers = description["layers"].as_array().into_iter().flatten();
    let of = |op: &serde_json::Value| {
        op.as_object()
            .into_iter()
            .flatten()
            .map(|(k, _)| k.clone())
            .collect()
    };
    layers.map(of).collect()
}

/// Keys with the number of their operation.
fn each((i, keys): (usize, &Vec<String>)) -> impl Iterator<Item = (usize, &String)> {
    keys.iter().map(move |key| (i, key))
}

/// The first crossbar layer that the last node does not depend on.
fn unread(graph: &Graph) -> Option<&str> {
    let mut needed = vec![false; graph.nodes.len()];
    if let Some(last) = needed.last_mut() {
        *last = true;
    }
    for (id, node) in graph.nodes.iter().enumerate().rev() {
        if needed[id] {
            for &input in &node.inputs {
                needed[input] = true;
            }
        }
    }
    let mut nodes = graph.nodes.iter().zip(needed);
    let dead = nodes.find(|(node, needed)| !needed && matches!(node.layer, Layer::Conv { .. }));
    dead.map(|(node, _)| node.name.as_str())
}

struct Reading<'a> {
    graph: Graph,
    parameters: Parameters,
    tensors: &'a Parameters,
    values: HashMap<String, NodeId>,
    /// Trained tensors of every tensor of the file.
    sources: BTreeMap<String, Vec<String>>,
}

type Step<T> = std::result::Result<T, String>;

impl Reading<'_> {
    fn take(&mut self, op: &Op) -> Step<()> {
        let names = op.input.iter().chain(op.inputs.iter().flatten());
        let mut inputs = vec![];
        for name in names {
            match self.values.get(name) {
                Some(&id) => inputs.push(id),
                None => return Err(format!("reads `{name}`, which nothing before it makes")),
            }
        }
        let Some(&first) = inputs.first() else {
            return Err("no input".into());
        };
        let name = op
            .name
            .clone()
            .unwrap_or_else(|| op.kind.usual_name(&op.out));
        if self.graph.nodes.iter().any(|n| n.name == name) {
            return Err(format!("a second operation called `{name}`"));
        }
        let (layer, shape) = self.layer(&op.kind, first, &inputs)?;
        let (c, h, w) = shape;
        let n = c.checked_mul(h).and_then(|n| n.checked_mul(w));
        if n.is_none_or(|n| n == 0 || n > LARGEST) {
            return Err(format!(
                "an output of {c} x {h} x {w}; allowed: 1 to {LARGEST} values"
            ));
        }
        let id = self.graph.push(name, layer, inputs, shape);
        self.parameters_of(&op.kind, id)?;
        if self.values.insert(op.out.clone(), id).is_some() {
            return Err(format!("a second value `{}`", op.out));
        }
        Ok(())
    }

    /// The layer of an operation and the shape of its output.
    fn layer(
        &self,
        kind: &Kind,
        first: NodeId,
        inputs: &[NodeId],
    ) -> Step<(Layer, (usize, usize, usize))> {
        let from = self.graph.nodes[first].shape;
        let (c, h, w) = from;
        Ok(match kind {
            Kind::Conv2d(conv) => {
                let geo = conv.geometry(from)?;
                let bias = conv.bias.is_some();
                (
                    Layer::Conv { geo, bias },
                    (geo.c_out, geo.h_out(), geo.w_out()),
                )
            }
            Kind::Linear {
                bias, cin, cout, ..
            } => {
                if *cin != c * h * w || !(1..=LARGEST).contains(cout) {
                    return Err(format!("{cin} inputs of {c} x {h} x {w}, {cout} outputs"));
                }
                let geo = ConvGeometry::linear(*cin, *cout);
                let bias = bias.is_some();
                (Layer::Conv { geo, bias }, (*cout, 1, 1))
            }
            Kind::Batchnorm { eps, momentum, .. } => {
                if !(*eps >= 0.0 && eps.is_finite()) {
                    return Err(format!("eps {eps}; allowed: 0 and more"));
                }
                if momentum.is_some_and(|m| !(0.0..=1.0).contains(&m)) {
                    return Err("momentum; allowed: 0 to 1".into());
                }
                let rate = momentum.map_or(NORM_RATE, norm_rate);
                (Layer::BatchNorm { eps: *eps, rate }, from)
            }
            Kind::MaxPool(pool) => {
                let geo = pool.geometry(from)?;
                let (h, w) = geo.out(h, w);
                (Layer::MaxPool(geo), (c, h, w))
            }
            Kind::AvgPool(pool) => {
                let geo = pool.geometry(from)?;
                let (h, w) = geo.out(h, w);
                (Layer::AvgPool(geo), (c, h, w))
            }
            Kind::GlobalAvgPool | Kind::GlobalMaxPool => {
                let geo = PoolGeometry {
                    kh: h,
                    kw: w,
                    stride: [h, w],
                    pad: [0; 4],
                };
                let layer = match kind {
                    Kind::GlobalAvgPool => Layer::AvgPool(geo),
                    _ => Layer::MaxPool(geo),
                };
                (layer, (c, 1, 1))
            }
            Kind::Add => (Layer::Add, from),
            Kind::Multiply => (Layer::Multiply, from),
            Kind::Affine { .. } => (Layer::Affine, from),
            Kind::Quantize { lo, hi, .. } => {
                if lo >= hi {
                    return Err(format!("codes {lo} to {hi}; allowed: the lower below"));
                }
                (Layer::Quantize { lo: *lo, hi: *hi }, from)
            }
            Kind::Softmax => (Layer::Softmax, from),
            Kind::Flatten => (Layer::Reshape, (c * h * w, 1, 1)),
            Kind::Reshape { shape } => (Layer::Reshape, (shape[0], shape[1], shape[2])),
            Kind::Concat { shape: Some(s) } => (Layer::Concat, (s[0], s[1], s[2])),
            Kind::Concat { shape: None } => {
                let shapes = inputs.iter().map(|&i| self.graph.nodes[i].shape);
                let same = shapes.clone().all(|s| (s.1, s.2) == (h, w));
                let sum = shapes
                    .map(|s| if same { s.0 } else { s.0 * s.1 * s.2 })
                    .sum();
                (Layer::Concat, if same { (sum, h, w) } else { (sum, 1, 1) })
            }
            Kind::Rearrange { table, fill, shape } => {
                let of = |&t: &i64| match t {
                    -1 => Ok(NO_SOURCE),
                    t => u32::try_from(t).map_err(|_| format!("place {t} in the table")),
                };
                let table = table.iter().map(of).collect::<Step<_>>()?;
                let layer = Layer::Rearrange { table, fill: *fill };
                (layer, (shape[0], shape[1], shape[2]))
            }
            _ => (Layer::Activation(self.activation(kind)?), from),
        })
    }

    fn activation(&self, kind: &Kind) -> Step<Activation> {
        Ok(match kind {
            Kind::Relu => Activation::Relu,
            Kind::Relu6 => Activation::Clip { lo: 0.0, hi: 6.0 },
            Kind::Tanh => Activation::Tanh,
            Kind::Sigmoid => Activation::Sigmoid,
            Kind::HardSwish => Activation::HardSwish,
            Kind::Abs => Activation::Abs,
            Kind::Sign => Activation::Sign,
            Kind::Floor => Activation::Floor,
            Kind::LeakyRelu { slope } if *slope >= 0.0 && slope.is_finite() => {
                Activation::LeakyRelu { slope: *slope }
            }
            Kind::HardSigmoid { slope, offset } if *slope > 0.0 && slope.is_finite() => {
                Activation::HardSigmoid {
                    slope: *slope,
                    offset: *offset,
                }
            }
            Kind::Clip { lo, hi } => {
                let lo = lo.unwrap_or(f32::NEG_INFINITY);
                let hi = hi.unwrap_or(f32::INFINITY);
                if lo.is_nan() || hi.is_nan() || lo >= hi {
                    return Err(format!("limits {lo} and {hi}; allowed: the lower below"));
                }
                Activation::Clip { lo, hi }
            }
            Kind::Identity => Activation::Identity,
            _ => return Err("constants that are not allowed".into()),
        })
    }

    /// Takes over the tensors of an operation.
    fn parameters_of(&mut self, kind: &Kind, id: NodeId) -> Step<()> {
        let node = &self.graph.nodes[id];
        let c = node.shape.0;
        let mut wanted: Vec<(Part, String, Vec<usize>)> = vec![];
        match (kind, &node.layer) {
            (
                Kind::Conv2d(op::Conv { weight, bias, .. }) | Kind::Linear { weight, bias, .. },
                Layer::Conv { geo, .. },
            ) => {
                let shape = vec![geo.c_out, geo.c_in / geo.groups, geo.kh, geo.kw];
                wanted.push((Part::Weight, weight.clone(), shape));
                if let Some(bias) = bias {
                    wanted.push((Part::Bias, bias.clone(), vec![geo.c_out]));
                }
                // Of a training here, where they are there.
                for part in [Part::WeightStep, Part::InputStep] {
                    let own = part.of(&node.name);
                    if let Some(t) = self.tensors.tensors.get(&own) {
                        wanted.push((part, own, t.shape.clone()));
                    }
                }
            }
            (Kind::Batchnorm { prefix, .. }, _) => {
                // PyTorch's names, or those of a network that was written here.
                let torch = ["weight", "bias", "running_mean", "running_var"];
                let is_own = self.tensors.get(prefix, Part::Gamma).is_some();
                for (part, torch) in Part::NORM.into_iter().zip(torch) {
                    let name = if is_own { part.as_str() } else { torch };
                    wanted.push((part, format!("{prefix}.{name}"), vec![c]));
                }
            }
            (Kind::Affine { scale, shift }, _) => {
                wanted.push((Part::Scale, scale.clone(), vec![c]));
                wanted.push((Part::Shift, shift.clone(), vec![c]));
            }
            (Kind::Quantize { step, .. }, _) => wanted.push((Part::Step, step.clone(), vec![1])),
            _ => {}
        }
        for (part, name, shape) in wanted {
            let Some(t) = self.tensors.tensors.get(&name) else {
                return Err(format!("tensor `{name}` is missing"));
            };
            if t.data.len() != shape.iter().product::<usize>() {
                return Err(format!(
                    "tensor `{name}` has shape {:?}, not {shape:?}",
                    t.shape
                ));
            }
            let data = t.data.clone();
            let own = part.of(&node.name);
            if !matches!(part, Part::Scale | Part::Shift | Part::Step) {
                self.sources.entry(name).or_default().push(own.clone());
            }
            self.parameters.tensors.insert(own, Tensor { shape, data });
        }
        Ok(())
    }
}
