//! Constants whose values move to other places, and those that are made from sizes.

use std::rc::Rc;

use super::super::constant::{Constant, Data};
use super::super::importer::{
    BATCH, Importer, Inputs, Map, Step, strides, unsupported, walk, wrong,
};
use super::super::node::{Node, axes_of, axis_of, ints};
use super::super::ops::movement::{self, Padding};
use super::super::ops::shapes;
use super::{decode, product, reserve, sizes, spread, together};

/// A constant of which every image has a copy: its first dimension is the number of images.
pub(super) fn as_large_as_the_batch(im: &mut Importer, inputs: &Inputs) -> Step<Option<Map>> {
    let node = inputs.node;
    let (shape, part) = match node.op() {
        "ConstantOfShape" => (inputs.needed(0, "the shape")?, fill(node)?),
        "Expand" => (
            inputs.needed(1, "the shape")?,
            (*inputs.needed(0, "the first input")?).clone(),
        ),
        _ => return Ok(None),
    };
    let Some([first, rest @ ..]) = shape.as_ints().filter(|s| s.first() == Some(&BATCH)) else {
        return Ok(None);
    };
    debug_assert_eq!(*first, BATCH);
    let image = sizes(&Constant::ints(vec![rest.len()], rest.to_vec()))?;
    let dims = together(&[&[1], image.as_slice()].concat(), &part.dims)?;
    if dims.len() != image.len() + 1 || dims[0] != 1 {
        return unsupported("a constant with different values for different images");
    }
    let Data::Floats(_) = &part.data else {
        return unsupported("integers as many as the images; allowed: floats");
    };
    reserve(im, &dims)?;
    let values = spread(&part, &dims).to_floats();
    let map = im.constant_map(&node.name, dims[1..].to_vec(), values)?;
    Ok(Some(map))
}

/// The value of a ConstantOfShape.
fn fill(node: &Node) -> Step<Constant> {
    let fill = match node.tensor("value") {
        Some(t) => decode(t)?,
        None => Constant::floats(vec![1], vec![0.0]),
    };
    if fill.len() != 1 {
        return wrong("value must be one number");
    }
    Ok(fill)
}

/// Operators that move values.
pub(super) fn moved(im: &mut Importer, inputs: &Inputs) -> Step<Constant> {
    let node = inputs.node;
    if node.op() == "Range" {
        return range(im, inputs);
    }
    let x = inputs.needed(0, "the first input")?;
    let out = match node.op() {
        "ConstantOfShape" => {
            let shape = sizes(&x)?;
            let n = reserve(im, &shape)?;
            fill(node)?.gathered(shape, &vec![0; n])
        }
        "Shape" => {
            let dims: Vec<i64> = x.dims.iter().map(|&d| d as i64).collect();
            part_of_shape(node, &dims)?
        }
        "Size" => Constant::ints(vec![], vec![x.len() as i64]),
        "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => {
            let dims = other_dims(inputs, &x)?;
            if product(&dims)? != x.len() {
                return wrong(format!("{:?} does not become {dims:?}", x.dims));
            }
            im.spend(x.len())?;
            x.reshaped(dims)
        }
        "Transpose" => {
            let order = match node.ints("perm") {
                Some(perm) => axes_of(perm, x.dims.len())?,
                None => (0..x.dims.len()).rev().collect(),
            };
            if order.len() != x.dims.len() {
                return wrong(format!("perm {order:?} for {:?}", x.dims));
            }
            im.spend(x.len())?;
            let steps = strides(&x.dims);
            let dims: Vec<usize> = order.iter().map(|&i| x.dims[i]).collect();
            let by: Vec<usize> = order.iter().map(|&i| steps[i]).collect();
            x.gathered(dims.clone(), &wide(walk(&dims, &by)))
        }
        "Concat" => concat(im, inputs)?,
        "Gather" => {
            let indices = inputs.needed(1, "the indices")?;
            gather(im, &x, &indices, node)?
        }
        "Slice" => {
            let spans = movement::spans(inputs, &x.dims)?;
            let dims: Vec<usize> = spans.iter().map(|s| s.len).collect();
            reserve(im, &dims)?;
            x.gathered(dims, &wide(movement::span_table(&x.dims, &spans)))
        }
        "Expand" => {
            let shape = sizes(&*inputs.needed(1, "the shape")?)?;
            let dims = together(&x.dims, &shape)?;
            reserve(im, &dims)?;
            spread(&x, &dims)
        }
        "Tile" => {
            let (dims, table) = tiled(im, inputs, &x.dims)?;
            x.gathered(dims, &wide(table))
        }
        "Pad" => pad(im, inputs, &x)?,
        op => return unsupported(format!("{op} of constants")),
    };
    Ok(out)
}

fn wide(table: Vec<u32>) -> Vec<usize> {
    table.into_iter().map(|t| t as usize).collect()
}

fn other_dims(inputs: &Inputs, x: &Constant) -> Step<Vec<usize>> {
    let node = inputs.node;
    match node.op() {
        "Reshape" => reshaped(x, &*inputs.needed(1, "the shape")?, node),
        "Flatten" => {
            let axis = node.int("axis", 1);
            if axis < 0 && node.opset < 11 {
                return wrong("an axis below 0; allowed: from operator set 11 on");
            }
            let at = match usize::try_from(axis) {
                Ok(at) if at <= x.dims.len() => at,
                _ => axis_of(axis, x.dims.len())?,
            };
            Ok(vec![product(&x.dims[..at])?, product(&x.dims[at..])?])
        }
        "Squeeze" => shapes::squeezed(&x.dims, shapes::axes(inputs, x.dims.len())?),
        _ => shapes::unsqueezed(inputs, &x.dims),
    }
}

/// The part of a shape that `Shape` (with `start` and `end` from operator set 15 on) takes.
pub(in super::super) fn part_of_shape(node: &Node, dims: &[i64]) -> Step<Constant> {
    let n = dims.len() as i64;
    let place = |v: i64| (if v < 0 { v.saturating_add(n) } else { v }).clamp(0, n) as usize;
    let (from, to) = (place(node.int("start", 0)), place(node.int("end", n)));
    let part = dims[from..to.max(from)].to_vec();
    Ok(Constant::ints(vec![part.len()], part))
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
            BATCH => return unsupported("makes constants of the size of the batch"),
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

fn concat(im: &mut Importer, inputs: &Inputs) -> Step<Constant> {
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
            && (0..dims.len()).all(|i| i == axis || p.dims[i] == dims[i]);
        if !fits {
            return wrong(format!("{:?} beside {:?}", p.dims, first.dims));
        }
        dims[axis] = match dims[axis].checked_add(p.dims[axis]) {
            Some(n) => n,
            None => return wrong("a dimension is too large"),
        };
    }
    reserve(im, &dims)?;
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
    Ok(Constant::new(dims, first.element, data))
}

fn gather(im: &mut Importer, x: &Constant, indices: &Constant, node: &Node) -> Step<Constant> {
    let axis = axis_of(node.int("axis", 0), x.dims.len())?;
    let picks = movement::picks(indices, x.dims[axis])?;
    let (outer, inner) = (product(&x.dims[..axis])?, product(&x.dims[axis + 1..])?);
    reserve(im, &[outer, picks.len(), inner])?;
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
    let mut element = None;
    for (i, v) in v.iter_mut().enumerate() {
        let c = inputs.needed(i, "a limit")?;
        match c.as_ints() {
            Some([one]) => *v = *one,
            _ => return unsupported("a range of anything but integers"),
        }
        element = Some(c.element);
    }
    let [start, limit, delta] = v.map(i128::from);
    if delta == 0 {
        return wrong("a range with step 0");
    }
    let n = ((limit - start + delta - delta.signum()) / delta).max(0);
    let n = usize::try_from(n).unwrap_or(usize::MAX);
    im.spend(n)?;
    let data: Vec<i64> = (0..n as i128).map(|i| (start + i * delta) as i64).collect();
    let mut out = Constant::ints(vec![n], data);
    out.element = element.unwrap_or(out.element);
    Ok(out)
}

/// Parts of all outputs.
pub(super) fn split(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Constant>> {
    let x = inputs.needed(0, "the first input")?;
    let axis = axis_of(inputs.node.int("axis", 0), x.dims.len())?;
    let parts = movement::parts(inputs, &x.dims, axis)?;
    im.spend(x.len())?;
    let of = |spans: Vec<movement::Span>| {
        let dims = spans.iter().map(|s| s.len).collect();
        x.gathered(dims, &wide(movement::span_table(&x.dims, &spans)))
    };
    Ok(parts.into_iter().map(of).collect())
}

/// Dimensions and places of an array of `dims` that is repeated.
pub(in super::super) fn tiled(
    im: &mut Importer,
    inputs: &Inputs,
    dims: &[usize],
) -> Step<(Vec<usize>, Vec<u32>)> {
    let repeats = sizes(&*inputs.needed(1, "the repeats")?)?;
    if repeats.len() != dims.len() {
        return wrong(format!(
            "{} repeats for {} dimensions",
            repeats.len(),
            dims.len()
        ));
    }
    let times = |(&d, &r): (&usize, &usize)| match d.checked_mul(r) {
        Some(n) => Ok(n),
        None => wrong("a dimension is too large"),
    };
    let out: Vec<usize> = dims.iter().zip(&repeats).map(times).collect::<Step<_>>()?;
    let steps = strides(dims);
    let table = im.table(&out, |index| {
        Some(
            (0..index.len())
                .map(|d| index[d] % dims[d] * steps[d])
                .sum(),
        )
    })?;
    Ok((out, table))
}

fn pad(im: &mut Importer, inputs: &Inputs, x: &Constant) -> Step<Constant> {
    let Padding { dims, table } = movement::padded(im, inputs, &x.dims, None)?;
    let fill = inputs.constant(2, "the value")?;
    if fill.as_ref().is_some_and(|f| f.len() != 1) {
        return wrong("the value must be one number");
    }
    let at = |t: u32| usize::try_from(t).ok().filter(|&t| t < x.len());
    let data = match &x.data {
        Data::Floats(v) => {
            let fill = fill.map_or(inputs.node.float("value", 0.0), |f| {
                f.scalar().unwrap_or(0.0)
            });
            Data::Floats(
                table
                    .into_iter()
                    .map(|t| at(t).map_or(fill, |t| v[t]))
                    .collect(),
            )
        }
        Data::Ints(v) => {
            let fill = fill
                .and_then(|f| f.as_ints()?.first().copied())
                .unwrap_or(0);
            Data::Ints(
                table
                    .into_iter()
                    .map(|t| at(t).map_or(fill, |t| v[t]))
                    .collect(),
            )
        }
    };
    Ok(Constant::new(dims, x.element, data))
}
