//! What is done to constants value by value.

use std::rc::Rc;

use super::super::constant::{Constant, Data, Element};
use super::super::importer::{
    BATCH, Importer, Inputs, Step, Trouble, Value, strides, unsupported, walk, wrong,
};
use super::super::node::Node;
use super::reserve;

/// Dimensions of two arrays spread over each other.
pub(in super::super) fn together(a: &[usize], b: &[usize]) -> Step<Vec<usize>> {
    let n = a.len().max(b.len());
    let of = |d: &[usize], i: usize| (i + d.len()).checked_sub(n).map_or(1, |j| d[j]);
    (0..n)
        .map(|i| match (of(a, i), of(b, i)) {
            (1, d) => Ok(d),
            (d, e) if e == 1 || e == d => Ok(d),
            _ => wrong(format!("{a:?} and {b:?} do not fit together")),
        })
        .collect()
}

/// The constant repeated to fill `dims`, for which there is room.
pub(in super::super) fn spread(c: &Constant, dims: &[usize]) -> Constant {
    if c.dims == dims {
        return c.clone();
    }
    let own = strides(&c.dims);
    let missing = dims.len() - c.dims.len();
    let by: Vec<usize> = (0..dims.len())
        .map(|i| match i.checked_sub(missing) {
            Some(j) if c.dims[j] != 1 => own[j],
            _ => 0,
        })
        .collect();
    let places: Vec<usize> = walk(dims, &by).into_iter().map(|t| t as usize).collect();
    c.gathered(dims.to_vec(), &places)
}

/// All given inputs, spread over each other.
fn spread_all(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Constant>> {
    let parts: Vec<Rc<Constant>> = (0..inputs.values.len())
        .map(|i| inputs.needed(i, "an input"))
        .collect::<Step<_>>()?;
    let mut dims = vec![];
    for p in &parts {
        dims = together(&dims, &p.dims)?;
    }
    for _ in 0..=parts.len() {
        reserve(im, &dims)?;
    }
    Ok(parts.iter().map(|p| spread(p, &dims)).collect())
}

pub(super) fn cast(x: &Constant, node: &Node) -> Step<Constant> {
    let element = Element::of(node.int("to", 1) as i32).map_err(Trouble::Unsupported)?;
    converted(x, element)
}

/// The constant in another type. What has no meaning there, or none that all machines share, is
/// refused.
pub(in super::super) fn converted(x: &Constant, element: Element) -> Step<Constant> {
    let data = match (&x.data, element.limits()) {
        (Data::Floats(v), None) => Data::Floats(v.iter().map(|&v| element.rounded(v)).collect()),
        (Data::Ints(v), None) => {
            if v.contains(&BATCH) {
                return unsupported("computes with the number of images");
            }
            Data::Ints(v.clone()).as_floats(element)
        }
        (Data::Floats(v), Some(_)) if element == Element::Bool => {
            Data::Ints(v.iter().map(|&f| i64::from(f != 0.0)).collect())
        }
        (Data::Ints(v), Some(_)) if element == Element::Bool => {
            if v.contains(&BATCH) {
                return unsupported("computes with the number of images");
            }
            Data::Ints(v.iter().map(|&i| i64::from(i != 0)).collect())
        }
        (Data::Floats(v), Some((lo, hi))) => {
            let of = |&f: &f32| {
                let whole = f64::from(f).trunc();
                match (lo as f64..=hi as f64).contains(&whole) {
                    true => Ok(whole as i64),
                    false => wrong(format!("{f} does not fit {}", element.name())),
                }
            };
            Data::Ints(v.iter().map(of).collect::<Step<_>>()?)
        }
        (Data::Ints(v), Some((lo, hi))) => {
            let wide = matches!(
                element,
                Element::I64 | Element::I32 | Element::U64 | Element::U32
            );
            let of = |&i: &i64| match i {
                BATCH if wide => Ok(BATCH),
                BATCH => unsupported("computes with the number of images"),
                i if (lo..=hi).contains(&i) => Ok(i),
                i => wrong(format!("{i} does not fit {}", element.name())),
            };
            Data::Ints(v.iter().map(of).collect::<Step<_>>()?)
        }
    };
    Ok(Constant::new(x.dims.clone(), element, data))
}

impl Data {
    fn as_floats(&self, element: Element) -> Data {
        match self {
            Data::Floats(v) => Data::Floats(v.clone()),
            Data::Ints(v) => Data::Floats(v.iter().map(|&i| element.rounded(i as f32)).collect()),
        }
    }
}

pub(super) fn choose(im: &mut Importer, inputs: &Inputs) -> Step<Constant> {
    let parts = spread_all(im, inputs)?;
    let [c, a, b] = parts.as_slice() else {
        return wrong("three inputs are needed");
    };
    let Some(c) = c.as_ints() else {
        return wrong("the condition must be booleans");
    };
    fn pick<T: Copy>(c: &[i64], x: &[T], y: &[T]) -> Vec<T> {
        let pairs = c.iter().zip(x.iter().zip(y));
        pairs
            .map(|(&c, (&x, &y))| if c != 0 { x } else { y })
            .collect()
    }
    let data = match (&a.data, &b.data) {
        (Data::Floats(x), Data::Floats(y)) => Data::Floats(pick(c, x, y)),
        (Data::Ints(x), Data::Ints(y)) => Data::Ints(pick(c, x, y)),
        _ => return wrong("floats and integers to choose from"),
    };
    Ok(Constant::new(a.dims.clone(), a.element, data))
}

/// Operators of two inputs.
pub(super) fn binary(im: &mut Importer, inputs: &Inputs) -> Step<Constant> {
    let op = inputs.node.op();
    let parts = spread_all(im, inputs)?;
    let [a, b] = parts.as_slice() else {
        return wrong("two inputs are needed");
    };
    let logical = !matches!(op, "Add" | "Sub" | "Mul" | "Div" | "Pow" | "PRelu");
    let (element, data) = match (&a.data, &b.data) {
        (Data::Ints(x), Data::Ints(y)) => {
            let pairs = x.iter().zip(y);
            let out = pairs
                .map(|(&x, &y)| integers(op, x, y))
                .collect::<Step<_>>()?;
            (a.element, Data::Ints(out))
        }
        (Data::Ints(_), Data::Floats(_)) => {
            return unsupported("an integer to the power of a float");
        }
        (Data::Floats(x), _) => {
            let y = b.to_floats();
            let pairs = x
                .iter()
                .zip(&y)
                .map(|(&x, &y)| (f64::from(x), f64::from(y)));
            if logical {
                let out = pairs.map(|(x, y)| {
                    i64::from(match op {
                        "Equal" => x == y,
                        "Greater" => x > y,
                        "GreaterOrEqual" => x >= y,
                        "Less" => x < y,
                        _ => x <= y,
                    })
                });
                (Element::Bool, Data::Ints(out.collect()))
            } else {
                let out = pairs.map(|(x, y)| match op {
                    "Add" => x + y,
                    "Sub" => x - y,
                    "Mul" => x * y,
                    "Div" => x / y,
                    "PRelu" if x < 0.0 => x * y,
                    "PRelu" => x,
                    _ => x.powf(y),
                });
                (a.element, Data::Floats(out.map(|v| v as f32).collect()))
            }
        }
    };
    let element = if logical { Element::Bool } else { element };
    Ok(Constant::new(a.dims.clone(), element, data))
}

/// Arithmetic on sizes and indices.
fn integers(op: &str, x: i64, y: i64) -> Step<i64> {
    if x == BATCH || y == BATCH {
        // What leaves the number of images as it is, and what is so for every number of images.
        return match (op, x, y) {
            ("Mul" | "Div", BATCH, 1) | ("Add" | "Sub", BATCH, 0) => Ok(BATCH),
            ("Mul", 1, BATCH) | ("Add", 0, BATCH) => Ok(BATCH),
            ("Equal", BATCH, BATCH) => Ok(1),
            ("Equal", BATCH, n) | ("Equal", n, BATCH) if n < 0 => Ok(0),
            _ => unsupported("computes with the number of images"),
        };
    }
    let truth = |t: bool| Some(i64::from(t));
    let out = match op {
        "Add" => x.checked_add(y),
        "Sub" => x.checked_sub(y),
        "Mul" => x.checked_mul(y),
        "Div" => x.checked_div(y),
        "PRelu" if x < 0 => x.checked_mul(y),
        "PRelu" => Some(x),
        "Equal" => truth(x == y),
        "Greater" => truth(x > y),
        "GreaterOrEqual" => truth(x >= y),
        "Less" => truth(x < y),
        "LessOrEqual" => truth(x <= y),
        "And" => truth(x != 0 && y != 0),
        "Or" => truth(x != 0 || y != 0),
        _ => u32::try_from(y).ok().and_then(|y| x.checked_pow(y)),
    };
    out.map_or_else(|| wrong(format!("{op} of {x} and {y}")), Ok)
}

/// Operators of any number of inputs.
pub(super) fn many(im: &mut Importer, inputs: &Inputs) -> Step<Constant> {
    let op = inputs.node.op();
    let given = inputs.values.iter().flatten();
    let mut shapes = given.filter_map(|v| match v {
        Value::Constant(c) => Some(&c.dims),
        _ => None,
    });
    let one = shapes.next();
    if inputs.node.opset < 8 && shapes.any(|dims| Some(dims) != one) {
        return unsupported("of different shapes; allowed: from operator set 8 on");
    }
    let parts = spread_all(im, inputs)?;
    let Some(first) = parts.first() else {
        return wrong("no input");
    };
    let data = match &first.data {
        Data::Ints(v) => {
            let mut out = v.clone();
            for p in &parts[1..] {
                for (o, &v) in out.iter_mut().zip(p.as_ints().unwrap_or_default()) {
                    *o = if op == "Max" { v.max(*o) } else { v.min(*o) };
                }
            }
            Data::Ints(out)
        }
        Data::Floats(v) => {
            let mut out: Vec<f64> = v.iter().map(|&v| v.into()).collect();
            for p in &parts[1..] {
                for (o, v) in out.iter_mut().zip(p.to_floats()) {
                    let v = f64::from(v);
                    *o = match op {
                        // What is not a number stays none.
                        "Max" | "Min" if v.is_nan() || o.is_nan() => f64::NAN,
                        "Max" => v.max(*o),
                        "Min" => v.min(*o),
                        _ => *o + v,
                    };
                }
            }
            let n = if op == "Mean" {
                parts.len() as f64
            } else {
                1.0
            };
            Data::Floats(out.into_iter().map(|v| (v / n) as f32).collect())
        }
    };
    Ok(Constant::new(first.dims.clone(), first.element, data))
}

/// Limits are attributes before operator set 11, then inputs.
pub(super) fn clip(im: &mut Importer, inputs: &Inputs) -> Step<Constant> {
    let x = inputs.needed(0, "the first input")?;
    im.spend(x.len())?;
    let node = inputs.node;
    let (lo, hi) = (inputs.constant(1, "min")?, inputs.constant(2, "max")?);
    let one = |c: &Option<Rc<Constant>>, what: &str| match c.as_deref().map(Constant::len) {
        None | Some(1) => Ok(()),
        Some(_) => wrong(format!("{what} must be one number")),
    };
    one(&lo, "min")?;
    one(&hi, "max")?;
    let data = match &x.data {
        Data::Ints(v) => {
            let of =
                |c: &Option<Rc<Constant>>| c.as_ref().and_then(|c| c.as_ints()?.first().copied());
            let (lo, hi) = (of(&lo).unwrap_or(i64::MIN), of(&hi).unwrap_or(i64::MAX));
            Data::Ints(v.iter().map(|&v| v.max(lo).min(hi)).collect())
        }
        Data::Floats(v) => {
            let of = |c: &Option<Rc<Constant>>, name: &str, default: f32| match c {
                Some(c) => c.scalar().unwrap_or(default),
                None => node.float(name, default),
            };
            let (lo, hi) = (
                of(&lo, "min", f32::NEG_INFINITY),
                of(&hi, "max", f32::INFINITY),
            );
            let limited = |v: f32| if v.is_nan() { v } else { v.max(lo).min(hi) };
            Data::Floats(v.iter().map(|&v| limited(v)).collect())
        }
    };
    Ok(Constant::new(x.dims.clone(), x.element, data))
}

/// Operators of one input.
pub(super) fn unary(node: &Node, x: &Constant) -> Step<Constant> {
    let op = node.op();
    let data = match &x.data {
        Data::Ints(v) => {
            let of = |&i: &i64| {
                let y = match op {
                    "Neg" => i.checked_neg(),
                    "Abs" => i.checked_abs(),
                    "Sign" => Some(i.signum()),
                    "Relu" => Some(i.max(0)),
                    "Not" => Some(i64::from(i == 0)),
                    _ => return unsupported(format!("{op} of integers")),
                };
                y.map_or_else(|| wrong(format!("{op} of {i}")), Ok)
            };
            Data::Ints(v.iter().map(of).collect::<Step<_>>()?)
        }
        Data::Floats(v) => {
            let function = real(node);
            Data::Floats(v.iter().map(|&v| function(f64::from(v)) as f32).collect())
        }
    };
    Ok(Constant::new(x.dims.clone(), x.element, data))
}

/// The function of an operator of one input.
fn real(node: &Node) -> Box<dyn Fn(f64) -> f64> {
    let alpha = |default: f32| f64::from(node.float("alpha", default));
    match node.op() {
        "Abs" => Box::new(f64::abs),
        "Ceil" => Box::new(f64::ceil),
        "Exp" => Box::new(f64::exp),
        "Floor" => Box::new(f64::floor),
        "HardSigmoid" => {
            let (alpha, beta) = (alpha(0.2), f64::from(node.float("beta", 0.5)));
            Box::new(move |v| (alpha * v + beta).clamp(0.0, 1.0))
        }
        "HardSwish" => Box::new(|v| v * (v / 6.0 + 0.5).clamp(0.0, 1.0)),
        "LeakyRelu" => {
            let alpha = alpha(0.01);
            Box::new(move |v| if v < 0.0 { alpha * v } else { v })
        }
        "Log" => Box::new(f64::ln),
        "Neg" => Box::new(|v| -v),
        "Reciprocal" => Box::new(|v| 1.0 / v),
        "Relu" => Box::new(|v| if v <= 0.0 { 0.0 } else { v }),
        "Round" => Box::new(f64::round_ties_even),
        "Sigmoid" => Box::new(|v| 1.0 / (1.0 + (-v).exp())),
        "Sign" => Box::new(|v| if v == 0.0 { 0.0 } else { v.signum() }),
        "Tanh" => Box::new(f64::tanh),
        _ => Box::new(f64::sqrt),
    }
}
