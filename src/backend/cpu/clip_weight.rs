//! Clipped weights, and the gradient through them.

use super::memory::Memory;
use super::step::{WholeOp, scheduled};
use crate::program::{ClipWeight, ClipWeightGrad, RunArgs, WeightSpread};

scheduled!(WeightSpread: whole);

impl WholeOp for WeightSpread {
    fn run(&self, memory: &mut Memory, _: &RunArgs) {
        memory.each_chip([self.mean, self.bound], |m, chip, [mean, bound]| {
            let groups = m.flat(self.w, chip).chunks(self.run);
            for ((w, mean), bound) in groups.zip(mean).zip(bound) {
                let (center, deviation) = spread(w);
                *mean = center as f32;
                *bound = (f64::from(self.times) * deviation) as f32;
            }
        });
    }
}

/// Mean and standard deviation.
fn spread(w: &[f32]) -> (f64, f64) {
    let n = w.len().max(1) as f64;
    let mean = w.iter().map(|&w| f64::from(w)).sum::<f64>() / n;
    let squares = w.iter().map(|&w| (f64::from(w) - mean).powi(2));
    (mean, (squares.sum::<f64>() / n).sqrt())
}

scheduled!(ClipWeight: whole);

impl WholeOp for ClipWeight {
    fn run(&self, memory: &mut Memory, _: &RunArgs) {
        memory.each_chip([self.y], |m, chip, [y]| {
            let groups = m.flat(self.w, chip).chunks(self.run);
            let groups = groups.zip(y.chunks_mut(self.run));
            for ((w, y), &c) in groups.zip(m.flat(self.bound, chip)) {
                for (y, &w) in y.iter_mut().zip(w) {
                    *y = w.min(c).max(-c);
                }
            }
        });
    }
}

scheduled!(ClipWeightGrad: whole);

impl WholeOp for ClipWeightGrad {
    fn run(&self, memory: &mut Memory, _: &RunArgs) {
        memory.each_chip([self.dw], |m, chip, [dw]| {
            let bounds = m.flat(self.bound, chip);
            let of = |t| m.flat(t, chip).chunks(self.run);
            let groups = of(self.w).zip(of(self.dy)).zip(dw.chunks_mut(self.run));
            for (i, ((w, dy), dw)) in groups.enumerate() {
                let c = bounds[i];
                let inside = |w: f32| w.abs() <= c;
                for ((dw, &w), &dy) in dw.iter_mut().zip(w).zip(dy) {
                    *dw = if inside(w) { dy } else { 0.0 };
                }
                if let Some((mean, times)) = self.spread
                    && c > 0.0
                {
                    let mean = m.flat(mean, chip)[i];
                    let clipped = w.iter().zip(dy).filter(|(w, _)| !inside(**w));
                    let s: f64 = clipped
                        .map(|(&w, &dy)| f64::from(dy) * f64::from(w.signum()))
                        .sum();
                    let times = f64::from(times);
                    let slope = s * times * times / (self.run as f64 * f64::from(c));
                    for (dw, &w) in dw.iter_mut().zip(w) {
                        *dw += (slope * f64::from(w - mean)) as f32;
                    }
                }
            }
        });
    }
}
