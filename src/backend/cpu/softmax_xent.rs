//! Softmax cross-entropy with label smoothing, one block of images at a time.

use super::max_pool::lanes;
use super::simd::{Isa, Kernel, Simd};
use crate::program::LANES;
use crate::vector::exp_negative;

/// One block. With `z` the logits, `m` the largest and `l = ln sum exp(z - m)`:
/// `loss = sum_i target_i (l - (z_i - m))`, `dlogits = (softmax - target) weight`.
pub(super) struct SoftmaxXent<'a> {
    /// Logits `[class][lane]`.
    pub logits: &'a [f32],
    /// Class index per lane; a lane whose label is not a class holds no image.
    pub labels: &'a [f32],
    /// Lanes that hold an image.
    pub images: usize,
    /// Label smoothing.
    pub smoothing: f32,
    /// `1 / (images * chips)` of the run.
    pub weight: f32,
    /// Loss per lane, written.
    pub loss: &'a mut [f32],
    /// 1 where the first largest logit is the label, written.
    pub hit: &'a mut [f32],
    /// Gradient, written; empty when not wanted.
    pub dlogits: &'a mut [f32],
}

impl SoftmaxXent<'_> {
    /// Computes it.
    pub fn compute(self, isa: Isa) {
        isa.run(self);
    }
}

impl Kernel for SoftmaxXent<'_> {
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
