//! What is done to every value by itself.

use super::super::constant::{Constant, Element};
use super::super::fold::{converted, in_training, together};
use super::super::importer::{
    Importer, Inputs, Map, Step, Trouble, Value, canonical, unsupported, wrong,
};
use super::combine::{affine, number, sum, with_constant};
use crate::network::graph::{Layer, norm_rate};
use crate::network::state::Part;
use crate::program::Activation;

fn one(map: Map) -> Step<Vec<Value>> {
    Ok(vec![Value::Map(map)])
}

fn apply(im: &mut Importer, name: &str, map: &Map, act: Activation) -> Step<Map> {
    // The shape of the node stays; only the values change.
    let (c, h, w) = im.graph.nodes[map.node].shape;
    let layer = Layer::Activation(act);
    let out = im.push(name, layer, vec![map.node], vec![c, h, w])?;
    Ok(out.with(map.dims.clone()))
}

pub(super) fn activation(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    let node = inputs.node;
    let act = match node.op() {
        "Relu" => Activation::Relu,
        "Tanh" => Activation::Tanh,
        "Sigmoid" => Activation::Sigmoid,
        "HardSwish" => Activation::HardSwish,
        "Abs" => Activation::Abs,
        "Sign" => Activation::Sign,
        "Floor" => Activation::Floor,
        _ => {
            let (slope, offset) = (node.float("alpha", 0.2), node.float("beta", 0.5));
            if !(slope > 0.0 && slope.is_finite() && offset.is_finite()) {
                return unsupported(format!(
                    "alpha {slope}, beta {offset}; allowed: alpha above 0"
                ));
            }
            Activation::HardSigmoid { slope, offset }
        }
    };
    one(apply(im, &node.name, &map, act)?)
}

/// LeakyRelu: one slope below 0.
pub(super) fn leaky_relu(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    let slope = inputs.node.float("alpha", 0.01);
    one(leaky(im, &inputs.node.name, &map, &number(slope))?)
}

/// PRelu: a slope below 0 for every channel or place.
pub(super) fn prelu(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    let slope = inputs.needed(1, "the slope")?;
    let full = [&[1], map.dims.as_slice()].concat();
    if together(&full, &slope.dims)? != full {
        return wrong(format!(
            "a slope of {:?} for an input of {:?} per image",
            slope.dims, map.dims
        ));
    }
    one(leaky(im, &inputs.node.name, &map, &slope)?)
}

/// `v` where it is above 0, else `slope v`: one operator where one slope of at least 0 holds
/// everywhere, else `max(v, 0) + slope min(v, 0)`, of which one term is always 0.
fn leaky(im: &mut Importer, name: &str, map: &Map, slope: &Constant) -> Step<Map> {
    let values = slope.to_floats();
    if let Some(bad) = values.iter().find(|v| !v.is_finite()) {
        return wrong(format!("slope {bad}"));
    }
    match values.split_first() {
        None => return wrong("no slope"),
        Some((&slope, rest)) if slope >= 0.0 && rest.iter().all(|s| *s == slope) => {
            return apply(im, name, map, Activation::LeakyRelu { slope });
        }
        Some(_) => {}
    }
    let above = apply(im, &format!("{name}.above"), map, Activation::Relu)?;
    let low = Activation::Clip {
        lo: f32::NEG_INFINITY,
        hi: 0.0,
    };
    let below = apply(im, &format!("{name}.below"), map, low)?;
    let below = affine(im, &format!("{name}.slope"), &below, slope, &number(0.0))?;
    sum(im, name, &above, &below)
}

/// `min(max(v, lo), hi)`.
pub(super) fn clamp(im: &mut Importer, name: &str, map: Map, lo: f32, hi: f32) -> Step<Map> {
    if lo == f32::NEG_INFINITY && hi == f32::INFINITY {
        return Ok(map);
    }
    // A limit that no finite value reaches is none.
    let lo = if lo <= f32::MIN {
        f32::NEG_INFINITY
    } else {
        lo
    };
    let hi = if hi >= f32::MAX { f32::INFINITY } else { hi };
    let act = match (lo, hi) {
        (f32::NEG_INFINITY, f32::INFINITY) => return Ok(map),
        (0.0, f32::INFINITY) => Activation::Relu,
        (lo, hi) if lo < hi => Activation::Clip { lo, hi },
        _ => return unsupported(format!("limits {lo} and {hi}; allowed: the lower below")),
    };
    apply(im, name, &map, act)
}

/// Clip: limits are attributes before operator set 11, then inputs.
pub(super) fn clip(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    let node = inputs.node;
    let limit = |i: usize, name: &str, default: f32| -> Step<f32> {
        match inputs.constant(i, name)? {
            None if node.opset < 11 => Ok(node.float(name, default)),
            None => Ok(default),
            Some(c) => match c.scalar() {
                Some(v) => Ok(v),
                None => wrong(format!("{name} must be one number")),
            },
        }
    };
    let lo = limit(1, "min", f32::NEG_INFINITY)?;
    let hi = limit(2, "max", f32::INFINITY)?;
    one(clamp(im, &node.name, map, lo, hi)?)
}

/// Min and Max with one number.
pub(super) fn limit(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let node = inputs.node;
    let Some((map, c)) = with_constant(inputs)? else {
        return unsupported("of two maps; allowed: of a map and one number");
    };
    if node.opset < 8 {
        return unsupported("of different shapes; allowed: from operator set 8 on");
    }
    let fits = c.dims.len() <= map.rank();
    let Some(v) = c.scalar().filter(|v| fits && !v.is_nan()) else {
        return unsupported("a limit for every place; allowed: one number");
    };
    let (lo, hi) = match node.op() {
        "Max" => (v, f32::INFINITY),
        _ => (f32::NEG_INFINITY, v),
    };
    one(clamp(im, &node.name, map, lo, hi)?)
}

pub(super) fn identity(_: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    match inputs.get(0) {
        Some(value) => Ok(vec![value.clone()]),
        None => wrong("no input"),
    }
}

/// Does nothing at inference.
pub(super) fn dropout(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    if in_training(inputs)? {
        return unsupported("drops in training mode; export the model for inference");
    }
    identity(im, inputs)
}

/// Between float types, which are all computed as one.
pub(super) fn cast(_: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    let to = Element::of(inputs.node.int("to", 1) as i32).map_err(Trouble::Unsupported)?;
    if !to.is_float() {
        return unsupported("makes integers of a map; allowed: float types");
    }
    one(Map { element: to, ..map })
}

/// Cast to the type of another value.
pub(super) fn cast_like(_: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let Some(to) = inputs.get(1).and_then(Value::element) else {
        return wrong("the second input is missing");
    };
    match inputs.get(0) {
        Some(Value::Constant(c)) => {
            let out = converted(c, to)?;
            Ok(vec![Value::Constant(out.into())])
        }
        _ if to.is_float() => {
            let map = inputs.map(0)?;
            one(Map { element: to, ..map })
        }
        _ => unsupported("makes integers of a map; allowed: float types"),
    }
}

pub(super) fn batch_norm(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    let node = inputs.node;
    // Before operator set 14 more than one output means training mode, after it an attribute does.
    if node.int("training_mode", 0) != 0 || node.proto.output.len() > 1 {
        return unsupported("normalises in training mode; export the model for inference");
    }
    if node.int("spatial", 1) == 0 {
        return unsupported("statistics for every place (spatial = 0)");
    }
    let eps = node.float("epsilon", 1e-5);
    if !(eps >= 0.0 && eps.is_finite()) {
        return wrong(format!("epsilon {eps}"));
    }
    let rate = running_rate(node.float("momentum", 0.9))?;
    if map.dims.is_empty() {
        return wrong("an input without channels");
    }
    let c = canonical(&map.dims).0;
    let mut parts = vec![];
    for (i, name) in Part::NORM.into_iter().enumerate() {
        let values = inputs.needed(i + 1, name.as_str())?;
        if values.dims != [c] {
            return wrong(format!("{name} of {:?} for {c} channels", values.dims));
        }
        parts.push((name, values));
    }
    let source = im.node_of(&map);
    let layer = Layer::BatchNorm { eps, rate };
    let name = im.layer_name(node, &parts[0].1);
    let out = im.push(&name, layer, vec![source], map.dims)?;
    for (name, values) in parts {
        im.trained(&out, name, vec![c], values.to_floats(), &values);
    }
    one(out)
}

/// Rate of the running statistics in training: a momentum of `m` keeps `m` of what they were.
fn running_rate(momentum: f32) -> Step<f32> {
    if !(0.0..=1.0).contains(&momentum) {
        return unsupported(format!("momentum {momentum}; allowed: 0 to 1"));
    }
    Ok(norm_rate(momentum))
}
