//! What a run leaves behind for people and for programs.
//!
//! * [`chips`]: `chips.csv`, one row per point and chip.
//! * [`summary`]: `summary.json`, one object per point.
//! * [`table`]: the table on the terminal.
//! * [`file`]: files that appear whole or not at all.

pub mod chips;
pub mod file;
mod layout;
pub mod summary;
mod table;
mod text;

pub use table::table;
