//! From operators to kernel calls: one module an operator.

use super::dispatch::{Dispatch, LowerContext};
use super::{
    activation_grad, adam, add, batch_norm, binarize_act, channel_sum, collapse_planes, conv2d,
    conv2d_grad_input, conv2d_grad_weight, converter_fold, crossbar, fabricate, histogram, ir_drop,
    lerp, max_abs, multiply, partial_sums, pointwise, pool, program_cells, quantize_act,
    quantize_weight, rearrange, sgd, softmax, softmax_xent, tally, variance_ratio, weight_scale,
    zero,
};
use crate::error::{Error, Result};
use crate::program::Op;

/// The kernel calls of an operator, in order.
pub(super) fn lower(op: &Op, cx: &LowerContext<'_>) -> Result<Vec<Dispatch>> {
    match op {
        Op::Add { .. } => add::lower(op, cx),
        Op::Pointwise { .. } => pointwise::lower(op, cx),
        Op::Adam { .. } => adam::lower(op, cx),
        Op::BatchNormStats { .. }
        | Op::BatchNormFold { .. }
        | Op::BatchNormGradSums { .. }
        | Op::BatchNormGrad { .. } => batch_norm::lower(op, cx),
        Op::BinarizeAct { .. } | Op::BinarizeActGrad { .. } => binarize_act::lower(op, cx),
        Op::Fabricate { .. } | Op::FabricateGrad { .. } => fabricate::lower(op, cx),
        Op::Lerp { .. } => lerp::lower(op, cx),
        Op::MaxAbs { .. } => max_abs::lower(op, cx),
        Op::QuantizeAct { .. } | Op::QuantizeActGrad { .. } => quantize_act::lower(op, cx),
        Op::QuantizeWeight { .. } | Op::QuantizeWeightGrad { .. } => quantize_weight::lower(op, cx),
        Op::Sgd { .. } => sgd::lower(op, cx),
        Op::WeightScale { .. } => weight_scale::lower(op, cx),
        Op::Zero { .. } => zero::lower(op, cx),
        Op::ProgramCells { .. } => program_cells::lower(op, cx),
        Op::IrDrop { .. } => ir_drop::lower(op, cx),
        Op::ConverterFold { .. } => converter_fold::lower(op, cx),
        Op::Crossbar { .. } => crossbar::lower(op, cx),
        Op::PartialSums { .. } => partial_sums::lower(op, cx),
        Op::CollapsePlanes { .. } => collapse_planes::lower(op, cx),
        Op::Histogram { .. } => histogram::lower(op, cx),
        Op::Conv2d { .. } => conv2d::lower(op, cx),
        Op::Conv2dGradInput { .. } => conv2d_grad_input::lower(op, cx),
        Op::Conv2dGradWeight { .. } => conv2d_grad_weight::lower(op, cx),
        Op::ActivationGrad { .. } => activation_grad::lower(op, cx),
        Op::ChannelSum { .. } => channel_sum::lower(op, cx),
        Op::MaxPool { .. }
        | Op::MaxPoolGrad { .. }
        | Op::AvgPool { .. }
        | Op::AvgPoolGrad { .. } => pool::lower(op, cx),
        Op::SoftmaxXent { .. } => softmax_xent::lower(op, cx),
        Op::Tally { .. } => tally::lower(op, cx),
        Op::VarianceRatio { .. } => variance_ratio::lower(op, cx),
        Op::Multiply { .. } => multiply::lower(op, cx),
        Op::Softmax { .. } => softmax::lower(op, cx),
        Op::Rearrange { .. } => rearrange::lower(op, cx),
    }
}

/// A lowering got another operator than its own.
pub(super) fn mismatch<T>(module: &str, op: &Op) -> Result<T> {
    Err(Error::Internal(format!("{module} cannot lower {op:?}")))
}
