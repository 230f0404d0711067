//! The rows of a wave as bytes.
//!
//! Column by column, so that a column with one value in all rows (no wafer, no estimate) costs
//! eight bytes a wave: a tag, 0 for one value and 1 for one a row, and the values, little endian.
//! Point and chip are not stored with every row (the chips of a wave are consecutive), and neither
//! is the accuracy, which is `correct / images`.
//!
//! The header lists the columns that its waves have. They are found by name: a column that this
//! version does not know is skipped, one that the journal lacks has no value.

use serde::{Deserialize, Serialize};

use crate::column::{Cell, Column, Field, Kind};
use crate::sweep::columns;
use crate::sweep::result::ChipRow;

/// A column as the header of a journal lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredColumn {
    /// Its name, one of [`ChipRow::FIELDS`] or of [`columns::all`].
    pub name: String,
    /// Type of its values.
    #[serde(rename = "type")]
    pub type_: Type,
    /// Their unit; empty for counts and ratios.
    #[serde(default)]
    pub unit: String,
}

/// Type of a column's values, little endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    /// Four bytes.
    U32,
    /// Eight bytes, IEEE 754.
    F64,
}

impl Type {
    /// Bytes of a value.
    fn width(self) -> usize {
        match self {
            Type::U32 => 4,
            Type::F64 => 8,
        }
    }
}

/// Where a column's values are kept in memory.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// A field of every row.
    Field(&'static Field<ChipRow>),
    /// A value that only some experiments have.
    Value(&'static Column),
}

impl Place {
    /// Every column that this version can store, in order: the two counts first.
    fn all() -> Vec<Place> {
        let stored = |f: &&Field<ChipRow>| !DERIVED.contains(&f.column.name);
        let mut fields: Vec<_> = ChipRow::FIELDS.iter().filter(stored).collect();
        fields.sort_by_key(|f| ![CORRECT, IMAGES].contains(&f.column.name));
        let values = columns::all().iter().map(Place::Value);
        fields.into_iter().map(Place::Field).chain(values).collect()
    }

    fn column(self) -> &'static Column {
        match self {
            Place::Field(field) => &field.column,
            Place::Value(column) => column,
        }
    }

    fn get(self, row: &ChipRow) -> Cell {
        match self {
            Place::Field(field) => (field.get)(row),
            Place::Value(column) => Cell::Real(row.values.get(column.name).unwrap_or(f64::NAN)),
        }
    }

    fn set(self, row: &mut ChipRow, cell: Cell) {
        match self {
            Place::Field(field) => (field.set)(row, cell),
            Place::Value(column) => row.values.push(column, cell.into()),
        }
    }
}

impl Type {
    /// Type of the values of a column.
    fn of(column: &Column) -> Self {
        match column.kind {
            Kind::Whole => Type::U32,
            Kind::Real | Kind::Optional => Type::F64,
        }
    }

    fn read(self, bytes: &[u8]) -> Cell {
        match self {
            Type::U32 => Cell::Whole(word(bytes) as u32),
            Type::F64 => Cell::Real(f64::from_bits(word(bytes))),
        }
    }

    fn write(self, cell: Cell, bytes: &mut Vec<u8>) {
        match self {
            Type::U32 => bytes.extend(u32::from(cell).to_le_bytes()),
            Type::F64 => bytes.extend(f64::from(cell).to_bits().to_le_bytes()),
        }
    }
}

/// Up to eight bytes as a number.
fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

/// Not stored with every row.
const DERIVED: [&str; 3] = ["point", "chip", "accuracy"];

/// Without these two a chip has no accuracy.
const CORRECT: &str = "correct";
const IMAGES: &str = "images";

/// What this version stores of every chip, for the header: all fields, and these values.
pub fn stored(values: &[&Column]) -> Vec<StoredColumn> {
    let places = Place::all().into_iter();
    let places = places.filter(|place| match place {
        Place::Field(_) => true,
        Place::Value(column) => values.contains(column),
    });
    let column = |place: Place| StoredColumn {
        name: place.column().name.into(),
        type_: Type::of(place.column()),
        unit: place.column().unit.into(),
    };
    places.map(column).collect()
}

/// How the waves behind a header are read and written.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// Type of every column, and its place where this version knows it.
    columns: Vec<(Type, Option<Place>)>,
    /// Places of the two counts.
    correct: usize,
    images: usize,
}

impl Layout {
    /// The columns of a header, or why they cannot be read.
    pub fn new(stored: &[StoredColumn]) -> Result<Self, String> {
        let known = Place::all();
        let mut columns = Vec::new();
        for (i, column) in stored.iter().enumerate() {
            let name = &column.name;
            if stored[..i].iter().any(|other| other.name == *name) {
                return Err(format!("column `{name}` is there twice"));
            }
            let place = known.iter().find(|place| place.column().name == name);
            if place.is_some_and(|p| Type::of(p.column()) != column.type_) {
                return Err(format!("column `{name}` has another type"));
            }
            columns.push((column.type_, place.copied()));
        }
        let place = |name: &str| {
            let place = stored.iter().position(|c| c.name == name);
            place.ok_or_else(|| format!("column `{name}` is missing"))
        };
        Ok(Self {
            columns,
            correct: place(CORRECT)?,
            images: place(IMAGES)?,
        })
    }

    /// The values of every column for `n` chips: one for all, or one a chip. Nothing if the bytes do
    /// not fit; nothing is allocated that they do not have.
    fn split<'b>(&self, mut bytes: &'b [u8], n: usize) -> Option<Vec<&'b [u8]>> {
        let mut columns = Vec::with_capacity(self.columns.len());
        for (type_, _) in &self.columns {
            let (&tag, rest) = bytes.split_first()?;
            let stored = match tag {
                0 => 1,
                1 => n,
                _ => return None,
            };
            let length = stored.checked_mul(type_.width())?;
            columns.push(rest.get(..length)?);
            bytes = &rest[length..];
        }
        bytes.is_empty().then_some(columns)
    }

    /// Why these bytes cannot be `n` chips that classified `images` images each.
    pub fn check(&self, bytes: &[u8], n: usize, images: u32) -> Result<(), String> {
        let columns = self.split(bytes, n);
        let columns = columns.ok_or("its columns do not fit its chips")?;
        let words = |column: usize| columns[column].chunks_exact(4).map(word);
        if let Some(other) = words(self.images).find(|&i| i != u64::from(images)) {
            return Err(format!(
                "a chip of {other} images in a sweep of {images} images"
            ));
        }
        match words(self.correct).find(|&c| c > u64::from(images)) {
            Some(c) => Err(format!("{c} of {images} images are correct")),
            None => Ok(()),
        }
    }

    /// Reads what [`Layout::encode`] wrote for `n` chips from `first`; nothing if the bytes do not fit.
    pub fn decode(&self, bytes: &[u8], point: usize, first: u32, n: usize) -> Option<Vec<ChipRow>> {
        let columns = self.split(bytes, n)?;
        let rows = (0..n as u32).map(|i| ChipRow {
            point,
            chip: first + i,
            ..ChipRow::blank()
        });
        let mut rows: Vec<ChipRow> = rows.collect();
        for ((type_, place), values) in self.columns.iter().zip(columns) {
            let Some(place) = place else { continue };
            let width = type_.width();
            let one = values.len() == width;
            for (i, row) in rows.iter_mut().enumerate() {
                let at = if one { 0 } else { i };
                place.set(row, type_.read(&values[at * width..][..width]));
            }
        }
        for row in &mut rows {
            row.accuracy = f64::from(row.correct) / f64::from(row.images);
        }
        Some(rows)
    }

    /// Appends the columns of `rows`, consecutive chips of one point. A column that this version does not know
    /// has no value in them.
    pub fn encode(&self, rows: &[ChipRow], bytes: &mut Vec<u8>) {
        for &(type_, place) in &self.columns {
            let (tag, width) = (bytes.len(), type_.width());
            bytes.push(1);
            for row in rows {
                let cell = place.map_or(Cell::Real(f64::NAN), |place| place.get(row));
                type_.write(cell, bytes);
            }
            let values = &bytes[tag + 1..];
            if values.chunks(width).all(|v| v == &values[..width]) {
                bytes[tag] = 0;
                bytes.truncate(tag + 1 + width);
            }
        }
    }
}
