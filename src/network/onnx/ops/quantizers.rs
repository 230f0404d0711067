//! Quantizers: QuantizeLinear and DequantizeLinear are the two halves of one.

use super::super::fold_quantized::codes_of;
use super::super::importer::{Importer, Inputs, Map, Step, Value, unsupported, wrong};
use crate::network::graph::Layer;

/// Largest code of a rounding without limits: all whole numbers that `f32` tells apart.
const UNLIMITED: i32 = 1 << 24;

/// A quantizer that keeps `step * clamp(round(x / step), lo, hi)`.
fn quantizer(im: &mut Importer, name: &str, map: &Map, step: f32, lo: i32, hi: i32) -> Step<Map> {
    let (c, h, w) = im.graph.nodes[map.node].shape;
    let layer = Layer::Quantize { lo, hi };
    let out = im.push(name, layer, vec![map.node], vec![c, h, w])?;
    im.parameter(&out, "step", vec![1], vec![step]);
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
