//! Dimensions that get other names: reshape, flatten, squeeze, unsqueeze; what asks for dimensions, and
//! what repeats along them. The batch is the first dimension and stays it.

use std::rc::Rc;

use super::super::constant::Constant;
use super::super::fold::{part_of_shape, product};
use super::super::importer::{BATCH, Importer, Inputs, Map, Step, Value, unsupported, wrong};
use super::super::node::{axes_of, axis_of, ints};

/// The axes of Squeeze and Unsqueeze: an attribute before operator set 13, then an input.
fn raw_axes(inputs: &Inputs) -> Step<Option<Vec<i64>>> {
    if let Some(axes) = inputs.node.ints("axes") {
        return Ok(Some(axes.to_vec()));
    }
    match inputs.constant(1, "the axes")? {
        Some(c) => Ok(Some(ints(&c, "axes")?.to_vec())),
        None => Ok(None),
    }
}

/// Axes of an input of `rank` dimensions.
pub(in super::super) fn axes(inputs: &Inputs, rank: usize) -> Step<Option<Vec<usize>>> {
    match raw_axes(inputs)? {
        Some(axes) => Ok(Some(axes_of(&axes, rank)?)),
        None => Ok(None),
    }
}

/// Dimensions without `axes` (all of size 1 where none are named).
pub(in super::super) fn squeezed(dims: &[usize], axes: Option<Vec<usize>>) -> Step<Vec<usize>> {
    if let Some(&a) = axes.iter().flatten().find(|&&a| dims[a] != 1) {
        return wrong(format!("axis {a} of {dims:?} has not size 1"));
    }
    let gone = |i: usize| match &axes {
        Some(axes) => axes.contains(&i),
        None => dims[i] == 1,
    };
    Ok((0..dims.len())
        .filter(|&i| !gone(i))
        .map(|i| dims[i])
        .collect())
}

/// Dimensions with new ones of size 1, whose places are counted in the result.
pub(in super::super) fn unsqueezed(inputs: &Inputs, dims: &[usize]) -> Step<Vec<usize>> {
    let Some(axes) = raw_axes(inputs)? else {
        return wrong("no axes");
    };
    let rank = dims.len() + axes.len();
    let axes = axes_of(&axes, rank)?;
    let mut old = dims.iter();
    Ok((0..rank)
        .map(|i| match axes.contains(&i) {
            true => 1,
            false => old.next().copied().unwrap_or(1),
        })
        .collect())
}

/// The map's dimensions with a placeholder of size 1 for the batch.
fn with_batch(map: &Map) -> Vec<usize> {
    [&[1], map.dims.as_slice()].concat()
}

/// Reshape, Flatten, Squeeze, Unsqueeze: other dimensions for the same values.
pub(super) fn reshape(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    let node = inputs.node;
    let full = with_batch(&map);
    let dims = match node.op() {
        "Flatten" => {
            if node.int("axis", 1) < 0 && node.opset < 11 {
                return wrong("an axis below 0; allowed: from operator set 11 on");
            }
            if node.int("axis", 1) != 1 && map.rank() as i64 + node.int("axis", 1) != 1 {
                return unsupported("flattens the batch; allowed: axis 1");
            }
            vec![map.len()]
        }
        "Squeeze" => {
            let axes = axes(inputs, map.rank())?;
            // Without axes every dimension of size 1 goes, a batch of one image, too.
            let batch_goes = match &axes {
                Some(axes) => axes.contains(&0),
                None => im.batch == Some(1),
            };
            if batch_goes {
                return unsupported("squeezes the batch");
            }
            let axes = axes.unwrap_or_else(|| (1..full.len()).filter(|&i| full[i] == 1).collect());
            squeezed(&full, Some(axes))?[1..].to_vec()
        }
        "Unsqueeze" => {
            let dims = unsqueezed(inputs, &full)?;
            let in_front = raw_axes(inputs)?.is_some_and(|a| {
                a.iter()
                    .any(|&a| axis_of(a, dims.len()).is_ok_and(|a| a == 0))
            });
            if in_front {
                return unsupported("a dimension in front of the batch");
            }
            dims[1..].to_vec()
        }
        _ => reshape_dims(im, inputs, &map)?,
    };
    if product(&dims)? != map.len() {
        return wrong(format!(
            "{} values per image ({:?}) do not fill {dims:?}",
            map.len(),
            map.dims
        ));
    }
    Ok(vec![Value::Map(map.with(dims))])
}

/// What exporters write that saw one image.
const ONE_IMAGE: &str = "which takes exactly one image: the export fixed the batch; export with two images as the \
                         example and a dynamic first dimension (docs/from-pytorch.md)";

fn reshape_dims(im: &Importer, inputs: &Inputs, map: &Map) -> Step<Vec<usize>> {
    let shape = match inputs.node.ints("shape") {
        Some(v) => v.to_vec(),
        None => ints(&*inputs.needed(1, "the shape")?, "the shape")?.to_vec(),
    };
    let allow_zero = inputs.node.int("allowzero", 0) != 0;
    let is_batch = |v: i64| {
        v == BATCH
            || (v == 0 && !allow_zero)
            || im.batch.is_some_and(|n| usize::try_from(v) == Ok(n))
    };
    let Some((&first, rest)) = shape.split_first() else {
        return unsupported("reshapes the batch away");
    };
    let mut dims = vec![];
    let mut free = None;
    for (i, &v) in rest.iter().enumerate() {
        dims.push(match v {
            -1 if free.is_none() => {
                free = Some(i);
                1
            }
            0 if !allow_zero => match map.dims.get(i) {
                Some(&d) => d,
                None => return wrong("a 0 in the shape beyond the input's dimensions"),
            },
            BATCH => return unsupported("moves the batch"),
            v => match usize::try_from(v) {
                Ok(d) => d,
                Err(_) => return wrong(format!("{v} in the shape")),
            },
        });
    }
    if let Some(i) = free {
        dims[i] = map.len().checked_div(product(&dims)?).unwrap_or(0);
    }
    // -1 in front stands for the batch only if everything else is one image.
    let whole = product(&dims)? == map.len();
    if (first == -1 && free.is_none() && whole) || is_batch(first) {
        return Ok(dims);
    }
    let why = match first == 1 && whole && im.batch.is_none() {
        true => ONE_IMAGE,
        false => "which mixes images; allowed: the batch stays the first dimension",
    };
    unsupported(format!(
        "reshapes to {:?}, {why}",
        shape
            .iter()
            .map(|&v| if v == BATCH {
                "N".into()
            } else {
                v.to_string()
            })
            .collect::<Vec<_>>()
    ))
}

/// The shape of a map, with the number of images as [`BATCH`] unless the model fixes it.
pub(super) fn shape(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = match inputs.get(0) {
        Some(Value::Codes { map, .. }) => map.clone(),
        _ => inputs.map(0)?,
    };
    let batch = im.batch.map_or(BATCH, |n| n as i64);
    let dims: Vec<i64> = std::iter::once(batch)
        .chain(map.dims.iter().map(|&d| d as i64))
        .collect();
    let out: Constant = part_of_shape(inputs.node, &dims)?;
    Ok(vec![Value::Constant(Rc::new(out))])
}

/// Expand: repeats a map along dimensions of size 1.
pub(super) fn expand(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    let shape = inputs.needed(1, "the shape")?;
    let wanted = ints(&shape, "the shape")?;
    let full = with_batch(&map);
    if wanted.len() > full.len() {
        return unsupported("a dimension in front of the batch");
    }
    let skip = full.len() - wanted.len();
    let mut dims = map.dims.clone();
    for (i, &v) in wanted.iter().enumerate() {
        let at = i + skip;
        match (at, usize::try_from(v)) {
            (0, _) if v == 1 || v == BATCH => {}
            (0, Ok(n)) if im.batch == Some(n) => {}
            (0, _) => return unsupported("repeats images"),
            (_, Ok(n)) if n == full[at] || n == 1 => {}
            (_, Ok(n)) if full[at] == 1 => dims[at - 1] = n,
            _ => return wrong(format!("{full:?} does not spread to {wanted:?}")),
        }
    }
    let out = im.broadcast(&inputs.node.name, &map, &dims)?;
    Ok(vec![Value::Map(out)])
}
