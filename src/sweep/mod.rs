//! Sweeps: which chips are simulated at which point, what was measured on each, and the
//! statistics over chips.
//!
//! * [`result`]: the row of a chip, the summary of a point, the result of a whole sweep.
//! * [`statistics`]: means, quantiles, yields and their confidence intervals.

pub mod result;
pub mod statistics;
