//! Self-tuning (docs/MODEL.md 6): a chip measures what its cells have in common and
//! corrects its layers, and what that is compared with.
//!
//! * [`estimate`]: the global tuning module: test cells; `reads`: what they tell;
//!   `estimator`: mean and MMSE.
//! * [`correct`]: the local tuning modules: what a layer does with an estimate.
//! * [`Tuner`]: both together for one point of a sweep, with the cost.
//!
//! # Examples
//! `examples/self_tuning.rs` compares estimators and corrections.

pub mod cells;
pub mod correct;
pub mod cost;
pub mod estimate;
mod estimator;
mod norms;
mod reads;
mod tuner;

pub use cost::TuningCost;
pub use tuner::{ChipTuning, LayerTuning, Tuner};
