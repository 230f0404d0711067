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

use crate::sweep::result::ChipRow;

/// A column as the header of a journal lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredColumn {
    /// Its name, that of the field of [`ChipRow`].
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
enum Field {
    Whole(fn(&mut ChipRow) -> &mut u32),
    Real(fn(&mut ChipRow) -> &mut f64),
}

impl Field {
    fn type_(self) -> Type {
        match self {
            Field::Whole(_) => Type::U32,
            Field::Real(_) => Type::F64,
        }
    }

    fn get(self, mut row: ChipRow, bytes: &mut Vec<u8>) {
        match self {
            Field::Whole(field) => bytes.extend(field(&mut row).to_le_bytes()),
            Field::Real(field) => bytes.extend(field(&mut row).to_bits().to_le_bytes()),
        }
    }

    fn set(self, row: &mut ChipRow, bytes: &[u8]) {
        let word = word(bytes);
        match self {
            Field::Whole(field) => *field(row) = word as u32,
            Field::Real(field) => *field(row) = f64::from_bits(word),
        }
    }
}

/// Up to eight bytes as a number.
fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

/// The columns that this version stores, in order: name, unit, field.
const COLUMNS: [(&str, &str, Field); 9] = [
    (CORRECT, "images", Field::Whole(|r| &mut r.correct)),
    (IMAGES, "images", Field::Whole(|r| &mut r.images)),
    ("loss", "nats", Field::Real(|r| &mut r.loss)),
    ("eps_b", "", Field::Real(|r| &mut r.eps_b)),
    ("eps_common", "", Field::Real(|r| &mut r.eps_common)),
    ("eps_hat", "", Field::Real(|r| &mut r.eps_hat)),
    ("wafer", "", Field::Whole(|r| &mut r.wafer)),
    ("die_x_mm", "mm", Field::Real(|r| &mut r.die_x_mm)),
    ("die_y_mm", "mm", Field::Real(|r| &mut r.die_y_mm)),
];

/// Without these two a chip has no accuracy.
const CORRECT: &str = "correct";
const IMAGES: &str = "images";

/// What this version stores of every chip, for the header.
pub fn stored() -> Vec<StoredColumn> {
    let column = |(name, unit, field): (&str, &str, Field)| StoredColumn {
        name: name.into(),
        type_: field.type_(),
        unit: unit.into(),
    };
    COLUMNS.map(column).into()
}

/// How the waves behind a header are read.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    columns: Vec<(Type, Option<Field>)>,
    /// Places of the two counts.
    correct: usize,
    images: usize,
}

impl Layout {
    /// The columns of a header, or why they cannot be read.
    pub fn new(stored: &[StoredColumn]) -> Result<Self, String> {
        let mut columns = Vec::new();
        for (i, column) in stored.iter().enumerate() {
            let name = &column.name;
            if stored[..i].iter().any(|other| other.name == *name) {
                return Err(format!("column `{name}` is there twice"));
            }
            let known = COLUMNS.iter().find(|(own, ..)| own == name);
            let field = known.map(|&(.., field)| field);
            if field.is_some_and(|f| f.type_() != column.type_) {
                return Err(format!("column `{name}` has another type"));
            }
            columns.push((column.type_, field));
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

    /// Reads what [`encode`] wrote for `n` chips from `first`; nothing if the bytes do not fit.
    pub fn decode(&self, bytes: &[u8], point: usize, first: u32, n: usize) -> Option<Vec<ChipRow>> {
        let columns = self.split(bytes, n)?;
        let rows = (0..n as u32).map(|i| ChipRow {
            point,
            chip: first + i,
            accuracy: 0.0,
            loss: f64::NAN,
            correct: 0,
            images: 0,
            eps_b: f64::NAN,
            eps_common: f64::NAN,
            eps_hat: f64::NAN,
            wafer: 0,
            die_x_mm: f64::NAN,
            die_y_mm: f64::NAN,
        });
        let mut rows: Vec<ChipRow> = rows.collect();
        for ((type_, field), values) in self.columns.iter().zip(columns) {
            let Some(field) = field else { continue };
            let width = type_.width();
            let one = values.len() == width;
            for (i, row) in rows.iter_mut().enumerate() {
                let at = if one { 0 } else { i };
                field.set(row, &values[at * width..][..width]);
            }
        }
        for row in &mut rows {
            row.accuracy = f64::from(row.correct) / f64::from(row.images);
        }
        Some(rows)
    }
}

/// Appends the columns of `rows`, consecutive chips of one point, as [`stored`] lists them.
pub(super) fn encode(rows: &[ChipRow], bytes: &mut Vec<u8>) {
    for (.., field) in &COLUMNS {
        let (tag, width) = (bytes.len(), field.type_().width());
        bytes.push(1);
        for row in rows {
            field.get(*row, bytes);
        }
        let values = &bytes[tag + 1..];
        if values.chunks(width).all(|v| v == &values[..width]) {
            bytes[tag] = 0;
            bytes.truncate(tag + 1 + width);
        }
    }
}
