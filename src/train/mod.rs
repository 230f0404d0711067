//! Training under quantization and variation (docs/MODEL.md 5).
//!
//! Recipes:
//! * `float`: neither quantizers nor variation.
//! * `qat`: quantizers, no variation: the network that does not expect what the chip will do.
//! * `ptq-vat`: variation in float, quantized afterwards (steps from the weights, activation steps
//!   and batch norm statistics from one pass over the training set under variation).
//! * `qavat`: quantizers and variation together: a fresh chip every step, noise after the weight
//!   quantizer, gradients through the noisy values.
//!
//!
//! A training is one stage or several ([`crate::config::Stages`]), each composed of parts
//! ([`crate::config::parts`]); recipes are names of compositions.
//!
//! # Practice
//! Everything random (initial weights, order of images, how images are moved, chips of the steps) is a pure function of
//! the training seed and a counter, and all state is in `f32` tensors of the program: a run that
//! was interrupted and resumed goes through the same bits as one that was not (on one backend).
//!
//! # Examples
//! `examples/own_network.rs` trains a network and writes it to a file.

mod batches;
mod cells;
mod check;
mod checkpoint;
pub(crate) mod converters;
mod identity;
mod masks;
mod quantizer_steps;
mod run;
pub mod settings;
mod stages;
mod trainer;
mod validate;

pub use check::check;
pub(crate) use checkpoint::keep_model;
pub use checkpoint::{load_model, model_from_bytes, record_of, save_model};
pub use identity::training_key;
pub use trainer::{EpochRecord, Job, Model, TrainRecord, Validation, train};
