//! What is known while a model is read: the graph so far, and what every name stands for.

use crate::network::state::Part;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::constant::{Constant, Element};
use super::names::{Names, readable};
use super::node::Node;
use crate::network::graph::{Graph, Layer, NodeId};
use crate::network::parameters::{Parameters, Tensor};
use crate::program::NO_SOURCE;

/// Why a node could not be taken.
#[derive(Debug)]
pub(super) enum Trouble {
    /// There is no such thing here; all of these are reported together.
    Unsupported(String),
    /// The model contradicts itself.
    Wrong(String),
}

/// Result of reading a part of a node.
pub(super) type Step<T> = Result<T, Trouble>;

/// The model contradicts itself.
pub(super) fn wrong<T>(what: impl Into<String>) -> Step<T> {
    Err(Trouble::Wrong(what.into()))
}

/// There is no such thing here.
pub(super) fn unsupported<T>(what: impl Into<String>) -> Step<T> {
    Err(Trouble::Unsupported(what.into()))
}

/// Stands for the number of images, whatever it is, in integer constants that are computed from
/// shapes. It goes through everything that moves values; arithmetic refuses it, except where it
/// stays itself. A number that no size, index or padding is.
pub(super) const BATCH: i64 = i64::MIN + 0x5eed;

/// A map: the values of a graph node, seen with the model's dimensions (without the batch). Their
/// product is the number of values of the node, and the order is the same, so changing dimensions
/// costs nothing.
#[derive(Debug, Clone)]
pub(super) struct Map {
    pub node: NodeId,
    pub dims: Vec<usize>,
    /// The model's type, which is a float type; all are computed in `f32`.
    pub element: Element,
}

impl Map {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// Number of dimensions with the batch.
    pub fn rank(&self) -> usize {
        self.dims.len() + 1
    }

    /// The same values in other dimensions.
    pub fn with(&self, dims: Vec<usize>) -> Map {
        Map {
            node: self.node,
            dims,
            element: self.element,
        }
    }
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Constant(Rc<Constant>),
    Map(Map),
    /// Integer codes of a quantizer whose rounded values are the map: `codes = map / step + zero`.
    Codes {
        map: Map,
        step: f32,
        zero: i64,
        element: Element,
    },
    /// Comes from a node that is not supported, which is reported by itself.
    Unknown,
}

impl Value {
    /// Its element type; none where it is not known.
    pub fn element(&self) -> Option<Element> {
        match self {
            Value::Constant(c) => Some(c.element),
            Value::Map(map) => Some(map.element),
            Value::Codes { element, .. } => Some(*element),
            Value::Unknown => None,
        }
    }
}

/// Node dimensions to a graph shape: channels, rows, columns.
pub(super) fn canonical(dims: &[usize]) -> (usize, usize, usize) {
    match dims {
        [] => (1, 1, 1),
        [c] => (*c, 1, 1),
        [c, w] => (*c, 1, *w),
        [c, h, w] => (*c, *h, *w),
        [c, middle @ .., w] => (*c, middle.iter().product(), *w),
    }
}

/// A model being read.
pub(super) struct Importer {
    pub graph: Graph,
    pub parameters: Parameters,
    pub values: HashMap<String, Value>,
    pub names: Names,
    /// Size of the batch dimension where the model fixes it.
    pub batch: Option<usize>,
    /// Most values of one map.
    pub largest: usize,
    /// Values that may still be made (tables, folded constants).
    pub budget: usize,
    /// Trained tensors and the initializers that they come from.
    pub origins: Vec<(String, Vec<Rc<str>>)>,
}

impl Importer {
    /// Takes `n` values from the budget.
    pub fn spend(&mut self, n: usize) -> Step<()> {
        match self.budget.checked_sub(n) {
            Some(left) => {
                self.budget = left;
                Ok(())
            }
            None => wrong("the model is too large: more tables and constants than allowed here"),
        }
    }

    /// Adds a node whose output has the dimensions `dims`, under a name made unique.
    pub fn push(
        &mut self,
        name: &str,
        layer: Layer,
        inputs: Vec<NodeId>,
        dims: Vec<usize>,
    ) -> Step<Map> {
        let n = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        match n {
            Some(0) => return wrong(format!("an output of {dims:?} holds no value")),
            Some(n) if n <= self.largest => {}
            _ => return wrong(format!("an output of {dims:?} is too large")),
        }
        let name = self.names.unique(name);
        let node = self.graph.push(name, layer, inputs, canonical(&dims));
        Ok(Map {
            node,
            dims,
            element: Element::F32,
        })
    }

    /// Stores a parameter `NODE.part`.
    pub fn parameter(&mut self, map: &Map, part: Part, shape: Vec<usize>, data: Vec<f32>) {
        let name = part.of(&self.graph.nodes[map.node].name);
        let tensor = Tensor { shape, data };
        self.parameters.tensors.insert(name, tensor);
    }

    /// Stores a parameter that a training here changes, and where it comes from.
    pub fn trained(
        &mut self,
        map: &Map,
        part: Part,
        shape: Vec<usize>,
        data: Vec<f32>,
        from: &Constant,
    ) {
        let name = part.of(&self.graph.nodes[map.node].name);
        self.origins.push((name, from.origins.clone()));
        self.parameter(map, part, shape, data);
    }

    /// Name of a layer with parameters: that of its node, or of its weight where the exporter only
    /// counts nodes (`node_Conv_19` with `conv1.weight`).
    pub fn layer_name(&self, node: &Node, weight: &Constant) -> String {
        let counted = node.proto.name.is_empty() || node.proto.name.starts_with("node_");
        match weight.origins.as_slice() {
            [origin] if counted => match origin.strip_suffix(".weight") {
                Some(name) if !name.is_empty() => readable(name, node.op(), 0),
                _ => node.name.clone(),
            },
            _ => node.name.clone(),
        }
    }

    /// A map that is the same for every image, whatever the image holds.
    pub fn constant_map(&mut self, name: &str, dims: Vec<usize>, values: Vec<f32>) -> Step<Map> {
        let n = values.len();
        self.spend(3 * n)?;
        let input = Map {
            node: 0,
            dims: vec![],
            element: Element::F32,
        };
        let nowhere = vec![NO_SOURCE; n];
        let same = values.split_first();
        if let Some((&first, _)) = same.filter(|(first, rest)| rest.iter().all(|v| v == *first)) {
            return self.rearrange(name, &input, dims, nowhere, first);
        }
        let empty = self.rearrange(&format!("{name}.empty"), &input, dims, nowhere, 0.0)?;
        let source = self.shaped(&empty, (n, 1, 1));
        let out = self.push(name, Layer::Affine, vec![source], vec![n])?;
        self.parameter(&out, Part::Scale, vec![n], vec![1.0; n]);
        self.parameter(&out, Part::Shift, vec![n], values);
        Ok(out.with(empty.dims))
    }

    /// A node with the map's values whose shape is `shape`.
    pub fn shaped(&mut self, map: &Map, shape: (usize, usize, usize)) -> NodeId {
        if self.graph.nodes[map.node].shape == shape {
            return map.node;
        }
        let name = format!("{}.reshape", self.graph.nodes[map.node].name);
        let name = self.names.unique(&name);
        self.graph.push(name, Layer::Reshape, vec![map.node], shape)
    }

    /// A node with the map's values whose shape is that of its dimensions.
    pub fn node_of(&mut self, map: &Map) -> NodeId {
        self.shaped(map, canonical(&map.dims))
    }

    /// The map's values at `table`, in dimensions `dims`.
    pub fn rearrange(
        &mut self,
        name: &str,
        map: &Map,
        dims: Vec<usize>,
        table: Vec<u32>,
        fill: f32,
    ) -> Step<Map> {
        let same = |(i, &t): (usize, &u32)| t as usize == i;
        if table.len() == map.len() && table.iter().enumerate().all(same) {
            return Ok(map.with(dims));
        }
        let layer = Layer::Rearrange {
            table: Arc::from(table),
            fill,
        };
        self.push(name, layer, vec![map.node], dims)
    }

    /// The map with its dimensions in another order: `dims[i]` of the result is `dims[order[i]]`.
    pub fn transpose(&mut self, name: &str, map: &Map, order: &[usize]) -> Step<Map> {
        let dims: Vec<usize> = order.iter().map(|&i| map.dims[i]).collect();
        self.spend(map.len())?;
        let steps = strides(&map.dims);
        let by: Vec<usize> = order.iter().map(|&i| steps[i]).collect();
        let table = walk(&dims, &by);
        self.rearrange(name, map, dims, table, 0.0)
    }

    /// The map repeated along its dimensions of size 1 (and new ones in front) to fill `dims`.
    pub fn broadcast(&mut self, name: &str, map: &Map, dims: &[usize]) -> Step<Map> {
        if map.dims == dims {
            return Ok(map.clone());
        }
        let missing = dims.len() - map.dims.len();
        let own = strides(&map.dims);
        let by: Vec<usize> = (0..dims.len())
            .map(|i| match i.checked_sub(missing) {
                Some(j) if map.dims[j] == dims[i] => own[j],
                _ => 0,
            })
            .collect();
        self.spend(super::fold::product(dims)?)?;
        let table = walk(dims, &by);
        self.rearrange(name, map, dims.to_vec(), table, 0.0)
    }

    /// Places read by a table of `dims.len()` dimensions, with `source(index)` for each.
    pub fn table(
        &mut self,
        dims: &[usize],
        mut source: impl FnMut(&[usize]) -> Option<usize>,
    ) -> Step<Vec<u32>> {
        let n = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        let Some(n) = n else {
            return wrong(format!("an output of {dims:?} is too large"));
        };
        self.spend(n)?;
        let mut index = vec![0; dims.len()];
        let mut table = Vec::with_capacity(n);
        for _ in 0..n {
            table.push(source(&index).map_or(NO_SOURCE, |s| s as u32));
            advance(&mut index, dims);
        }
        Ok(table)
    }
}

/// The next index, the last dimension fastest.
pub(super) fn advance(index: &mut [usize], dims: &[usize]) {
    for (i, n) in index.iter_mut().zip(dims).rev() {
        *i += 1;
        if *i < *n {
            return;
        }
        *i = 0;
    }
}

/// Distance between neighbours in every dimension, row-major.
pub(super) fn strides(dims: &[usize]) -> Vec<usize> {
    let mut out = vec![1; dims.len()];
    for i in (1..dims.len()).rev() {
        out[i - 1] = out[i] * dims[i];
    }
    out
}

/// Places visited when every dimension of `dims` moves by its entry of `by`.
pub(super) fn walk(dims: &[usize], by: &[usize]) -> Vec<u32> {
    let n = dims.iter().product();
    let mut index = vec![0; dims.len()];
    let mut table = Vec::with_capacity(n);
    for _ in 0..n {
        let place: usize = index.iter().zip(by).map(|(i, b)| i * b).sum();
        table.push(place as u32);
        advance(&mut index, dims);
    }
    table
}

/// What a node's inputs stand for.
pub(super) struct Inputs<'a> {
    pub node: &'a Node<'a>,
    pub values: Vec<Option<Value>>,
}

impl Inputs<'_> {
    /// Input `i` where it is given.
    pub fn get(&self, i: usize) -> Option<&Value> {
        self.values.get(i).and_then(Option::as_ref)
    }

    /// Input `i` as a map.
    pub fn map(&self, i: usize) -> Step<Map> {
        match self.get(i) {
            Some(Value::Map(map)) => Ok(map.clone()),
            Some(Value::Codes { .. }) => unsupported("works on integer codes"),
            Some(Value::Constant(_)) => unsupported(format!("input {i} is a constant here")),
            Some(Value::Unknown) | None => wrong(format!("input {i} is missing")),
        }
    }

    /// Input `i` as a constant, if it is given; `what` names it.
    pub fn constant(&self, i: usize, what: &str) -> Step<Option<Rc<Constant>>> {
        match self.get(i) {
            None => Ok(None),
            Some(Value::Constant(c)) => Ok(Some(c.clone())),
            Some(_) => unsupported(format!("{what} is computed; allowed: a constant")),
        }
    }

    /// Input `i` as a constant.
    pub fn needed(&self, i: usize, what: &str) -> Step<Rc<Constant>> {
        match self.constant(i, what)? {
            Some(c) => Ok(c),
            None => wrong(format!("{what} is missing")),
        }
    }
}
