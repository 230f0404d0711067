//! The language between the network and the machines: a [`Program`] is a list of operators over
//! named tensors, plain data that both backends execute and that knows no GPU and no training.
//!
//! # Theory
//! Everything Pimento computes, a training step as well as a Monte Carlo wave, is a straight-line
//! list of [`Op`]s. *Chips are an axis of the tensors*, not a loop around the program: a tensor
//! with [`Scope::PerChip`] has one slab per simulated chip, one with [`Scope::Shared`] is the same
//! for all of them (the images, the trained weights). An operator whose inputs are all shared and
//! whose output is per chip broadcasts.
//!
//! # Layout
//! Both backends store the same bytes (`f32` throughout):
//! * [`Shape::Flat`]`(n)`: `n` values; per chip `[chip][n]`.
//! * [`Shape::Image`]: one `c x h x w` map per image, images innermost in blocks of [`LANES`]:
//!   `[block][c][h][w][lane]`, per chip `[chip][block][c][h][w][lane]`. Image `i` is lane
//!   `i % LANES` of block `i / LANES`. Neighbouring lanes never interact, so every operator is
//!   vectorised over images on the CPU and coalesced on a GPU whatever the layer's shape.
//!
//! The last block of a run may hold lanes beyond the last image. Their content is unspecified but
//! finite; every operator that reduces over images counts only real ones, and
//! [`Op::SoftmaxXent`] and [`Op::BatchNormGrad`] write zero gradients there.
//!
//! # Practice
//! Ops run in order. Ops of one *section* run together ([`super::Session::run`]): a sweep has a
//! section that programs the chips and one that is run for every chunk of images.

use std::ops::Range;

/// Images per block of an [`Shape::Image`] tensor: one AVX-512 register, two AVX2 registers, four
/// `vec4<f32>`.
pub const LANES: usize = 16;

/// Number of per-chip values in the `chip` tensor of [`Op::Fabricate`]; see there.
pub const CHIP_FIELDS: usize = 4;

/// Index of a tensor in [`Program::tensors`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId(pub u32);

impl TensorId {
    /// The index as `usize`.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Logical shape of a tensor without its chip and image axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `n` values that do not depend on the image (weights, scales, statistics).
    Flat(usize),
    /// A map of `c` channels, `h` rows, `w` columns for every image.
    Image {
        /// Channels.
        c: usize,
        /// Rows.
        h: usize,
        /// Columns.
        w: usize,
    },
}

impl Shape {
    /// Values per chip (and per image for [`Shape::Image`]).
    pub fn len(self) -> usize {
        match self {
            Shape::Flat(n) => n,
            Shape::Image { c, h, w } => c * h * w,
        }
    }

    /// Whether the shape holds no value.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// `(c, h, w)` of an image shape; a flat shape of `n` is `(n, 1, 1)`.
    pub fn chw(self) -> (usize, usize, usize) {
        match self {
            Shape::Flat(n) => (n, 1, 1),
            Shape::Image { c, h, w } => (c, h, w),
        }
    }

    /// Whether the tensor has an image axis.
    pub fn is_image(self) -> bool {
        matches!(self, Shape::Image { .. })
    }
}

/// Whether a tensor has a chip axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One copy for all chips.
    Shared,
    /// One slab per chip of the wave.
    PerChip,
}

/// What a tensor is for, hence how long it lives and who may touch it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Image-shaped, written by the host, resident for all [`Capacity::images`].
    Input,
    /// Flat, persistent between runs, readable and writable by the host, starts at zero.
    State,
    /// Image-shaped result that the host may read after a run; holds the images of the last run
    /// (of the last chunk).
    Output,
    /// Scratch: valid inside one run of one section only.
    Temp,
}

/// A named tensor of a program.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorDesc {
    /// Name for messages, checkpoints and debugging; unique in the program.
    pub name: String,
    /// Logical shape.
    pub shape: Shape,
    /// Chip axis or not.
    pub scope: Scope,
    /// Lifetime and access.
    pub role: Role,
}

/// Geometry of a convolution `y[o] = sum_k w[o,k] x[k]`; a fully connected layer is a convolution
/// with `h = w = kh = kw = 1`, `c_in` inputs (a flattened map is its channels: NCHW order).
///
/// Weights are `[c_out][c_in/groups][kh][kw]`; `rows() = c_in/groups*kh*kw` is the number of word
/// lines (inputs) a column of the crossbar sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConvGeometry {
    /// Input channels.
    pub c_in: usize,
    /// Input rows.
    pub h_in: usize,
    /// Input columns.
    pub w_in: usize,
    /// Output channels.
    pub c_out: usize,
    /// Kernel rows.
    pub kh: usize,
    /// Kernel columns.
    pub kw: usize,
    /// Stride `[rows, columns]`.
    pub stride: [usize; 2],
    /// Dilation `[rows, columns]`.
    pub dilation: [usize; 2],
    /// Zero padding `[top, left, bottom, right]`.
    pub pad: [usize; 4],
    /// Channel groups (`c_in` for a depthwise convolution).
    pub groups: usize,
}

impl ConvGeometry {
    /// A fully connected layer from `n_in` to `n_out`.
    pub fn linear(n_in: usize, n_out: usize) -> Self {
        Self {
            c_in: n_in,
            h_in: 1,
            w_in: 1,
            c_out: n_out,
            kh: 1,
            kw: 1,
            stride: [1; 2],
            dilation: [1; 2],
            pad: [0; 4],
            groups: 1,
        }
    }

    /// Rows of the output map.
    pub fn h_out(&self) -> usize {
        (self.h_in + self.pad[0] + self.pad[2] - self.dilation[0] * (self.kh - 1) - 1)
            / self.stride[0]
            + 1
    }

    /// Columns of the output map.
    pub fn w_out(&self) -> usize {
        (self.w_in + self.pad[1] + self.pad[3] - self.dilation[1] * (self.kw - 1) - 1)
            / self.stride[1]
            + 1
    }

    /// Word lines per output: inputs summed into one output value.
    pub fn rows(&self) -> usize {
        self.c_in / self.groups * self.kh * self.kw
    }

    /// Number of weights.
    pub fn weights(&self) -> usize {
        self.c_out * self.rows()
    }

    /// Multiply-accumulates per image.
    pub fn macs(&self) -> usize {
        self.weights() * self.h_out() * self.w_out()
    }

    /// Whether the geometry is one of [`ConvGeometry::linear`].
    pub fn is_linear(&self) -> bool {
        self.h_in == 1 && self.w_in == 1 && self.kh == 1 && self.kw == 1
    }
}

/// Element-wise non-linearity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// `f(v) = v`.
    Identity,
    /// `f(v) = max(v, 0)`; derivative 0 at 0.
    Relu,
    /// `f(v) = tanh(v)`.
    Tanh,
    /// `f(v) = v` where `v > 0`, else `slope v`; derivative `slope` at 0.
    LeakyRelu {
        /// Slope of the negative side, at least 0 (so that the output has the input's sign).
        slope: f32,
    },
    /// `f(v) = min(max(v, lo), hi)`; derivative 1 strictly inside, else 0. ReLU6 is `[0, 6]`; a
    /// limit may be infinite.
    Clip {
        /// Lower limit.
        lo: f32,
        /// Upper limit, above `lo`.
        hi: f32,
    },
    /// `f(v) = 1 / (1 + exp(-v))`.
    Sigmoid,
    /// `f(v) = min(max(slope v + offset, 0), 1)`; derivative `slope` strictly inside, else 0.
    HardSigmoid {
        /// Slope of the middle, above 0.
        slope: f32,
        /// Value at 0.
        offset: f32,
    },
    /// `f(v) = v min(max(v/6 + 1/2, 0), 1)`. The only one that does not rise everywhere, so its
    /// derivative needs the input.
    HardSwish,
}

impl Activation {
    /// Whether [`Op::ActivationGrad`] takes the derivative from the input instead of the output.
    pub fn derivative_from_input(self) -> bool {
        matches!(self, Activation::HardSwish)
    }

    /// Whether no output is negative.
    pub fn is_non_negative(self) -> bool {
        match self {
            Activation::Relu | Activation::Sigmoid | Activation::HardSigmoid { .. } => true,
            Activation::Clip { lo, .. } => lo >= 0.0,
            _ => false,
        }
    }
}

/// Rounding of a quantizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Nearest integer, ties to even.
    Nearest,
    /// Next integer below (the reference code's activation quantizer).
    Floor,
}

/// Gradient of a quantizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StraightThrough {
    /// 1 everywhere (the reference code for 2 bits and more).
    Identity,
    /// 1 inside the representable range, 0 outside. For 1 bit the range is `[-1, 1]`.
    Clip,
}

/// How [`Op::WeightScale`] chooses the step `d`. `Q = 2^(bits-1) - 1` (1 for one bit).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WeightStep {
    /// `d = max|w| / Q`.
    MaxAbs,
    /// `d = percentile_p(|w|) / Q`, `p` in percent, linear interpolation between order statistics.
    Percentile(f32),
    /// The reference code's search: 10 evenly spaced candidates from `max|w|/Q` down to
    /// `median|w|/Q` (lower median), both included; the one with the least squared error
    /// `sum (w - d clamp(round(w/d), -Q, Q))^2` wins, the first on ties.
    LineSearch,
    /// Least squared error over 100 candidates `i/100 * max|w|/Q`, `i = 100, 99, .., 1`; the first
    /// on ties.
    Mse,
    /// Keep the step that is in `scale` (LSQ, or frozen).
    Keep,
}

/// Post-processing of a pre-activation value, in this order, each part optional:
/// `v = scale[c] * v + shift[c]`, `v = v + residual`, `v = act(v)`,
/// `v = d * clamp(round(v/d), lo, hi)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Post {
    /// Per-channel factor, `Flat(c)`, shared or per chip.
    pub scale: Option<TensorId>,
    /// Per-channel offset, `Flat(c)`, shared or per chip.
    pub shift: Option<TensorId>,
    /// Map of the output's shape added before the activation.
    pub residual: Option<TensorId>,
    /// Non-linearity.
    pub act: Activation,
    /// Activation quantizer with a given step.
    pub quant: Option<ActQuant>,
}

impl Post {
    /// Does nothing.
    pub const NONE: Post = Post {
        scale: None,
        shift: None,
        residual: None,
        act: Activation::Identity,
        quant: None,
    };

    /// Whether this is [`Post::NONE`].
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}

/// Uniform activation quantizer `q(v) = d * clamp(round(v/d), lo, hi)`. Where `d <= 0` (nothing
/// calibrated, or an all-zero layer) the result is 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ActQuant {
    /// Step `d`: `Flat(1)`, shared.
    pub scale: TensorId,
    /// Lowest code.
    pub lo: i32,
    /// Highest code.
    pub hi: i32,
    /// Rounding.
    pub rounding: Rounding,
}

/// Over what the magnitude of a one-bit activation is averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryGroup {
    /// Per image and channel, over the map.
    Channel,
    /// Per image, over all values.
    Image,
}

/// Which deviation a cell's conductance has (docs/MODEL.md 3), with `full = full_scale[o or 0]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// `w' = w (1 + eps)`: proportional to the conductance.
    WeightProportional,
    /// `w' = w + full eps`: independent of it.
    LayerFixed,
}

/// How signed weights become conductances, which decides what variation does to them
/// (docs/MODEL.md 3.2). Conductances are normalised to `G_max = 1`, `g_min = 1/on_off_ratio`.
/// `e` is the chip's common deviation, `z` a cell's unit deviate, `s = sigma_w`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mapping {
    /// One signed ideal cell per weight:
    /// proportional `w' = w (1 + e + s z)`, fixed `w' = w + full (e + s z)`.
    Ideal,
    /// Two cells, `g+- = g_min + (1 - g_min) max(+-w/full, 0)`, `k = full / (1 - g_min)`:
    /// proportional `w' = w (1 + e) + k s (g+ z+ - g- z-)`; fixed `w' = w + full s (z+ - z-)`
    /// (the common part cancels).
    Differential {
        /// Smallest conductance relative to the largest.
        g_min: f32,
    },
    /// One cell, `g = g_min + (1 - g_min)(w/full + 1)/2`, `k = 2 full / (1 - g_min)`, offset
    /// `g_ref = (1 + g_min)/2` subtracted either digitally (`copies = 0`) or by a real column
    /// that is the mean of `copies` cells per row with deviates `zr`:
    /// proportional `w' = w + k g (e + s z) - [copies > 0] k g_ref (e + s mean zr[row])`,
    /// fixed `w' = w + 2 full (e + s z) - [copies > 0] 2 full (e + s mean zr[row])`.
    Offset {
        /// Smallest conductance relative to the largest.
        g_min: f32,
        /// Cells averaged in the reference column, 0 for digital subtraction.
        copies: u32,
    },
}

/// Distribution of a cell's deviate `z`, made from one 32-bit word of the generator
/// (see [`crate::random`]).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Deviate {
    /// Standard normal.
    Gaussian,
    /// Standard normal restricted to `|z| <= at` (by inverse CDF, so one word a cell; the
    /// standard deviation becomes smaller than 1, as in the common `trunc_normal`).
    Truncated {
        /// Limit in standard deviations.
        at: f32,
    },
    /// `s z = exp(t n - t^2/2) - 1` with `n` standard normal and `t^2 = ln(1 + s^2)`: mean 0,
    /// standard deviation `s`, never below -1.
    Lognormal,
}

/// Everything [`Op::Fabricate`] needs beside its tensors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fabrication {
    /// Variance model.
    pub law: Law,
    /// Cells per weight.
    pub mapping: Mapping,
    /// Distribution of the within-chip deviates.
    pub deviate: Deviate,
    /// Within-chip standard deviation.
    pub sigma_w: f32,
    /// Nominal-zero columns whose mean is subtracted from every output (self-tuning by reference
    /// columns, layer-fixed law); 0 for none. Row `k`'s reference deviation is
    /// `full (e + s mean_j z[j*rows + k])` under [`Mapping::Ideal`]; under the other mappings it is
    /// the deviation that a zero weight has there.
    pub reference_columns: u32,
    /// Address of the layer: second word of the counter.
    pub layer: u32,
    /// Columns (output channels).
    pub cols: usize,
    /// Rows per column; `cols * rows` is the length of the weight.
    pub rows: usize,
}

/// How fast [`Op::Lerp`] moves. `step` is [`RunArgs::step`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// `state += rate (value - state)`.
    Fixed(f32),
    /// As [`Rate::Fixed`], but the value replaces the state at step 0.
    FixedFromFirst(f32),
    /// The running mean of all values: rate `1/(step + 1)`.
    Cumulative,
}

/// One operator. Gradients are with respect to the loss; `d*` tensors are overwritten unless the
/// text says *accumulates*.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Chooses the quantization step of a weight `w: Flat(cols*rows)`, for the whole layer
    /// (`scale: Flat(1)`) or per output channel (`scale: Flat(cols)`), and writes the largest
    /// representable magnitude `full_scale = Q * scale` (same shape).
    /// `bits = 0`: no quantization, `scale = 1`, `full_scale = max|w|`.
    /// `bits = 1`: `scale = full_scale = mean|w|` whatever the method (except `Keep`).
    WeightScale {
        /// Master weight.
        w: TensorId,
        /// Step, written (or kept).
        scale: TensorId,
        /// Largest representable magnitude, written.
        full_scale: TensorId,
        /// Bits, 0 to 8.
        bits: u32,
        /// Choice of the step.
        step: WeightStep,
    },
    /// `q = d clamp(round(w/d), -Q, Q)`, ties to even; `bits = 1`: `q = d` where `w >= 0`, else
    /// `-d`; `bits = 0`: `q = w`. `d = 0` gives 0.
    QuantizeWeight {
        /// Master weight.
        w: TensorId,
        /// Step, `Flat(1)` or `Flat(cols)`.
        scale: TensorId,
        /// Quantized value.
        q: TensorId,
        /// Bits, 0 to 8.
        bits: u32,
    },
    /// `dw = dq * mask`, mask 1 for [`StraightThrough::Identity`], else 1 where `|w/d| <= Q`
    /// (`|w| <= 1` for one bit: always applied there, as in the reference code, unless identity).
    /// With `dscale` also the LSQ gradient of the step (Esser et al., arXiv 1902.08153):
    /// `dd = g sum dq * (round(w/d) - w/d inside, +-Q outside)`, `g = 1/sqrt(n Q)`, `n` the
    /// weights that share the step (one bit: `g sum dq sign(w)`; no bits: 0). With `d = 0` nothing is inside.
    QuantizeWeightGrad {
        /// Master weight.
        w: TensorId,
        /// Step.
        scale: TensorId,
        /// Gradient of the quantized value.
        dq: TensorId,
        /// Gradient of the master weight, written.
        dw: TensorId,
        /// Gradient of the step, written, for LSQ.
        dscale: Option<TensorId>,
        /// Bits.
        bits: u32,
        /// Mask.
        ste: StraightThrough,
    },
    /// Fabricates the wave's chips: from the shared nominal weight `w` the effective weight of
    /// every chip after variation and digital tuning,
    /// `out = gain * (w' - offset * full - ref[row])`, with `w'` by [`Law`] and [`Mapping`], and
    /// `chip: Flat(CHIP_FIELDS)` per chip = `[e, gain, offset, 0]`. Because an MVM is linear, a
    /// correction of its output by a multiple of the input sum or by a column is exactly a
    /// correction of its weights: that is why self-tuning costs a sweep nothing.
    /// Cell `i = o*rows + k` of chip index `c = first_chip + wave position` draws word `i % 4` of the
    /// generator block with counter `(i / 4, layer, c, purpose)`, see [`crate::random`].
    Fabricate {
        /// Nominal weight, shared.
        w: TensorId,
        /// Largest representable magnitude, `Flat(1)` or `Flat(cols)`.
        full_scale: TensorId,
        /// Per-chip constants.
        chip: TensorId,
        /// Effective weight per chip, written.
        out: TensorId,
        /// Law, mapping, addresses.
        spec: Fabrication,
    },
    /// Backward of [`Op::Fabricate`], summed over chips, `full_scale` held constant:
    /// `dw = sum_c gain * dout * s`, `s = 1 + e + sigma_w z` of the cell that carries the weight for
    /// the proportional law (differential: `z+` for `w >= 0`, else `z-`), 1 for the fixed law.
    FabricateGrad {
        /// Nominal weight, shared.
        w: TensorId,
        /// Per-chip constants.
        chip: TensorId,
        /// Gradient of the effective weight, per chip.
        dout: TensorId,
        /// Gradient of the nominal weight, shared, written.
        dw: TensorId,
        /// The same as in the forward operator.
        spec: Fabrication,
    },
    /// Convolution (or linear layer) with its epilogue:
    /// `y[o,p] = post(sum_k w[o,k] x[k at p])`. `x` and `w` each shared or per chip.
    Conv2d {
        /// Input map.
        x: TensorId,
        /// Weight `[c_out][rows]`.
        w: TensorId,
        /// Output map, written.
        y: TensorId,
        /// Geometry.
        geo: ConvGeometry,
        /// Epilogue.
        post: Post,
    },
    /// `dx[k] = sum_(o,p) w[o,k] dy[o,p]` (transposed convolution).
    Conv2dGradInput {
        /// Gradient of the output (before the epilogue).
        dy: TensorId,
        /// Weight.
        w: TensorId,
        /// Gradient of the input, written.
        dx: TensorId,
        /// Geometry of the forward operator.
        geo: ConvGeometry,
    },
    /// `dw[o,k] = sum_(images,p) dy[o,p] x[k at p]`, per chip when `dw` is per chip, else summed
    /// over chips.
    Conv2dGradWeight {
        /// Input map.
        x: TensorId,
        /// Gradient of the output.
        dy: TensorId,
        /// Gradient of the weight, written.
        dw: TensorId,
        /// Geometry of the forward operator.
        geo: ConvGeometry,
    },
    /// `y = post(x)`; a bias is `shift`, a folded batch norm `scale` and `shift`, a residual
    /// addition `residual`.
    Pointwise {
        /// Input map.
        x: TensorId,
        /// Output map, written.
        y: TensorId,
        /// What to do.
        post: Post,
    },
    /// `dx = dy * f'(.)`, the derivative taken from the *output* `y` of the activation (relu:
    /// `y > 0`; tanh: `1 - y^2`; sigmoid: `y (1 - y)`; ...), then times `scale[c]` where given
    /// (frozen batch norm). Where [`Activation::derivative_from_input`] says so, `y` is the input.
    ActivationGrad {
        /// Output (or input, see above) of the activation.
        y: TensorId,
        /// Gradient of it.
        dy: TensorId,
        /// Gradient of the input, written.
        dx: TensorId,
        /// The non-linearity.
        act: Activation,
        /// Per-channel factor.
        scale: Option<TensorId>,
    },
    /// `y[c] = sum over images, rows, columns (and chips when y is shared) of x` (bias gradient).
    ChannelSum {
        /// Map.
        x: TensorId,
        /// `Flat(c)`, written.
        y: TensorId,
    },
    /// `y = a + b`.
    Add {
        /// First map.
        a: TensorId,
        /// Second map.
        b: TensorId,
        /// Sum, written.
        y: TensorId,
    },
    /// `y = a * b`, element by element; `b` may have one value per channel (`c x 1 x 1`) that is
    /// used for the whole map (squeeze and excitation).
    Multiply {
        /// Map.
        a: TensorId,
        /// Factor.
        b: TensorId,
        /// Product, written.
        y: TensorId,
    },
    /// Softmax over the channels of every pixel: `y[c] = exp(x[c] - m) / sum_k exp(x[k] - m)`,
    /// `m = max_k x[k]`.
    Softmax {
        /// Map.
        x: TensorId,
        /// Probabilities, written.
        y: TensorId,
    },
    /// Copies values of every image to other places: `y[first + j] = x[table[j]]`, or `fill` where
    /// `table[j]` is [`NO_SOURCE`]. Places of `y` outside `first .. first + table.len()` keep what
    /// they have, so several of these make a concatenation. `x` and `y` are the values of one
    /// image in `c, h, w` order; their shapes need not agree. Transposition, padding with a
    /// constant, cropping, channel shuffle and nearest-neighbour scaling are tables.
    Rearrange {
        /// Source map.
        x: TensorId,
        /// Target map.
        y: TensorId,
        /// First place written.
        first: usize,
        /// Source of every place.
        table: std::sync::Arc<[u32]>,
        /// Value of places without a source.
        fill: f32,
    },
    /// Max pooling (padding never wins).
    MaxPool {
        /// Input map.
        x: TensorId,
        /// Output map, written.
        y: TensorId,
        /// Window.
        geo: PoolGeometry,
    },
    /// The gradient goes to the first (row-major) element that equals the maximum.
    MaxPoolGrad {
        /// Input map of the forward operator.
        x: TensorId,
        /// Output map of the forward operator.
        y: TensorId,
        /// Gradient of the output.
        dy: TensorId,
        /// Gradient of the input, written.
        dx: TensorId,
        /// Window.
        geo: PoolGeometry,
    },
    /// Average pooling; padded positions are not counted. Global average pooling is a window of
    /// the whole map.
    AvgPool {
        /// Input map.
        x: TensorId,
        /// Output map, written.
        y: TensorId,
        /// Window.
        geo: PoolGeometry,
    },
    /// Spreads the gradient evenly over the window.
    AvgPoolGrad {
        /// Gradient of the output.
        dy: TensorId,
        /// Gradient of the input, written.
        dx: TensorId,
        /// Window.
        geo: PoolGeometry,
    },
    /// Biased mean and variance per channel over images, rows and columns: per chip when the
    /// outputs are per chip, else over all chips together.
    BatchNormStats {
        /// Map.
        x: TensorId,
        /// `Flat(c)`, written.
        mean: TensorId,
        /// `Flat(c)`, written (two-pass, biased).
        var: TensorId,
    },
    /// `scale = gamma / sqrt(var + eps)`, `shift = beta - mean * scale`, per channel; `gamma` and
    /// `beta` shared, the rest of one scope. Frozen batch norm is this and [`Op::Pointwise`].
    BatchNormFold {
        /// Mean.
        mean: TensorId,
        /// Variance.
        var: TensorId,
        /// Gain.
        gamma: TensorId,
        /// Offset.
        beta: TensorId,
        /// Factor, written.
        scale: TensorId,
        /// Offset, written.
        shift: TensorId,
        /// Added to the variance.
        eps: f32,
    },
    /// Backward of batch norm in training mode (`mean`, `var` are the batch's own, shared), with
    /// `xh = (x - mean)/sqrt(var + eps)`, `m` the number of values per channel:
    /// `dbeta = sum dy`, `dgamma = sum dy xh`,
    /// `dx = gamma/sqrt(var + eps) (dy - dbeta/m - xh dgamma/m)`, 0 in lanes without an image.
    BatchNormGrad {
        /// Input of the batch norm.
        x: TensorId,
        /// Batch mean.
        mean: TensorId,
        /// Batch variance.
        var: TensorId,
        /// Gain.
        gamma: TensorId,
        /// Gradient of the output.
        dy: TensorId,
        /// Gradient of the input, written.
        dx: TensorId,
        /// Gradient of the gain, written.
        dgamma: TensorId,
        /// Gradient of the offset, written.
        dbeta: TensorId,
        /// Added to the variance.
        eps: f32,
    },
    /// `out = max|x| / divisor` over everything (images, chips): `Flat(1)`, shared.
    MaxAbs {
        /// Map.
        x: TensorId,
        /// Written.
        out: TensorId,
        /// Divisor, the highest code of the quantizer.
        divisor: f32,
    },
    /// Moves a state towards a value of the same shape; `times` multiplies the value first (for
    /// the unbiased variance).
    Lerp {
        /// Moved.
        state: TensorId,
        /// Target.
        value: TensorId,
        /// How fast.
        rate: Rate,
        /// Factor on the value.
        times: f32,
    },
    /// Uniform activation quantizer as an operator of its own.
    QuantizeAct {
        /// Map.
        x: TensorId,
        /// Quantized map, written.
        y: TensorId,
        /// The quantizer.
        quant: ActQuant,
    },
    /// `dx = dy * mask` (identity, or 1 where `lo <= x/d <= hi`); with `dscale` the LSQ gradient
    /// of the step over the whole batch,
    /// `dd = g sum dy * (round(x/d) - x/d inside, lo or hi outside)`,
    /// `g = 1/sqrt(n max(hi, 1))`, `n` the values per image.
    QuantizeActGrad {
        /// Input of the quantizer.
        x: TensorId,
        /// Gradient of its output.
        dy: TensorId,
        /// Gradient of its input, written.
        dx: TensorId,
        /// Gradient of the step, written.
        dscale: Option<TensorId>,
        /// The quantizer.
        quant: ActQuant,
        /// Mask.
        ste: StraightThrough,
    },
    /// One-bit activation `y = a sign(x)`, `sign(0) = 0` as in the reference code, `a` the mean
    /// of `|x|` over the group.
    BinarizeAct {
        /// Map.
        x: TensorId,
        /// Binarized map, written.
        y: TensorId,
        /// What shares a magnitude.
        group: BinaryGroup,
    },
    /// `dx = dy` where `|x| <= 1`, else 0.
    BinarizeActGrad {
        /// Input of the quantizer.
        x: TensorId,
        /// Gradient of its output.
        dy: TensorId,
        /// Gradient of its input, written.
        dx: TensorId,
    },
    /// Softmax cross-entropy with label smoothing `s`: target `(1-s) onehot + s/n`.
    /// `loss` and `hit` are one value per image (0 where the label is negative: no image);
    /// `hit = 1` where the first largest logit is the label;
    /// `dlogits = (softmax - target) / (images * chips)` where given.
    SoftmaxXent {
        /// `Image {c: classes, 1, 1}`.
        logits: TensorId,
        /// Class index as `f32`, `Image {1,1,1}`, shared or per chip.
        labels: TensorId,
        /// Loss, written.
        loss: TensorId,
        /// 1 or 0, written.
        hit: TensorId,
        /// Gradient, written.
        dlogits: Option<TensorId>,
        /// Label smoothing.
        smoothing: f32,
    },
    /// *Accumulates* `[sum hit, sum loss]` over the images of the run into `tally: Flat(2)` per
    /// chip: lanes of a block as `((q0+q1)+(q2+q3))` with `q = (x+y)+(z+w)`, then block after block
    /// in order, in `f32`, so that the sums do not depend on how the images are cut into runs.
    Tally {
        /// From [`Op::SoftmaxXent`].
        hit: TensorId,
        /// From [`Op::SoftmaxXent`].
        loss: TensorId,
        /// State, per chip.
        tally: TensorId,
    },
    /// Sets a flat tensor to zero.
    Zero {
        /// Cleared.
        t: TensorId,
    },
    /// Stochastic gradient descent with momentum: `g' = g + decay w`, `m = momentum m + g'`,
    /// `w -= lr m` (Nesterov: `w -= lr (g' + momentum m)`), `lr` from [`RunArgs::lr`].
    Sgd {
        /// Parameter.
        w: TensorId,
        /// Gradient.
        g: TensorId,
        /// Momentum buffer.
        m: TensorId,
        /// Momentum.
        momentum: f32,
        /// L2 coefficient.
        weight_decay: f32,
        /// Nesterov variant.
        nesterov: bool,
    },
    /// Adam (Kingma, Ba, arXiv 1412.6980), or AdamW with `decoupled`: at update `t = step + 1`,
    /// `m = b1 m + (1-b1) g`, `v = b2 v + (1-b2) g^2`,
    /// `w -= lr m/(1-b1^t) / (sqrt(v/(1-b2^t)) + eps)`; decay is added to `g`, or (decoupled)
    /// `w -= lr decay w` first.
    Adam {
        /// Parameter.
        w: TensorId,
        /// Gradient.
        g: TensorId,
        /// First moment.
        m: TensorId,
        /// Second moment.
        v: TensorId,
        /// Decay of the first moment.
        beta1: f32,
        /// Decay of the second moment.
        beta2: f32,
        /// Added to the denominator.
        eps: f32,
        /// Decay coefficient.
        weight_decay: f32,
        /// AdamW.
        decoupled: bool,
    },
}

/// Entry of an [`Op::Rearrange`] table that has no source.
pub const NO_SOURCE: u32 = u32::MAX;

/// Pooling window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PoolGeometry {
    /// Window rows.
    pub kh: usize,
    /// Window columns.
    pub kw: usize,
    /// Stride `[rows, columns]`.
    pub stride: [usize; 2],
    /// Padding `[top, left, bottom, right]`, each smaller than the window in its direction (so
    /// that every window sees a value).
    pub pad: [usize; 4],
}

impl PoolGeometry {
    /// `(h_out, w_out)` for an input of `h x w` (incomplete windows are dropped).
    pub fn out(&self, h: usize, w: usize) -> (usize, usize) {
        (
            (h + self.pad[0] + self.pad[2] - self.kh) / self.stride[0] + 1,
            (w + self.pad[1] + self.pad[3] - self.kw) / self.stride[1] + 1,
        )
    }
}

/// Operators that run together, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Section {
    /// Name for messages.
    pub name: String,
    /// The operators.
    pub ops: Vec<Op>,
}

/// Index of a section in [`Program::sections`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SectionId(pub usize);

/// Tensors and what is done with them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Program {
    /// All tensors.
    pub tensors: Vec<TensorDesc>,
    /// All sections.
    pub sections: Vec<Section>,
}

impl Program {
    /// Adds a tensor.
    pub fn tensor(
        &mut self,
        name: impl Into<String>,
        shape: Shape,
        scope: Scope,
        role: Role,
    ) -> TensorId {
        self.tensors.push(TensorDesc {
            name: name.into(),
            shape,
            scope,
            role,
        });
        TensorId((self.tensors.len() - 1) as u32)
    }

    /// Adds a section.
    pub fn section(&mut self, name: impl Into<String>, ops: Vec<Op>) -> SectionId {
        self.sections.push(Section {
            name: name.into(),
            ops,
        });
        SectionId(self.sections.len() - 1)
    }

    /// Description of a tensor.
    pub fn desc(&self, t: TensorId) -> &TensorDesc {
        &self.tensors[t.index()]
    }

    /// Finds a tensor by name.
    pub fn find(&self, name: &str) -> Option<TensorId> {
        let i = self.tensors.iter().position(|t| t.name == name)?;
        Some(TensorId(i as u32))
    }
}

/// Sizes a [`super::Session`] is prepared for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Chips per wave (slabs of per-chip tensors).
    pub chips: usize,
    /// Images resident in [`Role::Input`] tensors.
    pub images: usize,
    /// Largest number of images of one run (size of temporaries and outputs where the backend
    /// stores them whole). At most `images`.
    pub chunk: usize,
}

/// What differs between runs of one section.
#[derive(Debug, Clone, PartialEq)]
pub struct RunArgs {
    /// Key of all random numbers.
    pub seed: u64,
    /// Index of the wave's first chip.
    pub first_chip: u32,
    /// Chips of this wave, at most [`Capacity::chips`].
    pub chips: usize,
    /// Images of this run, a range of the resident ones; the start is a multiple of [`LANES`].
    pub images: Range<usize>,
    /// Or-ed into the purpose word of the counter: 0 for fabricated chips,
    /// [`crate::random::TRAINING`] for the chips of training steps.
    pub purpose: u32,
    /// Optimizer step, counted from 0, and index for [`Rate`].
    pub step: u32,
    /// Learning rate.
    pub lr: f32,
}

impl RunArgs {
    /// One wave over some images, everything else 0.
    pub fn wave(seed: u64, first_chip: u32, chips: usize, images: Range<usize>) -> Self {
        Self {
            seed,
            first_chip,
            chips,
            images,
            purpose: 0,
            step: 0,
            lr: 0.0,
        }
    }
}
