//! Arithmetic of two and more values at the same place, spread over each other.

use super::super::constant::Constant;
use super::super::fold::{spread, together};
use super::super::importer::{Importer, Inputs, Map, Step, Value, canonical, unsupported, wrong};
use crate::network::graph::Layer;
use crate::network::state::Part;

fn one(map: Map) -> Step<Vec<Value>> {
    Ok(vec![Value::Map(map)])
}

/// The map and the constant of a node that reads one of each, in either order.
pub(super) fn with_constant(inputs: &Inputs) -> Step<Option<(Map, std::rc::Rc<Constant>)>> {
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
pub(super) fn affine(
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
        im.parameter(&out, Part::Scale, vec![c], vec![scale; c]);
        im.parameter(&out, Part::Shift, vec![c], vec![shift; c]);
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
    im.parameter(&out, Part::Scale, vec![c], scale);
    im.parameter(&out, Part::Shift, vec![c], shift);
    Ok(out.with(map.dims.clone()))
}

pub(super) fn number(v: f32) -> Constant {
    Constant::floats(vec![], vec![v])
}

fn mapped(c: &Constant, f: impl Fn(f32) -> f32) -> Constant {
    let values = c.to_floats().into_iter().map(f).collect();
    Constant::floats(c.dims.clone(), values)
}

/// Two maps spread over each other.
fn pair(im: &mut Importer, inputs: &Inputs) -> Step<(Map, Map)> {
    let (a, b) = (inputs.map(0)?, inputs.map(1)?);
    spread_over_each_other(im, &inputs.node.name, &a, &b)
}

fn spread_over_each_other(im: &mut Importer, name: &str, a: &Map, b: &Map) -> Step<(Map, Map)> {
    if a.dims.len() != b.dims.len() && a.dims != b.dims {
        return unsupported(format!(
            "maps of {:?} and {:?} per image; allowed: as many dimensions",
            a.dims, b.dims
        ));
    }
    let dims = together(&a.dims, &b.dims)?;
    let a = im.broadcast(&format!("{name}.a"), a, &dims)?;
    let b = im.broadcast(&format!("{name}.b"), b, &dims)?;
    Ok((a, b))
}

pub(super) fn sum(im: &mut Importer, name: &str, a: &Map, b: &Map) -> Step<Map> {
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

/// Sum and Mean of any number of maps and constants, one after the other; constants come last.
pub(super) fn sum_of_all(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let node = inputs.node;
    let (mut maps, mut constants) = (vec![], vec![]);
    for i in 0..inputs.values.len() {
        match inputs.get(i) {
            Some(Value::Constant(c)) => constants.push(c.clone()),
            _ => maps.push(inputs.map(i)?),
        }
    }
    let same = maps.iter().all(|m: &Map| m.dims == maps[0].dims);
    if node.opset < 8 && !(constants.is_empty() && same) {
        return unsupported("of different shapes; allowed: from operator set 8 on");
    }
    let is_mean = node.op() == "Mean";
    let steps = maps.len() + constants.len();
    let name = |step: usize| match step + 1 == steps && !is_mean {
        true => node.name.clone(),
        false => format!("{}.{step}", node.name),
    };
    let mut maps = maps.into_iter();
    let Some(mut total) = maps.next() else {
        return wrong("no map");
    };
    let mut step = 0;
    for map in maps {
        step += 1;
        let (a, b) = spread_over_each_other(im, &node.name, &total, &map)?;
        total = sum(im, &name(step), &a, &b)?;
    }
    for c in constants {
        step += 1;
        total = affine(im, &name(step), &total, &number(1.0), &c)?;
    }
    if is_mean {
        let share = number((1.0 / steps as f64) as f32);
        total = affine(im, &node.name, &total, &share, &number(0.0))?;
    }
    one(total)
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
