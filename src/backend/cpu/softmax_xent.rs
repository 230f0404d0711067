//! Softmax cross-entropy with label smoothing, one block of images at a time.

use super::block::BlockRun;
use super::max_pool::lanes;
use super::simd::{Kernel, Simd};
use super::step::{BlockOp, scheduled};
use crate::program::{LANES, SoftmaxXent};
use crate::vector::exp_negative;

scheduled!(SoftmaxXent: block);

impl BlockOp for SoftmaxXent {
    fn run(&self, run: &mut BlockRun<'_>) {
        let (loss, hit) = (self.loss, self.hit);
        match self.dlogits {
            Some(d) => run.write([loss, hit, d], |run, [l, h, d]| blocks(self, run, l, h, d)),
            None => run.write([loss, hit], |run, [l, h]| blocks(self, run, l, h, &mut [])),
        }
    }
}

/// All blocks at hand; `dlogits` is empty where it is not wanted.
fn blocks(
    op: &SoftmaxXent,
    run: &BlockRun<'_>,
    loss: &mut [f32],
    hit: &mut [f32],
    dlogits: &mut [f32],
) {
    let chips = if op.apart { 1 } else { run.chips_of(op.logits) };
    let weight = 1.0 / (run.images() * chips) as f32;
    let mut dlogits = dlogits.chunks_exact_mut(run.block_len(op.logits));
    let written = loss
        .chunks_exact_mut(LANES)
        .zip(hit.chunks_exact_mut(LANES));
    let read = run.blocks(op.logits).zip(run.blocks(op.labels));
    for (((images, logits), (_, labels)), (loss, hit)) in read.zip(written) {
        run.isa().run(Block {
            logits,
            labels,
            images,
            smoothing: op.smoothing,
            weight,
            loss,
            hit,
            dlogits: dlogits.next().unwrap_or_default(),
        });
    }
}

/// One block. With `z` the logits, `m` the largest and `l = ln sum exp(z - m)`:
/// `loss = sum_i target_i (l - (z_i - m))`, `dlogits = (softmax - target) weight`.
struct Block<'a> {
    /// Logits `[class][lane]`.
    logits: &'a [f32],
    /// Class index per lane; a lane whose label is not a class holds no image.
    labels: &'a [f32],
    /// Lanes that hold an image.
    images: usize,
    /// Label smoothing.
    smoothing: f32,
    /// `1 / (images * chips)` of the run, or `1 / images`.
    weight: f32,
    /// Loss per lane, written.
    loss: &'a mut [f32],
    /// 1 where the first largest logit is the label, written.
    hit: &'a mut [f32],
    /// Gradient, written; empty when not wanted.
    dlogits: &'a mut [f32],
}

impl Kernel for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let classes = self.logits.len() / LANES;
        let mut label = [-1.0; LANES];
        for (lane, &of) in self.labels.iter().enumerate().take(self.images) {
            if of >= 0.0 && of < classes as f32 {
                label[lane] = of;
            }
        }
        let mut most = [f32::NEG_INFINITY; LANES];
        let mut first = [-2.0; LANES];
        for k in 0..classes {
            let z = lanes(self.logits, k);
            for i in 0..LANES {
                let larger = z[i] > most[i];
                most[i] = if larger { z[i] } else { most[i] };
                first[i] = if larger { k as f32 } else { first[i] };
            }
        }
        let (on, off) = (1.0 - self.smoothing, self.smoothing / classes.max(1) as f32);
        let mut sum = [0.0; LANES];
        // Target-weighted sum of `z - m`.
        let mut aim = [0.0; LANES];
        for k in 0..classes {
            let z = lanes(self.logits, k);
            for i in 0..LANES {
                let d = z[i] - most[i];
                sum[i] += exp_negative(d);
                let target = off + if label[i] == k as f32 { on } else { 0.0 };
                aim[i] += target * d;
            }
        }
        for i in 0..LANES {
            let real = label[i] >= 0.0;
            self.loss[i] = if real { sum[i].ln() - aim[i] } else { 0.0 };
            self.hit[i] = if real && first[i] == label[i] {
                1.0
            } else {
                0.0
            };
        }
        for (k, dz) in self.dlogits.chunks_exact_mut(LANES).enumerate() {
            let z = lanes(self.logits, k);
            for i in 0..LANES {
                let target = off + if label[i] == k as f32 { on } else { 0.0 };
                let p = exp_negative(z[i] - most[i]) / sum[i];
                let real = label[i] >= 0.0;
                dz[i] = if real {
                    (p - target) * self.weight
                } else {
                    0.0
                };
            }
        }
    }
}
