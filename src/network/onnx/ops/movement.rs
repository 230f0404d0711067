//! Values that move to other places: transpose, slice, split, gather, pad, concatenate, and what only
//! renames dimensions.

use std::rc::Rc;

use super::super::constant::Constant;
use super::super::fold::{part_of_shape, product};
use super::super::importer::{
    BATCH, Importer, Inputs, Map, Step, Value, strides, unsupported, wrong,
};
use super::super::node::{axes_of, axis_of, ints};
use crate::network::graph::Layer;

/// Part of a dimension: `len` places from `start` on, `step` apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Span {
    start: usize,
    step: i64,
    pub len: usize,
}

impl Span {
    fn whole(n: usize) -> Self {
        Span {
            start: 0,
            step: 1,
            len: n,
        }
    }

    fn is_whole(self, n: usize) -> bool {
        self == Span::whole(n)
    }

    fn place(self, i: usize) -> usize {
        (self.start as i64 + self.step * i as i64) as usize
    }
}

/// Places of the parts of all dimensions.
pub(in super::super) fn span_table(dims: &[usize], spans: &[Span]) -> Vec<u32> {
    let steps = strides(dims);
    let out: Vec<usize> = spans.iter().map(|s| s.len).collect();
    let n: usize = out.iter().product();
    let mut index = vec![0; out.len()];
    let mut table = Vec::with_capacity(n);
    for _ in 0..n {
        let at: usize = (0..out.len())
            .map(|d| spans[d].place(index[d]) * steps[d])
            .sum();
        table.push(at as u32);
        super::super::importer::advance(&mut index, &out);
    }
    table
}

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

/// Part of every dimension that a Slice takes: attributes before operator set 10, then inputs.
pub(in super::super) fn spans(inputs: &Inputs, dims: &[usize]) -> Step<Vec<Span>> {
    let list = |i: usize, name: &str| -> Step<Option<Vec<i64>>> {
        if let Some(v) = inputs.node.ints(name) {
            return Ok(Some(v.to_vec()));
        }
        match inputs.constant(i, name)? {
            Some(c) => Ok(Some(ints(&c, name)?.to_vec())),
            None => Ok(None),
        }
    };
    let (Some(starts), Some(ends)) = (list(1, "starts")?, list(2, "ends")?) else {
        return wrong("no starts or ends");
    };
    let axes = match list(3, "axes")? {
        Some(axes) => axes_of(&axes, dims.len())?,
        None => (0..starts.len()).collect(),
    };
    let steps = list(4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
    let n = starts.len();
    if ends.len() != n || axes.len() != n || steps.len() != n || n > dims.len() {
        return wrong("starts, ends, axes and steps of different lengths");
    }
    let mut spans: Vec<Span> = dims.iter().map(|&d| Span::whole(d)).collect();
    for i in 0..n {
        let (size, step) = (dims[axes[i]] as i64, steps[i]);
        if step == 0 {
            return wrong("a step of 0");
        }
        if [starts[i], ends[i]].contains(&BATCH) {
            return unsupported("a slice that depends on the number of images");
        }
        let place = |v: i64| if v < 0 { v.saturating_add(size) } else { v };
        let (low, high) = if step > 0 { (0, size) } else { (-1, size - 1) };
        let start = place(starts[i]).clamp(low.max(0), high.max(0));
        let end = place(ends[i]).clamp(low, high);
        let distance = match step {
            // Backwards, an end of -1 would leave one place of a dimension that has none.
            _ if size == 0 => 0,
            1.. => end - start,
            _ => start - end,
        };
        let reach = i64::try_from(step.unsigned_abs()).unwrap_or(i64::MAX);
        let len = if distance > 0 {
            (distance - 1) / reach + 1
        } else {
            0
        };
        spans[axes[i]] = Span {
            start: start as usize,
            step: if len > 1 { step } else { 1 },
            len: len as usize,
        };
    }
    Ok(spans)
}

/// An axis of a map that is not the batch, as a place in [`Map::dims`].
pub(super) fn map_axis(axis: i64, map: &Map) -> Step<usize> {
    match axis_of(axis, map.rank())?.checked_sub(1) {
        Some(axis) => Ok(axis),
        None => unsupported("along the batch"),
    }
}

/// The map's dimensions with a placeholder of size 1 for the batch.
fn with_batch(map: &Map) -> Vec<usize> {
    [&[1], map.dims.as_slice()].concat()
}

pub(super) fn slice(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    let spans = spans(inputs, &with_batch(&map))?;
    if !spans[0].is_whole(1) {
        return unsupported("takes some images of the batch");
    }
    Ok(vec![Value::Map(cut(
        im,
        &inputs.node.name,
        &map,
        &spans[1..],
    )?)])
}

fn cut(im: &mut Importer, name: &str, map: &Map, spans: &[Span]) -> Step<Map> {
    let dims: Vec<usize> = spans.iter().map(|s| s.len).collect();
    im.spend(product(&dims)?)?;
    let table = span_table(&map.dims, spans);
    im.rearrange(name, map, dims, table, 0.0)
}

pub(super) fn split(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let (map, node) = (inputs.map(0)?, inputs.node);
    let axis = map_axis(node.int("axis", 0), &map)?;
    let size = map.dims[axis];
    let given = match (node.ints("split"), inputs.constant(1, "the split")?) {
        (Some(v), _) => Some(v.to_vec()),
        (None, Some(c)) => Some(ints(&c, "the split")?.to_vec()),
        (None, None) => None,
    };
    let parts = node.proto.output.len();
    let lengths: Vec<usize> = match given {
        Some(v) => v
            .iter()
            .map(|&n| usize::try_from(n).unwrap_or(size + 1))
            .collect(),
        None => {
            let each = size.div_ceil(parts.max(1)).max(1);
            (0..parts)
                .map(|i| size.saturating_sub(i * each).min(each))
                .collect()
        }
    };
    let sum = lengths.iter().try_fold(0usize, |s, &n| s.checked_add(n));
    if sum != Some(size) || lengths.len() != parts {
        return wrong(format!("{size} split into {lengths:?} for {parts} outputs"));
    }
    let mut start = 0;
    let mut out = vec![];
    for (i, len) in lengths.into_iter().enumerate() {
        let mut spans: Vec<Span> = map.dims.iter().map(|&d| Span::whole(d)).collect();
        spans[axis] = Span {
            start,
            step: 1,
            len,
        };
        let name = format!("{}.{}", node.name, i + 1);
        out.push(Value::Map(cut(im, &name, &map, &spans)?));
        start += len;
    }
    Ok(out)
}

pub(super) fn gather(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let (map, node) = (inputs.map(0)?, inputs.node);
    let axis = map_axis(node.int("axis", 0), &map)?;
    let indices = inputs.needed(1, "the indices")?;
    let size = map.dims[axis] as i64;
    let mut picks = vec![];
    for &i in ints(&indices, "indices")? {
        let at = if i < 0 { i.saturating_add(size) } else { i };
        if !(0..size).contains(&at) {
            return wrong(format!("index {i} of {size}"));
        }
        picks.push(at as usize);
    }
    let flat = [&map.dims[..axis], &[picks.len()], &map.dims[axis + 1..]].concat();
    let dims = [&map.dims[..axis], &indices.dims, &map.dims[axis + 1..]].concat();
    let steps = strides(&map.dims);
    let table = im.table(&flat, |index| {
        let at = |d: usize| if d == axis { picks[index[d]] } else { index[d] };
        Some((0..index.len()).map(|d| at(d) * steps[d]).sum())
    })?;
    let out = im.rearrange(&node.name, &map, dims, table, 0.0)?;
    Ok(vec![Value::Map(out)])
}

pub(super) fn transpose(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    let order = match inputs.node.ints("perm") {
        Some(perm) => axes_of(perm, map.rank())?,
        None => (0..map.rank()).rev().collect(),
    };
    if order.len() != map.rank() {
        return wrong(format!("perm {order:?} for {} dimensions", map.rank()));
    }
    if order[0] != 0 {
        return unsupported("moves the batch; allowed: the batch stays the first dimension");
    }
    let order: Vec<usize> = order[1..].iter().map(|a| a - 1).collect();
    Ok(vec![Value::Map(im.transpose(
        &inputs.node.name,
        &map,
        &order,
    )?)])
}

pub(super) fn concat(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let maps: Vec<Map> = (0..inputs.values.len())
        .map(|i| inputs.map(i))
        .collect::<Step<_>>()?;
    let Some(first) = maps.first() else {
        return wrong("nothing to concatenate");
    };
    let axis = map_axis(inputs.node.int("axis", 0), first)?;
    let mut dims = first.dims.clone();
    dims[axis] = 0;
    for m in &maps {
        let fits = m.dims.len() == dims.len()
            && (0..dims.len()).all(|i| i == axis || m.dims[i] == dims[i]);
        if !fits {
            return wrong(format!("{:?} beside {:?}", m.dims, first.dims));
        }
        dims[axis] += m.dims[axis];
    }
    let name = &inputs.node.name;
    let nodes: Vec<_> = maps.iter().map(|m| m.node).collect();
    if dims[..axis].iter().all(|&d| d == 1) {
        // Nothing stands in front: the maps one behind the other.
        return Ok(vec![Value::Map(im.push(
            name,
            Layer::Concat,
            nodes,
            dims,
        )?)]);
    }
    let n = product(&dims)?;
    let flat = im.push(&format!("{name}.parts"), Layer::Concat, nodes, vec![n])?;
    let mut starts = vec![];
    let (mut at, mut along) = (0, 0);
    for m in &maps {
        starts.push((along, at, strides(&m.dims)));
        along += m.dims[axis];
        at += m.len();
    }
    let table = im.table(&dims, |index| {
        let part = starts.iter().rev().find(|(from, ..)| *from <= index[axis]);
        let (from, at, steps) = part?;
        let place = |d: usize| if d == axis { index[d] - from } else { index[d] };
        Some(at + (0..index.len()).map(|d| place(d) * steps[d]).sum::<usize>())
    })?;
    let out = im.rearrange(name, &flat, dims, table, 0.0)?;
    Ok(vec![Value::Map(out)])
}

/// Pads of all dimensions, `(before, after)`, negative ones cut.
pub(super) fn pad(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let (map, node) = (inputs.map(0)?, inputs.node);
    let rank = map.rank();
    let pads = match (node.ints("pads"), node.ints("paddings")) {
        (Some(v), _) | (None, Some(v)) => v.to_vec(),
        _ => ints(&*inputs.needed(1, "the pads")?, "pads")?.to_vec(),
    };
    let axes: Vec<usize> = match inputs.constant(3, "the axes")? {
        Some(c) => axes_of(ints(&c, "axes")?, rank)?,
        None => (0..rank).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return wrong(format!("{} pads for {} dimensions", pads.len(), axes.len()));
    }
    if pads.iter().any(|p| p.unsigned_abs() > 1 << 20) {
        return wrong("a padding above 1048576");
    }
    let fill = match inputs.constant(2, "the value")? {
        Some(c) => match c.scalar() {
            Some(v) => v,
            None => return wrong("the value must be one number"),
        },
        None => node.float("value", 0.0),
    };
    let mut around = vec![(0i64, 0i64); rank];
    for (i, &a) in axes.iter().enumerate() {
        around[a] = (pads[i], pads[axes.len() + i]);
    }
    if around[0] != (0, 0) {
        return unsupported("pads the batch");
    }
    let mode = match node.text("mode").as_str() {
        "" | "constant" => Mode::Constant,
        "reflect" => Mode::Reflect,
        "edge" => Mode::Edge,
        "wrap" => Mode::Wrap,
        other => return unsupported(format!("padding mode {other}")),
    };
    let around = &around[1..];
    let mut dims = vec![];
    for (&d, &(before, after)) in map.dims.iter().zip(around) {
        let n = d as i64 + before + after;
        if n < 1 {
            return wrong(format!("pads {before} and {after} of a dimension of {d}"));
        }
        if mode == Mode::Reflect && before.max(after) >= d as i64 {
            return wrong(format!(
                "reflects {} of a dimension of {d}",
                before.max(after)
            ));
        }
        dims.push(n as usize);
    }
    if fill.is_nan() {
        return wrong("the value is not a number");
    }
    let steps = strides(&map.dims);
    let table = im.table(&dims, |index| {
        let mut at = 0;
        for d in 0..index.len() {
            let n = map.dims[d] as i64;
            at += mode.place(index[d] as i64 - around[d].0, n)? * steps[d];
        }
        Some(at)
    })?;
    let out = im.rearrange(&node.name, &map, dims, table, fill)?;
    Ok(vec![Value::Map(out)])
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Constant,
    Reflect,
    Edge,
    Wrap,
}

impl Mode {
    /// Place in a dimension of `n` that is read for place `i`, which may lie outside.
    fn place(self, i: i64, n: i64) -> Option<usize> {
        if (0..n).contains(&i) {
            return Some(i as usize);
        }
        let at = match self {
            Mode::Constant => return None,
            Mode::Edge => i.clamp(0, n - 1),
            Mode::Wrap => i.rem_euclid(n),
            Mode::Reflect => {
                let period = 2 * (n - 1).max(1);
                let i = i.rem_euclid(period);
                i.min(period - i)
            }
        };
        Some(at as usize)
    }
}

/// Reshape, Flatten, Squeeze, Unsqueeze: other dimensions for the same values.
pub(super) fn reshape(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    let node = inputs.node;
    let full = with_batch(&map);
    let dims = match node.op() {
        "Flatten" => {
            if node.int("axis", 1) != 1 && map.rank() as i64 + node.int("axis", 1) != 1 {
                return unsupported("flattens the batch; allowed: axis 1");
            }
            vec![map.len()]
        }
        "Squeeze" => {
            let axes = axes(inputs, map.rank())?;
            if axes.iter().flatten().any(|&a| a == 0) {
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
    unsupported(format!(
        "reshapes to {:?}, which mixes images; allowed: the batch stays the first dimension",
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
