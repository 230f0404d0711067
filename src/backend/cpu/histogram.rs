//! Counts of a map's values.

use std::ops::Range;

use rayon::prelude::*;

use super::memory::Memory;
use super::step::{WholeOp, scheduled};
use crate::program::{Histogram, LANES, RunArgs, Scope, TensorId};

scheduled!(Histogram: whole);

impl WholeOp for Histogram {
    fn holds_up(&self) -> bool {
        true
    }

    fn run(&self, memory: &mut Memory, _: &RunArgs) {
        let scope = memory.desc(self.out).scope;
        memory.each_chip([self.out], |m, chip, [out]| {
            let chips = match scope {
                Scope::Shared => 0..m.chips_of(self.x),
                Scope::PerChip => chip..chip + 1,
            };
            forward(m, self.x, chips, m.flat(self.limit, 0), self.bins, out)
        });
    }
}

/// Counts over the real images of some chips; added up as integers, in whatever order.
fn forward(
    m: &Memory,
    x: TensorId,
    chips: Range<usize>,
    limit: &[f32],
    bins: usize,
    out: &mut [f32],
) {
    let group = m.shape(x).len() / limit.len();
    let tasks = chips.flat_map(|chip| (0..m.blocks()).map(move |block| (chip, block)));
    let tasks: Vec<_> = tasks.collect();
    let none = || vec![0u32; out.len()];
    let count = |mut counts: Vec<u32>, &(chip, block): &(usize, usize)| {
        let lanes = m.lanes(block);
        let groups = m.block(x, chip, block).chunks_exact(group * LANES);
        for ((values, &limit), counts) in groups.zip(limit).zip(counts.chunks_exact_mut(bins)) {
            for lanes in values.chunks_exact(LANES).map(|v| &v[..lanes]) {
                for &v in lanes {
                    counts[bin(v, limit, bins)] += 1;
                }
            }
        }
        counts
    };
    let add = |mut a: Vec<u32>, b: Vec<u32>| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        a
    };
    let counts = tasks.par_iter().fold(none, count).reduce(none, add);
    for (o, n) in out.iter_mut().zip(counts) {
        *o = n as f32;
    }
}

/// Bin of a value; what is no number is in the first.
fn bin(v: f32, limit: f32, bins: usize) -> usize {
    let place = (v / limit + 1.0) / 2.0 * bins as f32;
    (place.floor().max(0.0) as usize).min(bins - 1)
}
