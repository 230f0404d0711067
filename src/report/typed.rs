//! The rows of `chips.csv` as columns with types: what data frames take, and what `chips.parquet` is made of.
//!
//! Behind point and chip stand the fields that the sweep varies: whole numbers, numbers or booleans where all of
//! their values are, else texts.
//!
//! # Examples
//! `python/src/table.rs` makes Arrow arrays of them.

use serde_json::Value;

use super::chips::{FIRST, text};
use crate::column::Kind;
use crate::sweep::result::{ChipRow, SweepResult};

/// Values of one type; `None` where there is none.
#[derive(Debug, Clone, PartialEq)]
pub enum Typed {
    /// Whole numbers.
    Whole(Vec<Option<i64>>),
    /// Numbers.
    Real(Vec<Option<f64>>),
    /// Booleans.
    Bool(Vec<Option<bool>>),
    /// Texts.
    Text(Vec<Option<String>>),
}

impl Typed {
    /// Values in the most special type that all of them have; null is none.
    pub fn of<'v>(values: impl Iterator<Item = Option<&'v Value>> + Clone) -> Self {
        let values = || values.clone().map(|value| value.filter(|v| !v.is_null()));
        let all =
            |is: fn(&Value) -> bool| values().flatten().all(is) && values().any(|v| v.is_some());
        if all(Value::is_i64) {
            Typed::Whole(values().map(|v| v.and_then(Value::as_i64)).collect())
        } else if all(Value::is_number) {
            Typed::Real(values().map(|v| v.and_then(Value::as_f64)).collect())
        } else if all(Value::is_boolean) {
            Typed::Bool(values().map(|v| v.and_then(Value::as_bool)).collect())
        } else {
            Typed::Text(values().map(|v| v.map(text)).collect())
        }
    }

    /// A field that the sweep varies, one value a point.
    pub(super) fn setting(result: &SweepResult, axis: &str) -> Self {
        Self::of(result.points.iter().map(|p| p.settings.get(axis)))
    }

    /// The values at these places, in this order; none where there is no such place.
    fn at(&self, places: impl Iterator<Item = usize>) -> Self {
        fn pick<T: Clone>(of: &[Option<T>], at: impl Iterator<Item = usize>) -> Vec<Option<T>> {
            at.map(|i| of.get(i).cloned().flatten()).collect()
        }
        match self {
            Typed::Whole(of) => Typed::Whole(pick(of, places)),
            Typed::Real(of) => Typed::Real(pick(of, places)),
            Typed::Bool(of) => Typed::Bool(pick(of, places)),
            Typed::Text(of) => Typed::Text(pick(of, places)),
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Typed::Whole(of) => of.len(),
            Typed::Real(of) => of.len(),
            Typed::Bool(of) => of.len(),
            Typed::Text(of) => of.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The columns of `chips.csv` with their names, in its order.
pub fn columns(result: &SweepResult, rows: &[ChipRow]) -> Vec<(String, Typed)> {
    let own = ChipRow::FIELDS.iter().map(|field| {
        let cells = rows.iter().map(|row| (field.get)(row));
        let values = match field.column.kind {
            Kind::Whole => Typed::Whole(cells.map(|cell| Some(u32::from(cell).into())).collect()),
            Kind::Real | Kind::Optional => reals(cells.map(f64::from)),
        };
        (field.column.name.to_string(), values)
    });
    let mut own: Vec<_> = own.collect();
    let rest = own.split_off(FIRST);
    let axes = result.axes.iter().map(|axis| {
        let points = rows.iter().map(|row| row.point);
        (axis.clone(), Typed::setting(result, axis).at(points))
    });
    let values = result.columns().into_iter().map(|column| {
        let values = rows.iter().map(|row| row.values.get(column.name));
        let values = reals(values.map(|x| x.unwrap_or(f64::NAN)));
        (column.name.to_string(), values)
    });
    own.into_iter()
        .chain(axes)
        .chain(rest)
        .chain(values)
        .collect()
}

/// Numbers, none where they are `NaN`.
fn reals(values: impl Iterator<Item = f64>) -> Typed {
    Typed::Real(values.map(|x| Some(x).filter(|x| !x.is_nan())).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::chips::tests::result;
    use super::*;

    #[test]
    fn values_have_the_most_special_type_of_all() {
        let of = |values: &[Value]| Typed::of(values.iter().map(Some));
        assert_eq!(
            of(&[json!(1), json!(null)]),
            Typed::Whole(vec![Some(1), None])
        );
        assert_eq!(
            of(&[json!(1), json!(0.5)]),
            Typed::Real(vec![Some(1.0), Some(0.5)])
        );
        assert_eq!(of(&[json!(true)]), Typed::Bool(vec![Some(true)]));
        let texts = vec![Some("1".to_string()), Some("a".to_string())];
        assert_eq!(of(&[json!(1), json!("a")]), Typed::Text(texts));
        assert_eq!(of(&[json!(null)]), Typed::Text(vec![None]));
    }

    #[test]
    fn a_row_has_the_settings_of_its_point() {
        let result = result(
            &[("chip.adc.bits", json!(4)), ("chip.adc.bits", json!(6))],
            2,
        );
        let row = |point| ChipRow {
            point,
            chip: 7,
            correct: 3,
            ..ChipRow::blank()
        };
        let columns = columns(&result, &[row(0), row(0)]);
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[..2], ["point", "chip"]);
        let of = |name: &str| &columns.iter().find(|(n, _)| n == name).unwrap().1;
        assert_eq!(of("chip"), &Typed::Whole(vec![Some(7); 2]));
        assert_eq!(of("eps_b"), &Typed::Real(vec![None; 2]));
        assert!(columns.iter().all(|(_, values)| values.len() == 2));
    }
}
