//! Columns of results, each declared once.
//!
//! `columns!` makes the struct of a row and the list of its columns from one declaration:
//!
//! ```text
//! columns! {
//!     /// A row of `chips.csv`.
//!     pub struct ChipRow {
//!         /// Correctly classified images.
//!         correct: u32, whole, "images";
//!         /// Mean cross-entropy over the images.
//!         loss: f64, real, "nats", lower;
//!         /// The chip's estimate.
//!         eps_hat: f64, optional;
//!     }
//! }
//! ```
//!
//! A column has a name, a type, a kind, a unit (by default none) and a good direction (by default none). Fields that
//! are no columns follow `=>`. Files, tables and the generated page docs/columns.md take all of it from the
//! declaration.
//!
//! # Examples
//! ```
//! use pimento::column::Better;
//! use pimento::sweep::result::ChipRow;
//!
//! let columns: Vec<_> = ChipRow::FIELDS.iter().map(|field| &field.column).collect();
//! let loss = columns.into_iter().find(|column| column.name == "loss").unwrap();
//! assert_eq!((loss.unit, loss.better), ("nats", Some(Better::Lower)));
//! ```

use serde::{Deserialize, Serialize};

/// Which values of a column are good ones. The bad end is where its worst chips are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Large values are good, as of an accuracy.
    Higher,
    /// Small values are good, as of a loss.
    Lower,
}

impl Better {
    /// Whether `a` is better than `b`; equal values, and `NaN`, are not.
    pub fn prefers(self, a: f64, b: f64) -> bool {
        match self {
            Better::Higher => a > b,
            Better::Lower => a < b,
        }
    }
}

/// Kind of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number in every row.
    Whole,
    /// A number in every row.
    Real,
    /// A number, or none.
    Optional,
}

/// The declaration of a column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name, the same in every file.
    pub name: &'static str,
    /// What headings and axes call it, without unit; empty where its name in words does. See [`Column::words`].
    pub title: &'static str,
    /// Unit of its values; empty for ratios and plain counts.
    pub unit: &'static str,
    /// Meaning in a sentence or two, in Markdown.
    pub about: &'static str,
    /// Kind of its values.
    pub kind: Kind,
    /// Good direction, where there is one.
    pub better: Option<Better>,
}

impl Column {
    /// What headings and axes call it, without unit.
    ///
    /// ```
    /// let energy = pimento::sweep::columns::find("energy_array_pj").unwrap();
    /// assert_eq!(energy.words(), "energy of the arrays for an image");
    /// ```
    pub fn words(&self) -> String {
        match self.title {
            "" => self.name.replace('_', " "),
            title => title.to_string(),
        }
    }

    /// Its row in a table of columns in Markdown: name, unit, kind, good direction, meaning.
    pub fn markdown(&self) -> String {
        let kind = match self.kind {
            Kind::Whole => "whole",
            Kind::Real => "real",
            Kind::Optional => "real or empty",
        };
        let better = match self.better {
            Some(Better::Higher) => "higher",
            Some(Better::Lower) => "lower",
            None => "",
        };
        let about: Vec<&str> = self.about.split_whitespace().collect();
        let (name, unit, about) = (self.name, self.unit, about.join(" "));
        format!("| `{name}` | {unit} | {kind} | {better} | {about} |\n")
    }
}

/// Head of a table of columns in Markdown.
pub const MARKDOWN_HEAD: &str = "\
| column | unit | type | better | meaning |
| --- | --- | --- | --- | --- |
";

/// A value of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell {
    /// Of a column of whole numbers.
    Whole(u32),
    /// Of any other column; `NaN` where there is no value.
    Real(f64),
}

impl Cell {
    /// The value of a row that nothing was written to: 0, or `NaN`.
    pub const fn blank(kind: Kind) -> Self {
        match kind {
            Kind::Whole => Cell::Whole(0),
            Kind::Real | Kind::Optional => Cell::Real(f64::NAN),
        }
    }
}

impl From<u32> for Cell {
    fn from(n: u32) -> Self {
        Cell::Whole(n)
    }
}

impl From<usize> for Cell {
    fn from(n: usize) -> Self {
        Cell::Whole(u32::try_from(n).unwrap_or(u32::MAX))
    }
}

/// Counts beyond 32 bits are kept as real numbers, exact up to 2^53.
impl From<u64> for Cell {
    fn from(n: u64) -> Self {
        u32::try_from(n).map_or(Cell::Real(n as f64), Cell::Whole)
    }
}

impl From<f64> for Cell {
    fn from(x: f64) -> Self {
        Cell::Real(x)
    }
}

impl From<Cell> for f64 {
    fn from(cell: Cell) -> Self {
        match cell {
            Cell::Whole(n) => n.into(),
            Cell::Real(x) => x,
        }
    }
}

/// A number that is none, or is not whole, is cut as `as` does.
impl From<Cell> for u32 {
    fn from(cell: Cell) -> Self {
        match cell {
            Cell::Whole(n) => n,
            Cell::Real(x) => x as u32,
        }
    }
}

impl From<Cell> for u64 {
    fn from(cell: Cell) -> Self {
        match cell {
            Cell::Whole(n) => n.into(),
            Cell::Real(x) => x as u64,
        }
    }
}

impl From<Cell> for usize {
    fn from(cell: Cell) -> Self {
        u32::from(cell) as usize
    }
}

/// A column that every row of type `R` has, as a field of it.
#[derive(Debug)]
pub struct Field<R: 'static> {
    /// The declaration.
    pub column: Column,
    /// The value of a row.
    pub get: fn(&R) -> Cell,
    /// Sets the value of a row.
    pub set: fn(&mut R, Cell),
}

macro_rules! columns {
    (@kind whole) => { $crate::column::Kind::Whole };
    (@kind real) => { $crate::column::Kind::Real };
    (@kind optional) => { $crate::column::Kind::Optional };

    (@unit) => { "" };
    (@unit $unit:literal) => { $unit };

    (@better) => { None };
    (@better higher) => { Some($crate::column::Better::Higher) };
    (@better lower) => { Some($crate::column::Better::Lower) };

    (
        $(#[$meta:meta])+
        pub struct $row:ident {
            $(
                $(#[doc = $doc:literal])+
                $field:ident: $type:ty, $kind:ident $(, $unit:literal $(, $better:ident)?)?;
            )+
            $(=> $($(#[$rest_meta:meta])+ $rest:ident: $rest_type:ty;)+)?
        }
    ) => {
        $(#[$meta])+
        pub struct $row {
            $($(#[doc = $doc])+ pub $field: $type,)+
            $($($(#[$rest_meta])+ pub $rest: $rest_type,)+)?
        }

        impl $row {
            /// The columns that every row has, in order.
            pub const FIELDS: &'static [$crate::column::Field<Self>] = &[$(
                $crate::column::Field {
                    column: $crate::column::Column {
                        name: stringify!($field),
                        title: "",
                        unit: columns!(@unit $($unit)?),
                        about: concat!($($doc),+),
                        kind: columns!(@kind $kind),
                        better: columns!(@better $($($better)?)?),
                    },
                    get: |row| row.$field.into(),
                    set: |row, cell| row.$field = cell.into(),
                },
            )+];

            /// A row without values: counts are 0, other numbers `NaN`.
            pub fn blank() -> Self {
                Self {
                    $($field: $crate::column::Cell::blank(columns!(@kind $kind)).into(),)+
                    $($($rest: Default::default(),)+)?
                }
            }
        }
    };
}

pub(crate) use columns;
