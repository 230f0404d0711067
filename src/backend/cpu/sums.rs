//! Operators that sum over images: a part of every block while the block is in the cache, then the
//! parts in order (chip, block), so that the result does not depend on the number of threads.

use super::block::{BlockRun, missing};
use super::memory::Memory;
use super::{batch_norm, channel_sum, max_abs};
use crate::error::Result;
use crate::program::*;

/// Values of a block's part.
pub(super) fn width(op: &Op, memory: &Memory) -> usize {
    match *op {
        Op::BatchNormStats { x, .. } | Op::BatchNormGradSums { x, .. } => {
            2 * memory.shape(x).chw().0
        }
        Op::ChannelSum { x, .. } => memory.shape(x).chw().0,
        _ => 1,
    }
}

/// The parts of the blocks of `run`, one after the other.
pub(super) fn blocks(op: &Op, run: &BlockRun, parts: &mut [f64]) -> Result<()> {
    let (Op::BatchNormStats { x, .. }
    | Op::BatchNormGradSums { x, .. }
    | Op::ChannelSum { x, .. }
    | Op::MaxAbs { x, .. }) = *op
    else {
        return Err(missing(op));
    };
    let (channels, h, w) = run.shape(x).chw();
    let (plane, block) = (h * w * LANES, run.block_len(x));
    let (isa, maps) = (run.isa(), run.image(x).chunks_exact(block));
    let width = match op {
        Op::MaxAbs { .. } => 1,
        Op::ChannelSum { .. } => channels,
        _ => 2 * channels,
    };
    for (i, (x, part)) in maps.zip(parts.chunks_exact_mut(width)).enumerate() {
        let lanes = run.lanes(i);
        match *op {
            Op::BatchNormStats { .. } => batch_norm::stats_part(isa, x, plane, lanes, part),
            Op::BatchNormGradSums { mean, dy, .. } => {
                let dy = &run.image(dy)[i * block..][..block];
                batch_norm::grad_part(isa, (x, dy), run.flat(mean), plane, lanes, part);
            }
            Op::ChannelSum { .. } => channel_sum::part(x, plane, lanes, part),
            _ => part[0] = max_abs::part(x, lanes),
        }
    }
    Ok(())
}

/// The results, from the parts of all chips and blocks.
pub(super) fn finish(op: &Op, memory: &mut Memory, parts: &[f64]) -> Result<()> {
    let width = width(op, memory);
    // The parts of a chip, or of all chips for a shared result.
    let of = |m: &Memory, result: TensorId, chip: usize| {
        let chips = parts.len() / (m.blocks() * width).max(1);
        let slab = m.blocks() * width;
        match m.desc(result).scope == Scope::Shared || chips == 1 {
            true => parts,
            false => &parts[chip * slab..][..slab],
        }
    };
    match *op {
        Op::BatchNormStats { x, mean, var } => {
            memory.each_chip([mean, var], |m, chip, [mean_of, var_of]| {
                let parts = of(m, mean, chip);
                let n = per_channel(m, x, parts.len() / width);
                batch_norm::stats(&total(parts, width), n, mean_of, var_of);
            });
        }
        Op::BatchNormGradSums {
            var,
            dgamma,
            dbeta,
            eps,
            ..
        } => memory.each_chip([dgamma, dbeta], |m, chip, [dgamma_of, dbeta_of]| {
            let sums = total(of(m, dgamma, chip), width);
            batch_norm::grad_sums(&sums, m.flat(var, chip), eps, dgamma_of, dbeta_of);
        }),
        Op::ChannelSum { y, .. } => memory.each_chip([y], |m, chip, [y_of]| {
            for (y, sum) in y_of.iter_mut().zip(total(of(m, y, chip), width)) {
                *y = sum as f32;
            }
        }),
        Op::MaxAbs { out, divisor, .. } => memory.each_chip([out], |_, _, [out]| {
            let largest = parts.iter().copied().fold(0.0, f64::max);
            out[0] = largest as f32 / divisor;
        }),
        _ => return Err(missing(op)),
    }
    Ok(())
}

/// Values of a channel in `blocks` blocks of one chip or several.
fn per_channel(m: &Memory, x: TensorId, blocks: usize) -> f64 {
    let (_, h, w) = m.shape(x).chw();
    (h * w * m.images() * (blocks / m.blocks().max(1))) as f64
}

/// Sum of parts of `width` values, in order.
fn total(parts: &[f64], width: usize) -> Vec<f64> {
    let mut sums = vec![0.0; width];
    for part in parts.chunks_exact(width) {
        for (sum, value) in sums.iter_mut().zip(part) {
            *sum += value;
        }
    }
    sums
}
