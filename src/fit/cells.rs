//! Cells and levels: reads put in order, cells that are stuck or far off taken out.

use super::Measurements;
use super::intervals::{self, Estimate};

/// Reads of a cell at one time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Visit {
    pub time_s: f64,
    pub values: Vec<f64>,
}

impl Visit {
    pub fn mean(&self) -> f64 {
        self.values.iter().sum::<f64>() / self.values.len() as f64
    }

    /// Sum of squares around the mean.
    pub fn squares(&self) -> f64 {
        let mean = self.mean();
        self.values.iter().map(|v| (v - mean).powi(2)).sum()
    }
}

/// A cell that was programmed to one target.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cell {
    pub chip: u32,
    pub array: u32,
    /// Row and column, where they are known.
    pub place: Option<[u32; 2]>,
    /// In the order of time.
    pub visits: Vec<Visit>,
}

impl Cell {
    /// Its mean at the first time.
    pub fn first(&self) -> f64 {
        self.visits[0].mean()
    }
}

/// All cells with one target.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Level {
    pub target_us: f64,
    pub cells: Vec<Cell>,
    /// Robust standard deviation within arrays.
    pub width: f64,
    /// Share of them that is stuck at the target itself: these do not vary, and are seen only in arrays whose other
    /// cells are elsewhere.
    pub still: f64,
    /// All there were, with those that were taken out.
    pub all: usize,
}

/// Cells by target, the lowest first; their order and that of their reads do not depend on the table's.
pub(super) fn levels(m: &Measurements) -> Vec<Level> {
    let mut reads: Vec<_> = m.reads.iter().collect();
    reads.sort_by(|a, b| {
        let key = |r: &super::Read| (r.chip, r.array, r.cell);
        a.target_us
            .total_cmp(&b.target_us)
            .then(key(a).cmp(&key(b)))
            .then(a.time_s.total_cmp(&b.time_s))
            .then(a.value_us.total_cmp(&b.value_us))
    });
    let by_target = reads.chunk_by(|a, b| a.target_us == b.target_us);
    let level = |reads: &[&super::Read]| {
        let by_cell = reads.chunk_by(|a, b| (a.chip, a.array, a.cell) == (b.chip, b.array, b.cell));
        let cells: Vec<Cell> = by_cell
            .map(|reads| {
                let visits = reads.chunk_by(|a, b| a.time_s == b.time_s);
                Cell {
                    chip: reads[0].chip,
                    array: reads[0].array,
                    place: reads[0].place,
                    visits: visits
                        .map(|reads| Visit {
                            time_s: reads[0].time_s,
                            values: reads.iter().map(|r| r.value_us).collect(),
                        })
                        .collect(),
                }
            })
            .collect();
        Level {
            target_us: reads[0].target_us,
            all: cells.len(),
            width: 0.0,
            still: 0.0,
            cells,
        }
    };
    by_target.map(level).collect()
}

/// Cells that do not follow their targets.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Taken {
    /// Share that is stuck at the lowest conductance, of cells where that can be seen.
    pub stuck_off: Option<Estimate>,
    /// The same at the highest conductance.
    pub stuck_on: Option<Estimate>,
    /// Cells that are neither and yet too far off.
    pub outliers: usize,
    /// Targets so near an end that cells which are stuck there cannot be told from their own.
    pub blind: Vec<f64>,
}

/// Robust standard deviations of a level beyond which a cell is not of it, and of an end of the range within which it
/// is stuck there.
const FAR: f64 = 5.0;
const NEAR: f64 = 4.0;

/// As [`FAR`] and [`NEAR`], of cells at the end that is their own target.
const APART: f64 = 4.0;
const AT_TARGET: f64 = 3.0;

/// As [`FAR`], of cells that are at no end of the range.
const OUTLIER: f64 = 8.0;

/// Cells of a level, or of a group, below which their middle says too little.
const FEW: usize = 8;

/// Middle and width of a level: median, and scaled median of the deviations from the middle of each cell's array.
struct Middle {
    median: f64,
    width: f64,
    /// Of every cell's array, or of the level where it has few cells.
    of_cells: Vec<f64>,
}

impl Middle {
    fn new(level: &Level) -> Self {
        let firsts = |cells: &[Cell]| cells.iter().map(Cell::first).collect::<Vec<_>>();
        let middle = median(firsts(&level.cells));
        let groups = level
            .cells
            .chunk_by(|a, b| (a.chip, a.array) == (b.chip, b.array));
        let of_cells: Vec<f64> = groups
            .flat_map(|group| {
                let own = match group.len() < FEW {
                    true => middle,
                    false => median(firsts(group)),
                };
                std::iter::repeat_n(own, group.len())
            })
            .collect();
        let cells = level.cells.iter().zip(&of_cells);
        let deviations = cells
            .map(|(cell, own)| (cell.first() - own).abs())
            .collect();
        Self {
            median: middle,
            width: 1.4826 * median(deviations),
            of_cells,
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len();
    match n.is_multiple_of(2) {
        true => 0.5 * (values[n / 2 - 1] + values[n / 2]),
        false => values[n / 2],
    }
}

/// Whether a level is an end of several.
fn levels_end(at: usize, last: usize) -> bool {
    last > 0 && (at == 0 || at == last)
}

impl Level {
    /// What stuck cells that were not seen add to the squares of an array's cells around their mean: they are where the
    /// target is. Relative to the degrees of freedom, as a share of the array.
    pub fn unseen_squares(&self, mean: f64) -> f64 {
        let away = (mean - self.target_us) / (1.0 - self.still);
        match away.abs() <= APART * self.width {
            true => self.still * (1.0 - self.still) * away * away,
            false => 0.0,
        }
    }
}

/// Takes stuck cells and outliers out of the levels.
pub(super) fn take_out(levels: &mut [Level], g_max_us: f64) -> Taken {
    let middles: Vec<Middle> = levels.iter().map(Middle::new).collect();
    let (low, high) = match &middles[..] {
        [first, .., last] => ((first.median, first.width), (last.median, last.width)),
        // One level alone: ends are near nothing, and near the largest conductance.
        _ => (
            (0.0, 0.025 * middles[0].median),
            (g_max_us, 0.025 * g_max_us),
        ),
    };
    let (off_below, on_above) = (low.0 + NEAR * low.1, high.0 - NEAR * high.1);
    let (mut off, mut on, mut sees_off, mut sees_on) = (0, 0, 0, 0);
    let (mut outliers, mut blind) = (0, vec![]);
    let last = levels.len() - 1;
    for (at, (level, middle)) in levels.iter_mut().zip(&middles).enumerate() {
        let far = FAR * middle.width;
        let enough = level.cells.len() >= FEW;
        let can_off = enough && middle.median - far > off_below;
        let can_on = enough && middle.median + far < on_above;
        if !((can_off || at == 0) && (can_on || at == last)) {
            blind.push(level.target_us);
        }
        sees_off += if can_off { level.all } else { 0 };
        sees_on += if can_on { level.all } else { 0 };
        level.width = middle.width;
        let (target, own_end) = (level.target_us, levels_end(at, last));
        let mut own = middle.of_cells.iter();
        level.cells.retain(|cell| {
            let (x, own) = (cell.first(), own.next().copied().unwrap_or(middle.median));
            let is_off = can_off && x <= off_below && x < own - far;
            let is_on = can_on && x >= on_above && x > own + far;
            let still = own_end
                && enough
                && (x - target).abs() <= AT_TARGET * middle.width
                && (x - own).abs() > APART * middle.width;
            let outlies = enough && middle.width > 0.0 && (x - own).abs() > OUTLIER * middle.width;
            off += usize::from(is_off);
            on += usize::from(is_on);
            outliers += usize::from(outlies && !is_off && !is_on && !still);
            !(is_off || is_on || outlies || still)
        });
    }
    // Medians of levels of which half is stuck are those of stuck cells.
    let value = |e: &Option<Estimate>| e.map_or(0.0, |e| e.value.min(0.5));
    let stuck_off = intervals::share(off, sees_off);
    let stuck_on = intervals::share(on, sees_on);
    if let [first, .., last] = levels {
        (first.still, last.still) = (value(&stuck_off), value(&stuck_on));
    }
    Taken {
        stuck_off,
        stuck_on,
        outliers,
        blind,
    }
}
