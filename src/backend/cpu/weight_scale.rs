//! Choice of a weight's quantization step.

use rayon::prelude::*;

use crate::backend::program::WeightStep;
use crate::quantize::{Step, weight};

/// Writes the step of every group of weights (one for the layer, or one an output channel) and the
/// largest representable magnitude; `scale` is read where the step is kept.
pub(super) fn forward(
    w: &[f32],
    bits: u32,
    step: WeightStep,
    scale: &mut [f32],
    full_scale: &mut [f32],
) {
    let choice = match step {
        WeightStep::MaxAbs => Some(Step::MaxAbs),
        WeightStep::Percentile(p) => Some(Step::Percentile(p)),
        WeightStep::LineSearch => Some(Step::LineSearch),
        WeightStep::Mse => Some(Step::Mse),
        WeightStep::Keep => None,
    };
    let group = w.len() / scale.len().max(1);
    w.par_chunks(group.max(1))
        .zip(scale)
        .zip(full_scale)
        .for_each(|((w, scale), full)| {
            match choice {
                Some(choice) => *scale = weight::step(w, bits, choice),
                None if bits == 0 => *scale = 1.0,
                None => {}
            }
            *full = weight::full_scale(w, *scale, bits);
        });
}
