//! Metrics of classified images, one block of images at a time.

use super::block::BlockRun;
use super::max_pool::lanes;
use super::simd::{Kernel, Simd};
use super::step::{BlockOp, scheduled};
use crate::program::{ClassMetric, LANES, Metric};
use crate::vector::exp_negative;

scheduled!(ClassMetric: block);

impl BlockOp for ClassMetric {
    fn run(&self, run: &mut BlockRun<'_>) {
        run.write([self.score], |run, [score]| {
            let read = run.blocks(self.logits).zip(run.blocks(self.labels));
            for (((images, logits), (_, labels)), score) in read.zip(score.chunks_exact_mut(LANES))
            {
                run.isa().run(Block {
                    metric: self.metric,
                    logits,
                    labels,
                    images,
                    score,
                });
            }
        });
    }
}

/// One block.
struct Block<'a> {
    metric: Metric,
    /// Logits `[class][lane]`.
    logits: &'a [f32],
    /// Class index per lane; a lane whose label is not a class holds no image.
    labels: &'a [f32],
    /// Lanes that hold an image.
    images: usize,
    /// The metric per lane, written.
    score: &'a mut [f32],
}

impl Kernel for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let classes = self.logits.len() / LANES;
        let score = match self.metric {
            Metric::Top5 => top5(self.logits, self.labels),
            Metric::Brier => brier(self.logits, self.labels),
        };
        for (lane, (to, score)) in self.score.iter_mut().zip(score).enumerate() {
            let label = self.labels[lane];
            let counts = lane < self.images && label >= 0.0 && label < classes as f32;
            *to = if counts { score } else { 0.0 };
        }
    }
}

/// Every class with its logits.
fn by_class(logits: &[f32]) -> impl Iterator<Item = (f32, &[f32; LANES])> {
    (0..logits.len() / LANES).map(|k| (k as f32, lanes(logits, k)))
}

#[inline(always)]
fn top5(logits: &[f32], labels: &[f32]) -> [f32; LANES] {
    const MOST: f32 = 5.0;
    let mut own = [f32::NEG_INFINITY; LANES];
    for (k, z) in by_class(logits) {
        for i in 0..LANES {
            own[i] = if labels[i] == k { z[i] } else { own[i] };
        }
    }
    let mut before = [0.0; LANES];
    for (k, z) in by_class(logits) {
        for i in 0..LANES {
            let is_before = z[i] > own[i] || (z[i] == own[i] && k < labels[i]);
            before[i] += if is_before { 1.0 } else { 0.0 };
        }
    }
    before.map(|n| if n < MOST { 1.0 } else { 0.0 })
}

#[inline(always)]
fn brier(logits: &[f32], labels: &[f32]) -> [f32; LANES] {
    let mut most = [f32::NEG_INFINITY; LANES];
    for (_, z) in by_class(logits) {
        for i in 0..LANES {
            most[i] = if z[i] > most[i] { z[i] } else { most[i] };
        }
    }
    let mut sum = [0.0; LANES];
    for (_, z) in by_class(logits) {
        for i in 0..LANES {
            sum[i] += exp_negative(z[i] - most[i]);
        }
    }
    let mut score = [0.0; LANES];
    for (k, z) in by_class(logits) {
        for i in 0..LANES {
            let target = if labels[i] == k { 1.0 } else { 0.0 };
            let d = exp_negative(z[i] - most[i]) / sum[i] - target;
            score[i] += d * d;
        }
    }
    score
}
