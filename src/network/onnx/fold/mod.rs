//! Operators on constants alone: computed while reading. Exporters leave whole chains of them:
//! shapes for a reshape, paddings, quantized or normalised weights.
//!
//! What is computed is computed in `f64` and kept as the standard's type keeps it; integers that do
//! not fit their type are refused. Operators that work on whole maps (convolutions, pooling) are
//! read as if the constant were a batch of images and run on the CPU (`run`).

mod arithmetic;
mod moves;
mod products;
mod reduce;
mod run;

use std::rc::Rc;

pub(super) use arithmetic::{converted, spread, together};
pub(super) use moves::{part_of_shape, tiled};
pub(super) use reduce::axes_of_reduction;

use super::codes::{dequantized, quantized};
use super::constant::{Constant, Data, Element};
use super::importer::{BATCH, Importer, Inputs, Step, Trouble, Value, unsupported, wrong};
use super::node::{Node, ints};
use super::schema::Types;

/// Operators that work on constants only.
pub(super) const OPERATORS: &[&str] = &[
    "And",
    "Ceil",
    "Constant",
    "ConstantOfShape",
    "Equal",
    "Exp",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Log",
    "Not",
    "Or",
    "Pow",
    "Range",
    "Reciprocal",
    "ReduceL1",
    "ReduceL2",
    "ReduceMax",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
    "Size",
    "Sqrt",
    "Where",
];

/// Operators that only move values, and those that treat the number of images by themselves.
const MOVES: &[&str] = &[
    "Add",
    "Cast",
    "Concat",
    "ConstantOfShape",
    "Div",
    "Equal",
    "Expand",
    "Flatten",
    "Gather",
    "Identity",
    "Mul",
    "Reshape",
    "Slice",
    "Split",
    "Squeeze",
    "Sub",
    "Transpose",
    "Unsqueeze",
    "Where",
];

/// Multiply-accumulates of a constant product that count as one value of the budget.
const WORK: usize = 64;

/// Computes a node all of whose inputs are constants. The result is a map only where it is as large
/// as the batch.
pub(super) fn fold(im: &mut Importer, inputs: &Inputs, types: &Types) -> Step<Vec<Value>> {
    let op = inputs.node.op();
    let counts_images = |v: &Value| matches!(v, Value::Constant(c) if counts_images(c));
    if !MOVES.contains(&op) && inputs.values.iter().flatten().any(counts_images) {
        return unsupported("computes with the number of images");
    }
    if let Some(map) = moves::as_large_as_the_batch(im, inputs)? {
        return Ok(vec![Value::Map(map)]);
    }
    let mut origins: Vec<Rc<str>> = vec![];
    for value in inputs.values.iter().flatten() {
        if let Value::Constant(c) = value {
            for o in &c.origins {
                if !origins.contains(o) {
                    origins.push(o.clone());
                }
            }
        }
    }
    let results = match op {
        "Split" => moves::split(im, inputs)?,
        _ => vec![one(im, inputs)?],
    };
    let typed = |(i, c): (usize, Constant)| {
        let mut c = typed(c, types.output(i))?;
        // Parts of a Split are tensors of their own.
        c.origins = match op {
            "Split" => origins.iter().map(|o| format!("{o}[{i}]").into()).collect(),
            _ => origins.clone(),
        };
        Ok(Value::Constant(Rc::new(c)))
    };
    results.into_iter().enumerate().map(typed).collect()
}

/// Whether the number of images is among the values.
fn counts_images(c: &Constant) -> bool {
    matches!(&c.data, Data::Ints(v) if v.contains(&BATCH))
}

/// The constant as a type of the standard keeps it.
fn typed(mut c: Constant, element: Option<Element>) -> Step<Constant> {
    let element = element.unwrap_or(c.element);
    c.element = element;
    match &mut c.data {
        Data::Floats(v) => {
            if !element.is_float() {
                return wrong(format!("floats where {} stands", element.name()));
            }
            v.iter_mut().for_each(|v| *v = element.rounded(*v));
        }
        Data::Ints(v) => {
            let Some((lo, hi)) = element.limits() else {
                return wrong(format!("integers where {} stands", element.name()));
            };
            if let Some(far) = v.iter().find(|v| **v != BATCH && !(lo..=hi).contains(*v)) {
                return wrong(format!("{far} does not fit {}", element.name()));
            }
        }
    }
    Ok(c)
}

/// Number of values of `dims`, taken from the budget before memory is taken for them.
fn reserve(im: &mut Importer, dims: &[usize]) -> Step<usize> {
    let n = product(dims)?;
    im.spend(n)?;
    Ok(n)
}

fn one(im: &mut Importer, inputs: &Inputs) -> Step<Constant> {
    let node = inputs.node;
    let first = || inputs.needed(0, "the first input");
    let out = match node.op() {
        "Constant" => constant(node)?,
        "Identity" => (*first()?).clone(),
        "Dropout" => {
            if in_training(inputs)? {
                return unsupported("drops in training mode; export the model for inference");
            }
            (*first()?).clone()
        }
        "Cast" => arithmetic::cast(&*first()?, node)?,
        "Where" => arithmetic::choose(im, inputs)?,
        "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Equal" | "Greater" | "GreaterOrEqual" | "Less"
        | "LessOrEqual" | "And" | "Or" | "PRelu" => arithmetic::binary(im, inputs)?,
        "Max" | "Mean" | "Min" | "Sum" => arithmetic::many(im, inputs)?,
        "Clip" => arithmetic::clip(im, inputs)?,
        "Abs" | "Ceil" | "Exp" | "Floor" | "HardSigmoid" | "HardSwish" | "LeakyRelu" | "Log"
        | "Neg" | "Not" | "Reciprocal" | "Relu" | "Round" | "Sigmoid" | "Sign" | "Sqrt"
        | "Tanh" => {
            im.spend(first()?.len())?;
            arithmetic::unary(node, &*first()?)?
        }
        "ReduceL1" | "ReduceL2" | "ReduceMax" | "ReduceMean" | "ReduceMin" | "ReduceProd"
        | "ReduceSum" | "ReduceSumSquare" => reduce::reduce(im, inputs)?,
        "Softmax" => reduce::softmax(im, inputs)?,
        "MatMul" => products::matmul(im, inputs)?,
        "Gemm" => products::gemm(im, inputs)?,
        "DequantizeLinear" => {
            let (x, scale) = (first()?, inputs.needed(1, "the scale")?);
            let zero = inputs.constant(2, "the zero point")?;
            im.spend(x.len())?;
            dequantized(&x, &scale, zero.as_deref(), node)?
        }
        "QuantizeLinear" => {
            let (x, scale) = (first()?, inputs.needed(1, "the scale")?);
            let zero = inputs.constant(2, "the zero point")?;
            im.spend(x.len())?;
            quantized(&x, &scale, zero.as_deref(), node)?
        }
        "AveragePool" | "BatchNormalization" | "Conv" | "GlobalAveragePool" | "GlobalMaxPool"
        | "MaxPool" => run::as_images(im, inputs)?,
        _ => moves::moved(im, inputs)?,
    };
    Ok(out)
}

/// Whether a Dropout drops: from operator set 12 on its third input says so.
pub(super) fn in_training(inputs: &Inputs) -> Step<bool> {
    let mode = inputs.constant(2, "training_mode")?;
    Ok(mode.is_some_and(|mode| mode.scalar() != Some(0.0)))
}

/// The value of a `Constant` node.
fn constant(node: &Node) -> Step<Constant> {
    if let Some(t) = node.tensor("value") {
        return decode(t);
    }
    for a in &node.proto.attribute {
        match a.name.as_str() {
            "value_float" => return Ok(Constant::floats(vec![], vec![a.f.unwrap_or(0.0)])),
            "value_floats" => {
                return Ok(Constant::floats(vec![a.floats.len()], a.floats.clone()));
            }
            "value_int" => return Ok(Constant::ints(vec![], vec![a.i.unwrap_or(0)])),
            "value_ints" => return Ok(Constant::ints(vec![a.ints.len()], a.ints.clone())),
            _ => {}
        }
    }
    unsupported("a constant that is no array of numbers")
}

fn decode(t: &super::proto::TensorProto) -> Step<Constant> {
    Constant::decode(t, &super::external::External::none()).map_err(Trouble::Wrong)
}

/// Sizes of an array that is a shape.
fn sizes(c: &Constant) -> Step<Vec<usize>> {
    let of = |&v: &i64| match usize::try_from(v) {
        Ok(n) => Ok(n),
        Err(_) if v == BATCH => unsupported("makes constants of the size of the batch"),
        Err(_) => wrong(format!("size {v}")),
    };
    ints(c, "sizes")?.iter().map(of).collect()
}

pub(super) fn product(dims: &[usize]) -> Step<usize> {
    let n = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    n.map_or_else(|| wrong(format!("{dims:?} is too large")), Ok)
}
