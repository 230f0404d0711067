//! Counts of a run: correct images and the sum of their losses.

use super::Memory;
use crate::backend::program::TensorId;

/// Adds `[sum hit, sum loss]` of a chip over the run's images, summed in `f64`, image after image,
/// so that chunking does not change the order within a run.
pub(super) fn accumulate(
    m: &Memory,
    hit: TensorId,
    loss: TensorId,
    chip: usize,
    tally: &mut [f32],
) {
    for (sum, t) in tally.iter_mut().zip([hit, loss]) {
        let mut total = f64::from(*sum);
        for block in 0..m.blocks() {
            let values = &m.block(t, chip, block)[..m.lanes(block)];
            total += values.iter().map(|&v| f64::from(v)).sum::<f64>();
        }
        *sum = total as f32;
    }
}
