//! Networks: graphs of layers, their parameters, and how they become programs.
//!
//! * [`graph`]: layers and shapes. * [`zoo`]: the architectures that come along.
//! * [`mod@file`]: networks from files: [`onnx`], [`description`] with safetensors.
//! * [`run`]: the plain network on images. * [`npy`]: its outputs in files.
//! * [`parameters`]: named tensors, initialisation, safetensors. * [`seal`]: their checksum.
//! * [`lower`]: graph to [`crate::backend::Program`], for inference and for training.
//!
//! # Examples
//! `examples/own_network.rs` reads a network from an ONNX file and puts it on chips.

pub mod description;
pub mod file;
pub mod graph;
pub mod lower;
pub mod npy;
pub mod onnx;
pub mod parameters;
mod rewrite;
pub mod run;
pub mod seal;
pub mod state;
pub mod zoo;

pub use graph::Graph;
pub use parameters::Parameters;
