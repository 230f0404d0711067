//! Pimento simulates neural networks on analog in-memory-computing chips: it trains them under
//! variability, fabricates thousands of chips that all differ, lets each tune itself, and tells the
//! distribution of their accuracies.
//!
//! # Which room answers which question
//!
//! | question | room |
//! |---|---|
//! | What is simulated? | [`config`]: the experiment file, its defaults, every mistake in it |
//! | Which images? | [`data`] |
//! | Which network, and how does it become operators? | [`network`] |
//! | What is an operator, exactly? | [`program::Op`], the specification of both backends |
//! | What becomes of a cell, and in which order? | [`effects`] |
//! | Where does it run? | [`backend`]: `cpu`, and `wgpu` with the shaders |
//! | Which number does cell *i* of chip *k* draw? | [`random`] |
//! | How is a value quantized? | [`quantize`] |
//! | Which array and cell holds which digit of which weight? | [`mapping`] |
//! | What have the cells of a chip in common? | [`chip`] |
//! | What do an experiment and its images come to? | [`setup`](mod@setup) |
//! | How are weights learned? | [`train`] |
//! | How does a chip correct itself? | [`tuning`] |
//! | Which chips, how many, and what came out? | [`sweep`] |
//! | Which designs of a space are the best? | [`design`] |
//! | How is it shown? | [`report`] |
//! | How fast is this machine at it? | [`bench`](mod@bench) |
//! | How does another program offer the command line? | `cli` (feature `cli`) |
//!
//! # In a few lines
//!
//! The programs in `examples/` show more: own networks, own images, one matrix, self-tuning, an observer.
//!
//! ```
//! use pimento::backend::cpu::CpuBackend;
//! use pimento::config::Experiment;
//! use pimento::{data::Embedded, sweep};
//!
//! # fn main() -> pimento::Result<()> {
//! let experiment = Experiment::parse(
//!     "[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [16]\n\
//!      [train]\nepochs = 1\n[variation]\nsigma_w = 0.1\nsigma_b = 0.1\n[sweep]\nchips = 4\n",
//!     "example",
//! )?;
//! let data = Embedded::Digits8x8.load()?;
//! let point = (0, 3); // the sweep's only point, chip 3
//! let backend = CpuBackend::new();
//! let (summary, chip) = sweep::one_chip(&backend, &experiment, &data, point, None, &())?;
//! println!("chip 3: {:.1} % of {} images", 100.0 * chip.accuracy, summary.images);
//! # Ok(())
//! # }
//! ```
#![warn(missing_docs)]

// The command line names the library as every other program does.
#[cfg(feature = "cli")]
extern crate self as pimento;

pub mod backend;
pub mod bench;
pub mod chip;
pub mod choice;
#[cfg(feature = "cli")]
pub mod cli;
pub mod column;
pub mod config;
pub mod data;
pub mod design;
pub mod effects;
pub mod energy;
pub mod error;
pub mod files;
pub mod fit;
pub mod mapping;
pub mod memory;
pub mod network;
pub mod program;
pub mod progress;
pub mod quantize;
pub mod random;
pub mod report;
pub mod setup;
pub mod sweep;
pub mod train;
pub mod tuning;
mod vector;

pub use error::{Error, Result};
