//! A flat tensor times a number.

use super::memory::Memory;
use super::step::{WholeOp, scheduled};
use crate::program::{RunArgs, ScaleFlat};

scheduled!(ScaleFlat: whole);

impl WholeOp for ScaleFlat {
    fn run(&self, memory: &mut Memory, _: &RunArgs) {
        memory.each_chip([self.y], |m, chip, [y]| {
            let by = m.flat(self.by, chip)[0];
            for (y, x) in y.iter_mut().zip(m.flat(self.x, chip)) {
                *y = by * x;
            }
        });
    }
}
