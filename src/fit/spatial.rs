//! What the cells of a row, and of a column, have in common, and how deviations change over an array.
//!
//! The deviations of the cells of an array, in the unit of the error of programming, are
//!
//! ```text
//! d = level + a x + b y + r(row) + c(column) + cell          x, y: place of row and column, -1/2 to 1/2
//! ```
//!
//! with fixed levels and changes of every array, and random rows, columns and cells. What rows share follows from the squares
//! that rows explain beyond levels, the change over rows and the columns (Henderson's third method), likewise columns.

use serde::Serialize;

use super::cells::Level;
use super::intervals::{self, Estimate, MeanSquare};
use super::spread::{Form, Spread, by_array, reads};

/// Parts of the deviations that go by places in an array. In the unit of the error of programming: relative to the
/// target, to the range of targets, or (with a value for every target) to the level's own standard deviation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spatial {
    /// Unit of all of them.
    pub form: Form,
    /// Standard deviation of what the cells of a row share, beside a straight change over rows.
    pub rows: Option<Estimate>,
    /// The same of columns.
    pub columns: Option<Estimate>,
    /// Mean change from the first to the last row of an array.
    pub over_rows: Option<Estimate>,
    /// Mean change from the first to the last column.
    pub over_columns: Option<Estimate>,
    /// What is left: the cells' own standard deviation.
    pub cells: Option<Estimate>,
    /// Arrays that have too many rows and columns for this analysis.
    pub too_large: usize,
}

/// Most rows and columns, together, of an array that is analysed: the work goes with their cube.
const MOST: usize = 2_048;

/// Of a column of the normal equations, what must be left of its square beside others.
const SINGULAR: f64 = 1e-9;

/// A cell on the grid of its array.
struct Place {
    level: usize,
    row: usize,
    column: usize,
    /// Deviation from the mean of all cells of its level in this array.
    d: f64,
}

/// Level, row and column, and deviation of a cell.
type Seen = (usize, [u32; 2], f64);

/// The cells of an array.
struct Grid {
    chip: u32,
    cells: Vec<Place>,
    levels: usize,
    /// Place of every row that has a cell, and of every column, -1/2 to 1/2.
    rows: Vec<f64>,
    columns: Vec<f64>,
}

/// Squares that rows (or columns) explain, and those that nothing explains.
#[derive(Default)]
struct Explained {
    squares: f64,
    df: f64,
    /// Factor from the variance of what a row shares to the expectation of `squares`.
    trace: f64,
    rest: f64,
    rest_df: f64,
}

/// From the levels; `None` where no array has cells at several rows or columns, or nothing tells their unit.
pub(super) fn spatial(levels: &[Level], spread: Option<&Spread>, span_us: f64) -> Option<Spatial> {
    let spread = spread?;
    let units = units(levels, spread, span_us);
    let all = grids(levels, &units);
    let too_large = all.iter().filter(|g| g.is_too_large()).count();
    let grids: Vec<&Grid> = all.iter().filter(|g| !g.is_too_large()).collect();
    if all.is_empty() {
        return None;
    }
    let rows = total(grids.iter().map(|grid| grid.explained(true)));
    let columns = total(grids.iter().map(|grid| grid.explained(false)));
    let changes: Vec<(u32, [Option<f64>; 2])> = grids
        .iter()
        .map(|grid| (grid.chip, grid.changes()))
        .collect();
    let change = |axis: usize| {
        let own = changes
            .iter()
            .filter_map(|(chip, c)| Some((*chip, c[axis]?)));
        over_arrays(&own.collect::<Vec<_>>())
    };
    Some(Spatial {
        form: spread.form,
        rows: rows.estimate(),
        columns: columns.estimate(),
        over_rows: change(0),
        over_columns: change(1),
        cells: own(levels, &units),
        too_large,
    })
}

/// What a deviation is divided by at every level; 0 where the level says nothing.
fn units(levels: &[Level], spread: &Spread, span_us: f64) -> Vec<f64> {
    let of = |(level, by_level): (&Level, &Option<Estimate>)| match spread.form {
        Form::Proportional => level.target_us,
        Form::Fixed => span_us,
        Form::Table => by_level.map_or(0.0, |e| e.value),
    };
    levels.iter().zip(&spread.by_level).map(of).collect()
}

/// Arrays in the order of chips, with the cells that have a place.
fn grids(levels: &[Level], units: &[f64]) -> Vec<Grid> {
    let mut found: Vec<((u32, u32), Vec<Seen>)> = vec![];
    for (at, level) in levels.iter().enumerate().filter(|(at, _)| units[*at] > 0.0) {
        for group in by_array(&level.cells) {
            let placed = || group.iter().filter_map(|c| Some((c.place?, c.first())));
            let n = placed().count();
            let mean = placed().map(|(_, g)| g).sum::<f64>() / n as f64;
            let cells = placed().map(|(place, g)| (at, place, (g - mean) / units[at]));
            let key = (group[0].chip, group[0].array);
            match found.iter_mut().find(|(known, _)| *known == key) {
                Some((_, all)) => all.extend(cells),
                None => found.push((key, cells.collect())),
            }
        }
    }
    found.sort_by_key(|(key, _)| *key);
    let grids = found
        .into_iter()
        .map(|((chip, _), cells)| Grid::new(chip, &cells));
    grids
        .filter(|g| g.rows.len() > 1 || g.columns.len() > 1)
        .collect()
}

impl Grid {
    fn new(chip: u32, cells: &[Seen]) -> Self {
        let distinct = |of: &dyn Fn(&Seen) -> u32| {
            let mut all: Vec<u32> = cells.iter().map(of).collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        let levels = distinct(&|c| c.0 as u32);
        let [rows, columns] = [0, 1].map(|axis| distinct(&|c| c.1[axis]));
        let index = |all: &[u32], of: u32| all.partition_point(|known| *known < of);
        let places = |all: &[u32]| {
            let (first, last) = (
                all.first().copied().unwrap_or(0),
                all.last().copied().unwrap_or(0),
            );
            let span = f64::from(last.abs_diff(first).max(1));
            let place = |at: &u32| f64::from(at - first) / span - 0.5;
            all.iter().map(place).collect()
        };
        Self {
            chip,
            cells: cells
                .iter()
                .map(|&(level, [row, column], d)| Place {
                    level: index(&levels, level as u32),
                    row: index(&rows, row),
                    column: index(&columns, column),
                    d,
                })
                .collect(),
            levels: levels.len(),
            rows: places(&rows),
            columns: places(&columns),
        }
    }

    fn is_too_large(&self) -> bool {
        self.rows.len() + self.columns.len() > MOST
    }

    /// What rows explain beyond levels, the change over rows and columns; with `rows` false the other way round.
    fn explained(&self, rows: bool) -> Explained {
        let (tested, other) = match rows {
            true => (&self.rows, &self.columns),
            false => (&self.columns, &self.rows),
        };
        // Levels, change, the other lines, the tested lines, deviations.
        let first = self.levels + 1 + other.len();
        let last = first + tested.len();
        let mut m = Normal::new(last + 1);
        for cell in &self.cells {
            let (own, beside) = match rows {
                true => (cell.row, cell.column),
                false => (cell.column, cell.row),
            };
            m.add(&[
                (cell.level, 1.0),
                (self.levels, tested[own]),
                (self.levels + 1 + beside, 1.0),
                (first + own, 1.0),
                (last, cell.d),
            ]);
        }
        m.remember();
        let before = (0..first).filter(|&k| m.eliminate(k)).count();
        let trace = (first..last).map(|k| m.at(k, k).max(0.0)).sum();
        let without = m.at(last, last);
        let df = (first..last).filter(|&k| m.eliminate(k)).count();
        let rest = m.at(last, last).max(0.0);
        Explained {
            squares: (without - rest).max(0.0),
            df: df as f64,
            trace,
            rest,
            rest_df: self.cells.len().saturating_sub(before + df) as f64,
        }
    }

    /// Change over rows and over columns, by least squares beside the levels.
    fn changes(&self) -> [Option<f64>; 2] {
        let (x, y, d) = (self.levels, self.levels + 1, self.levels + 2);
        let mut m = Normal::new(d + 1);
        for cell in &self.cells {
            m.add(&[
                (cell.level, 1.0),
                (x, self.rows[cell.row]),
                (y, self.columns[cell.column]),
                (d, cell.d),
            ]);
        }
        m.remember();
        for k in 0..self.levels {
            m.eliminate(k);
        }
        let has = |k: usize| m.is_left(k);
        let [xx, yy, xy] = [m.at(x, x), m.at(y, y), m.at(x, y)];
        let [xd, yd] = [m.at(x, d), m.at(y, d)];
        match (has(x), has(y)) {
            (true, false) => [Some(xd / xx), None],
            (false, true) => [None, Some(yd / yy)],
            (true, true) if xx * yy - xy * xy > SINGULAR * xx * yy => {
                let det = xx * yy - xy * xy;
                [
                    Some((xd * yy - yd * xy) / det),
                    Some((yd * xx - xd * xy) / det),
                ]
            }
            _ => [None, None],
        }
    }
}

/// Normal equations, upper half, from which unknowns are eliminated one by one.
struct Normal {
    n: usize,
    values: Vec<f64>,
    /// Squares before anything was eliminated.
    squares: Vec<f64>,
}

impl Normal {
    fn new(n: usize) -> Self {
        Self {
            n,
            values: vec![0.0; n * n],
            squares: vec![],
        }
    }

    fn at(&self, i: usize, j: usize) -> f64 {
        self.values[i.min(j) * self.n + i.max(j)]
    }

    /// A row of the equations: unknowns in rising order with their factors.
    fn add(&mut self, row: &[(usize, f64)]) {
        for (at, &(i, a)) in row.iter().enumerate() {
            for &(j, b) in &row[at..] {
                self.values[i * self.n + j] += a * b;
            }
        }
    }

    fn remember(&mut self) {
        self.squares = (0..self.n).map(|k| self.at(k, k)).collect();
    }

    /// Whether an unknown is told beside those that were eliminated.
    fn is_left(&self, k: usize) -> bool {
        self.squares[k] > 0.0 && self.at(k, k) > SINGULAR * self.squares[k]
    }

    /// Takes an unknown out of those behind it; whether it was told at all.
    fn eliminate(&mut self, k: usize) -> bool {
        if !self.is_left(k) {
            return false;
        }
        let n = self.n;
        let (above, below) = self.values.split_at_mut((k + 1) * n);
        let own = &above[k * n..];
        for i in k + 1..n {
            let factor = own[i] / own[k];
            if factor != 0.0 {
                let line = &mut below[(i - k - 1) * n..][..n];
                for j in i..n {
                    line[j] -= factor * own[j];
                }
            }
        }
        true
    }
}

/// All arrays together.
fn total(parts: impl Iterator<Item = Explained>) -> Explained {
    parts.fold(Explained::default(), |a, b| Explained {
        squares: a.squares + b.squares,
        df: a.df + b.df,
        trace: a.trace + b.trace,
        rest: a.rest + b.rest,
        rest_df: a.rest_df + b.rest_df,
    })
}

impl Explained {
    /// Standard deviation of what a row shares.
    fn estimate(&self) -> Option<Estimate> {
        let of = MeanSquare::new(self.squares, self.df)?;
        let rest = MeanSquare::new(self.rest, self.rest_df)?;
        let times = self.trace / self.df;
        (times > 0.0).then(|| intervals::spread(of, &[(1.0, rest)]).times(times.sqrt().recip()))
    }
}

/// The cells' own standard deviation: what nothing explains, less what read noise adds to it. Stuck cells that are where their
/// target is have no part in rows and columns, so such a level tells nothing while another does.
fn own(levels: &[Level], units: &[f64]) -> Option<Estimate> {
    let told = |moves: bool| -> Vec<f64> {
        let moving = |(level, unit): (&Level, &f64)| match moves && level.still > 0.0 {
            true => 0.0,
            false => *unit,
        };
        levels.iter().zip(units).map(moving).collect()
    };
    own_of(levels, &told(true)).or_else(|| own_of(levels, &told(false)))
}

fn own_of(levels: &[Level], units: &[f64]) -> Option<Estimate> {
    let grids = grids(levels, units);
    let grids = grids.iter().filter(|grid| !grid.is_too_large());
    let explained = total(grids.map(|grid| grid.explained(true)));
    let of = MeanSquare::new(explained.rest, explained.rest_df)?;
    let placed = |level: &Level| level.cells.iter().filter(|c| c.place.is_some()).count() as f64;
    let known = || levels.iter().zip(units).filter(|(_, unit)| **unit > 0.0);
    let n: f64 = known().map(|(level, _)| placed(level)).sum();
    let noise = known().filter_map(|(level, unit)| {
        let shares = level.cells.iter();
        let shares = shares.map(|c| 1.0 / c.visits[0].values.len() as f64);
        let share = shares.sum::<f64>() / level.cells.len() as f64;
        let weight = share * placed(level) / (n * unit * unit);
        Some((weight, reads(level)?.absolute.of))
    });
    let noise = MeanSquare::pooled(&noise.collect::<Vec<_>>()).map(|ms| (1.0, ms));
    Some(intervals::spread(of, noise.as_slice()))
}

/// Mean over the means of chips, or of one chip over its arrays.
fn over_arrays(changes: &[(u32, f64)]) -> Option<Estimate> {
    let chips: Vec<f64> = changes
        .chunk_by(|a, b| a.0 == b.0)
        .map(|chip| chip.iter().map(|c| c.1).sum::<f64>() / chip.len() as f64)
        .collect();
    let arrays: Vec<f64> = changes.iter().map(|c| c.1).collect();
    intervals::mean(&chips).or_else(|| intervals::mean(&arrays))
}

impl Spatial {
    /// Every part with its name, as far as it is told.
    pub fn parts(&self) -> Vec<(&'static str, Estimate)> {
        let all = [
            ("rows", self.rows),
            ("columns", self.columns),
            ("change over rows", self.over_rows),
            ("change over columns", self.over_columns),
        ];
        all.into_iter()
            .filter_map(|(name, e)| Some((name, e?)))
            .collect()
    }

    /// Those whose interval does not hold 0.
    pub(super) fn certain(&self) -> Vec<(&'static str, Estimate)> {
        let mut all = self.parts();
        all.retain(|(_, e)| e.interval[0] > 0.0 || e.interval[1] < 0.0);
        all
    }

    /// What the parts are relative to.
    pub fn unit(&self) -> &'static str {
        match self.form {
            Form::Proportional => "relative to the target",
            Form::Fixed => "relative to the range",
            Form::Table => "relative to the level's standard deviation",
        }
    }

    /// What places do not tell, and what of them the simulator does not have.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut found = vec![];
        if self.too_large > 0 {
            found.push(format!(
                "{} arrays have more than {MOST} rows and columns: what rows and columns share is not looked for in them",
                self.too_large
            ));
        }
        if self.rows.is_none() && self.columns.is_none() {
            found.push("too few places of an array were measured: what rows and columns share cannot be told".into());
        }
        let certain = self.certain();
        if !certain.is_empty() {
            let names: Vec<&str> = certain.iter().map(|(name, _)| *name).collect();
            found.push(format!(
                "deviations go by places ({}), which the simulator does not have: the error of programming holds them as if cells were \
                 independent, with an interval that is too narrow, and sigma_array a part of them",
                names.join(", ")
            ));
        }
        found
    }
}
