//! What goes on crossbars: convolutions and products with constant matrices.

use super::super::constant::Constant;
use super::super::fold::product;
use super::super::importer::{Importer, Inputs, Map, Step, Value, canonical, unsupported, wrong};
use super::super::node::Node;
use crate::network::graph::Layer;
use crate::network::state::Part;
use crate::program::ConvGeometry;

/// Padding that keeps the size `ceil(n / stride)`, as `auto_pad` asks for: `(before, after)`.
pub(super) fn same(n: usize, stride: usize, reach: usize, upper: bool) -> (usize, usize) {
    let out = n.div_ceil(stride);
    let total = ((out - 1) * stride + reach).saturating_sub(n);
    let less = total / 2;
    if upper {
        (less, total - less)
    } else {
        (total - less, less)
    }
}

/// `[top, left, bottom, right]` of a window, from `pads` or `auto_pad`.
pub(super) fn padding(
    inputs: &Inputs,
    rank: usize,
    map: (usize, usize),
    reach: [usize; 2],
    stride: [usize; 2],
) -> Step<[usize; 4]> {
    let mode = inputs.node.text("auto_pad");
    let explicit = inputs.node.ints("pads").unwrap_or_default();
    if !matches!(mode.as_str(), "" | "NOTSET") && explicit.iter().any(|p| *p != 0) {
        return wrong(format!(
            "auto_pad {mode} beside pads {explicit:?}; allowed: one of them"
        ));
    }
    match mode.as_str() {
        "" | "NOTSET" => inputs.node.sizes::<4>("pads", rank, 0, 0),
        "VALID" => Ok([0; 4]),
        mode @ ("SAME_UPPER" | "SAME_LOWER") => {
            let upper = mode == "SAME_UPPER";
            let (top, bottom) = same(map.0, stride[0], reach[0], upper);
            let (left, right) = same(map.1, stride[1], reach[1], upper);
            Ok([top, left, bottom, right])
        }
        other => unsupported(format!("auto_pad {other}")),
    }
}

/// Dimensions of a map with channels and one or two directions.
pub(super) fn directions(map: &Map, what: &str) -> Step<usize> {
    match map.dims.len() {
        2 => Ok(1),
        3 => Ok(2),
        n => unsupported(format!(
            "{what} over {} directions; allowed: 1 or 2",
            n.saturating_sub(1)
        )),
    }
}

/// Dimensions of the result of a window operator.
pub(super) fn out_dims(rank: usize, c: usize, h: usize, w: usize) -> Vec<usize> {
    if rank == 1 { vec![c, w] } else { vec![c, h, w] }
}

pub(super) fn conv(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    let weight = inputs.needed(1, "the weight")?;
    let bias = inputs.constant(2, "the bias")?;
    let rank = directions(&map, "a convolution")?;
    let geo = conv_geometry(inputs, &map, &weight, rank)?;
    if let Some(b) = bias.as_ref().filter(|b| b.dims != [geo.c_out]) {
        return wrong(format!("biases of {:?} for {} channels", b.dims, geo.c_out));
    }
    let out = out_dims(rank, geo.c_out, geo.h_out(), geo.w_out());
    let source = im.node_of(&map);
    let layer = Layer::Conv {
        geo,
        bias: bias.is_some(),
    };
    let name = im.layer_name(inputs.node, &weight);
    let out = im.push(&name, layer, vec![source], out)?;
    let shape = vec![geo.c_out, geo.c_in / geo.groups, geo.kh, geo.kw];
    im.trained(&out, Part::Weight, shape, weight.to_floats(), &weight);
    if let Some(bias) = bias {
        im.trained(&out, Part::Bias, vec![geo.c_out], bias.to_floats(), &bias);
    }
    Ok(vec![Value::Map(out)])
}

/// The geometry of a convolution, if weight, attributes and map fit together.
fn conv_geometry(inputs: &Inputs, map: &Map, weight: &Constant, rank: usize) -> Step<ConvGeometry> {
    let node = inputs.node;
    if weight.dims.len() != rank + 2 {
        return wrong(format!(
            "a weight of {:?} for an input of {:?} per image",
            weight.dims, map.dims
        ));
    }
    if let Some(kernel) = node.ints("kernel_shape")
        && !kernel
            .iter()
            .map(|&k| usize::try_from(k).ok())
            .eq(weight.dims[2..].iter().map(|&k| Some(k)))
    {
        return wrong(format!(
            "kernel_shape {kernel:?} but a weight of {:?}",
            weight.dims
        ));
    }
    let (c_in, h_in, w_in) = canonical(&map.dims);
    let (c_out, kw) = (weight.dims[0], weight.dims[rank + 1]);
    let kh = if rank == 2 { weight.dims[2] } else { 1 };
    let Ok(groups) = usize::try_from(node.int("group", 1)) else {
        return wrong("group below 1");
    };
    let fits = groups > 0
        && c_out > 0
        && kh > 0
        && kw > 0
        && c_out.is_multiple_of(groups)
        && weight.dims[1].checked_mul(groups) == Some(c_in);
    if !fits {
        return wrong(format!(
            "a weight of {:?} in {groups} groups for {c_in} channels",
            weight.dims
        ));
    }
    let geo = ConvGeometry {
        c_in,
        h_in,
        w_in,
        c_out,
        kh,
        kw,
        stride: node.sizes::<2>("strides", rank, 1, 1)?,
        dilation: node.sizes::<2>("dilations", rank, 1, 1)?,
        pad: [0; 4],
        groups,
    };
    padded(geo, inputs, rank)
}

/// The geometry with the node's padding, if the kernel then fits into the map.
fn padded(geo: ConvGeometry, inputs: &Inputs, rank: usize) -> Step<ConvGeometry> {
    let far = |k: usize, d: usize| (k - 1).checked_mul(d).map(|r| r + 1);
    let [rows, columns] = geo.dilation;
    let (Some(down), Some(across)) = (far(geo.kh, rows), far(geo.kw, columns)) else {
        return wrong("the kernel is too large");
    };
    let map = (geo.h_in, geo.w_in);
    let pad = padding(inputs, rank, map, [down, across], geo.stride)?;
    let (height, width) = (geo.h_in + pad[0] + pad[2], geo.w_in + pad[1] + pad[3]);
    match down > height || across > width {
        true => wrong(format!(
            "a kernel that reaches over {down} x {across} on a padded map of {height} x {width}"
        )),
        false => Ok(ConvGeometry { pad, ..geo }),
    }
}

/// The parameters of a fully connected layer, with the constants that they come from.
struct Linear<'c> {
    n_out: usize,
    weight: (Vec<f32>, &'c Constant),
    bias: Option<(Vec<f32>, &'c Constant)>,
}

/// A fully connected layer on all values of the map.
fn linear(im: &mut Importer, node: &Node, map: &Map, layer: Linear) -> Step<Map> {
    let Linear {
        n_out,
        weight,
        bias,
    } = layer;
    let n_in = map.len();
    let layer = Layer::Conv {
        geo: ConvGeometry::linear(n_in, n_out),
        bias: bias.is_some(),
    };
    let name = im.layer_name(node, weight.1);
    let out = im.push(&name, layer, vec![map.node], vec![n_out])?;
    im.trained(
        &out,
        Part::Weight,
        vec![n_out, n_in, 1, 1],
        weight.0,
        weight.1,
    );
    if let Some((values, from)) = bias {
        im.trained(&out, Part::Bias, vec![n_out], values, from);
    }
    Ok(out)
}

/// The transpose of a `rows x columns` matrix.
fn transposed(m: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|c| (0..rows).map(move |r| m[r * columns + c]))
        .collect()
}

pub(super) fn gemm(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let map = inputs.map(0)?;
    let node = inputs.node;
    let matrix = inputs.needed(1, "the matrix")?;
    let offset = inputs.constant(2, "C")?;
    if node.int("transA", 0) != 0 {
        return unsupported("transA = 1 makes the images columns; allowed: 0");
    }
    let &[rows, columns] = matrix.dims.as_slice() else {
        return wrong(format!("a matrix of {:?}", matrix.dims));
    };
    let turned = node.int("transB", 0) != 0;
    let (n_in, n_out) = if turned {
        (columns, rows)
    } else {
        (rows, columns)
    };
    if map.dims != [n_in] || n_out == 0 {
        return wrong(format!(
            "a matrix that takes {n_in} values; an image has {:?} here",
            map.dims
        ));
    }
    let (alpha, beta) = (node.float("alpha", 1.0), node.float("beta", 1.0));
    let mut weight = matrix.to_floats();
    if !turned {
        weight = transposed(&weight, rows, columns);
    }
    if alpha != 1.0 {
        weight.iter_mut().for_each(|w| *w *= alpha);
    }
    let offset = offset.filter(|_| beta != 0.0);
    let bias = match &offset {
        None => None,
        Some(c) => {
            let spread = c.dims.iter().rev().skip(1).any(|&d| d != 1) || c.dims.len() > 2;
            let values = c.to_floats();
            if spread || (values.len() != 1 && values.len() != n_out) {
                return wrong(format!("C of {:?} for {n_out} outputs", c.dims));
            }
            im.spend(n_out)?;
            let of = |i: usize| beta * values[if values.len() == 1 { 0 } else { i }];
            let values: Vec<f32> = (0..n_out).map(of).collect();
            Some((values, &**c))
        }
    };
    let weight = (weight, &*matrix);
    let layer = Linear {
        n_out,
        weight,
        bias,
    };
    let out = linear(im, node, &map, layer)?;
    Ok(vec![Value::Map(out)])
}

/// Product with a constant matrix along the last dimension.
pub(super) fn matmul(im: &mut Importer, inputs: &Inputs) -> Step<Vec<Value>> {
    let node = inputs.node;
    if let Some(Value::Constant(_)) = inputs.get(0) {
        return unsupported("a constant times a map; allowed: a map times a constant matrix");
    }
    let map = inputs.map(0)?;
    if let Some(Value::Map(_) | Value::Codes { .. }) = inputs.get(1) {
        return unsupported("a product of two maps; allowed: a map times a constant matrix");
    }
    let matrix = inputs.needed(1, "the matrix")?;
    let &[n_in, n_out] = matrix.dims.as_slice() else {
        return unsupported(format!(
            "a constant of {:?}; allowed: a matrix",
            matrix.dims
        ));
    };
    let Some((&last, front)) = map.dims.split_last() else {
        return wrong("an image of no values");
    };
    if last != n_in || n_out == 0 {
        return wrong(format!(
            "a matrix that takes {n_in} values; the last dimension is {last}"
        ));
    }
    let weight = transposed(&matrix.to_floats(), n_in, n_out);
    if front.is_empty() {
        let layer = Linear {
            n_out,
            weight: (weight, &matrix),
            bias: None,
        };
        let out = linear(im, node, &map, layer)?;
        return Ok(vec![Value::Map(out)]);
    }
    // The same matrix at every place: a 1x1 convolution whose channels are the last dimension.
    let places = product(front)?;
    let rows = map.with(vec![places, n_in]);
    let turned = im.transpose(&format!("{}.in", node.name), &rows, &[1, 0])?;
    let source = im.shaped(&turned, (n_in, places, 1));
    let geo = ConvGeometry {
        h_in: places,
        ..ConvGeometry::linear(n_in, n_out)
    };
    let layer = Layer::Conv { geo, bias: false };
    let name = im.layer_name(node, &matrix);
    let out = im.push(&name, layer, vec![source], vec![n_out, places, 1])?;
    im.trained(&out, Part::Weight, vec![n_out, n_in, 1, 1], weight, &matrix);
    let columns = out.with(vec![n_out, places]);
    let back = im.transpose(&format!("{}.out", node.name), &columns, &[1, 0])?;
    let dims = [front, &[n_out]].concat();
    Ok(vec![Value::Map(back.with(dims))])
}
