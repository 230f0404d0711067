//! Energy, latency and area of layers on arrays.
//!
//! A layer uses each of its parts so often for an image; a technology says what a use takes and what a part measures. Where
//! several published models know a converter, the result is the interval between them. docs/energy.md has the
//! equations, what counts as an operation, and what is not in it.
//!
//! # Examples
//! ```
//! use pimento::config::technology::{ConverterLaw, Technology};
//! use pimento::energy::converter::{self, Use};
//!
//! # fn main() -> pimento::Result<()> {
//! let technology = Technology::find("reference-32nm")?;
//! let of = Use { bits: 8, rows: 128, rate: 1e8, integrated: None };
//! let found = converter::by(ConverterLaw::Survey, &technology, 32.0, &of).unwrap();
//! assert!((found.energy_pj - 1.714).abs() < 1e-3);
//! // The survey begins at 4 bits.
//! let coarse = Use { bits: 3, ..of };
//! assert!(converter::by(ConverterLaw::Survey, &technology, 32.0, &coarse).is_none());
//! # Ok(())
//! # }
//! ```

pub mod converter;
mod interval;
mod layer;
pub mod scaling;
#[cfg(test)]
mod tests;

pub use interval::Interval;
pub use layer::{
    Digital, LayerEstimate, OnArrays, PartEstimate, Rates, digital, mean_cell, on_arrays,
};

use crate::choice::choices;

choices! {
    /// A part of a chip.
    pub enum Part {
        /// Cells: what their currents dissipate.
        Arrays = "arrays",
        /// Drivers of the rows and their lines.
        Drivers = "drivers",
        /// Sample and hold of the columns.
        SampleHold = "sample-hold",
        /// Converters.
        Converters = "converters",
        /// Shift and add behind the converters.
        ShiftAdd = "shift-add",
        /// Buffers of inputs and outputs.
        Buffers = "buffers",
        /// Buses and routers.
        Interconnect = "interconnect",
        /// Digital arithmetic: from sums to activations, digital offsets, layers that are executed digitally.
        Digital = "digital",
        /// Corrections of tuning for every image.
        Tuning = "tuning",
    }
}
