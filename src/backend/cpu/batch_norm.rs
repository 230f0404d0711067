//! Batch norm: statistics, folding, backward.
//!
//! Sums are `f64`, a part a block of images, the parts added in order: independent of the number
//! of threads.

use rayon::prelude::*;

use super::memory::Memory;
use crate::backend::program::{LANES, TensorId};
use crate::vector::wide;

/// `N` sums of `f(x, extra)` over a channel of the chips `chips` of `x`, real images only;
/// `other` is a second map that is read beside the first.
fn channel_sums<const N: usize>(
    m: &Memory,
    x: TensorId,
    other: TensorId,
    chips: std::ops::Range<usize>,
    channel: usize,
    f: impl Fn(f64, f64) -> [f64; N] + Sync,
) -> [f64; N] {
    let blocks = m.blocks();
    let (_, h, w) = m.shape(x).chw();
    let (start, len) = (channel * h * w * LANES, h * w * LANES);
    let part = |i: usize| {
        let (chip, block) = (chips.start + i / blocks, i % blocks);
        let a = &m.block(x, chip, block)[start..start + len];
        let b = &m.block(other, chip, block)[start..start + len];
        let mut lanes = [[0f64; LANES]; N];
        wide(|| {
            for (a, b) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
                for l in 0..LANES {
                    let v = f(f64::from(a[l]), f64::from(b[l]));
                    for n in 0..N {
                        lanes[n][l] += v[n];
                    }
                }
            }
        });
        lanes.map(|s| s[..m.lanes(block)].iter().sum::<f64>())
    };
    let parts: Vec<[f64; N]> = (0..chips.len() * blocks)
        .into_par_iter()
        .map(part)
        .collect();
    let mut sums = [0.0; N];
    for part in parts {
        for (s, p) in sums.iter_mut().zip(part) {
            *s += p;
        }
    }
    sums
}

/// Number of values per channel over `chips` chips.
fn count(m: &Memory, x: TensorId, chips: usize) -> f64 {
    let (_, h, w) = m.shape(x).chw();
    (h * w * m.images() * chips) as f64
}

/// Biased mean and variance per channel over the chips `chips` of `x`, two-pass.
pub(super) fn stats(
    m: &Memory,
    x: TensorId,
    chips: std::ops::Range<usize>,
    mean: &mut [f32],
    var: &mut [f32],
) {
    let n = count(m, x, chips.len()).max(1.0);
    let channels = mean.par_iter_mut().zip(var).enumerate();
    channels.for_each(|(c, (mean, var))| {
        let [sum] = channel_sums(m, x, x, chips.clone(), c, |x, _| [x]);
        let centre = sum / n;
        let [squares] = channel_sums(m, x, x, chips.clone(), c, |x, _| {
            [(x - centre) * (x - centre)]
        });
        *mean = centre as f32;
        *var = (squares / n) as f32;
    });
}

/// What [`fold`] reads.
pub(super) struct Frozen<'a> {
    /// Mean.
    pub mean: &'a [f32],
    /// Variance.
    pub var: &'a [f32],
    /// Gain.
    pub gamma: &'a [f32],
    /// Offset.
    pub beta: &'a [f32],
    /// Added to the variance.
    pub eps: f32,
}

/// `scale = gamma / sqrt(var + eps)`, `shift = beta - mean * scale`.
pub(super) fn fold(b: &Frozen, scale: &mut [f32], shift: &mut [f32]) {
    for c in 0..scale.len() {
        scale[c] = b.gamma[c] / (b.var[c] + b.eps).sqrt();
        shift[c] = b.beta[c] - b.mean[c] * scale[c];
    }
}

/// Tensors of the backward pass.
#[derive(Clone, Copy)]
pub(super) struct Grad {
    /// Input.
    pub x: TensorId,
    /// Batch mean.
    pub mean: TensorId,
    /// Batch variance.
    pub var: TensorId,
    /// Gain.
    pub gamma: TensorId,
    /// Gradient of the output.
    pub dy: TensorId,
    /// Added to the variance.
    pub eps: f32,
}

impl Grad {
    /// Chips whose values share the statistics.
    fn chips(&self, m: &Memory) -> usize {
        m.chips_of(self.x).max(m.chips_of(self.dy))
    }

    /// `dgamma = sum dy xh`, `dbeta = sum dy`, per channel.
    pub fn parameters(&self, m: &Memory, dgamma: &mut [f32], dbeta: &mut [f32]) {
        let chips = self.chips(m);
        let channels = dgamma.par_iter_mut().zip(dbeta).enumerate();
        channels.for_each(|(c, (dgamma, dbeta))| {
            let mean = f64::from(m.flat(self.mean, 0)[c]);
            let inverse = 1.0 / f64::from(m.flat(self.var, 0)[c] + self.eps).sqrt();
            let [weighted, plain] = channel_sums(m, self.x, self.dy, 0..chips, c, |x, dy| {
                [dy * (x - mean), dy]
            });
            *dgamma = (weighted * inverse) as f32;
            *dbeta = plain as f32;
        });
    }

    /// `dx = gamma/sqrt(var + eps) (dy - dbeta/m - xh dgamma/m)` of one block, 0 in lanes without
    /// an image.
    pub fn input(
        &self,
        m: &Memory,
        [dgamma, dbeta]: [TensorId; 2],
        chip: usize,
        block: usize,
        dx: &mut [f32],
    ) {
        let n = count(m, self.x, self.chips(m)) as f32;
        let lanes = m.lanes(block);
        let (_, h, w) = m.shape(self.x).chw();
        let len = h * w * LANES;
        let (x, dy) = (m.block(self.x, chip, block), m.block(self.dy, chip, block));
        for (c, dx) in dx.chunks_exact_mut(len).enumerate() {
            let mean = m.flat(self.mean, 0)[c];
            let inverse = 1.0 / (m.flat(self.var, 0)[c] + self.eps).sqrt();
            let scale = m.flat(self.gamma, 0)[c] * inverse;
            let offset = m.flat(dbeta, 0)[c] / n;
            let slope = m.flat(dgamma, 0)[c] / n * inverse;
            let (x, dy) = (&x[c * len..][..len], &dy[c * len..][..len]);
            wide(|| {
                for ((dx, &x), &dy) in dx.iter_mut().zip(x).zip(dy) {
                    *dx = scale * (dy - offset - (x - mean) * slope);
                }
            });
            if lanes < LANES {
                for row in dx.chunks_exact_mut(LANES) {
                    row[lanes..].fill(0.0);
                }
            }
        }
    }
}
