//! What is done to every value by itself, or to two values at the same place.

use super::super::constant::{Constant, Element};
use super::super::fold::{spread, together};
use super::super::importer::{
    Importer, Inputs, Map, Step, Trouble, Value, canonical, unsupported, wrong,
};
use crate::backend::program::Activation;
use crate::network::graph::Layer;

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
        "LeakyRelu" => leaky(node.float("alpha", 0.01))?,
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

fn leaky(slope: f32) -> Step<Activation> {
    if !(slope >= 0.0 && slope.is_finite()) {
        return unsupported(format!("slope {slope}; allowed: 0 and more"));
    }
    Ok(Activation::LeakyRelu { slope })
}

/// PRelu with the same slope everywhere.
pub(super) fn prelu(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    let slopes = inputs.needed(1, "the slope")?.to_floats();
    match slopes.split_first() {
        Some((&slope, rest)) if rest.iter().all(|s| *s == slope) => {
            one(apply(im, &inputs.node.name, &map, leaky(slope)?)?)
        }
        _ => unsupported("a slope for every channel; allowed: one slope"),
    }
}

/// `min(max(v, lo), hi)`.
fn clamp(im: &mut Importer, name: &str, map: Map, lo: f32, hi: f32) -> Step<Vec<Value>> {
    if lo == f32::NEG_INFINITY && hi == f32::INFINITY {
        return one(map);
    }
    // A limit that no finite value reaches is none.
    let lo = if lo <= f32::MIN {
        f32::NEG_INFINITY
    } else {
        lo
    };
    let hi = if hi >= f32::MAX { f32::INFINITY } else { hi };
    let act = match (lo, hi) {
        (0.0, f32::INFINITY) => Activation::Relu,
        (lo, hi) if lo < hi => Activation::Clip { lo, hi },
        _ => return unsupported(format!("limits {lo} and {hi}; allowed: the lower below")),
    };
    one(apply(im, name, &map, act)?)
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
    clamp(im, &node.name, map, lo, hi)
}

/// Min and Max with one number.
pub(super) fn limit(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let node = inputs.node;
    let Some((map, c)) = with_constant(inputs)? else {
        return unsupported("of two maps; allowed: of a map and one number");
    };
    let Some(v) = c.scalar().filter(|v| !v.is_nan()) else {
        return unsupported("a limit for every place; allowed: one number");
    };
    let (lo, hi) = match node.op() {
        "Max" => (v, f32::INFINITY),
        _ => (f32::NEG_INFINITY, v),
    };
    clamp(im, &node.name, map, lo, hi)
}

/// The map and the constant of a node that reads one of each, in either order.
fn with_constant(inputs: &Inputs) -> Step<Option<(Map, std::rc::Rc<Constant>)>> {
    if inputs.values.len() != 2 {
        return unsupported(format!("{} inputs; allowed: 2", inputs.values.len()));
    }
    match (inputs.get(0), inputs.get(1)) {
        (Some(Value::Constant(c)), _) => Ok(Some((inputs.map(1)?, c.clone()))),
        (_, Some(Value::Constant(c))) => Ok(Some((inputs.map(0)?, c.clone()))),
        _ => Ok(None),
    }
}

/// `scale x + shift`, both constants spread over the map: per channel where they are the same all
/// over a channel, else with every value a channel of its own.
fn affine(
    im: &mut Importer,
    name: &str,
    map: &Map,
    scale: &Constant,
    shift: &Constant,
) -> Step<Map> {
    let full = [&[1], map.dims.as_slice()].concat();
    for c in [scale, shift] {
        let dims = together(&full, &c.dims)?;
        if dims.len() > full.len() || dims[0] != 1 {
            return unsupported(format!(
                "a constant of {:?} with different values for different images",
                c.dims
            ));
        }
        if dims != full {
            return unsupported(format!(
                "a constant of {:?} that is larger than the map of {:?}",
                c.dims, map.dims
            ));
        }
    }
    let n = map.len();
    let (mut c, h, w) = canonical(&map.dims);
    im.spend(2 * c)?;
    if let (Some(scale), Some(shift)) = (scale.scalar(), shift.scalar()) {
        let node = im.node_of(map);
        let out = im.push(name, Layer::Affine, vec![node], vec![c, h, w])?;
        im.parameter(&out, "scale", vec![c], vec![scale; c]);
        im.parameter(&out, "shift", vec![c], vec![shift; c]);
        return Ok(out.with(map.dims.clone()));
    }
    im.spend(4 * n)?;
    let mut scale = spread(scale, &full).to_floats();
    let mut shift = spread(shift, &full).to_floats();
    let per_channel = |v: &[f32]| v.chunks(h * w).all(|c| c.iter().all(|x| *x == c[0]));
    let node = if per_channel(&scale) && per_channel(&shift) {
        for v in [&mut scale, &mut shift] {
            *v = v.iter().step_by(h * w).copied().collect();
        }
        im.node_of(map)
    } else {
        c = n;
        im.shaped(map, (n, 1, 1))
    };
    let (rows, columns) = if c == n && h * w != 1 { (1, 1) } else { (h, w) };
    let out = im.push(name, Layer::Affine, vec![node], vec![c, rows, columns])?;
    im.parameter(&out, "scale", vec![c], scale);
    im.parameter(&out, "shift", vec![c], shift);
    Ok(out.with(map.dims.clone()))
}

fn number(v: f32) -> Constant {
    Constant::floats(vec![], vec![v])
}

fn mapped(c: &Constant, f: impl Fn(f32) -> f32) -> Constant {
    let values = c.to_floats().into_iter().map(f).collect();
    Constant::floats(c.dims.clone(), values)
}

/// Two maps spread over each other.
fn pair(im: &mut Importer, inputs: &Inputs) -> Step<(Map, Map)> {
    let (a, b) = (inputs.map(0)?, inputs.map(1)?);
    if a.dims.len() != b.dims.len() && a.dims != b.dims {
        return unsupported(format!(
            "maps of {:?} and {:?} per image; allowed: as many dimensions",
            a.dims, b.dims
        ));
    }
    let dims = together(&a.dims, &b.dims)?;
    let name = &inputs.node.name;
    let a = im.broadcast(&format!("{name}.a"), &a, &dims)?;
    let b = im.broadcast(&format!("{name}.b"), &b, &dims)?;
    Ok((a, b))
}

fn sum(im: &mut Importer, name: &str, a: &Map, b: &Map) -> Step<Map> {
    let shape = im.graph.nodes[a.node].shape;
    let (left, right, dims) = if im.graph.nodes[b.node].shape == shape {
        (a.node, b.node, vec![shape.0, shape.1, shape.2])
    } else {
        (im.node_of(a), im.node_of(b), a.dims.clone())
    };
    let out = im.push(name, Layer::Add, vec![left, right], dims)?;
    Ok(out.with(a.dims.clone()))
}

pub(super) fn add(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let name = &inputs.node.name;
    if let Some((map, c)) = with_constant(inputs)? {
        return one(affine(im, name, &map, &number(1.0), &c)?);
    }
    let (a, b) = pair(im, inputs)?;
    one(sum(im, name, &a, &b)?)
}

pub(super) fn sub(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let name = &inputs.node.name;
    if let Some((map, c)) = with_constant(inputs)? {
        let out = match inputs.get(0) {
            Some(Value::Constant(_)) => affine(im, name, &map, &number(-1.0), &c)?,
            _ => affine(im, name, &map, &number(1.0), &mapped(&c, |v| -v))?,
        };
        return one(out);
    }
    let (a, b) = pair(im, inputs)?;
    let minus = format!("{name}.minus");
    let b = affine(im, &minus, &b, &number(-1.0), &number(0.0))?;
    one(sum(im, name, &a, &b)?)
}

pub(super) fn mul(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let name = &inputs.node.name;
    if let Some((map, c)) = with_constant(inputs)? {
        return one(affine(im, name, &map, &c, &number(0.0))?);
    }
    let (a, b) = (inputs.map(0)?, inputs.map(1)?);
    // A value per channel, in either order, needs no copies.
    for (whole, factor) in [(&a, &b), (&b, &a)] {
        let (c, h, w) = canonical(&whole.dims);
        let per_channel = whole.dims.len() > 1
            && factor.dims.len() == whole.dims.len()
            && canonical(&factor.dims) == (c, 1, 1)
            && h * w > 1;
        if per_channel {
            let inputs = vec![im.node_of(whole), im.node_of(factor)];
            return one(im.push(name, Layer::Multiply, inputs, whole.dims.clone())?);
        }
    }
    let (a, b) = pair(im, inputs)?;
    let nodes = vec![im.node_of(&a), im.node_of(&b)];
    one(im.push(name, Layer::Multiply, nodes, a.dims)?)
}

pub(super) fn div(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    match (inputs.get(0), inputs.get(1)) {
        (Some(Value::Constant(_)), _) => unsupported("divides by a map; allowed: by a constant"),
        (_, Some(Value::Constant(c))) => {
            let map = inputs.map(0)?;
            if c.to_floats().contains(&0.0) {
                return unsupported("divides by 0");
            }
            let factor = mapped(c, |v| (1.0 / f64::from(v)) as f32);
            one(affine(im, &inputs.node.name, &map, &factor, &number(0.0))?)
        }
        _ => unsupported("divides by a map; allowed: by a constant"),
    }
}

pub(super) fn neg(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    let name = &inputs.node.name;
    one(affine(im, name, &map, &number(-1.0), &number(0.0))?)
}

pub(super) fn identity(_: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    match inputs.get(0) {
        Some(value) => Ok(vec![value.clone()]),
        None => wrong("no input"),
    }
}

/// Does nothing at inference.
pub(super) fn dropout(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    if let Some(mode) = inputs.constant(2, "training_mode")?
        && mode.scalar() != Some(0.0)
    {
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
    one(map)
}

pub(super) fn batch_norm(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    let node = inputs.node;
    if node.int("training_mode", 0) != 0 {
        return unsupported("normalises in training mode; export the model for inference");
    }
    if node.int("spatial", 1) == 0 {
        return unsupported("statistics for every place (spatial = 0)");
    }
    let eps = node.float("epsilon", 1e-5);
    if !(eps >= 0.0 && eps.is_finite()) {
        return wrong(format!("epsilon {eps}"));
    }
    let c = canonical(&map.dims).0;
    let mut parts = vec![];
    for (i, name) in ["gamma", "beta", "mean", "var"].into_iter().enumerate() {
        let values = inputs.needed(i + 1, name)?.to_floats();
        if values.len() != c {
            return wrong(format!(
                "{} values of {name} for {c} channels",
                values.len()
            ));
        }
        parts.push((name, values));
    }
    let source = im.node_of(&map);
    let layer = Layer::BatchNorm { eps };
    let out = im.push(&node.name, layer, vec![source], map.dims)?;
    for (name, values) in parts {
        im.parameter(&out, name, vec![c], values);
    }
    one(out)
}
