//! What fabrication does to a chip (docs/MODEL.md 3): the parts of the deviation that all its cells
//! share, where it lay on its wafer, and the configuration's terms as the backend knows them.
//!
//! The within-chip part is drawn on the backend, cell by cell
//! ([`crate::program::Fabricate`]); [`closed_form`] writes the same chip down in
//! `f64`, and [`moments`] says what variation does to a matrix-vector product.

pub mod calibrate;
pub mod cell_form;
pub mod cells;
pub mod closed_form;
pub mod ir_drop;
pub mod layer;
pub mod moments;
pub mod ranges;
pub mod stratified;
pub mod terms;
pub mod variation;
pub mod wafer;

pub use variation::{ChipVariation, Deviation};
pub use wafer::Wafer;
