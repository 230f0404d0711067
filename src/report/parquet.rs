//! `chips.parquet`: the rows of `chips.csv` with types, for data frames and databases.
//!
//! The columns are those of the CSV ([`ChipRow::FIELDS`], values last), behind point and chip those of the fields that the sweep varies: whole
//! numbers, numbers or booleans where all of their values are, else texts. A whole number is an `INT64`, as pandas and polars make of it when
//! they read the CSV (unsigned ones would wrap around where two are subtracted); any other number
//! is a `DOUBLE`, null where the CSV's field is empty. Rows are written as they are read, a group
//! at a time, so memory does not grow with their number. Nothing in the file depends on when or
//! where it was written: the same chips give the same bytes.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{ColumnPath, Type};

use super::chips::FIRST;
use super::typed::Typed;
use crate::column::{Column, Field, Kind};
use crate::error::{Error, Result};
use crate::files::write_atomically_with;
use crate::sweep::result::{ChipRow, SweepResult};
use crate::sweep::rows::Rows;

/// Rows of a group: a few megabytes, enough for a reader that takes a group at a time.
pub const GROUP: usize = 65_536;

/// Writes `chips.parquet` to `path`, whole or not at all: the rows of the result's points.
pub fn write(path: &Path, result: &SweepResult, rows: &dyn Rows) -> Result<()> {
    let facts = facts(result)?;
    write_atomically_with(path, |file| write_rows(file, facts, result, rows))
}

/// A field that the sweep varies as Parquet has it.
fn setting_field(values: &Typed, name: &str) -> std::result::Result<Type, ParquetError> {
    let physical = match values {
        Typed::Whole(_) => Physical::INT64,
        Typed::Real(_) => Physical::DOUBLE,
        Typed::Bool(_) => Physical::BOOLEAN,
        Typed::Text(_) => Physical::BYTE_ARRAY,
    };
    let logical = matches!(values, Typed::Text(_)).then_some(LogicalType::String);
    Type::primitive_type_builder(name, physical)
        .with_logical_type(logical)
        .with_repetition(Repetition::OPTIONAL)
        .build()
}

/// Writes a field that the sweep varies, of every row's point.
fn write_setting(
    values: &Typed,
    out: &mut SerializedColumnWriter,
    rows: &[ChipRow],
) -> std::result::Result<(), ParquetError> {
    match values {
        Typed::Whole(of) => column::<Int64Type>(out, rows, of),
        Typed::Real(of) => column::<DoubleType>(out, rows, of),
        Typed::Bool(of) => column::<BoolType>(out, rows, of),
        Typed::Text(of) => {
            let bytes = |text: &Option<String>| text.as_deref().map(ByteArray::from);
            let of: Vec<Option<ByteArray>> = of.iter().map(bytes).collect();
            column::<ByteArrayType>(out, rows, &of)
        }
    }
}

/// Writes the value of every row's point.
fn column<T: DataType>(
    out: &mut SerializedColumnWriter,
    rows: &[ChipRow],
    of: &[Option<T::T>],
) -> std::result::Result<(), ParquetError> {
    let value = |row: &ChipRow| of.get(row.point).cloned().flatten();
    let values: Vec<T::T> = rows.iter().filter_map(value).collect();
    // 1: there is a value, 0: null.
    let there: Vec<i16> = rows.iter().map(|r| i16::from(value(r).is_some())).collect();
    out.typed::<T>().write_batch(&values, Some(&there), None)?;
    Ok(())
}

/// What the sweep is, as key-value metadata.
fn facts(result: &SweepResult) -> Result<Vec<KeyValue>> {
    let axes: Vec<_> = result.points.iter().map(|p| &p.axes).collect();
    let points = serde_json::to_string(&axes)
        .map_err(|e| Error::Internal(format!("coordinates of the points to JSON: {e}")))?;
    let facts = [
        ("pimento.version", result.pimento.clone()),
        ("pimento.experiment", result.experiment.clone()),
        ("pimento.title", result.title.clone()),
        ("pimento.seed", result.seed.to_string()),
        ("pimento.config", result.provenance.config_toml.clone()),
        (
            "pimento.config_sha256",
            result.provenance.config_sha256.clone(),
        ),
        ("pimento.points", points),
    ];
    let facts = facts.map(|(key, value)| KeyValue::new(key.to_string(), value));
    Ok(facts.into())
}

/// What a column of the file holds.
enum Content<'a> {
    Field(&'static Field<ChipRow>),
    Setting(&'a str, Typed),
    Value(&'static Column),
}

impl Content<'_> {
    /// The columns of a result, in order.
    fn all(result: &SweepResult) -> Vec<Content<'_>> {
        let (first, rest) = ChipRow::FIELDS.split_at(FIRST);
        let axes = result.axes.iter();
        let settings = axes.map(|axis| Content::Setting(axis, Typed::setting(result, axis)));
        let values = result.columns().into_iter().map(Content::Value);
        let first = first.iter().map(Content::Field).chain(settings);
        first
            .chain(rest.iter().map(Content::Field))
            .chain(values)
            .collect()
    }

    fn name(&self) -> &str {
        match self {
            Content::Field(field) => field.column.name,
            Content::Setting(name, _) => name,
            Content::Value(column) => column.name,
        }
    }

    /// The column as Parquet has it.
    fn declared(&self) -> std::result::Result<Type, ParquetError> {
        let column = match self {
            Content::Field(field) => &field.column,
            Content::Setting(name, values) => return setting_field(values, name),
            Content::Value(column) => *column,
        };
        let (physical, repetition) = match column.kind {
            Kind::Whole => (Physical::INT64, Repetition::REQUIRED),
            Kind::Real | Kind::Optional => (Physical::DOUBLE, Repetition::OPTIONAL),
        };
        let field = Type::primitive_type_builder(column.name, physical);
        field.with_repetition(repetition).build()
    }

    fn write(
        &self,
        out: &mut SerializedColumnWriter,
        rows: &[ChipRow],
    ) -> std::result::Result<(), ParquetError> {
        match self {
            Content::Setting(_, values) => write_setting(values, out, rows),
            Content::Value(column) => numbers(out, rows.iter().map(|r| r.values.get(column.name))),
            Content::Field(field) => match field.column.kind {
                Kind::Whole => {
                    let value = |row| i64::from(u32::from((field.get)(row)));
                    let values: Vec<i64> = rows.iter().map(value).collect();
                    out.typed::<Int64Type>().write_batch(&values, None, None)?;
                    Ok(())
                }
                Kind::Real | Kind::Optional => {
                    let values = rows.iter().map(|r| f64::from((field.get)(r)));
                    numbers(out, values.map(|x| Some(x).filter(|x| !x.is_nan())))
                }
            },
        }
    }
}

/// Writes numbers; null where there is none.
fn numbers(
    out: &mut SerializedColumnWriter,
    values: impl Iterator<Item = Option<f64>>,
) -> std::result::Result<(), ParquetError> {
    let values: Vec<Option<f64>> = values.collect();
    // 1: there is a value, 0: null.
    let there: Vec<i16> = values.iter().map(|x| i16::from(x.is_some())).collect();
    let values: Vec<f64> = values.into_iter().flatten().collect();
    out.typed::<DoubleType>()
        .write_batch(&values, Some(&there), None)?;
    Ok(())
}

/// The columns as Parquet has them.
fn schema(columns: &[Content]) -> std::result::Result<Type, ParquetError> {
    let mut fields = Vec::with_capacity(columns.len());
    for column in columns {
        fields.push(Arc::new(column.declared()?));
    }
    Type::group_type_builder("chips")
        .with_fields(fields)
        .build()
}

/// Writes the rows of the result's points to `out`, one after another.
fn write_rows<W: Write + Send>(
    out: W,
    facts: Vec<KeyValue>,
    result: &SweepResult,
    rows: &dyn Rows,
) -> io::Result<()> {
    let columns = Content::all(result);
    // Every chip is another one, and the next but for gaps: a dictionary would only be in the way.
    let chip = ColumnPath::from("chip");
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_column_dictionary_enabled(chip.clone(), false)
        .set_column_encoding(chip, Encoding::DELTA_BINARY_PACKED)
        .set_key_value_metadata(Some(facts))
        .build();
    let schema = Arc::new(schema(&columns).map_err(to_io)?);
    let mut writer = SerializedFileWriter::new(out, schema, Arc::new(properties)).map_err(to_io)?;
    let mut group: Vec<ChipRow> = Vec::new();
    for row in rows.of_points(result.points.len()) {
        group.push(row.map_err(io::Error::other)?);
        if group.len() == GROUP {
            write_group(&mut writer, &columns, &group).map_err(to_io)?;
            group.clear();
        }
    }
    if !group.is_empty() {
        write_group(&mut writer, &columns, &group).map_err(to_io)?;
    }
    writer.close().map_err(to_io)?;
    Ok(())
}

fn write_group<W: Write + Send>(
    writer: &mut SerializedFileWriter<W>,
    columns: &[Content],
    rows: &[ChipRow],
) -> std::result::Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    for column in columns {
        let Some(mut out) = group.next_column()? else {
            let name = column.name();
            return Err(ParquetError::General(format!("no column {name}")));
        };
        column.write(&mut out, rows)?;
        out.close()?;
    }
    group.close()?;
    Ok(())
}

/// The error of the disk inside an error of the writer, so that a message says `No space left` and
/// no more.
fn to_io(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(own) => *own,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field as Found;

    use super::super::chips::tests::result;
    use super::*;
    use crate::column::Cell;
    use crate::sweep::census::Census;
    use crate::sweep::columns;

    fn row(chip: u32) -> ChipRow {
        let mut row = ChipRow {
            point: 0,
            chip,
            accuracy: f64::from(chip) / 3.0,
            loss: f64::NAN,
            correct: u32::MAX,
            images: 1,
            eps_b: -0.0,
            eps_common: f64::MIN_POSITIVE,
            eps_hat: if chip.is_multiple_of(2) {
                1e300
            } else {
                f64::NAN
            },
            wafer: 0,
            die_x_mm: f64::INFINITY,
            die_y_mm: f64::NAN,
            ..ChipRow::blank()
        };
        // Every third chip has none.
        if !chip.is_multiple_of(3) {
            let column = columns::find("brier").unwrap();
            row.values.push(column, f64::from(chip).sqrt());
        }
        row
    }

    /// Takes so many bytes, then the disk is full.
    struct Disk(usize);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            if taken == 0 && !bytes.is_empty() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn more_rows_than_a_group_come_back_in_order() {
        let chips = GROUP as u32 + 5;
        let rows: Vec<ChipRow> = (0..chips).map(row).collect();
        let mut file = tempfile::tempfile().unwrap();
        let mut result = result(&[], 1);
        let census: Census = rows.iter().collect();
        result.points[0].columns = census.column_summaries(false);
        write_rows(&mut file, vec![], &result, &rows).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        assert_eq!(reader.num_row_groups(), 2);
        let back = reader.get_row_iter(None).unwrap();
        let mut chip = 0;
        for found in back {
            let found = found.unwrap();
            let mut found = found.get_column_iter();
            for (own, (name, field)) in ChipRow::FIELDS.iter().zip(found.by_ref()) {
                assert_eq!(name, own.column.name);
                match (field, (own.get)(&row(chip))) {
                    (Found::Long(x), Cell::Whole(n)) => assert_eq!(*x, i64::from(n)),
                    (Found::Double(x), Cell::Real(y)) => assert_eq!(x.to_bits(), y.to_bits()),
                    (Found::Null, Cell::Real(y)) => assert!(y.is_nan()),
                    (other, _) => panic!("{name}: {other:?}"),
                }
            }
            let (name, brier) = found.next().unwrap();
            assert_eq!(name, "brier");
            match brier {
                Found::Double(x) => assert_eq!(Some(*x), row(chip).value("brier")),
                Found::Null => assert_eq!(row(chip).value("brier"), None),
                other => panic!("{name}: {other:?}"),
            }
            assert!(found.next().is_none());
            chip += 1;
        }
        assert_eq!(chip, chips);
    }

    #[test]
    fn a_full_disk_is_reported_as_such_wherever_it_happens() {
        let rows: Vec<ChipRow> = (0..3000).map(row).collect();
        let mut whole = Vec::new();
        write_rows(&mut whole, vec![], &result(&[], 1), &rows).unwrap();
        for room in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
            let e = write_rows(Disk(room), vec![], &result(&[], 1), &rows).unwrap_err();
            assert_eq!(e.kind(), io::ErrorKind::StorageFull, "{room} bytes: {e}");
        }
        write_rows(Disk(whole.len()), vec![], &result(&[], 1), &rows).unwrap();
    }
}
