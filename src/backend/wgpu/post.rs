//! The epilogue of convolutions and of [`super::pointwise`]: constants, parameters and bindings
//! for `shaders/shared/post.wgsl`.

use super::constant::Const;
use super::dispatch::{Dispatch, LowerContext, View};
use super::uniform::uniform;
use crate::program::{Activation, Post, Rounding};

uniform! {
    /// Twin of `Post` in `shaders/shared/post.wgsl`.
    struct PostParams {
        scale: View,
        shift: View,
        residual: View,
        /// Lowest and highest code of the quantizer.
        lo: f32,
        hi: f32,
        /// Constants of the activation.
        act: [f32; 2],
    }
}

/// Parameters of an epilogue.
pub(super) fn params(post: &Post, cx: &LowerContext<'_>) -> PostParams {
    let (lo, hi) = post.quant.map_or((0, 0), |q| (q.lo, q.hi));
    PostParams {
        scale: cx.view_opt(post.scale),
        shift: cx.view_opt(post.shift),
        residual: cx.view_opt(post.residual),
        lo: lo as f32,
        hi: hi as f32,
        act: post.act.constants(),
    }
}

/// Number of an activation in the kernels.
pub(super) fn activation(act: Activation) -> Const {
    Const::U32(match act {
        Activation::Identity => 0,
        Activation::Relu => 1,
        Activation::Tanh => 2,
        Activation::LeakyRelu { .. } => 3,
        Activation::Clip { .. } => 4,
        Activation::Sigmoid => 5,
        Activation::HardSigmoid { .. } => 6,
        Activation::HardSwish => 7,
        Activation::Abs => 8,
        Activation::Sign => 9,
        Activation::Floor => 10,
    })
}

/// Adds the constants.
pub(super) fn constants(dispatch: Dispatch, post: &Post) -> Dispatch {
    let floor = post.quant.is_some_and(|q| q.rounding == Rounding::Floor);
    dispatch
        .constant("HAS_SCALE", post.scale.is_some())
        .constant("HAS_SHIFT", post.shift.is_some())
        .constant("HAS_RESIDUAL", post.residual.is_some())
        .constant("ACT", activation(post.act))
        .constant("HAS_QUANT", post.quant.is_some())
        .constant("QUANT_FLOOR", floor)
}

/// Adds the constants and the four bindings (scale, shift, residual, quantizer step).
pub(super) fn attach(dispatch: Dispatch, post: &Post) -> Dispatch {
    constants(dispatch, post)
        .read(post.scale)
        .read(post.shift)
        .read(post.residual)
        .read(post.quant.map(|q| q.scale))
}
