//! Operators on constants alone: computed while reading. Exporters leave whole chains of them:
//! shapes for a reshape, paddings, quantized weights.

use std::rc::Rc;

use super::constant::{Constant, Data, Element};
use super::fold_quantized::{dequantized, quantized};
use super::importer::{BATCH, Importer, Inputs, Step, Trouble, strides, unsupported, walk, wrong};
use super::node::{Node, axes_of, axis_of, ints};
use super::ops::movement::{self, Span};

/// Operators that are folded.
pub(super) const OPERATORS: &[&str] = &[
    "Abs",
    "Add",
    "Cast",
    "Ceil",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "DequantizeLinear",
    "Div",
    "Dropout",
    "Equal",
    "Exp",
    "Expand",
    "Flatten",
    "Floor",
    "Gather",
    "Identity",
    "Mul",
    "Neg",
    "Pow",
    "QuantizeLinear",
    "Range",
    "Reciprocal",
    "Reshape",
    "Shape",
    "Slice",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Transpose",
    "Unsqueeze",
    "Where",
];

/// Computes a node all of whose inputs are constants.
pub(super) fn fold(im: &mut Importer, inputs: &Inputs) -> Step<Constant> {
    let node = inputs.node;
    let first = || inputs.needed(0, "the first input");
    let out = match node.op() {
        "Constant" => constant(node)?,
        "ConstantOfShape" => {
            let shape = sizes(&*first()?)?;
            im.spend(product(&shape)?)?;
            let fill = match node.tensor("value") {
                Some(t) => decode(t)?,
                None => Constant::floats(vec![1], vec![0.0]),
            };
            if fill.len() != 1 {
                return wrong("value must be one number");
            }
            let n = product(&shape)?;
            fill.gathered(shape, &vec![0; n])
        }
        "Identity" | "Dropout" => (*first()?).clone(),
        "Cast" => cast(&*first()?, node)?,
        "Shape" => {
            let dims: Vec<i64> = first()?.dims.iter().map(|&d| d as i64).collect();
            part_of_shape(node, &dims)?
        }
        "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => {
            let x = first()?;
            let dims = match node.op() {
                "Reshape" => reshaped(&x, &*inputs.needed(1, "the shape")?, node)?,
                "Flatten" => {
                    let axis = node.int("axis", 1);
                    let at = match usize::try_from(axis) {
                        Ok(at) if at <= x.dims.len() => at,
                        _ => axis_of(axis, x.dims.len())?,
                    };
                    vec![product(&x.dims[..at])?, product(&x.dims[at..])?]
                }
                "Squeeze" => movement::squeezed(&x.dims, movement::axes(inputs, x.dims.len())?)?,
                _ => movement::unsqueezed(inputs, &x.dims)?,
            };
            if product(&dims)? != x.len() {
                return wrong(format!("{:?} does not become {dims:?}", x.dims));
            }
            x.reshaped(dims)
        }
        "Transpose" => {
            let x = first()?;
            let order = match node.ints("perm") {
                Some(perm) => axes_of(perm, x.dims.len())?,
                None => (0..x.dims.len()).rev().collect(),
            };
            if order.len() != x.dims.len() {
                return wrong(format!("perm {order:?} for {:?}", x.dims));
            }
            let steps = strides(&x.dims);
            let dims: Vec<usize> = order.iter().map(|&i| x.dims[i]).collect();
            let by: Vec<usize> = order.iter().map(|&i| steps[i]).collect();
            x.gathered(dims.clone(), &places(&dims, &by))
        }
        "Concat" => concat(inputs)?,
        "Gather" => gather(im, &*first()?, &*inputs.needed(1, "the indices")?, node)?,
        "Slice" => {
            let x = first()?;
            let spans = movement::spans(inputs, &x.dims)?;
            let dims: Vec<usize> = spans.iter().map(|s| s.len).collect();
            let table = sliced(&x.dims, &spans);
            x.gathered(dims, &table)
        }
        "Expand" => {
            let (x, shape) = (first()?, sizes(&*inputs.needed(1, "the shape")?)?);
            let dims = together(&x.dims, &shape)?;
            im.spend(product(&dims)?)?;
            spread(&x, &dims)
        }
        "Range" => range(im, inputs)?,
        "Where" => {
            let (c, a, b) = (first()?, inputs.needed(1, "X")?, inputs.needed(2, "Y")?);
            let dims = together(&together(&c.dims, &a.dims)?, &b.dims)?;
            im.spend(3 * product(&dims)?)?;
            let (c, a, b) = (spread(&c, &dims), spread(&a, &dims), spread(&b, &dims));
            choose(&c, &a, &b)?
        }
        "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Equal" => {
            let (a, b) = (first()?, inputs.needed(1, "the second input")?);
            let dims = together(&a.dims, &b.dims)?;
            im.spend(2 * product(&dims)?)?;
            binary(node.op(), &spread(&a, &dims), &spread(&b, &dims))?
        }
        "Abs" | "Ceil" | "Exp" | "Floor" | "Neg" | "Reciprocal" | "Sqrt" => {
            unary(node.op(), &*first()?)?
        }
        "DequantizeLinear" => {
            let (x, scale) = (first()?, inputs.needed(1, "the scale")?);
            let zero = inputs.constant(2, "the zero point")?;
            dequantized(&x, &scale, zero.as_deref(), node)?
        }
        "QuantizeLinear" => {
            let (x, scale) = (first()?, inputs.needed(1, "the scale")?);
            let zero = inputs.constant(2, "the zero point")?;
            quantized(&x, &scale, zero.as_deref(), node)?
        }
        op => return unsupported(format!("{op} of constants")),
    };
    Ok(out)
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

fn places(dims: &[usize], by: &[usize]) -> Vec<usize> {
    walk(dims, by).into_iter().map(|t| t as usize).collect()
}

fn sliced(dims: &[usize], spans: &[Span]) -> Vec<usize> {
    movement::span_table(dims, spans)
        .into_iter()
        .map(|t| t as usize)
        .collect()
}

/// The part of a shape that `Shape` (with `start` and `end` from operator set 15 on) takes.
pub(super) fn part_of_shape(node: &Node, dims: &[i64]) -> Step<Constant> {
    let n = dims.len() as i64;
    let place = |v: i64| (if v < 0 { v.saturating_add(n) } else { v }).clamp(0, n) as usize;
    let (from, to) = (place(node.int("start", 0)), place(node.int("end", n)));
    let part = dims[from..to.max(from)].to_vec();
    Ok(Constant::ints(vec![part.len()], part))
}

fn cast(x: &Constant, node: &Node) -> Step<Constant> {
    let element = Element::of(node.int("to", 1) as i32).map_err(Trouble::Unsupported)?;
    let data = match (&x.data, element.is_float()) {
        (Data::Ints(v), true) => Data::Floats(v.iter().map(|&i| i as f32).collect()),
        (Data::Floats(v), false) if element == Element::Bool => {
            Data::Ints(v.iter().map(|&f| i64::from(f != 0.0)).collect())
        }
        (Data::Floats(v), false) => Data::Ints(v.iter().map(|&f| f as i64).collect()),
        (data, _) => data.clone(),
    };
    Ok(Constant {
        dims: x.dims.clone(),
        element,
        data,
    })
}

fn reshaped(x: &Constant, shape: &Constant, node: &Node) -> Step<Vec<usize>> {
    let mut dims = vec![];
    let mut free = None;
    for (i, &v) in ints(shape, "the shape")?.iter().enumerate() {
        dims.push(match v {
            -1 if free.is_none() => {
                free = Some(i);
                1
            }
            0 if node.int("allowzero", 0) == 0 => match x.dims.get(i) {
                Some(&d) => d,
                None => return wrong("a 0 in the shape beyond the input's dimensions"),
            },
            v => match usize::try_from(v) {
                Ok(d) => d,
                Err(_) => return wrong(format!("{v} in the shape")),
            },
        });
    }
    if let Some(i) = free {
        let rest = product(&dims)?;
        dims[i] = x.len().checked_div(rest).unwrap_or(0);
    }
    Ok(dims)
}

fn concat(inputs: &Inputs) -> Step<Constant> {
    let parts: Vec<Rc<Constant>> = (0..inputs.values.len())
        .map(|i| inputs.needed(i, "an input"))
        .collect::<Step<_>>()?;
    let Some(first) = parts.first() else {
        return wrong("nothing to concatenate");
    };
    let axis = axis_of(inputs.node.int("axis", 0), first.dims.len())?;
    let mut dims = first.dims.clone();
    dims[axis] = 0;
    for p in &parts {
        let fits = p.dims.len() == dims.len()
            && (0..dims.len()).all(|i| i == axis || p.dims[i] == dims[i])
            && p.element.is_float() == first.element.is_float();
        if !fits {
            return wrong(format!("{:?} beside {:?}", p.dims, first.dims));
        }
        dims[axis] += p.dims[axis];
    }
    let outer = product(&dims[..axis])?;
    let inner = |p: &Constant| p.len().checked_div(outer).unwrap_or(0);
    let mut data = match first.data {
        Data::Floats(_) => Data::Floats(vec![]),
        Data::Ints(_) => Data::Ints(vec![]),
    };
    for o in 0..outer {
        for p in &parts {
            let at = o * inner(p)..(o + 1) * inner(p);
            match (&mut data, &p.data) {
                (Data::Floats(out), Data::Floats(v)) => out.extend_from_slice(&v[at]),
                (Data::Ints(out), Data::Ints(v)) => out.extend_from_slice(&v[at]),
                _ => return wrong("floats beside integers"),
            }
        }
    }
    Ok(Constant {
        dims,
        element: first.element,
        data,
    })
}

fn gather(im: &mut Importer, x: &Constant, indices: &Constant, node: &Node) -> Step<Constant> {
    let axis = axis_of(node.int("axis", 0), x.dims.len())?;
    let size = x.dims[axis] as i64;
    let mut picks = vec![];
    for &i in ints(indices, "indices")? {
        let at = if i < 0 { i.saturating_add(size) } else { i };
        if !(0..size).contains(&at) {
            return wrong(format!("index {i} of {size}"));
        }
        picks.push(at as usize);
    }
    let (outer, inner) = (product(&x.dims[..axis])?, product(&x.dims[axis + 1..])?);
    im.spend(product(&[outer, picks.len(), inner])?)?;
    let mut table = vec![];
    for o in 0..outer {
        for &p in &picks {
            let start = (o * x.dims[axis] + p) * inner;
            table.extend(start..start + inner);
        }
    }
    let dims = [&x.dims[..axis], &indices.dims, &x.dims[axis + 1..]].concat();
    Ok(x.gathered(dims, &table))
}

fn range(im: &mut Importer, inputs: &Inputs) -> Step<Constant> {
    let mut v = [0; 3];
    for (i, v) in v.iter_mut().enumerate() {
        let c = inputs.needed(i, "a limit")?;
        match c.as_ints() {
            Some([one]) if *one != BATCH => *v = *one,
            _ => return unsupported("a range of anything but integers known beforehand"),
        }
    }
    let [start, limit, delta] = v.map(i128::from);
    if delta == 0 {
        return wrong("a range with step 0");
    }
    let n = ((limit - start + delta - delta.signum()) / delta).max(0);
    let n = usize::try_from(n).unwrap_or(usize::MAX);
    im.spend(n)?;
    let data: Vec<i64> = (0..n as i128).map(|i| (start + i * delta) as i64).collect();
    Ok(Constant::ints(vec![n], data))
}

/// Dimensions of two arrays spread over each other.
pub(super) fn together(a: &[usize], b: &[usize]) -> Step<Vec<usize>> {
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

/// The constant repeated to fill `dims`.
pub(super) fn spread(c: &Constant, dims: &[usize]) -> Constant {
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
    c.gathered(dims.to_vec(), &places(dims, &by))
}

fn choose(c: &Constant, a: &Constant, b: &Constant) -> Step<Constant> {
    let Some(c) = c.as_ints() else {
        return wrong("the condition must be booleans");
    };
    let data = match (&a.data, &b.data) {
        (Data::Floats(x), Data::Floats(y)) => Data::Floats(
            c.iter()
                .zip(x.iter().zip(y))
                .map(|(&c, (&x, &y))| if c != 0 { x } else { y })
                .collect(),
        ),
        (Data::Ints(x), Data::Ints(y)) => Data::Ints(
            c.iter()
                .zip(x.iter().zip(y))
                .map(|(&c, (&x, &y))| if c != 0 { x } else { y })
                .collect(),
        ),
        _ => return wrong("floats and integers to choose from"),
    };
    Ok(Constant {
        dims: a.dims.clone(),
        element: a.element,
        data,
    })
}

fn binary(op: &str, a: &Constant, b: &Constant) -> Step<Constant> {
    let (element, data) = match (&a.data, &b.data) {
        (Data::Ints(x), Data::Ints(y)) => {
            let pairs = x.iter().zip(y);
            let out = pairs
                .map(|(&x, &y)| integers(op, x, y))
                .collect::<Step<_>>()?;
            (a.element, Data::Ints(out))
        }
        (_, Data::Floats(_)) | (Data::Floats(_), _) => {
            let (x, y) = (a.to_floats(), b.to_floats());
            let pairs = x
                .iter()
                .zip(&y)
                .map(|(&x, &y)| (f64::from(x), f64::from(y)));
            if op == "Equal" {
                let out = pairs.map(|(x, y)| i64::from(x == y)).collect();
                (Element::Bool, Data::Ints(out))
            } else {
                let out = pairs.map(|(x, y)| match op {
                    "Add" => x + y,
                    "Sub" => x - y,
                    "Mul" => x * y,
                    "Div" => x / y,
                    _ => x.powf(y),
                });
                (Element::F32, Data::Floats(out.map(|v| v as f32).collect()))
            }
        }
    };
    Ok(Constant {
        dims: a.dims.clone(),
        element: if op == "Equal" {
            Element::Bool
        } else {
            element
        },
        data,
    })
}

/// Arithmetic on sizes and indices.
fn integers(op: &str, x: i64, y: i64) -> Step<i64> {
    if op == "Equal" {
        return Ok(i64::from(x == y));
    }
    if x == BATCH || y == BATCH {
        // What leaves the number of images as it is.
        return match (op, x, y) {
            ("Mul" | "Div", BATCH, 1) | ("Add" | "Sub", BATCH, 0) => Ok(BATCH),
            ("Mul", 1, BATCH) | ("Add", 0, BATCH) => Ok(BATCH),
            _ => unsupported("computes with the number of images"),
        };
    }
    let out = match op {
        "Add" => x.checked_add(y),
        "Sub" => x.checked_sub(y),
        "Mul" => x.checked_mul(y),
        "Div" => x.checked_div(y),
        _ => u32::try_from(y).ok().and_then(|y| x.checked_pow(y)),
    };
    out.map_or_else(|| wrong(format!("{op} of {x} and {y}")), Ok)
}

fn unary(op: &str, x: &Constant) -> Step<Constant> {
    let data = match (&x.data, op) {
        (Data::Ints(v), "Neg" | "Abs") => {
            if v.contains(&BATCH) {
                return unsupported("computes with the number of images");
            }
            let of = |&i: &i64| {
                if op == "Neg" || i < 0 {
                    i.wrapping_neg()
                } else {
                    i
                }
            };
            Data::Ints(v.iter().map(of).collect())
        }
        (Data::Ints(v), "Ceil" | "Floor") => Data::Ints(v.clone()),
        _ => {
            let of = |v: f32| {
                let v = f64::from(v);
                let y = match op {
                    "Abs" => v.abs(),
                    "Ceil" => v.ceil(),
                    "Exp" => v.exp(),
                    "Floor" => v.floor(),
                    "Neg" => -v,
                    "Reciprocal" => 1.0 / v,
                    _ => v.sqrt(),
                };
                y as f32
            };
            Data::Floats(x.to_floats().into_iter().map(of).collect())
        }
    };
    Ok(Constant {
        dims: x.dims.clone(),
        element: x.element,
        data,
    })
}
