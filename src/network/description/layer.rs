//! From an operation of a description to a layer of a graph.

use super::LARGEST;
use super::op::{Conv, Kind, Pool};
use crate::network::graph::{Layer, NORM_RATE, Node, norm_rate};
use crate::program::{Activation, ConvGeometry, NO_SOURCE, PoolGeometry};

/// A result, or the reason why an operation is refused.
pub(super) type Step<T> = std::result::Result<T, String>;

/// A layer with the shape `(c, h, w)` of its output.
type Shaped = (Layer, (usize, usize, usize));

/// The layer of an operation that reads these nodes, and the shape of its output.
pub(super) fn layer(kind: &Kind, inputs: &[&Node]) -> Step<Shaped> {
    let from = inputs[0];
    let (c, h, w) = from.shape;
    let layer = match kind {
        Kind::Conv2d(conv) => return conv2d(conv, from),
        Kind::Linear {
            bias, cin, cout, ..
        } => return linear(*cin, *cout, bias.is_some(), from),
        Kind::MaxPool(pool) => return pooling(pool, Layer::MaxPool, from),
        Kind::AvgPool(pool) => return pooling(pool, Layer::AvgPool, from),
        Kind::GlobalMaxPool => return Ok((Layer::MaxPool(whole(h, w)), (c, 1, 1))),
        Kind::GlobalAvgPool => return Ok((Layer::AvgPool(whole(h, w)), (c, 1, 1))),
        Kind::Flatten => return Ok((Layer::Reshape, (c * h * w, 1, 1))),
        Kind::Reshape { shape } => return Ok((Layer::Reshape, (*shape).into())),
        Kind::Concat { shape: Some(shape) } => return Ok((Layer::Concat, (*shape).into())),
        Kind::Concat { shape: None } => return Ok(concat(inputs)),
        Kind::Rearrange { table, fill, shape } => {
            let table = table.iter().map(source).collect::<Step<_>>()?;
            return Ok((Layer::Rearrange { table, fill: *fill }, (*shape).into()));
        }
        Kind::Batchnorm { eps, momentum, .. } => batch_norm(*eps, *momentum)?,
        Kind::Quantize { lo, hi, .. } if lo >= hi => {
            return Err(format!("codes {lo} to {hi}; allowed: the lower below"));
        }
        Kind::Quantize { lo, hi, .. } => Layer::Quantize { lo: *lo, hi: *hi },
        Kind::Add => Layer::Add,
        Kind::Multiply => Layer::Multiply,
        Kind::Affine { .. } => Layer::Affine,
        Kind::Softmax => Layer::Softmax,
        Kind::Identity => Layer::Activation(Activation::Identity),
        Kind::Relu => Layer::Activation(Activation::Relu),
        Kind::Relu6 => Layer::Activation(Activation::Clip { lo: 0.0, hi: 6.0 }),
        Kind::Tanh => Layer::Activation(Activation::Tanh),
        Kind::Sigmoid => Layer::Activation(Activation::Sigmoid),
        Kind::HardSwish => Layer::Activation(Activation::HardSwish),
        Kind::Abs => Layer::Activation(Activation::Abs),
        Kind::Sign => Layer::Activation(Activation::Sign),
        Kind::Floor => Layer::Activation(Activation::Floor),
        Kind::LeakyRelu { slope } => leaky_relu(*slope)?,
        Kind::HardSigmoid { slope, offset } => hard_sigmoid(*slope, *offset)?,
        Kind::Clip { lo, hi } => clip(*lo, *hi)?,
    };
    Ok((layer, from.shape))
}

fn conv2d(conv: &Conv, from: &Node) -> Step<Shaped> {
    let geo = conv.geometry(from)?;
    let bias = conv.bias.is_some();
    let shape = (geo.c_out, geo.h_out(), geo.w_out());
    Ok((Layer::Conv { geo, bias }, shape))
}

fn linear(cin: usize, cout: usize, bias: bool, from: &Node) -> Step<Shaped> {
    let (c, h, w) = from.shape;
    if cin != c * h * w || !(1..=LARGEST).contains(&cout) {
        return Err(format!("{cin} inputs of {c} x {h} x {w}, {cout} outputs"));
    }
    let geo = ConvGeometry::linear(cin, cout);
    Ok((Layer::Conv { geo, bias }, (cout, 1, 1)))
}

fn pooling(pool: &Pool, layer: fn(PoolGeometry) -> Layer, from: &Node) -> Step<Shaped> {
    let geo = pool.geometry(from)?;
    let (c, h, w) = from.shape;
    let (h, w) = geo.out(h, w);
    Ok((layer(geo), (c, h, w)))
}

/// A window of the whole map.
fn whole(h: usize, w: usize) -> PoolGeometry {
    PoolGeometry {
        kh: h,
        kw: w,
        stride: [h, w],
        pad: [0; 4],
    }
}

/// Along the channels where all maps have one size, else all values in one row.
fn concat(inputs: &[&Node]) -> Shaped {
    let (_, h, w) = inputs[0].shape;
    let shapes = || inputs.iter().map(|node| node.shape);
    let shape = match shapes().all(|s| (s.1, s.2) == (h, w)) {
        true => (shapes().map(|s| s.0).sum(), h, w),
        false => (shapes().map(|s| s.0 * s.1 * s.2).sum(), 1, 1),
    };
    (Layer::Concat, shape)
}

/// A place of a table as [`Layer::Rearrange`] has it.
fn source(place: &i64) -> Step<u32> {
    match place {
        -1 => Ok(NO_SOURCE),
        place => u32::try_from(*place).map_err(|_| format!("place {place} in the table")),
    }
}

fn batch_norm(eps: f32, momentum: Option<f32>) -> Step<Layer> {
    if !(eps >= 0.0 && eps.is_finite()) {
        return Err(format!("eps {eps}; allowed: 0 and more"));
    }
    if momentum.is_some_and(|m| !(0.0..=1.0).contains(&m)) {
        return Err("momentum; allowed: 0 to 1".into());
    }
    let rate = momentum.map_or(NORM_RATE, norm_rate);
    Ok(Layer::BatchNorm { eps, rate })
}

fn leaky_relu(slope: f32) -> Step<Layer> {
    match slope >= 0.0 && slope.is_finite() {
        true => Ok(Layer::Activation(Activation::LeakyRelu { slope })),
        false => Err("constants that are not allowed".into()),
    }
}

fn hard_sigmoid(slope: f32, offset: f32) -> Step<Layer> {
    match slope > 0.0 && slope.is_finite() {
        true => Ok(Layer::Activation(Activation::HardSigmoid { slope, offset })),
        false => Err("constants that are not allowed".into()),
    }
}

fn clip(lo: Option<f32>, hi: Option<f32>) -> Step<Layer> {
    let lo = lo.unwrap_or(f32::NEG_INFINITY);
    let hi = hi.unwrap_or(f32::INFINITY);
    if lo.is_nan() || hi.is_nan() || lo >= hi {
        return Err(format!("limits {lo} and {hi}; allowed: the lower below"));
    }
    Ok(Layer::Activation(Activation::Clip { lo, hi }))
}
