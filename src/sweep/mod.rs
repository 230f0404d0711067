//! Sweeps: which chips are simulated at which point, what was measured on each, and the
//! statistics over chips.
//!
//! * [`runner`]: a whole experiment. * [`wave`]: chips in waves on a backend.
//! * [`cells`]: a point's crossbar layers at cell level.
//! * [`mvm`](mod@mvm): one matrix on one chip, every stage visible.
//! * [`outdir`]: the directory a run writes to.
//! * [`result`]: the row of a chip, the summary of a point, the result of a whole sweep.
//! * [`statistics`]: means, quantiles, yields and their confidence intervals.

pub mod cells;
pub mod mvm;
pub mod outdir;
pub mod result;
pub mod runner;
pub mod statistics;
pub mod wave;

pub use runner::{Outcome, SweepOptions, one_chip, run};
