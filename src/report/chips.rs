//! `chips.csv`: one row per point and chip (docs/sweeps.md has a table of its columns).
//!
//! Numbers are written with the fewest digits that read back to the same `f64`, so nothing is lost
//! and nothing is made up. A number that does not exist is an empty field.

use std::io::Write;
use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::files::write_atomically_with;
use crate::report::verify;
use crate::sweep::result::{ChipRow, PointSummary, SweepResult};
use crate::sweep::rows::Rows;

/// A column: its name, and the cell that a chip has in it.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What is in it.
    pub cell: Cell,
}

/// A cell of a row, by the type of its column.
#[derive(Debug, Clone, Copy)]
pub enum Cell {
    /// A whole number; every chip has one.
    Whole(fn(&ChipRow) -> u32),
    /// A number; `NaN` where there is none.
    Real(fn(&ChipRow) -> f64),
}

/// Columns of `chips.csv` (and of `chips.parquet`), in order; see [`ChipRow`] for their meaning.
pub const COLUMNS: [Column; 12] = [
    whole("point", |r| r.point as u32),
    whole("chip", |r| r.chip),
    real("accuracy", |r| r.accuracy),
    real("loss", |r| r.loss),
    whole("correct", |r| r.correct),
    whole("images", |r| r.images),
    real("eps_b", |r| r.eps_b),
    real("eps_common", |r| r.eps_common),
    real("eps_hat", |r| r.eps_hat),
    whole("wafer", |r| r.wafer),
    real("die_x_mm", |r| r.die_x_mm),
    real("die_y_mm", |r| r.die_y_mm),
];

const fn whole(name: &'static str, cell: fn(&ChipRow) -> u32) -> Column {
    let cell = Cell::Whole(cell);
    Column { name, cell }
}

const fn real(name: &'static str, cell: fn(&ChipRow) -> f64) -> Column {
    let cell = Cell::Real(cell);
    Column { name, cell }
}

/// The fields of a row, in the order of [`COLUMNS`].
pub fn fields(row: &ChipRow) -> [String; COLUMNS.len()] {
    COLUMNS.map(|column| match column.cell {
        Cell::Whole(cell) => cell(row).to_string(),
        Cell::Real(cell) => number(cell(row)),
    })
}

/// Shortest digits that read back to `x`; empty for `NaN`.
fn number(x: f64) -> String {
    if x.is_nan() {
        String::new()
    } else {
        x.to_string()
    }
}

/// Columns before those of the axes.
pub(super) const FIRST: usize = 2;

/// The values of the axes at every point, as text.
fn settings(result: &SweepResult) -> Vec<Vec<String>> {
    let of = |point: &PointSummary| {
        let axes = result.axes.iter();
        axes.map(|axis| point.settings.get(axis).map_or(String::new(), text))
            .collect()
    };
    result.points.iter().map(of).collect()
}

/// A setting as people write it; empty where there is none.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(n) => match n.as_f64().filter(|_| n.is_f64()) {
            Some(x) => number(x),
            None => n.to_string(),
        },
        Value::Array(list) => {
            let items: Vec<String> = list.iter().map(text).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

/// Writes the rows of the result's points to `out`, one after another: point and chip, the fields that
/// the sweep varies, and the other [`COLUMNS`].
fn write_rows(out: &mut dyn Write, result: &SweepResult, rows: &dyn Rows) -> std::io::Result<()> {
    let settings = settings(result);
    let mut writer = csv::Writer::from_writer(out);
    let names = COLUMNS.map(|column| column.name);
    let axes = result.axes.iter().map(String::as_str);
    let first = names[..FIRST].iter().copied();
    writer.write_record(first.chain(axes).chain(names[FIRST..].iter().copied()))?;
    for row in rows.of_points(result.points.len()) {
        let row = row.map_err(std::io::Error::other)?;
        let fields = fields(&row);
        let (first, rest) = fields.split_at(FIRST);
        let settings = settings.get(row.point).map_or(&[][..], Vec::as_slice);
        writer.write_record(first.iter().chain(settings).chain(rest))?;
    }
    writer.flush()
}

/// Writes `chips.csv` to `path`, whole or not at all: the rows of the result's points.
pub fn write(path: &Path, result: &SweepResult, rows: &dyn Rows) -> Result<()> {
    write_atomically_with(path, |file| write_rows(file, result, rows))
}

/// Reads a `chips.csv` back. Columns are found by name, so further columns may stand between them.
/// [`Error::Input`] names the file, the line and the column.
pub fn read(path: &Path) -> Result<Vec<ChipRow>> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    from_csv(&bytes).map_err(|message| Error::input(format!("{}: {message}", path.display())))
}

/// Parses the bytes of a `chips.csv`; the error is a message without the file's name.
fn from_csv(bytes: &[u8]) -> std::result::Result<Vec<ChipRow>, String> {
    let mut reader = csv::Reader::from_reader(bytes);
    let headers = reader.headers().map_err(|e| e.to_string())?.clone();
    let mut places = [0; COLUMNS.len()];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        *place = headers
            .iter()
            .position(|h| h == column.name)
            .ok_or_else(|| format!("column `{}` is missing", column.name))?;
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| e.to_string())?;
        let line = record.position().map_or(0, |p| p.line());
        let text = |i: usize| record.get(places[i]).unwrap_or("").trim();
        let bad = |i: usize, want: &str| {
            let column = COLUMNS[i].name;
            format!(
                "line {line}, column `{column}`: `{}` is not {want}",
                text(i)
            )
        };
        let whole = |i: usize| text(i).parse::<u32>().map_err(|_| bad(i, "a whole number"));
        let real = |i: usize| match text(i) {
            "" => Ok(f64::NAN),
            t => t.parse::<f64>().map_err(|_| bad(i, "a number")),
        };
        let row = ChipRow {
            point: whole(0)? as usize,
            chip: whole(1)?,
            accuracy: real(2)?,
            loss: real(3)?,
            correct: whole(4)?,
            images: whole(5)?,
            eps_b: real(6)?,
            eps_common: real(7)?,
            eps_hat: real(8)?,
            wafer: whole(9)?,
            die_x_mm: real(10)?,
            die_y_mm: real(11)?,
        };
        if let Some((column, allowed)) = verify::row(&row) {
            let i = COLUMNS.iter().position(|c| c.name == column).unwrap_or(0);
            return Err(bad(i, &allowed));
        }
        rows.push(row);
    }
    Ok(rows)
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::sweep::result::{Axes, PointInputs, Provenance};

    fn to_csv() -> Vec<u8> {
        let mut bytes = Vec::new();
        write_rows(&mut bytes, &result(&[], 4), &vec![row()]).unwrap();
        bytes
    }

    /// Points without statistics, each with the same settings.
    pub fn result(settings: &[(&str, Value)], points: usize) -> SweepResult {
        let census = crate::sweep::census::Census::default();
        let inputs = PointInputs {
            ideal: f64::NAN,
            yield_limit: 0.8,
            tuning_cost: None,
            costs: Default::default(),
            basis: crate::sweep::census::Basis::default(),
            predicted_variance: None,
            elapsed_s: 0.0,
        };
        let own = settings.iter().map(|(k, v)| (k.to_string(), v.clone()));
        let point = PointSummary {
            settings: own.collect(),
            ..PointSummary::new(Axes::default(), &census, &inputs)
        };
        SweepResult {
            pimento: String::new(),
            experiment: String::new(),
            title: String::new(),
            seed: 1,
            backend: String::new(),
            adapter: String::new(),
            elapsed_s: 0.0,
            config: Value::Null,
            directory: None,
            axes: settings.iter().map(|(k, _)| k.to_string()).collect(),
            points: vec![point; points],
            comparisons: vec![],
            trainings: vec![],
            provenance: Provenance::default(),
        }
    }

    #[test]
    fn the_fields_that_vary_are_columns_behind_point_and_chip() {
        let settings = [
            ("variation.sigma_w", json!(0.1)),
            ("quantize.weight_bits", json!(4)),
            ("tuning.method", json!("a, \"b\"")),
            ("network.hidden", json!([16, 8])),
            ("network.bias", json!(true)),
            ("train.seed", Value::Null),
        ];
        let mut bytes = Vec::new();
        write_rows(&mut bytes, &result(&settings, 4), &vec![row()]).unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        let (head, line) = text.split_once('\n').unwrap();
        assert!(
            head.starts_with("point,chip,variation.sigma_w,quantize.weight_bits,tuning.method,"),
            "{head}"
        );
        assert!(head.contains(",train.seed,accuracy,loss,"), "{head}");
        let want = "3,17,0.1,4,\"a, \"\"b\"\"\",\"[16, 8]\",true,,0.9055,";
        assert!(line.starts_with(want), "{line}");
        assert_eq!(fields(&from_csv(&bytes).unwrap()[0]), fields(&row()));
    }

    fn row() -> ChipRow {
        ChipRow {
            point: 3,
            chip: 17,
            accuracy: 1811.0 / 2000.0,
            loss: 1.0 / 3.0,
            correct: 1811,
            images: 2000,
            eps_b: f64::from(-0.123_456_78_f32),
            eps_common: 1e-17,
            eps_hat: f64::NAN,
            wafer: 0,
            die_x_mm: f64::NAN,
            die_y_mm: -12.5,
        }
    }

    #[test]
    fn rows_come_back_to_the_last_bit() {
        let bytes = to_csv();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.starts_with("point,chip,accuracy,loss,"), "{text}");
        assert!(
            text.contains("3,17,0.9055,0.3333333333333333,1811,2000,"),
            "{text}"
        );
        assert!(text.trim_end().ends_with(",,0,,-12.5"), "{text}");
        let back = from_csv(&bytes).unwrap();
        assert_eq!(fields(&back[0]), fields(&row()));
        assert_eq!(back[0].eps_b.to_bits(), row().eps_b.to_bits());
        assert!(back[0].eps_hat.is_nan());
    }

    /// What no sweep writes is refused where it stands, whatever memory it would take to draw.
    #[test]
    fn an_impossible_number_is_named_with_its_line() {
        let text = String::from_utf8(to_csv()).unwrap();
        for (good, bad, column) in [
            (",0.9055,", ",4294967296,", "accuracy"),
            (",0.9055,", ",-0.1,", "accuracy"),
            (",0.9055,", ",inf,", "accuracy"),
            (",0.9055,", ",,", "accuracy"),
            (",0.9055,", ",0.5,", "accuracy"),
            (",1811,2000,", ",2001,2000,", "correct"),
            (",1811,2000,", ",1811,0,", "images"),
            ("3,17,", "4294967295,17,", "point"),
            ("3,17,", "3,4294967295,", "chip"),
            (",0.3333333333333333,", ",-1,", "loss"),
            (",0.3333333333333333,", ",inf,", "loss"),
            (",-12.5", ",-inf", "die_y_mm"),
        ] {
            assert!(text.contains(good), "{good}");
            let message = from_csv(text.replace(good, bad).as_bytes()).unwrap_err();
            let place = format!("line 2, column `{column}`: ");
            assert!(message.starts_with(&place), "{bad}: {message}");
        }
    }

    #[test]
    fn a_bad_field_is_named_with_its_line() {
        let text = String::from_utf8(to_csv()).unwrap();
        let message = from_csv(text.replace("1811,", "many,").as_bytes()).unwrap_err();
        assert_eq!(
            message,
            "line 2, column `correct`: `many` is not a whole number"
        );
        let message = from_csv(text.replace("eps_hat", "estimate").as_bytes()).unwrap_err();
        assert_eq!(message, "column `eps_hat` is missing");
    }
}
