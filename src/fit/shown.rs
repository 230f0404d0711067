//! What pictures of a fit show: cells and their deviations, levels as they age.

use super::cells::{Cell, Level};
use super::spread::{by_array, within};

/// A cell that was fitted: neither stuck nor an outlier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Chip and array, counted as in [`Read`](super::Read).
    pub chip: u32,
    /// Array of the chip.
    pub array: u32,
    /// Row and column, where they are known.
    pub place: Option<[u32; 2]>,
    /// Conductance that was to be programmed, microsiemens.
    pub target_us: f64,
    /// Mean of the first reads, microsiemens.
    pub value_us: f64,
    /// Deviation from the mean of its target in its array, microsiemens, widened by what the mean takes from it: its standard
    /// deviation is that of a cell. `None` of a cell that is alone there.
    pub deviation_us: Option<f64>,
    /// The same in standard deviations of its level; `None` where cells of the level do not vary.
    pub deviate: Option<f64>,
}

/// A level at a time after programming.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Aged {
    /// Conductance that was to be programmed, microsiemens.
    pub target_us: f64,
    /// Seconds since programming.
    pub time_s: f64,
    /// Cells that were read then, and at a first time.
    pub cells: usize,
    /// Mean over the cells of the logarithm of conductance, relative to the cell's first read.
    pub mean_ln: f64,
    /// Its standard deviation over cells; 0 of one.
    pub sd_ln: f64,
}

/// All cells of all levels.
pub(super) fn samples(levels: &[Level]) -> Vec<Sample> {
    let mut all = vec![];
    for level in levels {
        let sd = within(level).map_or(0.0, |w| w.absolute.of.value.sqrt());
        for group in by_array(&level.cells) {
            let n = group.len() as f64;
            let mean = group.iter().map(Cell::first).sum::<f64>() / n;
            let widen = (n / (n - 1.0)).sqrt();
            all.extend(group.iter().map(|cell| {
                let deviation_us = (n > 1.0).then(|| (cell.first() - mean) * widen);
                Sample {
                    chip: cell.chip,
                    array: cell.array,
                    place: cell.place,
                    target_us: level.target_us,
                    value_us: cell.first(),
                    deviation_us,
                    deviate: deviation_us.filter(|_| sd > 0.0).map(|d| d / sd),
                }
            }));
        }
    }
    all
}

/// Levels at every time that several reads tell.
pub(super) fn aged(levels: &[Level]) -> Vec<Aged> {
    let mut all = vec![];
    for level in levels {
        let mut seen: Vec<(f64, f64)> = vec![];
        for cell in level.cells.iter().filter(|c| c.visits.len() > 1) {
            let first = cell.first();
            let known = cell.visits.iter().map(|v| (v.time_s, v.mean()));
            let known = known.filter(|(_, g)| *g > 0.0 && first > 0.0);
            seen.extend(known.map(|(time, g)| (time, (g / first).ln())));
        }
        seen.sort_by(|a, b| a.0.total_cmp(&b.0));
        for at in seen.chunk_by(|a, b| a.0 == b.0) {
            let n = at.len() as f64;
            let mean = at.iter().map(|s| s.1).sum::<f64>() / n;
            let squares: f64 = at.iter().map(|s| (s.1 - mean).powi(2)).sum();
            all.push(Aged {
                target_us: level.target_us,
                time_s: at[0].0,
                cells: at.len(),
                mean_ln: mean,
                sd_ln: (squares / (n - 1.0).max(1.0)).sqrt(),
            });
        }
    }
    all
}
