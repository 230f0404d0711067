//! Sweeps: which chips are simulated at which point, what was measured on each, and the
//! statistics over chips.
//!
//! * [`runner`]: a whole experiment. * [`wave`]: chips in waves on a backend.
//! * [`compare`]: points against each other. * [`cost`]: what a chip costs.
//! * [`outdir`]: the directory a run writes to.
//! * [`result`]: the row of a chip, the summary of a point, the result of a whole sweep.
//! * [`worst`]: the worst chip within a bound.
//! * [`statistics`]: means, quantiles, yields and their confidence intervals.

pub mod compare;
pub mod cost;
pub mod outdir;
pub mod result;
pub mod runner;
pub mod statistics;
pub mod wave;
pub mod worst;

pub use runner::{Outcome, SweepOptions, one_chip, run};
