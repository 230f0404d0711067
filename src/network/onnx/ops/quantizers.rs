//! Quantizers: QuantizeLinear and DequantizeLinear are the two halves of one.

use super::super::codes::codes_of;
use super::super::constant::{Constant, Element};
use super::super::importer::{Importer, Inputs, Map, Step, Value, unsupported, wrong};
use super::Reader;
use super::elementwise::clamp;
use crate::network::graph::Layer;
use crate::network::state::Part;

/// Largest code of a rounding without limits: all whole numbers that `f32` tells apart.
const UNLIMITED: i32 = 1 << 24;

/// A quantizer that keeps `step * clamp(round(x / step), lo, hi)`.
fn quantizer(im: &mut Importer, name: &str, map: &Map, step: f32, lo: i32, hi: i32) -> Step<Map> {
    let (c, h, w) = im.graph.nodes[map.node].shape;
    let layer = Layer::Quantize { lo, hi };
    let out = im.push(name, layer, vec![map.node], vec![c, h, w])?;
    im.parameter(&out, Part::Step, vec![1], vec![step]);
    Ok(out.with(map.dims.clone()))
}

/// The step and the zero point of an activation: one for all channels.
fn step_and_zero(inputs: &Inputs) -> Step<(f32, i64)> {
    let scale = inputs.needed(1, "the scale")?.to_floats();
    let Some((&step, rest)) = scale.split_first() else {
        return wrong("no scale");
    };
    let zero = match inputs.constant(2, "the zero point")? {
        None => vec![0],
        Some(z) => match z.as_ints() {
            Some(v) => v.to_vec(),
            None => return unsupported("a zero point that is no integer"),
        },
    };
    let same_zero = zero.first().is_some_and(|z| zero.iter().all(|o| o == z));
    if rest.iter().any(|s| *s != step) || !same_zero {
        return unsupported("activations with a scale for every channel; allowed: one scale");
    }
    if !(step > 0.0 && step.is_finite()) {
        return wrong(format!("scale {step}"));
    }
    Ok((step, zero[0]))
}

pub(super) fn quantize(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    if inputs.node.int("block_size", 0) != 0 {
        return unsupported("a scale for every few places; allowed: one scale");
    }
    let precision = inputs.node.int("precision", 0);
    if ![0, 1].contains(&precision) {
        return unsupported(format!("precision {precision}; allowed: float"));
    }
    let (step, zero) = step_and_zero(inputs)?;
    let zero_point = inputs.constant(2, "the zero point")?;
    let element = codes_of(zero_point.as_deref(), inputs.node)?;
    let Some((lo, hi)) = element.codes() else {
        return unsupported("quantizes to something else than integers");
    };
    if !(i64::from(lo)..=i64::from(hi)).contains(&zero) {
        return wrong(format!("zero point {zero} outside {lo} to {hi}"));
    }
    let shift = zero as i32;
    let name = &inputs.node.name;
    let map = quantizer(im, name, &map, step, lo - shift, hi - shift)?;
    Ok(vec![Value::Codes {
        map,
        step,
        zero,
        element,
    }])
}

/// Integer codes of a map and what they stand for.
struct Codes {
    map: Map,
    step: f32,
    zero: i64,
    element: Element,
}

/// Operators that move codes or take the largest: the same as on the values.
const MOVES: &[&str] = &[
    "Concat",
    "Expand",
    "Flatten",
    "Gather",
    "MaxPool",
    "Pad",
    "Reshape",
    "Slice",
    "Split",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
];

/// Operators between the two halves of a quantizer; none where the node reads no codes, or is the
/// second half itself.
pub(in super::super) fn on_codes(
    im: &mut Importer,
    inputs: &Inputs,
    reader: Option<Reader>,
) -> Step<Option<Vec<Value>>> {
    let op = inputs.node.op();
    let Some(codes) = all_codes(inputs)? else {
        return Ok(None);
    };
    if matches!(op, "DequantizeLinear" | "Shape" | "Identity") {
        return Ok(None);
    }
    if matches!(op, "Clip" | "Relu" | "Max" | "Min") {
        return Ok(Some(vec![limited(im, inputs, codes)?]));
    }
    let Some(reader) = reader.filter(|_| MOVES.contains(&op)) else {
        return unsupported(
            "works on integer codes; allowed: QuantizeLinear followed by DequantizeLinear, with Clip, Relu, Max, \
             Min, MaxPool or what only moves values between them",
        );
    };
    let mut values = inputs.values.clone();
    for value in values.iter_mut().flatten() {
        if let Value::Codes { map, .. } = value {
            *value = Value::Map(map.clone());
        }
    }
    if op == "Pad" {
        // What is filled in is a code, too.
        let code = match inputs.constant(2, "the value")? {
            Some(c) => match c.as_ints() {
                Some(&[code]) => code,
                _ => return wrong("the value must be one number"),
            },
            None => 0,
        };
        let fill = codes.step * (code - codes.zero) as f32;
        values.resize(values.len().max(3), None);
        values[2] = Some(Value::Constant(Constant::floats(vec![], vec![fill]).into()));
    }
    let as_values = Inputs {
        node: inputs.node,
        values,
    };
    let out = reader(im, &as_values)?;
    let coded = |value: Value| match value {
        Value::Map(map) => Value::Codes {
            map,
            step: codes.step,
            zero: codes.zero,
            element: codes.element,
        },
        other => other,
    };
    Ok(Some(out.into_iter().map(coded).collect()))
}

/// The codes that a node reads, which must stand for the same values.
fn all_codes(inputs: &Inputs) -> Step<Option<Codes>> {
    let mut found: Option<Codes> = None;
    let mut maps = 0;
    for value in inputs.values.iter().flatten() {
        match value {
            Value::Codes {
                map,
                step,
                zero,
                element,
            } => {
                if found
                    .as_ref()
                    .is_some_and(|c| (c.step, c.zero) != (*step, *zero))
                {
                    return unsupported("codes of different scales");
                }
                found.get_or_insert(Codes {
                    map: map.clone(),
                    step: *step,
                    zero: *zero,
                    element: *element,
                });
            }
            Value::Map(_) => maps += 1,
            Value::Constant(_) | Value::Unknown => {}
        }
    }
    if found.is_some() && maps > 0 {
        return wrong("codes beside floats");
    }
    Ok(found)
}

/// Limits of codes: where they come straight from a quantizer it has fewer of them, else the values
/// are limited.
fn limited(im: &mut Importer, inputs: &Inputs, codes: Codes) -> Step<Value> {
    let node = inputs.node;
    let limit = |i: usize, what: &str, default: i64| match inputs.constant(i, what)? {
        None => Ok(default),
        Some(c) => match c.as_ints() {
            Some(&[v]) => Ok(v),
            _ => wrong(format!("{what} must be one number")),
        },
    };
    let (lo, hi) = match node.op() {
        "Clip" => (limit(1, "min", i64::MIN)?, limit(2, "max", i64::MAX)?),
        "Relu" => (0, i64::MAX),
        _ => {
            if inputs.values.len() != 2 {
                return unsupported(format!("{} inputs; allowed: 2", inputs.values.len()));
            }
            let constant = usize::from(matches!(inputs.get(0), Some(Value::Codes { .. })));
            match (node.op(), inputs.needed(constant, "the limit")?.as_ints()) {
                ("Max", Some(&[v])) => (v, i64::MAX),
                (_, Some(&[v])) => (i64::MIN, v),
                _ => return unsupported("a limit for every place; allowed: one number"),
            }
        }
    };
    let Some((low, high)) = codes.element.codes() else {
        return unsupported("codes of another type");
    };
    let (lo, hi) = (lo.max(low.into()), hi.min(high.into()));
    if lo >= hi {
        return unsupported(format!("limits {lo} and {hi}; allowed: the lower below"));
    }
    // Of 8 or 16 bits, so the differences fit.
    let (from, to) = ((lo - codes.zero) as i32, (hi - codes.zero) as i32);
    let before = &im.graph.nodes[codes.map.node];
    let map = match before.layer {
        Layer::Quantize { lo, hi } if from.max(lo) < to.min(hi) => {
            let (source, shape) = (before.inputs[0], before.shape);
            let layer = Layer::Quantize {
                lo: from.max(lo),
                hi: to.min(hi),
            };
            let (c, h, w) = shape;
            let out = im.push(&node.name, layer, vec![source], vec![c, h, w])?;
            im.parameter(&out, Part::Step, vec![1], vec![codes.step]);
            out.with(codes.map.dims.clone())
        }
        _ => {
            let (lo, hi) = (codes.step * from as f32, codes.step * to as f32);
            clamp(im, &node.name, codes.map.clone(), lo, hi)?
        }
    };
    Ok(Value::Codes {
        map,
        step: codes.step,
        zero: codes.zero,
        element: codes.element,
    })
}

pub(super) fn dequantize(_: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let Some(Value::Codes {
        map,
        step,
        zero,
        element,
    }) = inputs.get(0)
    else {
        return unsupported("its codes come from somewhere else than a QuantizeLinear");
    };
    let given = step_and_zero(inputs)?;
    let zero_point = inputs.constant(2, "the zero point")?;
    let same_type = zero_point.is_none_or(|z| z.element == *element);
    if given != (*step, *zero) || !same_type {
        return unsupported("another scale or zero point than the QuantizeLinear before it");
    }
    Ok(vec![Value::Map(map.clone())])
}

/// Round to the next whole number, ties to even.
pub(super) fn round(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    let name = &inputs.node.name;
    let out = quantizer(im, name, &map, 1.0, -UNLIMITED, UNLIMITED)?;
    Ok(vec![Value::Map(out)])
}
