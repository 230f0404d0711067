//! The rows of a wave as bytes.
//!
//! Column by column, so that a column with one value in all rows (no wafer, no estimate) costs
//! eight bytes a wave: a tag, 0 for one value and 1 for one a row, and the values, little endian.
//! Point and chip are not stored with every row (the chips of a wave are consecutive), and neither
//! is the accuracy, which is `correct / images`.

use crate::sweep::result::ChipRow;

/// Names of the stored columns, in order; part of the journal's header.
pub(super) const NAMES: [&str; 9] = [
    "correct",
    "images",
    "loss",
    "eps_b",
    "eps_common",
    "eps_hat",
    "wafer",
    "die_x_mm",
    "die_y_mm",
];

/// A stored column.
enum Column {
    Whole(fn(&mut ChipRow) -> &mut u32),
    Real(fn(&mut ChipRow) -> &mut f64),
}

const COLUMNS: [Column; NAMES.len()] = [
    Column::Whole(|r| &mut r.correct),
    Column::Whole(|r| &mut r.images),
    Column::Real(|r| &mut r.loss),
    Column::Real(|r| &mut r.eps_b),
    Column::Real(|r| &mut r.eps_common),
    Column::Real(|r| &mut r.eps_hat),
    Column::Whole(|r| &mut r.wafer),
    Column::Real(|r| &mut r.die_x_mm),
    Column::Real(|r| &mut r.die_y_mm),
];

impl Column {
    /// Bytes of a value.
    fn width(&self) -> usize {
        match self {
            Column::Whole(_) => 4,
            Column::Real(_) => 8,
        }
    }

    fn get(&self, mut row: ChipRow, bytes: &mut Vec<u8>) {
        match self {
            Column::Whole(field) => bytes.extend(field(&mut row).to_le_bytes()),
            Column::Real(field) => bytes.extend(field(&mut row).to_bits().to_le_bytes()),
        }
    }

    fn set(&self, row: &mut ChipRow, bytes: &[u8]) {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        let word = u64::from_le_bytes(word);
        match self {
            Column::Whole(field) => *field(row) = word as u32,
            Column::Real(field) => *field(row) = f64::from_bits(word),
        }
    }
}

/// Appends the columns of `rows`, consecutive chips of one point.
pub(super) fn encode(rows: &[ChipRow], bytes: &mut Vec<u8>) {
    for column in &COLUMNS {
        let (tag, width) = (bytes.len(), column.width());
        bytes.push(1);
        for row in rows {
            column.get(*row, bytes);
        }
        let values = &bytes[tag + 1..];
        if values.chunks(width).all(|v| v == &values[..width]) {
            bytes[tag] = 0;
            bytes.truncate(tag + 1 + width);
        }
    }
}

/// Reads what [`encode`] wrote for `n` chips from `first`; nothing if the bytes do not fit.
pub(super) fn decode(mut bytes: &[u8], point: usize, first: u32, n: usize) -> Option<Vec<ChipRow>> {
    let rows = (0..n as u32).map(|i| ChipRow {
        point,
        chip: first + i,
        accuracy: 0.0,
        loss: 0.0,
        correct: 0,
        images: 0,
        eps_b: 0.0,
        eps_common: 0.0,
        eps_hat: 0.0,
        wafer: 0,
        die_x_mm: 0.0,
        die_y_mm: 0.0,
    });
    let mut rows: Vec<ChipRow> = rows.collect();
    for column in &COLUMNS {
        let (&tag, rest) = bytes.split_first()?;
        let width = column.width();
        let stored = match tag {
            0 => 1,
            1 => n,
            _ => return None,
        };
        let values = rest.get(..stored * width)?;
        for (i, row) in rows.iter_mut().enumerate() {
            let at = if tag == 0 { 0 } else { i };
            column.set(row, &values[at * width..][..width]);
        }
        bytes = &rest[stored * width..];
    }
    for row in &mut rows {
        row.accuracy = f64::from(row.correct) / f64::from(row.images);
    }
    bytes.is_empty().then_some(rows)
}
