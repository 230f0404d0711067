//! How converters change the spread of a layer's outputs.

use super::memory::Memory;
use super::step::{WholeOp, scheduled};
use crate::program::{RunArgs, VarianceRatio};

scheduled!(VarianceRatio: whole);

impl WholeOp for VarianceRatio {
    fn run(&self, memory: &mut Memory, _: &RunArgs) {
        memory.each_chip([self.out], |m, chip, [out]| {
            forward(m.flat(self.a, chip), m.flat(self.b, chip), out)
        });
    }
}

/// `out[i] = sqrt(sum a / sum b)`, 1 where `sum b` is 0. Sums in order, as the shader makes them.
fn forward(a: &[f32], b: &[f32], out: &mut [f32]) {
    let (a, b): (f32, f32) = (a.iter().sum(), b.iter().sum());
    out.fill(if b > 0.0 { (a / b).sqrt() } else { 1.0 });
}
