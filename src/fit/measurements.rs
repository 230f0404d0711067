//! Tables of measured cells.

use std::collections::HashMap;
use std::io::Read as Bytes;
use std::path::Path;

use crate::error::{Error, Result};

/// One read of one cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Read {
    /// Chip, counted in the order in which chips appear.
    pub chip: u32,
    /// Array of the chip, likewise.
    pub array: u32,
    /// Cell of the array, likewise.
    pub cell: u32,
    /// Row and column of the cell, where the table has both as whole numbers.
    pub place: Option<[u32; 2]>,
    /// Conductance that was to be programmed, microsiemens.
    pub target_us: f64,
    /// Conductance that was read, microsiemens.
    pub value_us: f64,
    /// Time since programming, seconds; 1 where the table has none.
    pub time_s: f64,
}

/// Reads of cells, and what the table says of them.
///
/// # Examples
/// ```
/// use pimento::fit::Measurements;
///
/// let text = "chip,cell,target_us,value_us\n1,1,10,10.3\n1,2,10,9.6\n";
/// let found = Measurements::from_reader(text.as_bytes(), "cells.csv")?;
/// assert_eq!((found.reads.len(), found.has_times), (2, false));
/// # Ok::<(), pimento::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Measurements {
    /// Reads in the order of the table.
    pub reads: Vec<Read>,
    /// Whether chips are told apart.
    pub has_chips: bool,
    /// Whether arrays are told apart.
    pub has_arrays: bool,
    /// Whether cells are told apart; else every read is of a cell of its own.
    pub has_cells: bool,
    /// Whether times are known.
    pub has_times: bool,
}

/// Columns that a table may have.
const COLUMNS: [&str; 8] = [
    "chip",
    "array",
    "cell",
    "row",
    "col",
    "target_us",
    "value_us",
    "time_s",
];

/// Where the columns are.
struct Places([Option<usize>; COLUMNS.len()]);

impl Places {
    fn of(&self, name: &str) -> Option<usize> {
        let at = COLUMNS.iter().position(|column| *column == name)?;
        self.0[at]
    }
}

impl Measurements {
    /// Reads a CSV file with a line of column names.
    ///
    /// # Errors
    /// A file that cannot be read; columns that are unknown, missing or there twice; values that are no
    /// conductances or times, with their line.
    pub fn load(path: &Path) -> Result<Self> {
        let file = std::fs::File::open(path).map_err(|e| Error::io(path, e))?;
        Self::from_reader(file, &path.display().to_string())
    }

    /// As [`Measurements::load`], of a text that is called `name` in messages.
    ///
    /// # Errors
    /// As [`Measurements::load`].
    pub fn from_reader(text: impl Bytes, name: &str) -> Result<Self> {
        let mut table = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .comment(Some(b'#'))
            .from_reader(text);
        let broken = |e: csv::Error| Error::input(format!("{name}: {e}"));
        let header = table.headers().map_err(broken)?.clone();
        let places = columns(&header, name)?;
        let mut names = Names::default();
        let mut reads = vec![];
        let mut record = csv::StringRecord::new();
        while table.read_record(&mut record).map_err(broken)? {
            let line = record.position().map_or(0, csv::Position::line);
            reads.push(read(&record, &places, &mut names, (name, line))?);
        }
        if reads.is_empty() {
            return Err(Error::input(format!(
                "{name}: a table without a row; allowed: one row for every read of a cell"
            )));
        }
        Ok(Self {
            reads,
            has_chips: places.of("chip").is_some(),
            has_arrays: places.of("array").is_some(),
            has_cells: places.of("cell").is_some() || places.of("row").is_some(),
            has_times: places.of("time_s").is_some(),
        })
    }
}

/// Finds the columns of a table.
fn columns(header: &csv::StringRecord, name: &str) -> Result<Places> {
    let mut places = Places([None; COLUMNS.len()]);
    let allowed = COLUMNS.join(", ");
    for (at, column) in header.iter().enumerate() {
        // By this sign a table has columns of its own.
        if column.starts_with('_') {
            continue;
        }
        let Some(which) = COLUMNS.iter().position(|known| *known == column) else {
            return Err(Error::input(format!(
                "{name}:1: column \"{column}\" is not known; allowed: {allowed}, and names that begin with _, which are \
                 not read"
            )));
        };
        if places.0[which].replace(at).is_some() {
            return Err(Error::input(format!(
                "{name}:1: column \"{column}\" is there twice"
            )));
        }
    }
    let missing = ["target_us", "value_us"]
        .into_iter()
        .find(|c| places.of(c).is_none());
    if let Some(column) = missing {
        return Err(Error::input(format!(
            "{name}:1: column \"{column}\" is missing; allowed: {allowed}, of which target_us and value_us are needed"
        )));
    }
    match (places.of("cell"), places.of("row"), places.of("col")) {
        (None, Some(_), Some(_)) | (_, None, None) => Ok(places),
        (Some(_), _, _) => Err(Error::input(format!(
            "{name}:1: columns \"cell\" and \"row\" or \"col\" both say which cell it is; allowed: one way"
        ))),
        (None, _, _) => Err(Error::input(format!(
            "{name}:1: a place takes columns \"row\" and \"col\"; allowed: both"
        ))),
    }
}

/// Numbers of what tables call by names.
#[derive(Default)]
struct Names {
    chips: HashMap<String, u32>,
    arrays: HashMap<(u32, String), u32>,
    cells: HashMap<(u32, u32, String), u32>,
}

fn read(
    record: &csv::StringRecord,
    places: &Places,
    names: &mut Names,
    (name, line): (&str, u64),
) -> Result<Read> {
    let text = |column: &str| places.of(column).map(|at| record.get(at).unwrap_or(""));
    let number = |column: &str, allowed: &str, fits: fn(f64) -> bool| {
        let Some(text) = text(column) else {
            return Ok(None);
        };
        match text.parse::<f64>() {
            Ok(x) if x.is_finite() && fits(x) => Ok(Some(x)),
            _ => Err(Error::input(format!(
                "{name}:{line}: column {column}: \"{text}\" is not allowed; allowed: {allowed}"
            ))),
        }
    };
    let target_us = number("target_us", "a conductance of at least 0 uS", |x| x >= 0.0)?;
    let value_us = number("value_us", "a finite number, in uS", |_| true)?;
    let time_s = number("time_s", "seconds since programming, above 0", |x| x > 0.0)?;
    let chip_name = text("chip").unwrap_or("").to_string();
    let next = names.chips.len() as u32;
    let chip = *names.chips.entry(chip_name).or_insert(next);
    let next = names.arrays.len() as u32;
    let array_name = (chip, text("array").unwrap_or("").to_string());
    let array = *names.arrays.entry(array_name).or_insert(next);
    let cell_name = match (text("cell"), text("row"), text("col")) {
        (Some(cell), _, _) => cell.to_string(),
        (None, Some(row), Some(col)) => format!("{row} {col}"),
        // Every row of the table is another cell.
        (None, _, _) => format!("line {line}"),
    };
    let whole = |column: &str| text(column)?.parse::<u32>().ok();
    let next = names.cells.len() as u32;
    let cell = *names.cells.entry((chip, array, cell_name)).or_insert(next);
    Ok(Read {
        chip,
        array,
        cell,
        place: whole("row").zip(whole("col")).map(|(row, col)| [row, col]),
        // Both columns are there.
        target_us: target_us.unwrap_or_default(),
        value_us: value_us.unwrap_or_default(),
        time_s: time_s.unwrap_or(1.0),
    })
}
