//! What a run leaves behind for people and for programs.
//!
//! * [`chips`]: `chips.csv`, one row per point and chip.
//! * `parquet`: `chips.parquet`, the same with types (feature `parquet`). * [`typed`]: the same as columns in memory.
//! * [`summary`]: `summary.json`, one object per point.
//! * [`html`]: `report.html`, one page for people; [`headline_svg`], one picture.
//! * [`table`](fn@table): the table on the terminal. [`slices`]: that of the analysis of a network's digits;
//!   [`snr`]: that of signal-to-noise ratios.
//! * [`designs`]: what a search of designs leaves. [`trainings`]: how trainings went.
//! * [`tabled`]: a run of which only a table of chips is at hand.
//! * [`figures`]: one figure, for a paper; [`export`]: as SVG, PNG, PDF or CSV.
//! * [`combine`]: several runs on one page. * [`diff`]: two runs against each other, point by point
//!   as [`pairing`] says. * [`verify`]: whether what is read back can be what a sweep wrote.
//!
//! # Examples
//! `examples/train_and_sweep.rs` prints what a sweep found; `pimento report` writes the files of this room.

pub mod chips;
pub mod combine;
pub mod designs;
pub mod diff;
pub mod export;
pub mod figures;
pub mod html;
mod label;
mod layout;
pub mod pairing;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod plot;
pub mod slices;
pub mod snr;
pub mod summary;
mod table;
pub mod tabled;
mod text;
pub mod trainings;
pub mod typed;
pub mod verify;

pub use plot::headline_svg;
pub use table::table;

use std::path::Path;

use crate::error::Result;
use crate::files::write_atomically;
use crate::sweep::outdir;
use crate::sweep::result::SweepResult;
use crate::sweep::rows::Rows;

/// Most rows that plots and paired comparisons are made of, all points together: as many chips of
/// every point, from the first. The statistics of the points are made of all.
const PICTURED: usize = 100_000;

/// Writes `chips.csv`, with feature `parquet` `chips.parquet`, `report.html`, `headline.svg` and
/// `summary.json` into the directory `dir`,
/// which exists; each file whole or not at all, the summary last: where it is, the others are.
/// `rows` is read through once and never held.
pub fn write(dir: &Path, result: &SweepResult, rows: &dyn Rows) -> Result<()> {
    let points = result.points.len();
    chips::write(&dir.join(outdir::CHIPS), result, rows)?;
    let typed = dir.join(outdir::PARQUET);
    #[cfg(feature = "parquet")]
    parquet::write(&typed, result, rows)?;
    // A run that another build of Pimento began has one, and it would not be of these rows.
    #[cfg(not(feature = "parquet"))]
    crate::files::remove_if_there(&typed)?;
    let pictured = rows.first(points, (PICTURED / points.max(1)).max(1))?;
    html::write(&dir.join(outdir::REPORT), result, &pictured)?;
    let picture = headline_svg(result, &pictured);
    write_atomically(&dir.join(outdir::PICTURE), picture.as_bytes())?;
    summary::write(&dir.join(outdir::SUMMARY), result)
}
