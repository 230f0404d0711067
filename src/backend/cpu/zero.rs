//! Clears a flat tensor.

use super::memory::Memory;
use super::step::{WholeOp, scheduled};
use crate::program::{RunArgs, Zero};

scheduled!(Zero: whole);

impl WholeOp for Zero {
    fn run(&self, memory: &mut Memory, _: &RunArgs) {
        memory.each_chip([self.t], |_, _, [t]| t.fill(0.0));
    }
}
