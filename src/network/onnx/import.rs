//! From a model file to a graph: which nodes are needed, in order, and what came of them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;

use prost::Message;

use super::constant::Constant;
use super::external::External;
use super::fold;
use super::importer::{Importer, Inputs, Map, Step, Trouble, Value};
use super::input::{dimensions, element_of};
use super::names::{Names, readable};
use super::node::Node;
use super::ops;
use super::proto::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};
use super::schema::schema;
use crate::error::{Error, Result, escaped};
use crate::files::kind::no_network;
use crate::network::file::{self, Loaded};
use crate::network::graph::{Graph, Layer};
use crate::network::lower::Numerics;
use crate::network::parameters::Parameters;
use crate::network::rewrite;
use crate::program::Activation;

/// Operator sets that are read.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=23;

/// Unsupported nodes that a message lists one by one.
const LISTED: usize = 40;

/// How a model is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Multiply batch norm (and other factors per channel) into the weights before it, so that it
    /// lives on the crossbars; else it stays digital.
    pub fold_batch_norm: bool,
    /// Sizes of the input behind the batch, as the model has them: needed where the model leaves them
    /// free, else they must agree.
    pub input: Option<Vec<usize>>,
    /// Most values of one map, and of all tables and computed constants together; for constants four
    /// times those of the file more.
    pub max_values: usize,
}

impl Default for Options {
    /// Batch norm is kept; 2^27 values, half a GiB.
    fn default() -> Self {
        Self {
            fold_batch_norm: false,
            input: None,
            max_values: 1 << 27,
        }
    }
}

/// Names of all operators that are read, in alphabetical order.
pub fn operators() -> Vec<&'static str> {
    let mut names: Vec<&str> = ops::names()
        .chain(fold::OPERATORS.iter().copied())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Reads the model at `path`; constants may be in other files of its directory.
///
/// # Errors
/// [`Error::Io`]; else as [`import`].
pub fn import_file(path: &Path, options: &Options) -> Result<Loaded> {
    let bytes = file::bytes(path)?;
    read(&bytes, path, &External::beside(path), options)
}

/// Reads the bytes of a model that has all its constants inside. `source` stands for the file in
/// messages and names the network.
///
/// # Errors
/// [`Error::Input`]: bytes that are no model, a node that contradicts its inputs, sizes that are not
/// fixed (except the batch), and, all in one message with the names of their nodes, operators that
/// are not supported.
pub fn import(bytes: &[u8], source: &Path, options: &Options) -> Result<Loaded> {
    read(bytes, source, &External::none(), options)
}

fn read(bytes: &[u8], source: &Path, external: &External, options: &Options) -> Result<Loaded> {
    let bad = |what: String| Error::input(format!("{}: {what}", source.display()));
    let model = match ModelProto::decode(bytes) {
        Ok(model) => model,
        Err(e) => {
            return Err(bad(match no_network(bytes) {
                Some(kind) => format!("not an ONNX model but {kind}"),
                None => format!("not an ONNX model: {e}"),
            }));
        }
    };
    if let Some(kind) = no_network(bytes).filter(|_| model.graph.is_none()) {
        return Err(bad(format!("not an ONNX model but {kind}")));
    }
    let opset = opset(&model).map_err(bad)?;
    let graph = model
        .graph
        .ok_or_else(|| bad("not an ONNX model: no graph".into()))?;
    let name = source.file_stem().unwrap_or_default().to_string_lossy();
    let reading = Reading {
        graph: &graph,
        opset,
        external,
        options,
    };
    let loaded = reading.run(&name).map_err(bad)?;
    loaded.graph.check().map_err(|e| bad(e.to_string()))?;
    Ok(loaded)
}

fn opset(model: &ModelProto) -> std::result::Result<i64, String> {
    let own = |domain: &str| domain.is_empty() || domain == "ai.onnx";
    let found = model.opset_import.iter().find(|o| own(&o.domain));
    match found.map(|o| o.version) {
        Some(version) if OPSETS.contains(&version) => Ok(version),
        Some(version) => Err(format!(
            "operator set {version}; allowed: {} to {}",
            OPSETS.start(),
            OPSETS.end()
        )),
        None => Err("not an ONNX model: it names no operator set".into()),
    }
}

/// One reading of a graph.
struct Reading<'a> {
    graph: &'a GraphProto,
    opset: i64,
    external: &'a External,
    options: &'a Options,
}

impl Reading<'_> {
    fn run(&self, name: &str) -> std::result::Result<Loaded, String> {
        if !self.graph.sparse_initializer.is_empty() {
            return Err("sparse constants; allowed: dense ones".into());
        }
        let mut constants: HashMap<&str, &TensorProto> = HashMap::new();
        for t in &self.graph.initializer {
            if constants.insert(&t.name, t).is_some() {
                return Err(format!("two constants `{}`", escaped(&t.name)));
            }
        }
        let input = self.input(&constants)?;
        let [output] = self.graph.output.as_slice() else {
            let outputs = self.graph.output.iter();
            let names: Vec<_> = outputs.map(|o| escaped(&o.name)).collect();
            return Err(format!(
                "{} outputs ({}); allowed: one, the logits: export a model that returns them alone",
                names.len(),
                names.join(", ")
            ));
        };
        let element = element_of(input)?;
        let (batch, dims) = dimensions(input, self.options.input.as_deref())?;
        let live = self.live(&output.name)?;
        let turned = self.turns_to_channels_first(&live, &input.name, &dims);
        let dims = match (&dims[..], turned) {
            ([h, w, c], true) => vec![*c, *h, *w],
            _ => dims,
        };
        if dims
            .iter()
            .try_fold(1usize, |n, &d| n.checked_mul(d))
            .is_none_or(|n| n > self.options.max_values)
        {
            let name = escaped(&input.name);
            return Err(format!("input `{name}` of {dims:?} is too large"));
        }
        let (c, h, w) = match dims[..] {
            // One channel, whichever side it stands on.
            [h, w, 1] if h > 1 => (1, h, w),
            _ => super::importer::canonical(&dims),
        };
        let mut im = Importer {
            graph: Graph::new(name, c, h, w),
            parameters: Parameters::default(),
            values: HashMap::new(),
            names: Names::new(),
            batch,
            largest: self.options.max_values,
            budget: self.options.max_values,
            origins: vec![],
        };
        let map = Map {
            node: 0,
            dims,
            element,
        };
        im.values.insert(input.name.clone(), Value::Map(map));
        let mut refused = vec![];
        for (index, proto) in self.graph.node.iter().enumerate() {
            if !live.contains(&index) {
                continue;
            }
            self.take(&mut im, &constants, index, proto, turned, &mut refused)?;
        }
        if !refused.is_empty() {
            return Err(refusal(&refused));
        }
        self.finish(im, &output.name)
    }

    /// The only input that is no constant.
    fn input(
        &self,
        constants: &HashMap<&str, &TensorProto>,
    ) -> std::result::Result<&ValueInfoProto, String> {
        let inputs: Vec<&ValueInfoProto> = self
            .graph
            .input
            .iter()
            .filter(|i| !constants.contains_key(i.name.as_str()))
            .collect();
        match inputs[..] {
            [input] => Ok(input),
            _ => Err(format!(
                "{} inputs ({}); allowed: one, the images",
                inputs.len(),
                inputs
                    .iter()
                    .map(|i| escaped(&i.name))
                    .collect::<Vec<_>>()
                    .join(", ")
            )),
        }
    }

    /// Nodes that the output needs.
    fn live(&self, output: &str) -> std::result::Result<HashSet<usize>, String> {
        let mut maker: HashMap<&str, usize> = HashMap::new();
        for (i, node) in self.graph.node.iter().enumerate() {
            for name in node.output.iter().filter(|n| !n.is_empty()) {
                if maker.insert(name, i).is_some() {
                    return Err(format!("two nodes write `{}`", escaped(name)));
                }
                let given = self.graph.input.iter().map(|v| &v.name);
                if given
                    .chain(self.graph.initializer.iter().map(|t| &t.name))
                    .any(|n| n == name)
                {
                    return Err(format!("a node writes `{}`, which is given", escaped(name)));
                }
            }
        }
        let mut live = HashSet::new();
        let mut open: Vec<usize> = maker.get(output).copied().into_iter().collect();
        while let Some(i) = open.pop() {
            if live.insert(i) {
                let names = self.graph.node[i].input.iter();
                open.extend(names.filter_map(|n| maker.get(n.as_str())));
            }
        }
        Ok(live)
    }

    /// Whether the model takes images with channels last and turns them at once: then its input is
    /// taken to have channels first, as data sets here have, and nothing is turned.
    fn turns_to_channels_first(&self, live: &HashSet<usize>, input: &str, dims: &[usize]) -> bool {
        let mut readers = live
            .iter()
            .map(|&i| &self.graph.node[i])
            .filter(|n| n.input.iter().any(|name| name == input))
            .peekable();
        dims.len() == 3 && readers.peek().is_some() && readers.all(is_turn)
    }

    /// Reads one node; notes it in `refused` if it is not supported.
    fn take(
        &self,
        im: &mut Importer,
        constants: &HashMap<&str, &TensorProto>,
        index: usize,
        proto: &NodeProto,
        turned: bool,
        refused: &mut Vec<String>,
    ) -> std::result::Result<(), String> {
        let node = Node {
            proto,
            name: readable(&proto.name, &proto.op_type, index),
            opset: self.opset,
        };
        let shown = if proto.name.is_empty() {
            &node.name
        } else {
            &proto.name
        };
        let place = format!("node `{}` ({})", escaped(shown), escaped(&proto.op_type));
        for name in proto.input.iter().filter(|n| !n.is_empty()) {
            if im.values.contains_key(name) {
                continue;
            }
            let Some(tensor) = constants.get(name.as_str()) else {
                return Err(format!(
                    "{place}: reads `{}`, which nothing before it writes",
                    escaped(name)
                ));
            };
            let mut constant = Constant::decode(tensor, self.external)
                .map_err(|e| format!("constant `{}`: {e}", escaped(name)))?;
            // What is in the file may be computed with.
            im.budget = im.budget.saturating_add(4 * constant.len());
            if constant.len() > 1 {
                constant.origins = vec![name.as_str().into()];
            }
            im.values
                .insert(name.clone(), Value::Constant(Rc::new(constant)));
        }
        let values: Vec<Option<Value>> = proto
            .input
            .iter()
            .map(|n| im.values.get(n).cloned())
            .collect();
        let inputs = Inputs {
            node: &node,
            values,
        };
        let out = match one(im, &inputs, turned) {
            Ok(out) => out,
            Err(Trouble::Wrong(what)) => return Err(format!("{place}: {what}")),
            Err(Trouble::Unsupported(what)) => {
                refused.push(format!("{place}: {what}"));
                vec![]
            }
        };
        let mut out = out.into_iter();
        for name in &proto.output {
            let value = out.next().unwrap_or(Value::Unknown);
            if !name.is_empty() {
                im.values.insert(name.clone(), value);
            }
        }
        Ok(())
    }

    fn finish(&self, mut im: Importer, output: &str) -> std::result::Result<Loaded, String> {
        let map = match im.values.get(output) {
            Some(Value::Map(map)) => map.clone(),
            Some(Value::Codes { .. }) => {
                return Err(format!(
                    "output `{output}` holds integer codes; allowed: floats"
                ));
            }
            Some(Value::Constant(_)) => {
                return Err(format!("output `{output}` does not depend on the input"));
            }
            Some(Value::Unknown) => {
                return Err(format!(
                    "output `{output}` is a second output of its node, which is not supported"
                ));
            }
            None => return Err(format!("nothing writes the output `{output}`")),
        };
        let tied = tied(&im);
        let mut last = im.node_of(&map);
        if last == 0 {
            let shape = im.graph.nodes[0].shape;
            let identity = Layer::Activation(Activation::Identity);
            last = im.graph.push("identity", identity, vec![0], shape);
        }
        let mut loaded = Loaded {
            graph: im.graph,
            parameters: im.parameters,
            numerics: Numerics::FLOAT,
            tied,
        };
        rewrite::prune(&mut loaded, last);
        rewrite::merge(&mut loaded);
        loaded
            .parameters
            .check(&loaded.graph)
            .map_err(|e| e.to_string())?;
        if self.options.fold_batch_norm {
            rewrite::fold_factors(&mut loaded);
            loaded
                .parameters
                .check(&loaded.graph)
                .map_err(|e| e.to_string())?;
        }
        Ok(loaded)
    }
}

/// Trained tensors that come from one initializer. One whose values are all equal does not count:
/// exporters join equal constants, as fresh biases are.
fn tied(im: &Importer) -> Vec<Vec<String>> {
    let mut by_origin: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, origins) in &im.origins {
        let tensor = im.parameters.tensors.get(name);
        let varied = tensor.is_some_and(|t| t.data.iter().any(|v| *v != t.data[0]));
        if varied {
            for origin in origins {
                by_origin.entry(origin).or_default().push(name.clone());
            }
        }
    }
    let mut groups: Vec<Vec<String>> = by_origin.into_values().filter(|g| g.len() > 1).collect();
    groups.dedup();
    groups
}

/// Whether the node makes channels the first of three dimensions.
fn is_turn(node: &NodeProto) -> bool {
    let perm = node.attribute.iter().find(|a| a.name == "perm");
    node.op_type == "Transpose" && perm.is_some_and(|a| a.ints == [0, 3, 1, 2])
}

/// What the outputs of a node stand for.
fn one(im: &mut Importer, inputs: &Inputs, turned: bool) -> Step<Vec<Value>> {
    let node = inputs.node;
    let op = node.op();
    if !matches!(node.proto.domain.as_str(), "" | "ai.onnx") {
        return super::importer::unsupported(format!(
            "an operator of the domain `{}`",
            escaped(&node.proto.domain)
        ));
    }
    let reader = ops::reader(op);
    if reader.is_none() && !fold::OPERATORS.contains(&op) {
        return super::importer::unsupported("no such operator here");
    }
    let schema = schema(node)?;
    let given = || inputs.values.iter().flatten();
    if given().any(|v| matches!(v, Value::Unknown)) {
        return Ok(vec![]);
    }
    let types = schema.check(inputs)?;
    if op != "CastLike" && given().all(|v| matches!(v, Value::Constant(_))) {
        return fold::fold(im, inputs, &types);
    }
    if let (true, Some(Value::Map(map)), true) = (turned, inputs.get(0), is_turn(node.proto))
        && map.node == 0
    {
        return Ok(vec![Value::Map(map.clone())]);
    }
    let mut out = match (ops::on_codes(im, inputs, reader)?, reader) {
        (Some(out), _) => out,
        (None, Some(reader)) => reader(im, inputs)?,
        (None, None) => {
            return super::importer::unsupported("computes with images; allowed: with constants");
        }
    };
    for (i, value) in out.iter_mut().enumerate() {
        if let (Value::Map(map), Some(element)) = (value, types.output(i)) {
            map.element = element;
        }
    }
    Ok(out)
}

/// All unsupported nodes in one message.
fn refusal(refused: &[String]) -> String {
    let n = refused.len();
    let what = if n == 1 { "node is" } else { "nodes are" };
    let mut text = format!("{n} {what} not supported");
    for line in refused.iter().take(LISTED) {
        text += &format!("\n  {line}");
    }
    if n > LISTED {
        text += &format!("\n  and {} more", n - LISTED);
    }
    let all = operators();
    text + &format!("\n  operators that are: {}", all.join(", "))
}
