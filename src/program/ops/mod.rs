//! The operators: each a struct in the file of its family, with its equation, the tensors it reads and
//! writes, and the check of their shapes.
//!
//! `operators!` is the one list of them. It makes [`Op`], and `with_operator!`, by which a backend
//! reaches the struct inside: an operator that a backend does not implement does not compile.

mod activation_grad;
mod adam;
mod add;
mod avg_pool;
mod batch_norm;
mod binarize_act;
mod blend;
mod channel_sum;
mod class_metric;
mod clip_weight;
mod collapse_planes;
mod conv2d;
mod conv2d_pool;
mod converter_fold;
mod crossbar;
mod distill_grad;
mod fabricate;
mod group_lasso_grad;
mod histogram;
mod input_energy;
mod input_load;
mod ir_drop;
mod lerp;
mod mask_weight;
mod max_abs;
mod max_pool;
mod multiply;
mod partial_sums;
mod place_cells;
mod pointwise;
mod program_cells;
mod quantize_act;
mod quantize_weight;
mod range_grad;
mod rearrange;
mod reference_grad;
mod scale_flat;
mod sgd;
mod slice_l1_grad;
mod softmax;
mod softmax_xent;
mod tally;
mod variance_ratio;
mod weight_scale;
mod zero;

pub use class_metric::Metric;
pub use conv2d_pool::Pooling;
pub use input_energy::INPUT_CODES;
pub use rearrange::NO_SOURCE;

use super::{ActQuant, Check, Draws, Operand, TensorId};
use crate::error::Result;

/// An operator of a program. Its doc comment is the specification of both backends: equation, shapes,
/// which tensors are shared and which are per chip.
pub(crate) trait Operator: Into<Op> {
    /// Name of the operator, and of its files: `shaders/softmax.wgsl`.
    const NAME: &'static str;

    /// Every tensor it uses, and how. Written maps have one scope.
    fn operands(&self) -> Vec<Operand>;

    /// Checks shapes and constants.
    ///
    /// # Errors
    /// [`crate::Error::Internal`] with the tensor and what was expected.
    fn check(&self, at: &Check<'_>) -> Result<()>;

    /// Addresses of its random numbers; `None` where it draws none.
    fn draws(&self) -> Option<Draws> {
        None
    }

    /// Whether it draws numbers for every image.
    fn draws_by_image(&self) -> bool {
        false
    }

    /// A map that it relies on to hold results of a quantizer, and the quantizer.
    fn reads_codes(&self) -> Option<(TensorId, ActQuant)> {
        None
    }

    /// The map it writes whose values are results of a quantizer, and the quantizer.
    fn writes_codes(&self) -> Option<(TensorId, ActQuant)> {
        None
    }
}

/// Makes [`Op`] from the files of the operators and their structs.
macro_rules! operators {
    ($dollar:tt $($file:ident: $($operator:ident),+;)+) => {
        $(pub use $file::{$($operator),+};)+

        /// One operator. Gradients are with respect to the loss; `d*` tensors are overwritten unless
        /// the text says *accumulates*.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Op {
            $($(
                #[doc = concat!("See [`", stringify!($operator), "`].")]
                $operator($operator),
            )+)+
        }

        $($(impl From<$operator> for Op {
            fn from(operator: $operator) -> Self {
                Self::$operator(operator)
            }
        })+)+

        /// `with_operator!(op, o => f(o))` calls `f` with the struct inside an [`Op`], whichever it is.
        macro_rules! with_operator {
            ($dollar op:expr, $dollar inside:ident => $dollar body:expr) => {
                match $dollar op {
                    $($($crate::program::Op::$operator($dollar inside) => $dollar body,)+)+
                }
            };
        }
    };
}

operators! { $
    weight_scale: WeightScale;
    quantize_weight: QuantizeWeight, QuantizeWeightGrad;
    clip_weight: WeightSpread, ClipWeight, ClipWeightGrad;
    mask_weight: MaskWeight;
    group_lasso_grad: GroupLassoGrad;
    slice_l1_grad: SliceL1Grad;
    fabricate: Fabricate, FabricateGrad;
    program_cells: ProgramCells;
    place_cells: PlaceCells;
    ir_drop: IrDrop;
    converter_fold: ConverterFold;
    crossbar: Crossbar;
    scale_flat: ScaleFlat;
    reference_grad: ReferenceGrad;
    partial_sums: PartialSums;
    input_load: InputLoad;
    input_energy: InputEnergy;
    collapse_planes: CollapsePlanes;
    histogram: Histogram;
    variance_ratio: VarianceRatio;
    conv2d: Conv2d, Conv2dGradInput, Conv2dGradWeight;
    conv2d_pool: Conv2dPool;
    pointwise: Pointwise;
    activation_grad: ActivationGrad;
    channel_sum: ChannelSum;
    add: Add;
    blend: Blend;
    multiply: Multiply;
    softmax: Softmax;
    rearrange: Rearrange;
    max_pool: MaxPool, MaxPoolGrad;
    avg_pool: AvgPool, AvgPoolGrad;
    batch_norm: BatchNormStats, BatchNormFold, BatchNormGradSums, BatchNormGrad;
    max_abs: MaxAbs;
    lerp: Lerp;
    quantize_act: QuantizeAct, QuantizeActGrad;
    range_grad: RangeGrad;
    binarize_act: BinarizeAct, BinarizeActGrad;
    softmax_xent: SoftmaxXent;
    distill_grad: DistillGrad;
    class_metric: ClassMetric;
    tally: Tally;
    zero: Zero;
    sgd: Sgd;
    adam: Adam;
}

pub(crate) use with_operator;

impl Op {
    /// Name of the operator, the same as of its files (`conv2d` in `shaders/conv2d.wgsl`).
    pub fn name(&self) -> &'static str {
        fn name<O: Operator>(_: &O) -> &'static str {
            O::NAME
        }
        with_operator!(self, o => name(o))
    }

    /// Every tensor the operator uses, and how.
    pub fn operands(&self) -> Vec<Operand> {
        with_operator!(self, o => o.operands())
    }

    /// Every tensor whose old content the operator uses, also those it updates in place.
    pub fn reads(&self) -> Vec<TensorId> {
        let operands = self.operands().into_iter();
        operands
            .filter(Operand::is_read)
            .map(|o| o.tensor)
            .collect()
    }

    /// Every tensor the operator writes.
    pub fn writes(&self) -> Vec<TensorId> {
        let operands = self.operands().into_iter();
        operands
            .filter(Operand::is_written)
            .map(|o| o.tensor)
            .collect()
    }

    /// Addresses of the operator's random numbers; `None` where it draws none.
    pub fn draws(&self) -> Option<Draws> {
        with_operator!(self, o => o.draws())
    }

    /// Whether it draws numbers for every image.
    pub fn draws_by_image(&self) -> bool {
        with_operator!(self, o => o.draws_by_image())
    }

    /// A map that the operator relies on to hold results of a quantizer, and the quantizer.
    pub fn reads_codes(&self) -> Option<(TensorId, ActQuant)> {
        with_operator!(self, o => o.reads_codes())
    }

    /// The map it writes whose values are results of a quantizer, and the quantizer.
    pub fn writes_codes(&self) -> Option<(TensorId, ActQuant)> {
        with_operator!(self, o => o.writes_codes())
    }

    /// Checks shapes and constants.
    pub(super) fn check(&self, at: &Check<'_>) -> Result<()> {
        with_operator!(self, o => o.check(at))
    }
}
