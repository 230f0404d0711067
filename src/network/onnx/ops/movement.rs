//! Values that move to other places: transpose, slice, split, gather, pad, tile, concatenate.

use super::super::constant::Constant;
use super::super::fold::{product, tiled};
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

/// What a Slice takes of one axis.
struct Cut {
    axis: usize,
    start: i64,
    end: i64,
    step: i64,
}

impl Cut {
    /// The places of a dimension of `size`.
    fn span(&self, size: usize) -> Step<Span> {
        let (size, step) = (size as i64, self.step);
        if [self.start, self.end].contains(&BATCH) {
            return unsupported("a slice that depends on the number of images");
        }
        let place = |v: i64| if v < 0 { v.saturating_add(size) } else { v };
        let (low, high) = if step > 0 { (0, size) } else { (-1, size - 1) };
        let start = place(self.start).clamp(low.max(0), high.max(0));
        let end = place(self.end).clamp(low, high);
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
        Ok(Span {
            start: start as usize,
            step: if len > 1 { step } else { 1 },
            len: len as usize,
        })
    }

    /// Whether it takes all of a dimension of `size`, whose size may be any.
    fn takes_all(&self, size: Option<usize>) -> Step<bool> {
        let end = self.end == BATCH || self.end >= i64::from(i32::MAX);
        match size {
            _ if self.start == 0 && self.step == 1 && end => Ok(true),
            Some(n) => Ok(self.span(n)?.is_whole(n)),
            None => Ok(false),
        }
    }
}

/// What a Slice takes of its axes: attributes before operator set 10, then inputs.
fn cuts(inputs: &Inputs, rank: usize) -> Step<Vec<Cut>> {
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
        Some(axes) => axes_of(&axes, rank)?,
        None => (0..starts.len()).collect(),
    };
    let steps = list(4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
    let n = starts.len();
    if ends.len() != n || axes.len() != n || steps.len() != n || n > rank {
        return wrong("starts, ends, axes and steps of different lengths");
    }
    if steps.contains(&0) {
        return wrong("a step of 0");
    }
    let cut = |i: usize| Cut {
        axis: axes[i],
        start: starts[i],
        end: ends[i],
        step: steps[i],
    };
    Ok((0..n).map(cut).collect())
}

/// Part of every dimension that a Slice takes of a constant.
pub(in super::super) fn spans(inputs: &Inputs, dims: &[usize]) -> Step<Vec<Span>> {
    let mut spans: Vec<Span> = dims.iter().map(|&d| Span::whole(d)).collect();
    for cut in cuts(inputs, dims.len())? {
        spans[cut.axis] = cut.span(dims[cut.axis])?;
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

pub(super) fn slice(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    let mut spans: Vec<Span> = map.dims.iter().map(|&d| Span::whole(d)).collect();
    for cut in cuts(inputs, map.rank())? {
        match cut.axis.checked_sub(1) {
            Some(axis) => spans[axis] = cut.span(map.dims[axis])?,
            None if cut.takes_all(im.batch)? => {}
            None => return unsupported("takes some images of the batch"),
        }
    }
    Ok(vec![Value::Map(cut(im, &inputs.node.name, &map, &spans)?)])
}

fn cut(im: &mut Importer, name: &str, map: &Map, spans: &[Span]) -> Step<Map> {
    let dims: Vec<usize> = spans.iter().map(|s| s.len).collect();
    im.spend(product(&dims)?)?;
    let table = span_table(&map.dims, spans);
    im.rearrange(name, map, dims, table, 0.0)
}

/// The parts of a Split along an axis of `dims`.
pub(in super::super) fn parts(
    inputs: &Inputs,
    dims: &[usize],
    axis: usize,
) -> Step<Vec<Vec<Span>>> {
    let (node, size) = (inputs.node, dims[axis]);
    let given = match (node.ints("split"), inputs.constant(1, "the split")?) {
        (Some(v), _) => Some(v.to_vec()),
        (None, Some(c)) => Some(ints(&c, "the split")?.to_vec()),
        (None, None) => None,
    };
    let parts = node.proto.output.len();
    if node.attribute("num_outputs").is_some() && node.int("num_outputs", 0) != parts as i64 {
        return wrong(format!("num_outputs is not the number of outputs, {parts}"));
    }
    let lengths: Vec<usize> = match given {
        Some(v) => v
            .iter()
            .map(|&n| usize::try_from(n).unwrap_or(size + 1))
            .collect(),
        // Only from operator set 18 on the last part may be smaller.
        None if node.opset < 18 && !size.is_multiple_of(parts.max(1)) => {
            return wrong(format!("{size} does not split into {parts} equal parts"));
        }
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
    for len in lengths {
        let mut spans: Vec<Span> = dims.iter().map(|&d| Span::whole(d)).collect();
        spans[axis] = Span {
            start,
            step: 1,
            len,
        };
        out.push(spans);
        start += len;
    }
    Ok(out)
}

pub(super) fn split(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let (map, node) = (inputs.map(0)?, inputs.node);
    let axis = map_axis(node.int("axis", 0), &map)?;
    let mut out = vec![];
    for (i, spans) in parts(inputs, &map.dims, axis)?.into_iter().enumerate() {
        let name = format!("{}.{}", node.name, i + 1);
        out.push(Value::Map(cut(im, &name, &map, &spans)?));
    }
    Ok(out)
}

/// Places that indices pick of a dimension of `size`, negative ones from the end.
pub(in super::super) fn picks(indices: &Constant, size: usize) -> Step<Vec<usize>> {
    let n = size as i64;
    let pick = |&i: &i64| {
        let at = if i < 0 { i.saturating_add(n) } else { i };
        match (0..n).contains(&at) {
            true => Ok(at as usize),
            false => wrong(format!("index {i} of {n}")),
        }
    };
    ints(indices, "indices")?.iter().map(pick).collect()
}

pub(super) fn gather(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let (map, node) = (inputs.map(0)?, inputs.node);
    let axis = map_axis(node.int("axis", 0), &map)?;
    let indices = inputs.needed(1, "the indices")?;
    let picks = picks(&indices, map.dims[axis])?;
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

/// Repeats a map along dimensions that are not the batch.
pub(super) fn tile(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    let repeats = inputs.needed(1, "the repeats")?;
    if ints(&repeats, "the repeats")?.first() != Some(&1) {
        return unsupported("repeats images");
    }
    let (dims, table) = tiled(im, inputs, &[&[1], map.dims.as_slice()].concat())?;
    let out = im.rearrange(&inputs.node.name, &map, dims[1..].to_vec(), table, 0.0)?;
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

/// A constant with the batch as its first dimension, as a map: the same for every image.
fn one_for_all_images(im: &mut Importer, inputs: &Inputs, c: &Constant) -> Step<Map> {
    let Some((&n, dims)) = c.dims.split_first() else {
        return wrong("a single number beside maps");
    };
    if im.batch != Some(n) {
        return unsupported(format!(
            "a constant of {:?} beside maps of any number of images; allowed: where the model fixes the batch, or \
             behind an Expand to its size",
            c.dims
        ));
    }
    im.spend(c.len())?;
    let values = c.to_floats();
    let each = product(dims)?;
    let same = each > 0 && values.chunks(each).all(|image| image == &values[..each]);
    if !same {
        return unsupported("a constant with different values for different images");
    }
    let name = format!("{}.constant", inputs.node.name);
    im.constant_map(&name, dims.to_vec(), values[..each].to_vec())
}

pub(super) fn concat(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let maps: Vec<Map> = (0..inputs.values.len())
        .map(|i| match inputs.get(i) {
            Some(Value::Constant(c)) => one_for_all_images(im, inputs, c),
            _ => inputs.map(i),
        })
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

/// Dimensions behind a Pad, and where their values come from.
pub(in super::super) struct Padding {
    pub dims: Vec<usize>,
    pub table: Vec<u32>,
}

/// Pads `dims`; negative paddings cut. With `batch` the first of them stands for the images, of which
/// there may be any number, and is not part of the result.
pub(in super::super) fn padded(
    im: &mut Importer,
    inputs: &Inputs,
    dims: &[usize],
    batch: Option<()>,
) -> Step<Padding> {
    let (node, rank) = (inputs.node, dims.len());
    let pads = match node.ints("pads") {
        Some(v) => v.to_vec(),
        None => ints(&*inputs.needed(1, "the pads")?, "pads")?.to_vec(),
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
    let mut around = vec![(0i64, 0i64); rank];
    for (i, &a) in axes.iter().enumerate() {
        around[a] = (pads[i], pads[axes.len() + i]);
    }
    let mode = match node.text("mode").as_str() {
        "" | "constant" => Mode::Constant,
        "reflect" => Mode::Reflect,
        "edge" => Mode::Edge,
        "wrap" => Mode::Wrap,
        other => return unsupported(format!("padding mode {other}")),
    };
    let (mut dims, mut around) = (dims, around.as_slice());
    if batch.is_some() {
        if around[0] != (0, 0) {
            return unsupported("pads the batch");
        }
        (dims, around) = (&dims[1..], &around[1..]);
    }
    let mut out = vec![];
    for (&d, &(before, after)) in dims.iter().zip(around) {
        let n = d as i64 + before + after;
        if n < 1 || (d == 0 && mode != Mode::Constant) {
            return wrong(format!("pads {before} and {after} of a dimension of {d}"));
        }
        if mode != Mode::Constant && before.min(after) < 0 && before.max(after) > 0 {
            return unsupported(format!(
                "cuts {} and repeats {} of one dimension; allowed: one of both",
                before.min(after),
                before.max(after)
            ));
        }
        if mode == Mode::Reflect && before.max(after) >= d as i64 {
            return wrong(format!(
                "reflects {} of a dimension of {d}",
                before.max(after)
            ));
        }
        out.push(n as usize);
    }
    let steps = strides(dims);
    let table = im.table(&out, |index| {
        let mut at = 0;
        for d in 0..index.len() {
            let n = dims[d] as i64;
            at += mode.place(index[d] as i64 - around[d].0, n)? * steps[d];
        }
        Some(at)
    })?;
    Ok(Padding { dims: out, table })
}

pub(super) fn pad(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let (map, node) = (inputs.map(0)?, inputs.node);
    let fill = match inputs.constant(2, "the value")? {
        Some(c) => match c.scalar() {
            Some(v) => v,
            None => return wrong("the value must be one number"),
        },
        None => node.float("value", 0.0),
    };
    if fill.is_nan() {
        return wrong("the value is not a number");
    }
    let full = [&[1], map.dims.as_slice()].concat();
    let Padding { dims, table } = padded(im, inputs, &full, Some(()))?;
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
