//! ONNX models, read into graphs and written from them.
//!
//! # Reading
//! [`import`] walks the nodes that the output needs, in the order of the file. A value is a
//! constant (weights, and whatever is computed from constants alone, which is folded), a map of a
//! graph node with the model's own dimensions (so that flattening, squeezing and reshaping cost
//! nothing), integer codes between a quantizer's two halves, or a shape with the number of images in
//! it. Data movement of any kind (transposition, padding, slicing, channel shuffle) becomes
//! [`crate::network::graph::Layer::Rearrange`].
//!
//! Nothing in a file is trusted: lengths are held against what is there before memory is taken, and
//! the tables that a small file can ask for are limited by [`Options::max_values`].
//!
//! # Writing
//! [`export`] writes operator set 17. Quantizers become QuantizeLinear and DequantizeLinear, behind a
//! Clip where their range is not that of 8 bits.

mod codes;
mod constant;
mod export;
mod export_quantizers;
mod external;
mod fold;
mod import;
mod importer;
mod input;
mod names;
mod node;
mod ops;
pub(crate) mod proto;
mod schema;
mod write;

pub use export::export;
pub use import::{Options, import, import_file, operators};
