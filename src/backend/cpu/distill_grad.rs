//! Gradient of a loss that has a teacher, one block of images at a time.

use super::block::BlockRun;
use super::max_pool::lanes;
use super::step::{BlockOp, scheduled};
use crate::program::{DistillGrad, LANES};
use crate::vector::exp_negative;

scheduled!(DistillGrad: block);

impl BlockOp for DistillGrad {
    fn run(&self, run: &mut BlockRun<'_>) {
        run.write([self.dz], |run, [dz]| {
            let weight = 1.0 / (run.images() * run.chips_of(self.logits)) as f32;
            let (teacher, before) = (run.blocks(self.teacher), run.blocks(self.dlogits));
            let read = run.blocks(self.logits).zip(teacher).zip(before);
            let written = dz.chunks_exact_mut(run.block_len(self.dz));
            for ((((images, z), (_, t)), (_, d)), dz) in read.zip(written) {
                let (mut p, mut q) = (vec![0.0; z.len()], vec![0.0; z.len()]);
                softmax(z, self.temperature, &mut p);
                softmax(t, self.temperature, &mut q);
                let times = self.share * self.temperature * weight;
                for (i, dz) in dz.iter_mut().enumerate() {
                    let pull = if i % LANES < images {
                        times * (p[i] - q[i])
                    } else {
                        0.0
                    };
                    *dz = (1.0 - self.share) * d[i] + pull;
                }
            }
        });
    }
}

/// `y = softmax(x / temperature)` of a block `[class][lane]`.
fn softmax(x: &[f32], temperature: f32, y: &mut [f32]) {
    let classes = x.len() / LANES;
    let mut most = [f32::NEG_INFINITY; LANES];
    for c in 0..classes {
        for (m, &v) in most.iter_mut().zip(lanes(x, c)) {
            *m = if v > *m { v } else { *m };
        }
    }
    let mut sum = [0.0; LANES];
    for c in 0..classes {
        let (x, y) = (lanes(x, c), &mut y[c * LANES..][..LANES]);
        for i in 0..LANES {
            y[i] = exp_negative((x[i] - most[i]) / temperature);
            sum[i] += y[i];
        }
    }
    for y in y.chunks_exact_mut(LANES) {
        for (y, sum) in y.iter_mut().zip(&sum) {
            *y /= sum;
        }
    }
}
