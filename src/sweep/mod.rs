//! Sweeps: which chips are simulated at which point, what was measured on each, and the
//! statistics over chips.
//!
//! * [`runner`]: a whole experiment, or the part of a [`shard`]; [`merge`](mod@merge) puts the parts
//!   together. * `in_memory`: rows without an output directory. * [`wave`]: chips in waves on a backend. * `workers`: waves on several backends.
//! * [`cells`]: a point's crossbar layers at cell level. * [`mvm`](mod@mvm): one matrix on one chip, every
//!   stage visible.
//! * [`prepare`](mod@prepare): whether it can be done, which `check`, `--dry-run` and a run begin with.
//!   [`plan`](mod@plan): what it would do. * [`models`]: trained networks. * [`stopping`]: points that end early, [`until`] they are known.
//! * [`stepwise`]: chips of points as they are asked for. * [`outdir`]: the directory a run writes to. * [`journal`]: the file in it that survives
//!   everything; [`rows`] reads it. * `outcome`: from a journal to results. * `identity`: what a
//!   journal notes about a sweep. * `tracking`: how far it is.
//! * [`result`]: the row of a chip, the summary of a point, the result of a whole sweep. * [`columns`]: the
//!   columns that only some experiments have; [`spread`]: their statistics.
//! * [`compare`]: points against each other. * [`cost`]: what a chip costs. * [`worst`]: the worst
//!   chip within a bound. * [`slices`](mod@slices): digits, column sums and currents of a network's arrays.
//!   [`snr`](mod@snr): signal-to-noise ratios of its layers.
//! * [`census`]: what the chips of a point add up to. * [`statistics`]: means, quantiles, yields and
//!   their confidence intervals.
//!
//! # Examples
//! `examples/train_and_sweep.rs` simulates a hundred chips in memory; `examples/one_matrix.rs` multiplies one
//! matrix on one chip.

pub mod breakdown;
pub mod cells;
pub mod census;
pub mod columns;
pub mod compare;
pub mod cost;
mod finite;
mod identity;
mod in_memory;
pub mod journal;
pub mod merge;
pub mod models;
pub mod mvm;
mod outcome;
pub mod outdir;
pub mod plan;
pub mod prepare;
pub mod result;
pub mod rows;
pub mod runner;
pub mod shard;
pub mod slices;
pub mod snr;
pub mod spread;
pub mod statistics;
pub mod stepwise;
pub mod stopping;
mod tracking;
pub mod until;
pub mod wave;
mod workers;
pub mod worst;

pub use in_memory::{Measured, chip_of_run, fabricated, in_memory, one_chip, summarise};
pub use merge::{MergeOptions, merge};
pub use outcome::Outcome;
pub use plan::{Plan, plan};
pub use prepare::prepare;
pub use runner::{SweepOptions, run};

/// Bytes as hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
