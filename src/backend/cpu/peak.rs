//! What the processor can do at most: multiply-adds in registers, and a copy in memory.

use std::hint::black_box;
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::simd::{Isa, Kernel, Simd};
use crate::backend::Peak;

/// Multiply-adds of each accumulator in one task: about half a millisecond.
const STEPS: usize = 1 << 17;
/// Tasks per thread and repeat, so that no fast core waits for a slow one.
const TASKS: usize = 16;
/// `f32` values copied by one repeat: with its source far beyond any cache but the largest.
const COPIED: usize = 32 << 20;
/// Values copied by one task.
const PIECE: usize = 1 << 20;

/// Measures on the current rayon pool.
pub(super) fn measure(isa: Isa, time: Duration) -> Peak {
    let tasks = TASKS * rayon::current_num_threads();
    let (from, mut to) = (vec![1.0f32; COPIED], vec![0.0f32; COPIED]);
    Peak {
        fma_gflops: best(time, || {
            let flops = |_| isa.run(MultiplyAdd) as f64;
            (0..tasks).into_par_iter().map(flops).sum()
        }),
        copy_gbytes_per_s: best(time, || {
            to.par_chunks_mut(PIECE)
                .zip(from.par_chunks(PIECE))
                .for_each(|(to, from)| to.copy_from_slice(from));
            black_box(&mut to);
            (2 * size_of_val(from.as_slice())) as f64
        }),
    }
}

/// Largest rate, in 10^9 per second, of the repeats that fit in `time`, at least three; `run`
/// returns what it did.
fn best(time: Duration, mut run: impl FnMut() -> f64) -> f64 {
    let start = Instant::now();
    let (mut best, mut repeats) = (0.0f64, 0);
    while repeats < 3 || start.elapsed() < time {
        let begin = Instant::now();
        let done = run();
        best = best.max(done * 1e-9 / begin.elapsed().as_secs_f64().max(1e-9));
        repeats += 1;
    }
    best
}

/// Independent chains of multiply-adds; returns the number of operations.
struct MultiplyAdd;

impl Kernel for MultiplyAdd {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> usize {
        match S::ACCUMULATORS {
            0..6 => chains::<S, 3>(s),
            6..12 => chains::<S, 6>(s),
            _ => chains::<S, 12>(s),
        }
    }
}

/// `N` accumulators of 16 lanes: enough to hide the latency, few enough for the registers.
#[inline(always)]
fn chains<S: Simd, const N: usize>(s: S) -> usize {
    // The values stay near 2: no overflow, no denormal.
    let (a, b) = (s.splat(black_box(0.5)), s.splat(black_box(1.0)));
    let mut acc = [s.splat(black_box(1.5)); N];
    for _ in 0..STEPS {
        for acc in &mut acc {
            *acc = s.fma(*acc, a, b);
        }
    }
    let mut sum = [0.0; 16];
    for acc in acc {
        let total = s.add(s.load(&sum), acc);
        s.store(total, &mut sum);
    }
    black_box(sum);
    STEPS * N * 16 * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_has_a_peak() {
        for isa in Isa::available() {
            let peak = measure(isa, Duration::ZERO);
            assert!(
                peak.fma_gflops > 0.0 && peak.copy_gbytes_per_s > 0.0,
                "{peak:?}"
            );
        }
    }
}
