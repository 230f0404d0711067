//! From a description and its tensors to a network.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::layer::{Step, layer};
use super::op::{self, Conv, Kind, Op};
use super::{Description, LARGEST, Quantizers};
use crate::error::{Error, Result};
use crate::network::file::Loaded;
use crate::network::graph::{Graph, Layer, Node, NodeId};
use crate::network::lower::Numerics;
use crate::network::parameters::{Parameters, Tensor};
use crate::network::state::{CONVERTERS, Part};

/// The network of a description whose tensors are `tensors`. `source` stands for the description in
/// messages.
///
/// # Errors
/// A text that is no description, an operation that reads what no operation before it computes, a
/// tensor that is missing or has another size, shapes that do not fit: with the operation's name.
pub fn read(text: &str, tensors: &Parameters, source: &Path) -> Result<Loaded> {
    loaded(text, tensors).map_err(|what| Error::input(format!("{}: {what}", source.display())))
}

fn loaded(text: &str, tensors: &Parameters) -> Step<Loaded> {
    let description = description(text)?;
    let (_, c, h, w) = description.input.shape;
    if [c, h, w].iter().any(|n| !(1..=LARGEST).contains(n)) {
        return Err(format!("input of {c} x {h} x {w}; allowed: 1 and more"));
    }
    let numerics = numerics(description.quantizers.as_ref())?;
    let mut reading = Reading {
        graph: Graph::new(description.name, c, h, w),
        parameters: Parameters::default(),
        tensors,
        values: HashMap::from([(description.input.name, 0)]),
        sources: BTreeMap::new(),
    };
    for op in &description.layers {
        reading
            .take(op)
            .map_err(|what| format!("operation `{}` ({}): {what}", op.out, op.kind.name()))?;
    }
    // Of a network that was trained here: no operation has the reference of its converters.
    let reference = Part::Reference.of(CONVERTERS);
    if let Some(own) = tensors.tensors.get(&reference) {
        if own.data.len() != 1 {
            return Err(format!(
                "tensor `{reference}` has shape {:?}, not [1]",
                own.shape
            ));
        }
        reading.parameters.tensors.insert(reference, own.clone());
    }
    reading.check()?;
    let shared = reading.sources.into_values();
    let shared = shared.filter(|names| names.len() > 1);
    Ok(Loaded {
        graph: reading.graph,
        parameters: reading.parameters,
        numerics,
        tied: description.tied.into_iter().chain(shared).collect(),
    })
}

/// The description, if all keys of its operations are known.
fn description(text: &str) -> Step<Description> {
    let refused = |e| format!("not a network description: {e}");
    let value: serde_json::Value = serde_json::from_str(text).map_err(refused)?;
    let keys = keys(&value);
    for (i, key) in &keys {
        if !op::KEYS.contains(&key.as_str()) {
            return Err(format!(
                "operation {} has a key `{key}`; allowed: {}",
                i + 1,
                op::KEYS.join(", ")
            ));
        }
    }
    let description: Description = serde_json::from_value(value).map_err(refused)?;
    for (i, key) in &keys {
        let Op { kind, out, .. } = &description.layers[*i];
        let own = kind.keys();
        if !op::COMMON.contains(&key.as_str()) && !own.contains(&key.as_str()) {
            return Err(format!(
                "operation `{out}` ({}) has a key `{key}`; allowed: {}",
                kind.name(),
                [op::COMMON, own].concat().join(", ")
            ));
        }
    }
    Ok(description)
}

/// The keys of all operations, each with the number of its operation.
fn keys(description: &serde_json::Value) -> Vec<(usize, String)> {
    let layers = description["layers"].as_array().into_iter().flatten();
    let of = |(i, op): (usize, &serde_json::Value)| {
        let keys = op.as_object().into_iter().flatten();
        keys.map(|(key, _)| (i, key.clone())).collect::<Vec<_>>()
    };
    layers.enumerate().flat_map(of).collect()
}

fn numerics(quantizers: Option<&Quantizers>) -> Step<Numerics> {
    match quantizers.map_or(0, Quantizers::most_bits) {
        9.. => Err("quantizers of more than 8 bits; allowed: 0 to 8".into()),
        _ => Ok(quantizers.map_or(Numerics::FLOAT, Quantizers::numerics)),
    }
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

/// A network being read.
struct Reading<'a> {
    graph: Graph,
    parameters: Parameters,
    tensors: &'a Parameters,
    values: HashMap<String, NodeId>,
    /// Trained tensors of every tensor of the file.
    sources: BTreeMap<String, Vec<String>>,
}

/// A tensor that a node needs.
struct Wanted {
    part: Part,
    /// Name in the file.
    name: String,
    shape: Vec<usize>,
}

impl Reading<'_> {
    fn take(&mut self, op: &Op) -> Step<()> {
        let inputs = self.inputs(op)?;
        let name = op
            .name
            .clone()
            .unwrap_or_else(|| op.kind.usual_name(&op.out));
        if self.graph.nodes.iter().any(|n| n.name == name) {
            return Err(format!("a second operation called `{name}`"));
        }
        let nodes: Vec<&Node> = inputs.iter().map(|&i| &self.graph.nodes[i]).collect();
        let (layer, shape) = layer(&op.kind, &nodes)?;
        let (c, h, w) = shape;
        let n = c.checked_mul(h).and_then(|n| n.checked_mul(w));
        if n.is_none_or(|n| n == 0 || n > LARGEST) {
            return Err(format!(
                "an output of {c} x {h} x {w}; allowed: 1 to {LARGEST} values"
            ));
        }
        let id = self.graph.push(name, layer, inputs, shape);
        for wanted in self.wanted(&op.kind, &self.graph.nodes[id]) {
            self.take_tensor(id, wanted)?;
        }
        if self.values.insert(op.out.clone(), id).is_some() {
            return Err(format!("a second value `{}`", op.out));
        }
        Ok(())
    }

    /// The nodes that an operation reads, at least one.
    fn inputs(&self, op: &Op) -> Step<Vec<NodeId>> {
        let names = op.input.iter().chain(op.inputs.iter().flatten());
        let node = |name: &String| match self.values.get(name) {
            Some(&id) => Ok(id),
            None => Err(format!("reads `{name}`, which nothing before it makes")),
        };
        let inputs = names.map(node).collect::<Step<Vec<_>>>()?;
        match inputs.is_empty() {
            true => Err("no input".into()),
            false => Ok(inputs),
        }
    }

    /// The tensors of an operation.
    fn wanted(&self, kind: &Kind, node: &Node) -> Vec<Wanted> {
        let c = node.shape.0;
        let wanted = |part, name: &String, n| Wanted {
            part,
            name: name.clone(),
            shape: vec![n],
        };
        match kind {
            Kind::Conv2d(Conv { weight, bias, .. }) | Kind::Linear { weight, bias, .. } => {
                self.crossbar_tensors(node, weight, bias.as_deref())
            }
            Kind::Batchnorm { prefix, .. } => self.norm_tensors(prefix, c),
            Kind::Affine { scale, shift } => {
                vec![wanted(Part::Scale, scale, c), wanted(Part::Shift, shift, c)]
            }
            Kind::Quantize { step, .. } => vec![wanted(Part::Step, step, 1)],
            Kind::Relu
            | Kind::Relu6
            | Kind::Tanh
            | Kind::Sigmoid
            | Kind::HardSwish
            | Kind::Abs
            | Kind::Sign
            | Kind::Floor
            | Kind::LeakyRelu { .. }
            | Kind::HardSigmoid { .. }
            | Kind::Clip { .. }
            | Kind::Identity
            | Kind::MaxPool(_)
            | Kind::AvgPool(_)
            | Kind::GlobalAvgPool
            | Kind::GlobalMaxPool
            | Kind::Add
            | Kind::Multiply
            | Kind::Softmax
            | Kind::Flatten
            | Kind::Reshape { .. }
            | Kind::Concat { .. }
            | Kind::Rearrange { .. } => vec![],
        }
    }

    fn crossbar_tensors(&self, node: &Node, weight: &str, bias: Option<&str>) -> Vec<Wanted> {
        let Layer::Conv { geo, .. } = &node.layer else {
            return vec![];
        };
        let mut wanted = vec![Wanted {
            part: Part::Weight,
            name: weight.into(),
            shape: vec![geo.c_out, geo.c_in / geo.groups, geo.kh, geo.kw],
        }];
        wanted.extend(bias.map(|bias| Wanted {
            part: Part::Bias,
            name: bias.into(),
            shape: vec![geo.c_out],
        }));
        // Quantizer steps of a network that was trained here.
        for part in [Part::WeightStep, Part::InputStep] {
            let name = part.of(&node.name);
            let there = self.tensors.tensors.get(&name);
            wanted.extend(there.map(|t| Wanted {
                part,
                name,
                shape: t.shape.clone(),
            }));
        }
        wanted
    }

    /// Under PyTorch's names, or under the names of a network that was written here.
    fn norm_tensors(&self, prefix: &str, channels: usize) -> Vec<Wanted> {
        let torch = ["weight", "bias", "running_mean", "running_var"];
        let names = match self.tensors.get(prefix, Part::Gamma).is_some() {
            true => Part::NORM.map(Part::as_str),
            false => torch,
        };
        let wanted = |(part, name)| Wanted {
            part,
            name: format!("{prefix}.{name}"),
            shape: vec![channels],
        };
        Part::NORM.into_iter().zip(names).map(wanted).collect()
    }

    /// Takes a tensor over to the node.
    fn take_tensor(&mut self, id: NodeId, wanted: Wanted) -> Step<()> {
        let Wanted { part, name, shape } = wanted;
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
        let own = part.of(&self.graph.nodes[id].name);
        if !matches!(part, Part::Scale | Part::Shift | Part::Step) {
            self.sources.entry(name).or_default().push(own.clone());
        }
        self.parameters.tensors.insert(own, Tensor { shape, data });
        Ok(())
    }

    /// Whether everything was read and fits.
    fn check(&self) -> Step<()> {
        if self.graph.nodes.len() == 1 {
            return Err("no operations".into());
        }
        self.graph.check().map_err(|e| e.to_string())?;
        if let Some(name) = unread(&self.graph) {
            return Err(format!(
                "operation `{name}`: a crossbar layer whose result does not reach the logits; \
                 allowed: layers that the last operation depends on"
            ));
        }
        let checked = self.parameters.check(&self.graph);
        checked.map_err(|e| e.to_string())
    }
}
