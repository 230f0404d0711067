//! Batch norm: statistics, folding, backward.
//!
//! Sums of a few pixels are `f32`, those of a block and of all blocks `f64`. The statistics are summed
//! about a value near the mean, so that the square of the mean does not swallow the variance, and
//! moved to 0 in `f64`, where a `mean^2/var` of a million costs ten digits of sixteen.

use super::block::BlockRun;
use super::memory::Memory;
use super::simd::{Isa, Kernel, Simd};
use super::step::{BlockOp, BlockSum, WholeOp, scheduled};
use super::sums::Parts;
use crate::program::{
    BatchNormFold, BatchNormGrad, BatchNormGradSums, BatchNormStats, LANES, RunArgs,
};
use crate::vector::wide;

scheduled!(BatchNormStats: sum);

impl BlockSum for BatchNormStats {
    fn width(&self, memory: &Memory) -> usize {
        2 * memory.shape(self.x).chw().0
    }

    fn parts(&self, run: &BlockRun<'_>, parts: &mut [f64]) {
        let (channels, h, w) = run.shape(self.x).chw();
        let parts = parts.chunks_exact_mut(2 * channels);
        for ((lanes, x), part) in run.blocks(self.x).zip(parts) {
            stats_part(run.isa(), x, h * w * LANES, lanes, part);
        }
    }

    fn finish(&self, memory: &mut Memory, parts: Parts<'_>) {
        memory.each_chip([self.mean, self.var], |m, chip, [mean, var]| {
            let parts = parts.of(m, self.mean, chip);
            stats(&parts.total(), parts.per_channel(m, self.x), mean, var);
        });
    }
}

scheduled!(BatchNormGradSums: sum);

impl BlockSum for BatchNormGradSums {
    fn width(&self, memory: &Memory) -> usize {
        2 * memory.shape(self.x).chw().0
    }

    fn parts(&self, run: &BlockRun<'_>, parts: &mut [f64]) {
        let (channels, h, w) = run.shape(self.x).chw();
        let maps = run.blocks(self.x).zip(run.blocks(self.dy));
        for (((lanes, x), (_, dy)), part) in maps.zip(parts.chunks_exact_mut(2 * channels)) {
            let mean = run.flat(self.mean);
            grad_part(run.isa(), x, dy, mean, h * w * LANES, lanes, part);
        }
    }

    fn finish(&self, memory: &mut Memory, parts: Parts<'_>) {
        memory.each_chip([self.dgamma, self.dbeta], |m, chip, [dgamma, dbeta]| {
            let sums = parts.of(m, self.dgamma, chip).total();
            grad_sums(&sums, m.flat(self.var, chip), self.eps, dgamma, dbeta);
        });
    }
}

scheduled!(BatchNormFold: whole);

impl WholeOp for BatchNormFold {
    fn run(&self, memory: &mut Memory, _: &RunArgs) {
        memory.each_chip([self.scale, self.shift], |m, chip, [scale, shift]| {
            let frozen = Frozen {
                mean: m.flat(self.mean, chip),
                var: m.flat(self.var, chip),
                gamma: m.flat(self.gamma, chip),
                beta: m.flat(self.beta, chip),
                eps: self.eps,
            };
            fold(&frozen, scale, shift)
        });
    }
}

scheduled!(BatchNormGrad: block);

impl BlockOp for BatchNormGrad {
    fn run(&self, run: &mut BlockRun<'_>) {
        let (_, h, w) = run.shape(self.x).chw();
        let chips = run.chips_of(self.x).max(run.chips_of(self.dy)) / run.chips_of(self.dgamma);
        run.write([self.dx], |run, [dx]| {
            let grad = Grad {
                mean: run.flat(self.mean),
                var: run.flat(self.var),
                gamma: run.flat(self.gamma),
                dgamma: run.flat(self.dgamma),
                dbeta: run.flat(self.dbeta),
                eps: self.eps,
                count: (h * w * run.images() * chips) as f32,
            };
            let maps = run.blocks(self.x).zip(run.blocks(self.dy));
            let dx = dx.chunks_exact_mut(run.block_len(self.dx));
            for (((lanes, x), (_, dy)), dx) in maps.zip(dx) {
                grad.input(x, dy, lanes, dx);
            }
        });
    }
}

/// Pixels summed in `f32`.
const RUN: usize = 16;

/// Two sums over a channel's pixels per lane.
type Lanes = [[f64; LANES]; 2];

/// Adds two vectors to the sums.
#[inline(always)]
fn add<S: Simd>(s: S, [a, b]: [S::V; 2], sums: &mut Lanes) {
    let mut run = [[0f32; LANES]; 2];
    s.store(a, &mut run[0]);
    s.store(b, &mut run[1]);
    for (sums, run) in sums.iter_mut().zip(run) {
        for (sum, v) in sums.iter_mut().zip(run) {
            *sum += f64::from(v);
        }
    }
}

/// Sums of the first `lanes` lanes.
fn across(sums: Lanes, lanes: usize) -> [f64; 2] {
    sums.map(|s| s[..lanes].iter().sum())
}

/// `[sum (x - near), sum (x - near)^2]` of a channel, per lane.
struct Moments<'a> {
    x: &'a [f32],
    near: f32,
}

impl Kernel for Moments<'_> {
    type Output = Lanes;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Lanes {
        let mut sums = [[0.0; LANES]; 2];
        let minus = s.splat(-self.near);
        for run in self.x.chunks(RUN * LANES) {
            let mut acc = [s.splat(0.0); 2];
            for x in run.chunks_exact(LANES) {
                let v = s.add(s.load(x), minus);
                acc = [s.add(acc[0], v), s.fma(v, v, acc[1])];
            }
            add(s, acc, &mut sums);
        }
        sums
    }
}

/// `[sum x, sum x^2]` for every channel (of `plane` values) of a block.
fn stats_part(isa: Isa, x: &[f32], plane: usize, lanes: usize, part: &mut [f64]) {
    for (x, part) in x.chunks_exact(plane).zip(part.chunks_exact_mut(2)) {
        let near = x[..lanes].iter().sum::<f32>() / lanes as f32;
        let sums = isa.run(Moments { x, near });
        let [first, second] = across(sums, lanes);
        let (n, near) = ((plane / LANES * lanes) as f64, f64::from(near));
        part[0] = first + n * near;
        part[1] = second + near * (2.0 * first + n * near);
    }
}

/// Biased mean and variance per channel from the sums over `n` values.
fn stats(sums: &[f64], n: f64, mean: &mut [f32], var: &mut [f32]) {
    let n = n.max(1.0);
    for (sums, (mean, var)) in sums.chunks_exact(2).zip(mean.iter_mut().zip(var)) {
        let centre = sums[0] / n;
        *mean = centre as f32;
        *var = (sums[1] / n - centre * centre).max(0.0) as f32;
    }
}

/// What [`fold`] reads.
struct Frozen<'a> {
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
fn fold(b: &Frozen, scale: &mut [f32], shift: &mut [f32]) {
    for c in 0..scale.len() {
        scale[c] = b.gamma[c] / (b.var[c] + b.eps).sqrt();
        shift[c] = b.beta[c] - b.mean[c] * scale[c];
    }
}

/// `[sum dy (x - mean), sum dy]` of a channel, per lane.
struct GradSums<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    mean: f32,
}

impl Kernel for GradSums<'_> {
    type Output = Lanes;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Lanes {
        let mut sums = [[0.0; LANES]; 2];
        let minus = s.splat(-self.mean);
        let runs = self.x.chunks(RUN * LANES).zip(self.dy.chunks(RUN * LANES));
        for (x, dy) in runs {
            let mut acc = [s.splat(0.0); 2];
            for (x, dy) in x.chunks_exact(LANES).zip(dy.chunks_exact(LANES)) {
                let (x, dy) = (s.add(s.load(x), minus), s.load(dy));
                acc = [s.fma(dy, x, acc[0]), s.add(acc[1], dy)];
            }
            add(s, acc, &mut sums);
        }
        sums
    }
}

/// `[sum dy (x - mean), sum dy]` for every channel (of `plane` values) of a block.
fn grad_part(
    isa: Isa,
    x: &[f32],
    dy: &[f32],
    mean: &[f32],
    plane: usize,
    lanes: usize,
    part: &mut [f64],
) {
    let maps = x.chunks_exact(plane).zip(dy.chunks_exact(plane)).zip(mean);
    for (((x, dy), &mean), part) in maps.zip(part.chunks_exact_mut(2)) {
        let sums = isa.run(GradSums { x, dy, mean });
        part.copy_from_slice(&across(sums, lanes));
    }
}

/// `dgamma = sum dy xh`, `dbeta = sum dy`, per channel, from the sums of [`grad_part`].
fn grad_sums(sums: &[f64], var: &[f32], eps: f32, dgamma: &mut [f32], dbeta: &mut [f32]) {
    let results = dgamma.iter_mut().zip(dbeta).zip(var);
    for (sums, ((dgamma, dbeta), &var)) in sums.chunks_exact(2).zip(results) {
        *dgamma = (sums[0] / f64::from(var + eps).sqrt()) as f32;
        *dbeta = sums[1] as f32;
    }
}

/// What the gradient of the input needs beside the maps.
#[derive(Clone, Copy)]
struct Grad<'a> {
    /// Batch mean.
    pub mean: &'a [f32],
    /// Batch variance.
    pub var: &'a [f32],
    /// Gain.
    pub gamma: &'a [f32],
    /// Gradient of the gain.
    pub dgamma: &'a [f32],
    /// Gradient of the offset.
    pub dbeta: &'a [f32],
    /// Added to the variance.
    pub eps: f32,
    /// Values of a channel that the sums are of.
    pub count: f32,
}

impl Grad<'_> {
    /// `dx = gamma/sqrt(var + eps) (dy - dbeta/m - xh dgamma/m)` of one block, 0 behind the first
    /// `lanes` lanes.
    pub fn input(&self, x: &[f32], dy: &[f32], lanes: usize, dx: &mut [f32]) {
        let plane = dx.len() / self.mean.len();
        for (c, dx) in dx.chunks_exact_mut(plane).enumerate() {
            let mean = self.mean[c];
            let inverse = 1.0 / (self.var[c] + self.eps).sqrt();
            let scale = self.gamma[c] * inverse;
            let offset = self.dbeta[c] / self.count;
            let slope = self.dgamma[c] / self.count * inverse;
            let (x, dy) = (&x[c * plane..][..plane], &dy[c * plane..][..plane]);
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
