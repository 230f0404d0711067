//! Weights of which some are removed.

use super::memory::Memory;
use super::step::{WholeOp, scheduled};
use crate::program::{MaskWeight, RunArgs};

scheduled!(MaskWeight: whole);

impl WholeOp for MaskWeight {
    fn run(&self, memory: &mut Memory, _: &RunArgs) {
        memory.each_chip([self.y], |m, chip, [y]| {
            let of = m.flat(self.w, chip).iter().zip(m.flat(self.mask, chip));
            for (y, (&w, &mask)) in y.iter_mut().zip(of) {
                *y = w * mask;
            }
        });
    }
}
