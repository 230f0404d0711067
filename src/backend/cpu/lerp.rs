//! Running statistics.

use crate::program::Rate;

/// `state += rate (times value - state)`, `step` counted from 0; see [`Rate`].
pub(super) fn forward(state: &mut [f32], value: &[f32], rate: Rate, times: f32, step: u32) {
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
