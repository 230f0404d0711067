//! Sums and other figures over axes of constants.

use super::super::constant::{Constant, Data};
use super::super::importer::{Importer, Inputs, Step, strides, unsupported, wrong};
use super::super::node::{axes_of, axis_of, ints};
use super::{product, reserve};

/// Whole numbers up to here are exact in `f64`.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The axes of a reduction over `rank` dimensions: an attribute or an input, all where there are
/// none; nothing at all where the node says that it then does nothing.
pub(in super::super) fn axes_of_reduction(
    inputs: &Inputs,
    rank: usize,
) -> Step<Option<Vec<usize>>> {
    let given = match (inputs.node.ints("axes"), inputs.constant(1, "the axes")?) {
        (Some(axes), _) => axes.to_vec(),
        (None, Some(c)) => ints(&c, "axes")?.to_vec(),
        (None, None) => vec![],
    };
    match given.is_empty() {
        true if inputs.node.int("noop_with_empty_axes", 0) != 0 => Ok(None),
        true => Ok(Some((0..rank).collect())),
        false => Ok(Some(axes_of(&given, rank)?)),
    }
}

pub(super) fn reduce(im: &mut Importer, inputs: &Inputs) -> Step<Constant> {
    let x = inputs.needed(0, "the first input")?;
    let op = inputs.node.op();
    let axes = axes_of_reduction(inputs, x.dims.len())?;
    let values: Vec<f64> = match &x.data {
        Data::Floats(v) => v.iter().map(|&v| v.into()).collect(),
        Data::Ints(_) if matches!(op, "ReduceMean" | "ReduceL2") => {
            return unsupported(format!("{op} of integers"));
        }
        Data::Ints(v) => v.iter().map(|&v| v as f64).collect(),
    };
    // Without axes every value is a figure by itself.
    let axes = axes.unwrap_or_default();
    let gone = |i: usize| axes.contains(&i);
    let kept: Vec<usize> = (0..x.dims.len())
        .map(|i| if gone(i) { 1 } else { x.dims[i] })
        .collect();
    let n = reserve(im, &kept)?;
    im.spend(x.len())?;
    let to = strides(&kept);
    let from = strides(&x.dims);
    let start = match op {
        "ReduceProd" => 1.0,
        "ReduceMax" => f64::NEG_INFINITY,
        "ReduceMin" => f64::INFINITY,
        _ => 0.0,
    };
    let mut out = vec![start; n];
    for (i, &v) in values.iter().enumerate() {
        let at: usize = (0..kept.len())
            .filter(|&d| !gone(d))
            .map(|d| i / from[d] % x.dims[d] * to[d])
            .sum();
        let o = &mut out[at];
        *o = match op {
            "ReduceL1" => *o + v.abs(),
            "ReduceL2" | "ReduceSumSquare" => *o + v * v,
            "ReduceProd" => *o * v,
            "ReduceMax" | "ReduceMin" if v.is_nan() || o.is_nan() => f64::NAN,
            "ReduceMax" => o.max(v),
            "ReduceMin" => o.min(v),
            _ => *o + v,
        };
    }
    let each = (x.len() / n.max(1)) as f64;
    let finish = |v: f64| match op {
        "ReduceL2" => v.sqrt(),
        "ReduceMean" => v / each,
        _ => v,
    };
    let data = match &x.data {
        Data::Floats(_) => Data::Floats(out.into_iter().map(|v| finish(v) as f32).collect()),
        Data::Ints(_) => {
            if out.iter().any(|v| v.abs() > EXACT) {
                return wrong("integers beyond 2^53");
            }
            Data::Ints(out.into_iter().map(|v| v as i64).collect())
        }
    };
    let dims = match inputs.node.int("keepdims", 1) {
        0 => (0..x.dims.len())
            .filter(|&i| !gone(i))
            .map(|i| x.dims[i])
            .collect(),
        _ => kept,
    };
    Ok(Constant::new(dims, x.element, data))
}

/// Softmax over one axis; before operator set 13 over that axis and all behind it.
pub(super) fn softmax(im: &mut Importer, inputs: &Inputs) -> Step<Constant> {
    let x = inputs.needed(0, "the first input")?;
    let node = inputs.node;
    let old = node.opset < 13;
    let axis = axis_of(node.int("axis", if old { 1 } else { -1 }), x.dims.len())?;
    let Data::Floats(values) = &x.data else {
        return wrong("Softmax of integers");
    };
    im.spend(x.len())?;
    let (over, behind) = match old {
        true => (product(&x.dims[axis..])?, 1),
        false => (x.dims[axis], product(&x.dims[axis + 1..])?),
    };
    let mut out = vec![0.0; x.len()];
    for (block, row) in values.chunks(over.max(1) * behind.max(1)).enumerate() {
        for b in 0..behind {
            let each = || row.iter().skip(b).step_by(behind).map(|&v| f64::from(v));
            let most = each().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = each().map(|v| (v - most).exp()).sum();
            for (k, v) in each().enumerate() {
                out[(block * over + k) * behind + b] = ((v - most).exp() / sum) as f32;
            }
        }
    }
    Ok(Constant::new(x.dims.clone(), x.element, Data::Floats(out)))
}
