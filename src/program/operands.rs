//! Which tensors an operator reads and writes. Both backends schedule by this.

use crate::program::{Op, Post, TensorId};

impl Op {
    /// Name of the operator, the same as of its files (`conv2d` in `shaders/conv2d.wgsl`).
    pub fn name(&self) -> &'static str {
        match self {
            Op::WeightScale { .. } => "weight_scale",
            Op::QuantizeWeight { .. } => "quantize_weight",
            Op::QuantizeWeightGrad { .. } => "quantize_weight_grad",
            Op::Fabricate { .. } => "fabricate",
            Op::FabricateGrad { .. } => "fabricate_grad",
            Op::ProgramCells { .. } => "program_cells",
            Op::IrDrop { .. } => "ir_drop",
            Op::ConverterFold { .. } => "converter_fold",
            Op::Crossbar { .. } => "crossbar",
            Op::PartialSums { .. } => "partial_sums",
            Op::CollapsePlanes { .. } => "collapse_planes",
            Op::Histogram { .. } => "histogram",
            Op::VarianceRatio { .. } => "variance_ratio",
            Op::Conv2d { .. } => "conv2d",
            Op::Conv2dGradInput { .. } => "conv2d_grad_input",
            Op::Conv2dGradWeight { .. } => "conv2d_grad_weight",
            Op::Pointwise { .. } => "pointwise",
            Op::ActivationGrad { .. } => "activation_grad",
            Op::ChannelSum { .. } => "channel_sum",
            Op::Add { .. } => "add",
            Op::Multiply { .. } => "multiply",
            Op::Softmax { .. } => "softmax",
            Op::Rearrange { .. } => "rearrange",
            Op::MaxPool { .. } => "max_pool",
            Op::MaxPoolGrad { .. } => "max_pool_grad",
            Op::AvgPool { .. } => "avg_pool",
            Op::AvgPoolGrad { .. } => "avg_pool_grad",
            Op::BatchNormStats { .. } => "batch_norm_stats",
            Op::BatchNormFold { .. } => "batch_norm_fold",
            Op::BatchNormGradSums { .. } => "batch_norm_grad_sums",
            Op::BatchNormGrad { .. } => "batch_norm_grad",
            Op::MaxAbs { .. } => "max_abs",
            Op::Lerp { .. } => "lerp",
            Op::QuantizeAct { .. } => "quantize_act",
            Op::QuantizeActGrad { .. } => "quantize_act_grad",
            Op::BinarizeAct { .. } => "binarize_act",
            Op::BinarizeActGrad { .. } => "binarize_act_grad",
            Op::SoftmaxXent { .. } => "softmax_xent",
            Op::Tally { .. } => "tally",
            Op::Zero { .. } => "zero",
            Op::Sgd { .. } => "sgd",
            Op::Adam { .. } => "adam",
        }
    }

    /// Every tensor whose old content the operator uses, also those it updates in place.
    pub fn reads(&self) -> Vec<TensorId> {
        match *self {
            Op::WeightScale { w, scale, step, .. } => {
                if step.is_none() {
                    vec![w, scale]
                } else {
                    vec![w]
                }
            }
            Op::QuantizeWeight { w, scale, .. } => vec![w, scale],
            Op::QuantizeWeightGrad { w, scale, dq, .. } => vec![w, scale, dq],
            Op::Fabricate {
                w,
                full_scale,
                chip,
                ..
            } => vec![w, full_scale, chip],
            Op::FabricateGrad { w, chip, dout, .. } => vec![w, chip, dout],
            Op::ProgramCells { w, step, array, .. } => vec![w, step, array],
            Op::IrDrop { g, .. } => vec![g],
            Op::ConverterFold { range, scale, .. } => {
                [Some(range), scale].into_iter().flatten().collect()
            }
            Op::Crossbar {
                x,
                x_step,
                g,
                variance,
                w_step,
                adc,
                range,
                correct,
                post,
                ..
            } => {
                let optional = [variance, adc, range, correct].into_iter().flatten();
                post.with_reads([x, x_step, g, w_step].into_iter().chain(optional).collect())
            }
            Op::PartialSums {
                x,
                x_step,
                g,
                variance,
                ..
            } => [Some(x), Some(x_step), Some(g), variance]
                .into_iter()
                .flatten()
                .collect(),
            Op::CollapsePlanes {
                g, w_step, correct, ..
            } => [Some(g), Some(w_step), correct]
                .into_iter()
                .flatten()
                .collect(),
            Op::Histogram { x, limit, .. } => vec![x, limit],
            Op::VarianceRatio { a, b, .. } => vec![a, b],
            Op::Conv2d { x, w, post, .. } => post.with_reads(vec![x, w]),
            Op::Conv2dGradInput { dy, w, .. } => vec![dy, w],
            Op::Conv2dGradWeight { x, dy, .. } => vec![x, dy],
            Op::Pointwise { x, post, .. } => post.with_reads(vec![x]),
            Op::ActivationGrad { y, dy, scale, .. } => {
                let mut r = vec![y, dy];
                r.extend(scale);
                r
            }
            Op::ChannelSum { x, .. } => vec![x],
            Op::Add { a, b, .. } | Op::Multiply { a, b, .. } => vec![a, b],
            Op::Softmax { x, .. } => vec![x],
            // What it leaves of `y` is not read: it may be what another one has yet to write.
            Op::Rearrange { x, .. } => vec![x],
            Op::MaxPool { x, .. } | Op::AvgPool { x, .. } => vec![x],
            Op::MaxPoolGrad { x, y, dy, .. } => vec![x, y, dy],
            Op::AvgPoolGrad { dy, .. } => vec![dy],
            Op::BatchNormStats { x, .. } => vec![x],
            Op::BatchNormFold {
                mean,
                var,
                gamma,
                beta,
                ..
            } => vec![mean, var, gamma, beta],
            Op::BatchNormGradSums {
                x, mean, var, dy, ..
            } => vec![x, mean, var, dy],
            Op::BatchNormGrad {
                x,
                mean,
                var,
                gamma,
                dy,
                dgamma,
                dbeta,
                ..
            } => vec![x, mean, var, gamma, dy, dgamma, dbeta],
            Op::MaxAbs { x, .. } => vec![x],
            Op::Lerp { state, value, .. } => vec![state, value],
            Op::QuantizeAct { x, quant, .. } => vec![x, quant.scale],
            Op::QuantizeActGrad { x, dy, quant, .. } => vec![x, dy, quant.scale],
            Op::BinarizeAct { x, .. } => vec![x],
            Op::BinarizeActGrad { x, dy, .. } => vec![x, dy],
            Op::SoftmaxXent { logits, labels, .. } => vec![logits, labels],
            Op::Tally { hit, loss, tally } => vec![hit, loss, tally],
            Op::Zero { .. } => vec![],
            Op::Sgd { w, g, m, .. } => vec![w, g, m],
            Op::Adam { w, g, m, v, .. } => vec![w, g, m, v],
        }
    }

    /// Every tensor the operator writes.
    pub fn writes(&self) -> Vec<TensorId> {
        match *self {
            Op::WeightScale {
                scale, full_scale, ..
            } => vec![scale, full_scale],
            Op::QuantizeWeight { q, .. } => vec![q],
            Op::QuantizeWeightGrad { dw, dscale, .. } => {
                let mut v = vec![dw];
                v.extend(dscale);
                v
            }
            Op::Fabricate { out, .. } => vec![out],
            Op::FabricateGrad { dw, .. } => vec![dw],
            Op::ProgramCells { out, variance, .. } => {
                [Some(out), variance].into_iter().flatten().collect()
            }
            Op::IrDrop { out, .. }
            | Op::ConverterFold { out, .. }
            | Op::CollapsePlanes { out, .. }
            | Op::Histogram { out, .. } => vec![out],
            Op::Crossbar { y, clipped, .. } => [Some(y), clipped].into_iter().flatten().collect(),
            Op::PartialSums { y, .. } => vec![y],
            Op::VarianceRatio { out, .. } => vec![out],
            Op::Conv2d { y, .. } => vec![y],
            Op::Conv2dGradInput { dx, .. } => vec![dx],
            Op::Conv2dGradWeight { dw, .. } => vec![dw],
            Op::Pointwise { y, .. } => vec![y],
            Op::ActivationGrad { dx, .. } => vec![dx],
            Op::ChannelSum { y, .. } => vec![y],
            Op::Add { y, .. }
            | Op::Multiply { y, .. }
            | Op::Softmax { y, .. }
            | Op::Rearrange { y, .. } => vec![y],
            Op::MaxPool { y, .. } | Op::AvgPool { y, .. } => vec![y],
            Op::MaxPoolGrad { dx, .. } | Op::AvgPoolGrad { dx, .. } => vec![dx],
            Op::BatchNormStats { mean, var, .. } => vec![mean, var],
            Op::BatchNormFold { scale, shift, .. } => vec![scale, shift],
            Op::BatchNormGradSums { dgamma, dbeta, .. } => vec![dgamma, dbeta],
            Op::BatchNormGrad { dx, .. } => vec![dx],
            Op::MaxAbs { out, .. } => vec![out],
            Op::Lerp { state, .. } => vec![state],
            Op::QuantizeAct { y, .. } => vec![y],
            Op::QuantizeActGrad { dx, dscale, .. } => {
                let mut v = vec![dx];
                v.extend(dscale);
                v
            }
            Op::BinarizeAct { y, .. } => vec![y],
            Op::BinarizeActGrad { dx, .. } => vec![dx],
            Op::SoftmaxXent {
                loss, hit, dlogits, ..
            } => {
                let mut v = vec![loss, hit];
                v.extend(dlogits);
                v
            }
            Op::Tally { tally, .. } => vec![tally],
            Op::Zero { t } => vec![t],
            Op::Sgd { w, m, .. } => vec![w, m],
            Op::Adam { w, m, v, .. } => vec![w, m, v],
        }
    }

    /// Whether no block of images meets another one and every output is image-shaped, so that
    /// neighbouring operators of this kind may run one block at a time.
    pub fn is_block_local(&self) -> bool {
        match self {
            Op::Conv2d { .. }
            | Op::Crossbar { .. }
            | Op::PartialSums { .. }
            | Op::Conv2dGradInput { .. }
            | Op::Pointwise { .. }
            | Op::ActivationGrad { .. }
            | Op::Add { .. }
            | Op::Multiply { .. }
            | Op::Softmax { .. }
            | Op::Rearrange { .. }
            | Op::MaxPool { .. }
            | Op::MaxPoolGrad { .. }
            | Op::AvgPool { .. }
            | Op::AvgPoolGrad { .. }
            | Op::QuantizeAct { .. }
            | Op::BinarizeAct { .. }
            | Op::BinarizeActGrad { .. }
            | Op::BatchNormGrad { .. }
            | Op::SoftmaxXent { .. } => true,
            Op::QuantizeActGrad { dscale, .. } => dscale.is_none(),
            _ => false,
        }
    }

    /// Whether it sums over the images of maps and does nothing else: a part of the sum can be made
    /// of every block of images while the block is at hand.
    pub fn is_block_sum(&self) -> bool {
        matches!(
            self,
            Op::ChannelSum { .. }
                | Op::BatchNormStats { .. }
                | Op::BatchNormGradSums { .. }
                | Op::MaxAbs { .. }
        )
    }
}

impl Post {
    /// Appends the tensors the epilogue reads.
    fn with_reads(&self, mut reads: Vec<TensorId>) -> Vec<TensorId> {
        reads.extend(self.scale);
        reads.extend(self.shift);
        reads.extend(self.residual);
        reads.extend(self.quant.map(|q| q.scale));
        reads
    }
}
