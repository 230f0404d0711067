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

/// Writes all result files of a sweep into `dir`, each whole or not at all.
pub fn write(
    dir: &std::path::Path,
    result: &crate::sweep::result::SweepResult,
    rows: &[crate::sweep::result::ChipRow],
) -> crate::Result<()> {
    chips::write(&dir.join(crate::sweep::outdir::CHIPS), rows)?;
    summary::write(&dir.join(crate::sweep::outdir::SUMMARY), result)
}
