//! What a sweep varies: fields of the experiment by their path, and how their values make points.

mod read;

use std::fmt;

use toml::de::DeValue;

use crate::choice::choices;
use crate::random::{Purpose, Stream};

pub(super) use read::{SHARED, SHORT, Trial, written};

choices! {
    /// How the values of a design's axes make points.
    pub enum Mode {
        /// Every combination, the last axis fastest.
        Grid = "grid",
        /// The first value of every axis, then the second of every axis, and so on.
        Zip = "zip",
        /// [`Design::samples`] points: each axis is cut into as many strata, and every stratum of
        /// every axis has one point (McKay, Beckman and Conover, Technometrics 21, 1979, 239-245).
        LatinHypercube = "latin-hypercube",
    }
}

/// Value of an axis at a point: anything that a field of the file can be.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(transparent)]
pub struct AxisValue(toml::Value);

impl fmt::Display for AxisValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&text(&self.0))
    }
}

fn text(value: &toml::Value) -> String {
    match value {
        toml::Value::String(s) => s.clone(),
        toml::Value::Float(x) => x.to_string(),
        toml::Value::Array(list) => {
            let items: Vec<String> = list.iter().map(text).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

/// Whole numbers up to here are exact as `f64`.
const EXACT: f64 = (1u64 << 53) as f64;

fn key(value: &toml::Value) -> String {
    match value {
        toml::Value::Float(x) if x.fract() == 0.0 && x.abs() < EXACT => format!("{}", *x as i64),
        toml::Value::Array(list) => {
            let items: Vec<String> = list.iter().map(key).collect();
            format!("[{}]", items.join(","))
        }
        // With its quotes, so that a text is no number.
        other => other.to_string(),
    }
}

impl AxisValue {
    /// The value as it stands in a file.
    pub(super) fn toml(&self) -> &toml::Value {
        &self.0
    }

    /// The number, if it is one.
    pub fn real(&self) -> Option<f64> {
        match &self.0 {
            toml::Value::String(s) if s == "inf" => Some(f64::INFINITY),
            toml::Value::Integer(i) => Some(*i as f64),
            other => other.as_float(),
        }
    }

    /// Whether it is a whole number, written as one.
    pub fn is_whole(&self) -> bool {
        self.0.is_integer()
    }

    /// A text that two values share if and only if they are the same: equal numbers are, whatever
    /// their type.
    pub(super) fn key(&self) -> String {
        key(&self.0)
    }

    /// The value as it is written; messages name no field.
    pub(super) fn read(value: &DeValue) -> Result<AxisValue, String> {
        let plain = match value {
            DeValue::String(s) => toml::Value::String(s.to_string()),
            DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix())
                .map(toml::Value::Integer)
                .map_err(|_| format!("{} is no 64-bit integer", i.as_str()))?,
            DeValue::Float(x) => match x.as_str().parse::<f64>() {
                // As JSON carries it, which has no infinity.
                Ok(x) if x == f64::INFINITY => toml::Value::String("inf".into()),
                // `-0.0` is in the range of `0.0` but would be another value in the results.
                Ok(x) => toml::Value::Float(x + 0.0),
                Err(e) => return Err(format!("{}: {e}", x.as_str())),
            },
            DeValue::Boolean(b) => toml::Value::Boolean(*b),
            DeValue::Array(list) => {
                let items = list.iter().map(|v| AxisValue::read(v.get_ref()));
                let items = items.map(|v| v.map(|v| v.0));
                toml::Value::Array(items.collect::<Result<_, _>>()?)
            }
            DeValue::Datetime(_) | DeValue::Table(_) => {
                return Err(
                    "no field takes this; allowed: numbers, texts, booleans, lists of them".into(),
                );
            }
        };
        Ok(AxisValue(plain))
    }
}

/// The values of an axis.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// These, at least one.
    List(Vec<AxisValue>),
    /// Any in a range ([`Mode::LatinHypercube`]).
    Range {
        /// Lower end.
        from: f64,
        /// Upper end, above [`Values::Range::from`].
        to: f64,
        /// Strata of equal ratio instead of equal length; both ends positive.
        log: bool,
        /// Whole numbers, both ends included.
        integer: bool,
    },
}

impl serde::Serialize for Values {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        match *self {
            Values::List(ref list) => list.serialize(s),
            Values::Range {
                from,
                to,
                log,
                integer,
            } => {
                let mut map = s.serialize_map(None)?;
                for (key, x) in [("from", from), ("to", to)] {
                    // What is read back as a whole number must look like one.
                    match integer {
                        true => map.serialize_entry(key, &(x as i64))?,
                        false => map.serialize_entry(key, &x)?,
                    }
                }
                map.serialize_entry("log", &log)?;
                map.serialize_entry("integer", &integer)?;
                map.end()
            }
        }
    }
}

impl Values {
    /// The value at the fraction `u` in 0..1 of the axis. Numbers have six significant digits, so
    /// that a point's label is the point.
    fn at(&self, u: f64) -> AxisValue {
        match self {
            Values::List(list) => {
                list[((u * list.len() as f64) as usize).min(list.len() - 1)].clone()
            }
            Values::Range {
                from,
                to,
                log,
                integer,
            } => {
                // A whole number has the length 1 around it.
                let half = if *integer { 0.5 } else { 0.0 };
                let (lo, hi) = (from - half, to + half);
                let x = match log {
                    true => lo * (hi / lo).powf(u),
                    false => lo + u * (hi - lo),
                };
                AxisValue(match integer {
                    true => toml::Value::Integer(x.round().clamp(*from, *to) as i64),
                    false => toml::Value::Float(six_digits(x).clamp(*from, *to)),
                })
            }
        }
    }
}

fn six_digits(x: f64) -> f64 {
    format!("{x:.5e}").parse().unwrap_or(x)
}

/// One field that varies.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// The field, e.g. `variation.sigma_w`: its name in labels and results, too.
    pub path: String,
    /// What it takes.
    pub values: Values,
}

/// The path of the field that an axis is called after: itself, or what a short name stands for.
pub fn field_path(name: &str) -> &str {
    let short = SHORT.iter().find(|(short, _)| *short == name);
    short.map_or(name, |(_, path)| path)
}

/// Axes and how they are combined: a `[[sweep.grid]]` table, or `[sweep.axes]`.
///
/// Every other key is an axis: a short name, or the path of any field in quotes; its value a list,
/// one value, or, in a Latin hypercube, `{ from, to, log, integer }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Design {
    /// How points are made.
    pub mode: Mode,
    /// Points of a Latin hypercube; 0 otherwise.
    pub samples: usize,
    /// Axes in the order of the file.
    pub axes: Vec<Axis>,
}

impl serde::Serialize for Design {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = s.serialize_map(None)?;
        if self.mode != Mode::Grid {
            map.serialize_entry("mode", &self.mode)?;
        }
        if self.mode == Mode::LatinHypercube {
            map.serialize_entry("samples", &self.samples)?;
        }
        for axis in &self.axes {
            map.serialize_entry(&axis.path, &axis.values)?;
        }
        map.end()
    }
}

impl Design {
    /// No axes: one point.
    pub(super) fn none() -> Self {
        Design {
            mode: Mode::Grid,
            samples: 0,
            axes: Vec::new(),
        }
    }

    /// Number of points.
    pub fn n_points(&self) -> usize {
        let lengths = self.axes.iter().map(|axis| match &axis.values {
            Values::List(list) => list.len(),
            Values::Range { .. } => 1,
        });
        match self.mode {
            Mode::Grid => lengths.fold(1, usize::saturating_mul),
            Mode::Zip => lengths.min().unwrap_or(1),
            Mode::LatinHypercube => self.samples,
        }
    }

    /// Every axis's value at every point. `place` tells the designs of one sweep apart, so that
    /// each Latin hypercube is another.
    pub(super) fn points(&self, seed: u64, place: u32) -> Vec<Vec<AxisValue>> {
        let n = self.n_points();
        let columns: Vec<Vec<AxisValue>> = match self.mode {
            Mode::LatinHypercube => self
                .axes
                .iter()
                .map(|axis| {
                    // Its place by name, so that the order in the file does not matter.
                    let a = self.axes.iter().filter(|o| o.path < axis.path).count() as u32;
                    let stream =
                        |use_of| Stream::new(seed, Purpose::Design, 0, a, 2 * place + use_of);
                    let (order, inside) = (stream(0), stream(1));
                    let mut strata: Vec<u32> = (0..n as u32).collect();
                    strata.sort_by_key(|&i| (order.word(i), i));
                    let value = |(i, &stratum): (u32, &u32)| {
                        let jitter = (f64::from(inside.word(i)) + 0.5) / 2f64.powi(32);
                        axis.values.at((f64::from(stratum) + jitter) / n as f64)
                    };
                    (0..).zip(&strata).map(value).collect()
                })
                .collect(),
            Mode::Grid | Mode::Zip => {
                let mut slower = n;
                let column = |axis: &Axis| {
                    let Values::List(list) = &axis.values else {
                        return Vec::new();
                    };
                    if self.mode == Mode::Zip {
                        return list[..n].to_vec();
                    }
                    slower /= list.len();
                    (0..n)
                        .map(|i| list[i / slower % list.len()].clone())
                        .collect()
                };
                self.axes.iter().map(column).collect()
            }
        };
        (0..n)
            .map(|i| columns.iter().map(|column| column[i].clone()).collect())
            .collect()
    }
}

#[cfg(test)]
mod tests;
