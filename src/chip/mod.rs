//! What fabrication does to a chip (docs/MODEL.md 3): the parts of the deviation that all its cells
//! share, where it lay on its wafer, and the configuration's terms as the backend knows them.
//!
//! The within-chip part is drawn on the backend, cell by cell
//! ([`crate::program::Fabricate`]); [`closed_form`] writes the same chip down in
//! `f64`, and [`moments`] says what variation does to a matrix-vector product.
//!
//! # Examples
//! ```
//! use pimento::chip::ChipVariation;
//! use pimento::config::Variation;
//!
//! # fn main() -> pimento::Result<()> {
//! let variation = Variation { sigma_b: 0.1, ..Variation::default() };
//! let chips = ChipVariation::new(&variation)?;
//! // Chip 3 of seed 1 is the same chip whenever and wherever it is asked for.
//! let chip = chips.deviation(1, 3);
//! assert_eq!(chip, chips.deviation(1, 3));
//! assert_ne!(chip.eps_b, chips.deviation(1, 4).eps_b);
//! # Ok(())
//! # }
//! ```

pub mod calibrate;
pub mod cell_form;
pub mod cells;
pub mod closed_form;
pub mod ir_drop;
pub mod layer;
pub mod moments;
pub mod ranges;
mod sampled;
pub mod stratified;
pub mod terms;
pub mod variation;
pub mod wafer;

pub use variation::{ChipVariation, Deviation};
pub use wafer::Wafer;
