//! `chips.csv`: one row per point and chip (docs/columns.md has its columns).
//!
//! Numbers are written with the fewest digits that read back to the same `f64`, so nothing is lost
//! and nothing is made up. A number that does not exist is an empty field.

use std::io::Write;
use std::path::Path;

use serde_json::Value;

use crate::column::{Cell, Column, Kind};
use crate::error::{Error, Result};
use crate::files::write_atomically_with;
use crate::report::verify;
use crate::sweep::columns;
use crate::sweep::result::{ChipRow, PointSummary, SweepResult};
use crate::sweep::rows::Rows;

/// The field of a cell.
fn field(cell: Cell) -> String {
    match cell {
        Cell::Whole(n) => n.to_string(),
        Cell::Real(x) => number(x),
    }
}

/// The fields of a row: those of every row, then its values in `columns`.
pub fn fields(row: &ChipRow, columns: &[&Column]) -> Vec<String> {
    let of_every_row = ChipRow::FIELDS.iter().map(|f| field((f.get)(row)));
    let values = columns.iter().map(|column| row.values.get(column.name));
    let values = values.map(|value| value.map_or(String::new(), number));
    of_every_row.chain(values).collect()
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
/// the sweep varies, the other [`ChipRow::FIELDS`], and the columns that only some experiments have.
fn write_rows(out: &mut dyn Write, result: &SweepResult, rows: &dyn Rows) -> std::io::Result<()> {
    let settings = settings(result);
    let mut writer = csv::Writer::from_writer(out);
    let columns = result.columns();
    let own = ChipRow::FIELDS.iter().map(|f| &f.column);
    let own: Vec<&str> = own.chain(columns.iter().copied()).map(|c| c.name).collect();
    let (first, rest) = own.split_at(FIRST);
    let axes = result.axes.iter().map(String::as_str);
    let first = first.iter().copied();
    writer.write_record(first.chain(axes).chain(rest.iter().copied()))?;
    for row in rows.of_points(result.points.len()) {
        let row = row.map_err(std::io::Error::other)?;
        let fields = fields(&row, &columns);
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
    let place = |name: &str| headers.iter().position(|h| h == name);
    let mut places = Vec::with_capacity(ChipRow::FIELDS.len());
    for field in ChipRow::FIELDS {
        let name = field.column.name;
        places.push(place(name).ok_or_else(|| format!("column `{name}` is missing"))?);
    }
    let values = columns::all().iter();
    let values: Vec<_> = values.filter_map(|c| Some((c, place(c.name)?))).collect();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| e.to_string())?;
        let line = record.position().map_or(0, |p| p.line());
        let text = |at: usize| record.get(at).unwrap_or("").trim();
        let bad = |name: &str, want: &str| {
            let found = place(name).map_or("", text);
            format!("line {line}, column `{name}`: `{found}` is not {want}")
        };
        let cell = |column: &Column, at: usize| cell(column.kind, text(at));
        let mut row = ChipRow::blank();
        for (field, &at) in ChipRow::FIELDS.iter().zip(&places) {
            let column = &field.column;
            let cell = cell(column, at).map_err(|want| bad(column.name, want))?;
            (field.set)(&mut row, cell);
        }
        for &(column, at) in &values {
            let cell = cell(column, at).map_err(|want| bad(column.name, want))?;
            row.values.push(column, cell.into());
        }
        if let Some((column, allowed)) = verify::row(&row) {
            return Err(bad(column, &allowed));
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Reads a field, or says what it should be.
fn cell(kind: Kind, text: &str) -> std::result::Result<Cell, &'static str> {
    match (kind, text) {
        (Kind::Whole, _) => text.parse().map(Cell::Whole).map_err(|_| "a whole number"),
        (Kind::Real | Kind::Optional, "") => Ok(Cell::Real(f64::NAN)),
        (Kind::Real | Kind::Optional, _) => text.parse().map(Cell::Real).map_err(|_| "a number"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::sweep::census::Census;
    use crate::sweep::result::{Axes, PointInputs, Provenance};

    fn to_csv() -> Vec<u8> {
        let mut bytes = Vec::new();
        write_rows(&mut bytes, &result(&[], 4), &vec![row()]).unwrap();
        bytes
    }

    /// Points without statistics, each with the same settings.
    pub fn result(settings: &[(&str, Value)], points: usize) -> SweepResult {
        let census = Census::default();
        let inputs = PointInputs {
            ideal: f64::NAN,
            ideal_metrics: Default::default(),
            yield_limit: 0.8,
            tuning_cost: None,
            costs: Default::default(),
            energy: None,
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
        assert_eq!(
            fields(&from_csv(&bytes).unwrap()[0], &[]),
            fields(&row(), &[])
        );
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
            ..ChipRow::blank()
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
        assert_eq!(fields(&back[0], &[]), fields(&row(), &[]));
        assert_eq!(back[0].eps_b.to_bits(), row().eps_b.to_bits());
        assert!(back[0].eps_hat.is_nan());
    }

    /// Columns that only some experiments have stand last, in declared order; rows without a value have an
    /// empty field.
    #[test]
    fn values_come_back_by_name() {
        let column = |name| columns::find(name).unwrap();
        let mut first = row();
        first.values.push(column("brier"), 0.1);
        first.values.push(column("top5"), 1.0 / 3.0);
        let mut second = ChipRow { chip: 18, ..row() };
        second.values.push(column("brier"), 2e-20);
        let rows = vec![first, second];
        let mut result = result(&[], 4);
        let census: Census = rows.iter().collect();
        result.points[3].columns = census.column_summaries(false);
        let mut bytes = Vec::new();
        write_rows(&mut bytes, &result, &rows).unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].ends_with(",die_y_mm,top5,brier"), "{text}");
        assert!(
            lines[1].ends_with(",-12.5,0.3333333333333333,0.1"),
            "{text}"
        );
        assert!(
            lines[2].ends_with(",-12.5,,0.00000000000000000002"),
            "{text}"
        );
        let columns = result.columns();
        for (back, row) in from_csv(&bytes).unwrap().iter().zip(&rows) {
            assert_eq!(fields(back, &columns), fields(row, &columns));
        }
        let message = from_csv(text.replace(",0.1\n", ",inf\n").as_bytes()).unwrap_err();
        assert_eq!(
            message,
            "line 2, column `brier`: `inf` is not a finite number"
        );
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
