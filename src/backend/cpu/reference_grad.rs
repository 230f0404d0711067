//! Gradient of the reference that converters share.

use super::memory::Memory;
use super::step::{WholeOp, scheduled};
use crate::program::{ReferenceGrad, RunArgs};

scheduled!(ReferenceGrad: whole);

impl WholeOp for ReferenceGrad {
    fn run(&self, memory: &mut Memory, _: &RunArgs) {
        memory.each_chip([self.d], |m, chip, [d]| {
            let steps = m.flat(self.w_step, chip).iter().cycle();
            let terms = m.flat(self.sums, chip).iter().zip(steps);
            let sum: f64 = terms
                .map(|(sum, step)| f64::from(*sum) * f64::from(*step))
                .sum();
            let [x_step, by] = [self.x_step, self.by].map(|t| f64::from(m.flat(t, chip)[0]));
            d[0] = (x_step / by * sum) as f32;
        });
    }
}
