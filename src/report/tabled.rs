//! Runs of which only the chips are at hand: a table with a row for every chip.
//!
//! What a `chips.csv` is with the fields that the sweep varied, or any table with the columns `chip`, `correct` and
//! `images`. Other [`columns`] are taken by name, and every other one is an axis.
//! Statistics are made of the rows. What a table does not tell is unknown: the network without variation, the yield
//! limit, the experiment.
//!
//! # Examples
//! ```
//! use pimento::report::tabled;
//!
//! # fn main() -> pimento::Result<()> {
//! let table = "variation.sigma_w,chip,correct,images\n0.1,0,95,100\n0.1,1,91,100\n0.2,0,80,100\n";
//! let (result, rows) = tabled::parse(table.as_bytes(), "mine")?;
//! assert_eq!((result.points.len(), rows.len()), (2, 3));
//! assert_eq!(result.points[0].mean, 0.93);
//! # Ok(())
//! # }
//! ```

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use serde_json::Value;

use super::verify;
use crate::column::{Column, Kind};
use crate::config::field_path;
use crate::error::{Error, Result};
use crate::sweep::census::{Basis, Census};
use crate::sweep::columns;
use crate::sweep::result::{Axes, ChipRow, PointInputs, PointSummary, Provenance, SweepResult};
use crate::sweep::statistics::Interval;

/// Columns that a table must have.
const NEEDED: [&str; 3] = ["chip", "correct", "images"];

/// Reads a table of chips; the result is named after the file.
///
/// # Errors
/// A file that cannot be read; a missing column, a cell that is no number, a chip that is there twice, with the line.
pub fn read(path: &Path) -> Result<(SweepResult, Vec<ChipRow>)> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let name = path.file_stem().unwrap_or(path.as_os_str());
    parse(&bytes, &name.to_string_lossy()).map_err(|e| e.context(path.display().to_string()))
}

/// Parses a table of chips as CSV.
///
/// # Errors
/// See [`read`]; without the file's name.
pub fn parse(bytes: &[u8], name: &str) -> Result<(SweepResult, Vec<ChipRow>)> {
    let table = Table::new(bytes).map_err(Error::input)?;
    let mut census: Vec<Census> = table.points.iter().map(|_| Census::default()).collect();
    table
        .rows
        .iter()
        .for_each(|row| census[row.point].push(row));
    let points = table.points.iter().zip(&census);
    let points = points.map(|(axes, chips)| summary(axes.clone(), chips));
    let result = SweepResult {
        pimento: env!("CARGO_PKG_VERSION").into(),
        experiment: name.into(),
        title: name.into(),
        seed: 0,
        backend: String::new(),
        adapter: String::new(),
        elapsed_s: 0.0,
        config: Value::Null,
        directory: None,
        axes: vec![],
        points: points.collect(),
        comparisons: vec![],
        trainings: vec![],
        provenance: Provenance::default(),
    };
    Ok((result, table.rows))
}

/// Statistics of a point whose limit and ideal are not known.
fn summary(axes: Axes, chips: &Census) -> PointSummary {
    let inputs = PointInputs {
        ideal: f64::NAN,
        ideal_metrics: BTreeMap::new(),
        yield_limit: 1.0,
        tuning_cost: None,
        costs: BTreeMap::new(),
        energy: None,
        basis: Basis::default(),
        predicted_variance: None,
        elapsed_s: 0.0,
    };
    PointSummary {
        yield_limit: f64::NAN,
        yield_fraction: f64::NAN,
        yield_ci95: Interval::UNKNOWN,
        yield_exact_ci95: Interval::UNKNOWN,
        ..PointSummary::new(axes, chips, &inputs)
    }
}

/// Rows with the axes of their points.
struct Table {
    points: Vec<Axes>,
    rows: Vec<ChipRow>,
}

/// What a column of the table is.
enum Place {
    /// A field of every chip.
    Field(usize),
    /// A column that some experiments have.
    Value(&'static Column),
    /// An axis.
    Axis(String),
    /// The number of the point, which the axes tell.
    Point,
}

impl Table {
    fn new(bytes: &[u8]) -> std::result::Result<Self, String> {
        let mut reader = csv::Reader::from_reader(bytes);
        let heads = reader.headers().map_err(|e| e.to_string())?.clone();
        for name in NEEDED {
            if !heads.iter().any(|head| head == name) {
                return Err(format!(
                    "column `{name}` is missing; allowed: a table with the columns {}",
                    NEEDED.join(", ")
                ));
            }
        }
        let places: Vec<Place> = heads.iter().map(place).collect();
        let has_point = heads.iter().any(|head| head == "point");
        let (mut points, mut rows, mut seen) = (vec![], vec![], HashSet::new());
        let mut known: HashMap<Vec<String>, usize> = HashMap::new();
        for record in reader.records() {
            let record = record.map_err(|e| e.to_string())?;
            let line = record.position().map_or(0, |p| p.line());
            let cells = || record.iter().map(str::trim).zip(&places);
            // What tells the point from others: its number where there is one, and its axes.
            let key: Vec<String> = cells()
                .filter(|(_, place)| match place {
                    Place::Axis(_) => true,
                    Place::Point => has_point,
                    Place::Field(_) | Place::Value(_) => false,
                })
                .map(|(text, _)| text.to_string())
                .collect();
            let next = points.len();
            let point = *known.entry(key).or_insert(next);
            if point == next {
                points.push(axes(cells()));
            }
            let row = row(cells(), point).map_err(|what| format!("line {line}, {what}"))?;
            if !seen.insert((row.point, row.chip)) {
                let chip = row.chip;
                return Err(format!(
                    "line {line}: chip {chip} of this point is there twice"
                ));
            }
            rows.push(row);
        }
        Ok(Self { points, rows })
    }
}

fn place(head: &str) -> Place {
    let field = ChipRow::FIELDS.iter().position(|f| f.column.name == head);
    match (head, field, columns::find(head)) {
        ("point", ..) => Place::Point,
        (_, Some(field), _) => Place::Field(field),
        (_, None, Some(column)) => Place::Value(column),
        (_, None, None) => Place::Axis(head.to_string()),
    }
}

/// The row of a chip.
fn row<'a>(
    cells: impl Iterator<Item = (&'a str, &'a Place)>,
    point: usize,
) -> std::result::Result<ChipRow, String> {
    let mut row = ChipRow::blank();
    let number = |name: &str, text: &str| match text {
        "" => Ok(f64::NAN),
        text => text
            .parse::<f64>()
            .map_err(|_| format!("column `{name}`: `{text}` is not a number")),
    };
    let whole = |name: &str, text: &str| {
        text.parse::<u32>()
            .map_err(|_| format!("column `{name}`: `{text}` is not a whole number"))
    };
    for (text, place) in cells {
        match place {
            Place::Field(i) => {
                let field = &ChipRow::FIELDS[*i];
                let name = field.column.name;
                let cell = match field.column.kind {
                    Kind::Whole => whole(name, text)?.into(),
                    Kind::Real | Kind::Optional => number(name, text)?.into(),
                };
                (field.set)(&mut row, cell);
            }
            Place::Value(column) => row.values.push(column, number(column.name, text)?),
            Place::Axis(_) | Place::Point => {}
        }
    }
    row.point = point;
    if row.accuracy.is_nan() {
        row.accuracy = f64::from(row.correct) / f64::from(row.images);
    }
    match verify::row(&row) {
        Some((column, allowed)) => Err(format!("column `{column}` is not {allowed}")),
        None => Ok(row),
    }
}

/// The coordinates of a point: fields that every point has, and others by their names.
fn axes<'a>(cells: impl Iterator<Item = (&'a str, &'a Place)>) -> Axes {
    // What the table does not tell is not known.
    let mut axes = Axes {
        sigma_w: f64::NAN,
        sigma_b: f64::NAN,
        ..Axes::default()
    };
    for (text, place) in cells {
        let Place::Axis(name) = place else { continue };
        let number = text.parse::<f64>().ok().filter(|x| x.is_finite());
        let whole = number.filter(|x| x.fract() == 0.0 && *x >= 0.0);
        match (field_path(name), number, whole) {
            ("train.recipe", ..) => axes.recipe = text.into(),
            ("variation.law", ..) => axes.law = text.into(),
            ("variation.mapping", ..) => axes.mapping = text.into(),
            ("variation.distribution", ..) => axes.distribution = text.into(),
            ("tuning.method", ..) => axes.tuning = text.into(),
            ("variation.sigma_w", Some(x), _) => axes.sigma_w = x,
            ("variation.sigma_b", Some(x), _) => axes.sigma_b = x,
            ("tuning.test_cells", _, Some(n)) => axes.test_cells = n as u32,
            ("quantize.weight_bits", _, Some(n)) => axes.weight_bits = n as u32,
            ("quantize.activation_bits", _, Some(n)) => axes.activation_bits = n as u32,
            ("train.seed", _, Some(n)) => axes.train_seed = n as u64,
            (path, ..) => {
                let value = match (text, number) {
                    ("", _) => Value::Null,
                    (_, Some(x)) => x.into(),
                    (text, None) => text.into(),
                };
                axes.extra.insert(path.to_string(), value);
            }
        }
    }
    axes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(table: &str) -> String {
        parse(table.as_bytes(), "t").unwrap_err().to_string()
    }

    #[test]
    fn points_are_told_apart_by_their_axes() {
        let table = "tuning.method,chip.adc.bits,chip,correct,images,energy_array_pj\n\
                     none,4,0,50,100,2\nnone,5,0,60,100,3\nnone,4,1,70,100,4\noracle,4,0,90,100,\n";
        let (result, rows) = parse(table.as_bytes(), "t").unwrap();
        let points: Vec<usize> = rows.iter().map(|r| r.point).collect();
        assert_eq!(points, [0, 1, 0, 2]);
        let first = &result.points[0];
        assert_eq!(
            (first.chips, first.mean, first.axes.tuning.as_str()),
            (2, 0.6, "none")
        );
        assert_eq!(first.axes.extra["chip.adc.bits"], 4.0);
        assert_eq!(first.columns["energy_array_pj"].mean, 3.0);
        assert!(!result.points[2].columns.contains_key("energy_array_pj"));
        assert!(first.ideal.is_nan() && first.yield_limit.is_nan() && first.axes.sigma_w.is_nan());
        assert!(!crate::report::figures::results(&result).contains(&"yield"));
    }

    /// Of a file that a sweep wrote the statistics are those of the sweep.
    #[test]
    fn what_a_sweep_wrote_has_its_statistics() {
        let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/results/norms_on_chips");
        let (result, rows) = read(&run.join("chips.csv")).unwrap();
        let known = super::super::summary::read(&run.join("summary.json")).unwrap();
        assert_eq!(rows.len(), 3000);
        assert_eq!(result.points.len(), known.points.len());
        for (own, known) in result.points.iter().zip(&known.points) {
            assert_eq!(own.axes.law, known.axes.law);
            assert_eq!(own.axes.tuning, known.axes.tuning);
            assert_eq!(own.axes.sigma_w, known.axes.sigma_w);
            for (a, b) in [
                (own.mean, known.mean),
                (own.std, known.std),
                (own.q05, known.q05),
            ] {
                assert!((a - b).abs() < 1e-9, "{a}, {b}");
            }
            // The summary's interval has a part for chips not yet seen, which needs the classes.
            assert!(own.mean_ci95.hi >= own.mean && known.mean_ci95.lo <= own.mean_ci95.lo + 1e-9);
        }
    }

    #[test]
    fn what_is_no_table_of_chips_is_refused_with_its_place() {
        for (table, want) in [
            ("point,chip,correct\n0,0,1\n", "`images` is missing"),
            (
                "chip,correct,images\n0,x,9\n",
                "line 2, column `correct`: `x`",
            ),
            ("chip,correct,images\n0,9,8\n", "`correct` is not at most 8"),
            ("chip,correct,images\n0,0,0\n", "`images` is not at least 1"),
            (
                "chip,correct,images\n0,1,2\n0,2,2\n",
                "line 3: chip 0 of this point is there twice",
            ),
            ("chip,correct,images,loss\n0,1,2,-1\n", "`loss`"),
            ("chip,correct,images\n0,1\n", "found record"),
        ] {
            let message = refused(table);
            assert!(message.contains(want), "{message}");
        }
    }
}
