//! The operations of a description.

use serde::{Deserialize, Serialize};

use super::LARGEST;
use crate::network::graph::{Layer, NORM_RATE, Node, momentum};
use crate::network::state::Part;
use crate::program::{Activation, ConvGeometry, NO_SOURCE, PoolGeometry};

/// All keys of operations, so that one that is misspelt is not overlooked.
pub const KEYS: &[&str] = &[
    "op", "name", "input", "inputs", "out", "weight", "bias", "cin", "cout", "kernel", "stride",
    "pad", "dilation", "groups", "prefix", "eps", "momentum", "slope", "offset", "lo", "hi",
    "scale", "shift", "step", "shape", "table", "fill",
];

/// Keys that every operation has.
pub const COMMON: &[&str] = &["op", "name", "input", "inputs", "out"];

/// One operation: what it does, what it reads, what its result is called.
#[derive(Debug, Serialize, Deserialize)]
pub struct Op {
    #[serde(flatten)]
    pub kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Vec<String>>,
    pub out: String,
}

/// What an operation does, with its constants and the names of its tensors.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Kind {
    Conv2d(Conv),
    Linear {
        weight: String,
        bias: Option<String>,
        cin: usize,
        cout: usize,
    },
    Batchnorm {
        prefix: String,
        eps: f32,
        /// Share of the running statistics that a step of training keeps.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        momentum: Option<f32>,
    },
    Relu,
    Relu6,
    Tanh,
    Sigmoid,
    HardSwish,
    Abs,
    Sign,
    Floor,
    LeakyRelu {
        slope: f32,
    },
    HardSigmoid {
        slope: f32,
        offset: f32,
    },
    Clip {
        lo: Option<f32>,
        hi: Option<f32>,
    },
    Identity,
    MaxPool(Pool),
    AvgPool(Pool),
    GlobalAvgPool,
    GlobalMaxPool,
    Add,
    Multiply,
    Affine {
        scale: String,
        shift: String,
    },
    Quantize {
        step: String,
        lo: i32,
        hi: i32,
    },
    Softmax,
    Flatten,
    Reshape {
        shape: [usize; 3],
    },
    Concat {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shape: Option<[usize; 3]>,
    },
    Rearrange {
        table: Vec<i64>,
        fill: f32,
        shape: [usize; 3],
    },
}

/// One number for all directions or sides, or one for each.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Sizes {
    One(usize),
    Each(Vec<usize>),
}

impl Sizes {
    fn two(&self, what: &str, low: usize) -> Result<[usize; 2], String> {
        let two = match self {
            Sizes::One(n) => [*n; 2],
            Sizes::Each(v) => match v[..] {
                [a, b] => [a, b],
                _ => return Err(format!("{what} {v:?}; allowed: one number or two")),
            },
        };
        checked(what, two, low)
    }

    fn four(&self, what: &str) -> Result<[usize; 4], String> {
        let four = match self {
            Sizes::One(n) => [*n; 4],
            Sizes::Each(v) => match v[..] {
                [a, b] => [a, b, a, b],
                [a, b, c, d] => [a, b, c, d],
                _ => return Err(format!("{what} {v:?}; allowed: one number, two or four")),
            },
        };
        checked(what, four, 0)
    }
}

fn checked<const N: usize>(what: &str, v: [usize; N], low: usize) -> Result<[usize; N], String> {
    match v.iter().find(|n| !(low..=LARGEST).contains(*n)) {
        Some(n) => Err(format!("{what} {n}; allowed: {low} to {LARGEST}")),
        None => Ok(v),
    }
}

fn one() -> Sizes {
    Sizes::One(1)
}

fn zero() -> Sizes {
    Sizes::One(0)
}

fn single() -> usize {
    1
}

/// A convolution.
#[derive(Debug, Serialize, Deserialize)]
pub struct Conv {
    pub weight: String,
    pub bias: Option<String>,
    cin: usize,
    cout: usize,
    kernel: Sizes,
    #[serde(default = "one")]
    stride: Sizes,
    #[serde(default = "zero")]
    pad: Sizes,
    #[serde(default = "one")]
    dilation: Sizes,
    #[serde(default = "single")]
    groups: usize,
}

impl Conv {
    /// The geometry on the output of a node.
    pub fn geometry(&self, from: &Node) -> Result<ConvGeometry, String> {
        let (c, h, w) = from.shape;
        let [kh, kw] = self.kernel.two("kernel", 1)?;
        let stride = self.stride.two("stride", 1)?;
        let dilation = self.dilation.two("dilation", 1)?;
        let pad = self.pad.four("pad")?;
        let (cin, cout, groups) = (self.cin, self.cout, self.groups);
        let whole = groups > 0 && cin.is_multiple_of(groups) && cout.is_multiple_of(groups);
        if cin != c || !whole || !(1..=LARGEST).contains(&cout) {
            return Err(format!(
                "cin {cin}, cout {cout}, groups {groups} on {c} channels"
            ));
        }
        let reach = |k: usize, d: usize| (k - 1) * d + 1;
        if reach(kh, dilation[0]) > h + pad[0] + pad[2]
            || reach(kw, dilation[1]) > w + pad[1] + pad[3]
        {
            return Err(format!("a kernel of {kh} x {kw} on a map of {h} x {w}"));
        }
        Ok(ConvGeometry {
            c_in: cin,
            h_in: h,
            w_in: w,
            c_out: cout,
            kh,
            kw,
            stride,
            dilation,
            pad,
            groups,
        })
    }
}

/// A pooling window.
#[derive(Debug, Serialize, Deserialize)]
pub struct Pool {
    kernel: Sizes,
    stride: Option<Sizes>,
    #[serde(default = "zero")]
    pad: Sizes,
}

impl Pool {
    /// The geometry on the output of a node; the stride is the kernel unless given.
    pub fn geometry(&self, from: &Node) -> Result<PoolGeometry, String> {
        let (_, h, w) = from.shape;
        let [kh, kw] = self.kernel.two("kernel", 1)?;
        let stride = self
            .stride
            .as_ref()
            .unwrap_or(&self.kernel)
            .two("stride", 1)?;
        let pad = self.pad.four("pad")?;
        let small = pad[0] < kh && pad[2] < kh && pad[1] < kw && pad[3] < kw;
        if !small || h + pad[0] + pad[2] < kh || w + pad[1] + pad[3] < kw {
            return Err(format!(
                "a window of {kh} x {kw}, pad {pad:?}, on a map of {h} x {w}"
            ));
        }
        Ok(PoolGeometry {
            kh,
            kw,
            stride,
            pad,
        })
    }
}

impl From<&PoolGeometry> for Pool {
    fn from(geo: &PoolGeometry) -> Self {
        Self {
            kernel: Sizes::Each(vec![geo.kh, geo.kw]),
            stride: Some(Sizes::Each(geo.stride.to_vec())),
            pad: Sizes::Each(geo.pad.to_vec()),
        }
    }
}

impl Kind {
    /// The keys of this operation, beside [`COMMON`].
    pub fn keys(&self) -> &'static [&'static str] {
        match self {
            Kind::Conv2d(_) => &[
                "weight", "bias", "cin", "cout", "kernel", "stride", "pad", "dilation", "groups",
            ],
            Kind::Linear { .. } => &["weight", "bias", "cin", "cout"],
            Kind::Batchnorm { .. } => &["prefix", "eps", "momentum"],
            Kind::LeakyRelu { .. } => &["slope"],
            Kind::HardSigmoid { .. } => &["slope", "offset"],
            Kind::Clip { .. } => &["lo", "hi"],
            Kind::MaxPool(_) | Kind::AvgPool(_) => &["kernel", "stride", "pad"],
            Kind::Affine { .. } => &["scale", "shift"],
            Kind::Quantize { .. } => &["step", "lo", "hi"],
            Kind::Reshape { .. } | Kind::Concat { .. } => &["shape"],
            Kind::Rearrange { .. } => &["table", "fill", "shape"],
            Kind::Relu
            | Kind::Relu6
            | Kind::Tanh
            | Kind::Sigmoid
            | Kind::HardSwish
            | Kind::Abs
            | Kind::Sign
            | Kind::Floor
            | Kind::Identity
            | Kind::GlobalAvgPool
            | Kind::GlobalMaxPool
            | Kind::Add
            | Kind::Multiply
            | Kind::Softmax
            | Kind::Flatten => &[],
        }
    }

    /// As it is called in a description.
    pub fn name(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        value["op"].as_str().unwrap_or("?").to_string()
    }

    /// Name of the node: that of its tensors, as users know them, else that of its result.
    pub fn usual_name(&self, out: &str) -> String {
        match self {
            Kind::Conv2d(Conv { weight, .. }) | Kind::Linear { weight, .. } => {
                weight.strip_suffix(".weight").unwrap_or(out).to_string()
            }
            Kind::Batchnorm { prefix, .. } => prefix.clone(),
            _ => out.to_string(),
        }
    }
}

/// The operation of a node.
pub fn kind(node: &Node) -> Kind {
    let tensor = |part: Part| part.of(&node.name);
    let (c, h, w) = node.shape;
    match &node.layer {
        Layer::Conv { geo, bias } => {
            crossbar(geo, tensor(Part::Weight), bias.then(|| tensor(Part::Bias)))
        }
        Layer::BatchNorm { eps, rate } => Kind::Batchnorm {
            prefix: node.name.clone(),
            eps: *eps,
            momentum: (*rate != NORM_RATE).then(|| momentum(*rate)),
        },
        Layer::Activation(act) => activation(*act),
        Layer::MaxPool(geo) => Kind::MaxPool(geo.into()),
        Layer::AvgPool(geo) => Kind::AvgPool(geo.into()),
        Layer::Add => Kind::Add,
        Layer::Multiply => Kind::Multiply,
        Layer::Affine => Kind::Affine {
            scale: tensor(Part::Scale),
            shift: tensor(Part::Shift),
        },
        Layer::Quantize { lo, hi } => Kind::Quantize {
            step: tensor(Part::Step),
            lo: *lo,
            hi: *hi,
        },
        Layer::Softmax => Kind::Softmax,
        Layer::Reshape => Kind::Reshape { shape: [c, h, w] },
        Layer::Concat => Kind::Concat {
            shape: Some([c, h, w]),
        },
        Layer::Rearrange { table, fill } => Kind::Rearrange {
            table: table
                .iter()
                .map(|&t| if t == NO_SOURCE { -1 } else { i64::from(t) })
                .collect(),
            fill: *fill,
            shape: [c, h, w],
        },
        Layer::Input => Kind::Identity,
    }
}

fn crossbar(geo: &ConvGeometry, weight: String, bias: Option<String>) -> Kind {
    if geo.is_linear() && geo.groups == 1 {
        return Kind::Linear {
            weight,
            bias,
            cin: geo.c_in,
            cout: geo.c_out,
        };
    }
    Kind::Conv2d(Conv {
        weight,
        bias,
        cin: geo.c_in,
        cout: geo.c_out,
        kernel: Sizes::Each(vec![geo.kh, geo.kw]),
        stride: Sizes::Each(geo.stride.to_vec()),
        pad: Sizes::Each(geo.pad.to_vec()),
        dilation: Sizes::Each(geo.dilation.to_vec()),
        groups: geo.groups,
    })
}

fn activation(act: Activation) -> Kind {
    match act {
        Activation::Relu => Kind::Relu,
        Activation::Tanh => Kind::Tanh,
        Activation::Sigmoid => Kind::Sigmoid,
        Activation::HardSwish => Kind::HardSwish,
        Activation::Abs => Kind::Abs,
        Activation::Sign => Kind::Sign,
        Activation::Floor => Kind::Floor,
        Activation::LeakyRelu { slope } => Kind::LeakyRelu { slope },
        Activation::HardSigmoid { slope, offset } => Kind::HardSigmoid { slope, offset },
        Activation::Clip { lo, hi } => Kind::Clip {
            lo: lo.is_finite().then_some(lo),
            hi: hi.is_finite().then_some(hi),
        },
        Activation::Identity => Kind::Identity,
    }
}
