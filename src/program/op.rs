//! The operators: equations, shapes, what is written.

use std::sync::Arc;

use super::*;

/// One operator. Gradients are with respect to the loss; `d*` tensors are overwritten unless the
/// text says *accumulates*.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Chooses the quantization steps of a weight `w: Flat(cols*rows)` and writes the largest
    /// representable magnitude `full_scale = Q * scale` (same shape). Weight `i` has step
    /// `(i / run) % n` of the `n` of `scale`: one for the layer (`run = cols*rows`), one per output
    /// channel (`run = rows`, `n = cols`) or one per input channel (`run` the pixels of a kernel).
    /// `bits = 0`: no quantization, `scale = 1`, `full_scale = max|w|`.
    /// `bits = 1`: `scale = full_scale = mean|w|` whatever the choice (except none).
    WeightScale {
        /// Master weight.
        w: TensorId,
        /// Step, written (or kept).
        scale: TensorId,
        /// Largest representable magnitude, written.
        full_scale: TensorId,
        /// Consecutive weights that share a step.
        run: usize,
        /// Bits, 0 to 8.
        bits: u32,
        /// Choice of the step; `None` keeps the one that is in `scale` (LSQ, or frozen).
        step: Option<Step>,
    },
    /// `q = d clamp(round(w/d), -Q, Q)`, ties to even; `bits = 1`: `q = d` where `w >= 0`, else
    /// `-d`; `bits = 0`: `q = w`. `d = 0` gives 0.
    QuantizeWeight {
        /// Master weight.
        w: TensorId,
        /// Steps, see [`Op::WeightScale`].
        scale: TensorId,
        /// Consecutive weights that share a step.
        run: usize,
        /// Quantized value.
        q: TensorId,
        /// Bits, 0 to 8.
        bits: u32,
    },
    /// `dw = dq * mask`, mask 1 for [`StraightThrough::Identity`], else 1 inside, where `|w| <= Q d`
    /// (`|w| <= 1` for one bit); the end has a relative slack of 2^-20, so that the weight that sets
    /// the step is inside however `d` was rounded. With `d <= 0` only zeros are inside.
    /// With `dscale` also the LSQ gradient of the step (Esser et al., arXiv 1902.08153):
    /// `dd = g sum dq * (round(w/d) - w/d inside, +-Q outside)`, `g = 1/sqrt(n Q)`, `n` the
    /// weights that share the step (one bit: `g sum dq sign(w)`; no bits: 0).
    QuantizeWeightGrad {
        /// Master weight.
        w: TensorId,
        /// Steps, see [`Op::WeightScale`].
        scale: TensorId,
        /// Consecutive weights that share a step.
        run: usize,
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
    /// Programs the cells of a layer on every chip of the wave: from the quantized weight `w` to
    /// conductances by [`Programming`], `out: Flat([read plane][column][row])` in level units (or the raw
    /// cells, see [`Programming::raw`]). Code `q = round(w / step)`. `array: Flat(cell arrays)` per chip
    /// is the common deviation of every array. With `variance: Flat([read plane][column][row])` also the
    /// variance of the read noise of every cell (pairs with analog subtraction together), level
    /// units squared.
    ProgramCells {
        /// Quantized weight, shared.
        w: TensorId,
        /// Its step, `Flat(1)` or `Flat(cols)`, shared.
        step: TensorId,
        /// Common deviation of every cell array, per chip.
        array: TensorId,
        /// Conductances, written; per chip.
        out: TensorId,
        /// Variance of a read, written; per chip.
        variance: Option<TensorId>,
        /// How.
        spec: Programming,
    },
    /// What the wires of every array make of its cells: the matrix from input voltages to output
    /// currents (the mesh is linear), as if it were conductances: raw cells in, read planes in
    /// level units out.
    IrDrop {
        /// Raw cells `[cell plane][column][row]` relative to `G_max`, per chip.
        g: TensorId,
        /// Read planes, written; per chip.
        out: TensorId,
        /// The wires.
        spec: Wires,
    },
    /// Constants of every converter of every chip, `out: Flat(2 [row tile][read plane][column])`
    /// pairs `(a, b)`: a sum `v` becomes `a v + b` codes,
    /// `a = (1 + gain error) / (lsb scale)`, `b = offset error - (1 + gain error) lo / lsb`: the gain's
    /// error turns the line about code 0, which is what `lo scale` gives.
    /// `range: Flat(2 [read plane][column])` pairs `(lsb, lo)` in level units; `scale` (absent: 1) is
    /// what the chip makes of its reference, one value per row tile, column tile and read plane.
    ConverterFold {
        /// Ranges, shared.
        range: TensorId,
        /// Factor on the reference, per chip, `Flat(row tiles * column tiles * read planes)`.
        scale: Option<TensorId>,
        /// Constants, written; per chip.
        out: TensorId,
        /// Errors.
        spec: ConverterErrors,
    },
    /// Convolution (or linear layer) on crossbar arrays with converters, [`Reading`]:
    ///
    /// ```text
    /// c[k]         = round(x[k] / x_step)                                the input's code
    /// v[r,p,t,o]   = sum of k in row tile r: g[p,o,k] drive_t(c[k])      (+ read noise)
    /// code         = clamp(round(a v + b), lo, hi)                       ties to even, (+ noise, INL)
    /// u[o]         = sum over p, r: place_p (gain (lsb sum_t place_t code + lo sum_t place_t)
    ///                               - offset S_r)  - base S
    /// y[o]         = post(w_step[o] x_step u[o])
    /// ```
    /// `S_r` is the sum of the codes of row tile `r`, `S` of all, `base` [`Arrays::digital_base`].
    /// Without converter `lsb code + lo` is `v` itself. The sum over steps is made in 32-bit integers,
    /// with [`Reading::integer`] all sums are; else row tiles, and in each planes, are added in order
    /// in `f32`. Codes are limited to what the input's bits hold; with `x_step <= 0` all are 0. A
    /// padded input has code 0 and is driven like any other.
    ///
    /// Read noise is added to `v` with the variance sum of the cells' times their drive squared (where
    /// steps are added up before the conversion, times the sum of the squares of all steps' weighted
    /// drives: every step has noise of its own), thermal noise to `a v + b`, then the non-linearity of the code nearest to that. A conversion's
    /// deviate is word `o % 4` of block `(event, layer + image * 4096, chip, purpose)`,
    /// `event = (((p * row tiles + r) * conversions + t) * pixels + pixel) * ceil(cols / 4) + o / 4`,
    /// `image` counted from [`RunArgs::first_image`]; a cell's the same with `k * 4096` or-ed into the
    /// purpose.
    Crossbar {
        /// Quantized input map: multiples of `x_step`.
        x: TensorId,
        /// Step of the input, `Flat(1)`, shared.
        x_step: TensorId,
        /// Read planes in level units, shared or per chip.
        g: TensorId,
        /// Variances of read noise, as `g`.
        variance: Option<TensorId>,
        /// Step of the weights, `Flat(1)` or `Flat(cols)`, shared.
        w_step: TensorId,
        /// From [`Op::ConverterFold`], where there are converters.
        adc: Option<TensorId>,
        /// Ranges, shared, where there are converters.
        range: Option<TensorId>,
        /// Corrections `Flat(2 [row tile][read plane][column])`, pairs `(gain, offset)`, per chip.
        correct: Option<TensorId>,
        /// Output map, written.
        y: TensorId,
        /// Conversions of every output whose scaled input was more than half a code beyond the end of
        /// the range, a map like `y`, written.
        clipped: Option<TensorId>,
        /// Geometry.
        geo: ConvGeometry,
        /// Epilogue.
        post: Post,
        /// How.
        spec: Reading,
    },
    /// What the converters of [`Op::Crossbar`] would see: `v[r,p,t,o]` as channel
    /// `((p * cols + o) * row tiles + r) * conversions + t` of a map, read noise included where
    /// `variance` is given.
    PartialSums {
        /// Quantized input map.
        x: TensorId,
        /// Step of the input.
        x_step: TensorId,
        /// Read planes in level units, shared or per chip.
        g: TensorId,
        /// Variances of read noise, as `g`.
        variance: Option<TensorId>,
        /// Map of partial sums, written.
        y: TensorId,
        /// Geometry.
        geo: ConvGeometry,
        /// How.
        spec: Reading,
    },
    /// Effective weights of arrays without converters and read noise, exactly equivalent to
    /// [`Op::Crossbar`] then: `out[o,k] = w_step[o] (sum_p place_p (gain g[p,o,k] - offset) - base)`
    /// with the row tile's correction. A linear drive only.
    CollapsePlanes {
        /// Read planes in level units, shared or per chip.
        g: TensorId,
        /// Step of the weights.
        w_step: TensorId,
        /// Corrections, per chip.
        correct: Option<TensorId>,
        /// Effective weights `[column][row]`, written.
        out: TensorId,
        /// How.
        spec: Reading,
    },
    /// Counts of the values of a map in `groups` groups of consecutive channels, over images, rows and
    /// columns (and chips when `out` is shared): `out: Flat(groups * bins)`, bin
    /// `clamp(floor((x / limit + 1)/2 * bins), 0, bins - 1)` of group `g`, `limit: Flat(groups)`.
    /// Counts are exact up to 2^24.
    Histogram {
        /// Map.
        x: TensorId,
        /// Half the range of every group, shared.
        limit: TensorId,
        /// Counts, written.
        out: TensorId,
        /// Bins per group.
        bins: usize,
    },
    /// `out[i] = sqrt(sum a / sum b)` for every `i` (1 where `sum b` is 0): the factor by which
    /// converters change the spread of a layer's outputs, `a` and `b` the channel variances with and
    /// without them. The gradient through the converters is scaled by it (PIM-QAT, Jin et al.,
    /// arXiv 2209.08617, generalised straight-through estimator).
    VarianceRatio {
        /// Variances, `Flat(n)`.
        a: TensorId,
        /// Variances, `Flat(n)`.
        b: TensorId,
        /// Written, `Flat(n)`.
        out: TensorId,
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
        table: Arc<[u32]>,
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
        /// `Flat(c)`, written (biased).
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
    /// First half of the backward pass of batch norm in training mode (`mean`, `var` are the batch's
    /// own, shared), with `xh = (x - mean)/sqrt(var + eps)`: `dbeta = sum dy`,
    /// `dgamma = sum dy xh` over images, rows, columns and chips.
    BatchNormGradSums {
        /// Input of the batch norm.
        x: TensorId,
        /// Batch mean.
        mean: TensorId,
        /// Batch variance.
        var: TensorId,
        /// Gradient of the output.
        dy: TensorId,
        /// Gradient of the gain, written.
        dgamma: TensorId,
        /// Gradient of the offset, written.
        dbeta: TensorId,
        /// Added to the variance.
        eps: f32,
    },
    /// Second half: with `m` the number of values per channel (over all chips),
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
        /// Gradient of the gain.
        dgamma: TensorId,
        /// Gradient of the offset.
        dbeta: TensorId,
        /// Gradient of the input, written.
        dx: TensorId,
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
    /// `dx = dy * mask` (identity, or 1 inside, where `lo d <= x <= hi d`, the ends with a relative
    /// slack of 2^-20; with `d <= 0` only zeros are inside); with `dscale` the LSQ gradient of the
    /// step over the whole batch,
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
    /// `w -= lr m` (Nesterov: `w -= lr (g' + momentum m)`), `lr` from [`RunArgs::lr`]. With
    /// `positive` an update changes a value by a factor of 1/2 to 2 at most.
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
        /// Quantizer steps: they stay positive.
        positive: bool,
    },
    /// Adam (Kingma, Ba, arXiv 1412.6980), or AdamW with `decoupled`: at update `t = step + 1`,
    /// `m = b1 m + (1-b1) g`, `v = b2 v + (1-b2) g^2`,
    /// `w -= lr m/(1-b1^t) / (sqrt(v/(1-b2^t)) + eps)`; decay is added to `g`, or (decoupled)
    /// `w -= lr decay w` first. With `positive` it is the logarithm of `w` that moves, to first order:
    /// `g` is multiplied by `w`, and the change too, and the factor is limited as in [`Op::Sgd`].
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
        /// Quantizer steps: they stay positive. Without decay.
        positive: bool,
    },
}

/// Entry of an [`Op::Rearrange`] table that has no source.
pub const NO_SOURCE: u32 = u32::MAX;
