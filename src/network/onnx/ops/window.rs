//! Windows and whole maps: pooling, means, softmax.

use super::super::fold::{axes_of_reduction, product};
use super::super::importer::{Importer, Inputs, Map, Step, Value, canonical, unsupported, wrong};
use super::linear::{directions, out_dims, padding};
use super::movement::map_axis;
use crate::network::graph::Layer;
use crate::program::{NO_SOURCE, PoolGeometry};

/// A pooling window, and the part of its padding that is there only to reach the rounded-up size.
struct Window {
    geo: PoolGeometry,
    /// `[top, left, bottom, right]` as the model gives it.
    given: [usize; 4],
}

fn window(inputs: &Inputs, map: &Map) -> Step<Window> {
    let node = inputs.node;
    let rank = directions(map, "pooling")?;
    let (_, h, w) = canonical(&map.dims);
    if node.ints("kernel_shape").is_none() {
        return wrong("no kernel_shape");
    }
    let [kh, kw] = node.sizes::<2>("kernel_shape", rank, 1, 1)?;
    let stride = node.sizes::<2>("strides", rank, 1, 1)?;
    if node.sizes::<2>("dilations", rank, 1, 1)? != [1, 1] {
        return unsupported("a dilated pooling window");
    }
    let given = padding(inputs, rank, (h, w), [kh, kw], stride)?;
    let ceil = node.int("ceil_mode", 0) != 0;
    let mut pad = given;
    for (d, (n, k)) in [(h, kh), (w, kw)].into_iter().enumerate() {
        if given[d] >= k || given[d + 2] >= k {
            return wrong(format!("paddings {given:?} of a window of {kh} x {kw}"));
        }
        let padded = n + given[d] + given[d + 2];
        if padded < k {
            return wrong(format!(
                "a window of {kh} x {kw} is larger than the padded map of {:?}",
                map.dims
            ));
        }
        if ceil {
            let mut out = (padded - k).div_ceil(stride[d]) + 1;
            // A window that would begin behind the map is none.
            if (out - 1) * stride[d] >= n + given[d] {
                out -= 1;
            }
            pad[d + 2] += ((out - 1) * stride[d] + k).saturating_sub(padded);
        }
    }
    Ok(Window {
        geo: PoolGeometry {
            kh,
            kw,
            stride,
            pad,
        },
        given,
    })
}

fn pool(im: &mut Importer, name: &str, map: &Map, geo: PoolGeometry, max: bool) -> Step<Map> {
    let (c, h, w) = canonical(&map.dims);
    let (ho, wo) = geo.out(h, w);
    let layer = if max {
        Layer::MaxPool(geo)
    } else {
        Layer::AvgPool(geo)
    };
    let source = im.node_of(map);
    let dims = out_dims(map.dims.len() - 1, c, ho, wo);
    im.push(name, layer, vec![source], dims)
}

pub(super) fn max_pool(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    let window = window(inputs, &map)?;
    let out = pool(im, &inputs.node.name, &map, window.geo, true)?;
    // The second output, the places of the maxima, is reported where somebody reads it.
    Ok(vec![Value::Map(out)])
}

pub(super) fn average_pool(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    let node = inputs.node;
    let Window { mut geo, given } = window(inputs, &map)?;
    let mut source = map;
    if node.int("count_include_pad", 0) != 0 && given != [0; 4] {
        // Padding that counts is part of the map; what only rounds the size up does not count.
        let (c, h, w) = canonical(&source.dims);
        let dims = [c, h + given[0] + given[2], w + given[1] + given[3]];
        let table = im.table(&dims, |at| {
            let (y, x) = (at[1].checked_sub(given[0])?, at[2].checked_sub(given[1])?);
            (y < h && x < w).then_some((at[0] * h + y) * w + x)
        })?;
        let name = format!("{}.pad", node.name);
        let out = out_dims(source.dims.len() - 1, c, dims[1], dims[2]);
        source = im.rearrange(&name, &source, out, table, 0.0)?;
        for (pad, given) in geo.pad.iter_mut().zip(given) {
            *pad -= given;
        }
    }
    let out = pool(im, &node.name, &source, geo, false)?;
    Ok(vec![Value::Map(out)])
}

fn whole(im: &mut Importer, inputs: &Inputs, max: bool) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    if map.dims.len() < 2 {
        return wrong(format!("pools {:?} per image", map.dims));
    }
    let (_, h, w) = canonical(&map.dims);
    let geo = PoolGeometry {
        kh: h,
        kw: w,
        stride: [h, w],
        pad: [0; 4],
    };
    let (c, _, _) = canonical(&map.dims);
    let dims: Vec<usize> = std::iter::once(c)
        .chain(map.dims[1..].iter().map(|_| 1))
        .collect();
    let three = map.with(vec![c, h, w]);
    let out = pool(im, &inputs.node.name, &three, geo, max)?;
    Ok(vec![Value::Map(out.with(dims))])
}

pub(super) fn global_average(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    whole(im, inputs, false)
}

pub(super) fn global_max(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    whole(im, inputs, true)
}

/// Mean over any axes but the batch: they are brought to the end and pooled whole.
pub(super) fn reduce_mean(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    let node = inputs.node;
    let Some(axes) = axes_of_reduction(inputs, map.rank())? else {
        return Ok(vec![Value::Map(map)]);
    };
    if axes.contains(&0) {
        return unsupported("a mean over the batch");
    }
    let gone = |i: usize| axes.contains(&(i + 1));
    let n = map.dims.len();
    let order: Vec<usize> = (0..n)
        .filter(|&i| !gone(i))
        .chain((0..n).filter(|&i| gone(i)))
        .collect();
    let name = &node.name;
    let turned = im.transpose(&format!("{name}.in"), &map, &order)?;
    let kept = n - axes.len();
    let keep = product(&turned.dims[..kept])?;
    let tail = &turned.dims[kept..];
    // One or two axes keep their shape, so that the mean of a plain map needs no reshape.
    let (h, w) = match tail {
        [h, w] => (*h, *w),
        _ => (product(tail)?, 1),
    };
    let geo = PoolGeometry {
        kh: h,
        kw: w,
        stride: [h, w],
        pad: [0; 4],
    };
    let out = pool(im, name, &turned.with(vec![keep, h, w]), geo, false)?;
    let dims = match node.int("keepdims", 1) {
        0 => turned.dims[..kept].to_vec(),
        _ => (0..n)
            .map(|i| if gone(i) { 1 } else { map.dims[i] })
            .collect(),
    };
    Ok(vec![Value::Map(out.with(dims))])
}

/// Softmax over one axis; before operator set 13 over that axis and all behind it.
pub(super) fn softmax(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    let node = inputs.node;
    let together = node.opset < 13;
    let axis = map_axis(node.int("axis", if together { 1 } else { -1 }), &map)?;
    let (front, tail) = map.dims.split_at(axis);
    let (before, over, behind) = if together {
        (product(front)?, product(tail)?, 1)
    } else {
        (product(front)?, tail[0], product(&tail[1..])?)
    };
    let block = map.with(vec![before, over, behind]);
    let turned = im.transpose(&format!("{}.in", node.name), &block, &[1, 0, 2])?;
    let (h, w) = match tail {
        // A plain map keeps its rows and columns.
        [_, h, w] if before == 1 && !together => (*h, *w),
        _ => (before, behind),
    };
    let source = im.shaped(&turned, (over, h, w));
    let out = im.push(&node.name, Layer::Softmax, vec![source], vec![over, h, w])?;
    let back = im.transpose(
        &format!("{}.out", node.name),
        &out.with(vec![over, before, behind]),
        &[1, 0, 2],
    )?;
    debug_assert!(back.len() < NO_SOURCE as usize);
    Ok(vec![Value::Map(back.with(map.dims))])
}
