//! Running statistics.

use super::memory::Memory;
use super::step::{WholeOp, scheduled};
use crate::program::{Lerp, Rate, RunArgs};

scheduled!(Lerp: whole);

impl WholeOp for Lerp {
    fn run(&self, memory: &mut Memory, args: &RunArgs) {
        memory.each_chip([self.state], |m, chip, [state]| {
            let value = m.flat(self.value, chip);
            forward(state, value, self.rate, self.times, args.step)
        });
    }
}

/// `state += rate (times value - state)`, `step` counted from 0; see [`Rate`].
fn forward(state: &mut [f32], value: &[f32], rate: Rate, times: f32, step: u32) {
    let rate = match rate {
        Rate::Fixed(rate) => rate,
        Rate::FixedFromFirst(rate) => {
            if step == 0 {
                1.0
            } else {
                rate
            }
        }
        Rate::Cumulative => 1.0 / (step as f32 + 1.0),
        Rate::Sum => {
            for (s, &v) in state.iter_mut().zip(value) {
                *s += times * v;
            }
            return;
        }
    };
    for (s, &v) in state.iter_mut().zip(value) {
        let v = times * v;
        // A rate of 1 replaces the state, whatever it was.
        *s = if rate == 1.0 { v } else { *s + rate * (v - *s) };
    }
}
