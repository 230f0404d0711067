//! What a sweep varies: fields of the experiment by their path, and how their values make points.

use std::fmt;

use toml::de::DeValue;

use super::choice::choices;
use super::reader::{self, Entries, Section, Value};
use crate::random::{Purpose, Stream};

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

impl AxisValue {
    /// The value as it stands in a file.
    pub(super) fn toml(&self) -> &toml::Value {
        &self.0
    }

    /// Equal numbers are equal whatever their type.
    fn same(&self, other: &AxisValue) -> bool {
        let number = |v: &toml::Value| v.as_float().or(v.as_integer().map(|i| i as f64));
        match (number(&self.0), number(&other.0)) {
            (Some(a), Some(b)) => a == b,
            _ => self.0 == other.0,
        }
    }

    fn read(value: &DeValue) -> Result<AxisValue, String> {
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
    /// Name in labels and results: the short name where the field has one, else its path.
    pub name: String,
    /// The field, e.g. `variation.sigma_w`.
    pub path: String,
    /// What it takes.
    pub values: Values,
}

/// Fields with a short name.
const SHORT: [(&str, &str); 17] = [
    ("recipe", "train.recipe"),
    ("law", "variation.law"),
    ("mapping", "variation.mapping"),
    ("distribution", "variation.distribution"),
    ("sigma_w", "variation.sigma_w"),
    ("sigma_b", "variation.sigma_b"),
    ("weight_bits", "quantize.weight_bits"),
    ("activation_bits", "quantize.activation_bits"),
    ("tuning", "tuning.method"),
    ("test_cells", "tuning.test_cells"),
    ("estimator", "tuning.estimator"),
    ("reference_columns", "tuning.reference_columns"),
    ("train_variation", "train.variation"),
    ("train_seed", "train.seed"),
    ("epochs", "train.epochs"),
    ("network_width", "network.width"),
    ("train_sigma_w", "train.sigma_w"),
];

/// Path of the field that an axis of this name varies.
pub(super) fn path_of(name: &str) -> &str {
    let short = SHORT.iter().find(|(short, _)| *short == name);
    short.map_or(name, |(_, path)| path)
}

/// Fields, or sections, that all points of a sweep share, and why.
const SHARED: [(&str, &str); 8] = [
    ("name", "a sweep has one name"),
    ("title", "a sweep has one title"),
    ("about", "a sweep has one text"),
    ("seed", "all points have the same chips"),
    ("data", "all points have the same images"),
    ("network.file", "a sweep reads one file"),
    ("network.file_sha256", "a sweep reads one file"),
    (
        "sweep",
        "a sweep has one plan; allowed of it: sweep.chips, sweep.yield_limit",
    ),
];

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
            map.serialize_entry(&axis.name, &axis.values)?;
        }
        map.end()
    }
}

/// A value of an axis as it stands in the file, for the field's own reader to judge.
pub(super) struct Trial<'t> {
    /// The field.
    pub(super) path: String,
    /// Where the axis stands, e.g. `sweep.axes.variation.sigma_w`.
    pub(super) place: String,
    pub(super) value: &'t Value<'t>,
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

    /// Two points of [`Mode::Zip`] with the same value of every axis. Their lists are of one length.
    fn repeated(&self) -> Option<(usize, usize)> {
        let lists = || {
            self.axes.iter().filter_map(|axis| match &axis.values {
                Values::List(list) => Some(list),
                Values::Range { .. } => None,
            })
        };
        let n = self.n_points();
        (0..n)
            .flat_map(|k| (0..k).map(move |i| (i, k)))
            .find(|&(i, k)| lists().all(|list| list[i].same(&list[k])))
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

    pub(super) fn read<'t>(table: &Entries<'t>, s: &Section, trials: &mut Vec<Trial<'t>>) -> Self {
        let mut design = Design::none();
        let mut lengths: Vec<(String, usize)> = Vec::new();
        let mut axes = Vec::new();
        for (key, value) in &table.entries {
            let place = format!("{}.{key}", table.path);
            let refuse = |m: String| refuse(s, &place, m);
            match *key {
                "mode" => match reader::choice(value.get_ref()) {
                    Ok(mode) => design.mode = mode,
                    Err(m) => refuse(m),
                },
                "samples" => match reader::integer(value.get_ref(), &(1..=MAX_SAMPLES)) {
                    Ok(n) => design.samples = n as usize,
                    Err(m) => refuse(m),
                },
                _ => flatten(key, value, &mut axes),
            }
        }
        for (key, value) in axes {
            let place = format!("{}.{key}", table.path);
            let line = s.reader().line_at(value.span().start);
            s.reader().note(place.clone(), line);
            let Some(path) = field(&key, &place, s) else {
                continue;
            };
            let short = SHORT.iter().find(|(_, p)| *p == path);
            let name = short.map_or(path.clone(), |(name, _)| (*name).to_string());
            if design.axes.iter().any(|a| a.path == path) {
                refuse(
                    s,
                    &place,
                    format!("`{path}` is there twice; allowed: one axis a field"),
                );
                continue;
            }
            let values = match value.get_ref() {
                DeValue::Table(_) => range(value, &path, &place, s, trials),
                _ => list(value, &path, &place, s, trials, design.mode == Mode::Zip),
            };
            if let (Some(Values::List(list)), Mode::Zip) = (&values, design.mode) {
                lengths.push((place.clone(), list.len()));
            }
            if matches!(values, Some(Values::Range { .. })) && design.mode != Mode::LatinHypercube {
                let text = "a range has no list of values; allowed with mode = \"latin-hypercube\"";
                refuse(s, &place, text.into());
                continue;
            }
            if let Some(values) = values {
                design.axes.push(Axis { name, path, values });
            }
        }
        if let Some((first, others)) = lengths.split_first() {
            for (place, n) in others.iter().filter(|(_, n)| *n != first.1) {
                let text = format!(
                    "has {n} values and `{}` {}; allowed: as many",
                    first.0, first.1
                );
                refuse(s, place, text);
            }
            if first.1 <= super::MAX_POINTS
                && others.iter().all(|(_, n)| *n == first.1)
                && let Some((i, k)) = design.repeated()
            {
                let text = format!(
                    "values {} and {} of all axes are the same point",
                    i + 1,
                    k + 1
                );
                refuse(s, &first.0, text);
            }
        }
        let hypercube = design.mode == Mode::LatinHypercube;
        if hypercube != (design.samples > 0) {
            let text = "is the number of points of mode = \"latin-hypercube\", which needs it";
            refuse(s, &format!("{}.samples", table.path), text.into());
        }
        design
    }
}

/// Most points of a Latin hypercube.
const MAX_SAMPLES: u64 = super::MAX_POINTS as u64;

fn refuse(s: &Section, place: &str, message: String) {
    let line = s.reader().line_of(place);
    s.reader()
        .error(line, format!("field `{place}`: {message}"));
}

/// Axes inside `key`: dotted keys without quotes are tables in tables.
fn flatten<'t>(key: &str, value: &'t Value<'t>, axes: &mut Vec<(String, &'t Value<'t>)>) {
    let is_range = |name: &str| matches!(name, "from" | "to" | "log" | "integer");
    match value.get_ref() {
        DeValue::Table(t) if !t.keys().any(|k| is_range(k.get_ref())) => {
            let mut inner: Vec<_> = t.iter().collect();
            inner.sort_by_key(|(k, _)| k.span().start);
            for (k, v) in inner {
                flatten(&format!("{key}.{}", k.get_ref()), v, axes);
            }
        }
        _ => axes.push((key.to_string(), value)),
    }
}

/// The field that an axis's key means.
fn field(key: &str, place: &str, s: &Section) -> Option<String> {
    let short = SHORT.iter().find(|(name, _)| *name == key);
    let path = short.map_or(key, |(_, path)| path);
    let is =
        |field: &str| path == field || path.strip_prefix(field).is_some_and(|p| p.starts_with('.'));
    let shared = SHARED.iter().find(|(field, _)| is(field));
    if let (Some((_, why)), false) = (shared, matches!(path, "sweep.chips" | "sweep.yield_limit")) {
        refuse(s, place, format!("cannot vary: {why}"));
        return None;
    }
    if short.is_none() && !path.contains('.') && path != "fidelity" {
        let names = SHORT.map(|(name, _)| name);
        let line = s.reader().line_of(place);
        let text = reader::unknown("axis", place, key, &names);
        let text = format!("{text}, or the path of a field, such as \"variation.sigma_layer\"");
        s.reader().error(line, text);
        return None;
    }
    Some(path.to_string())
}

fn list<'t>(
    value: &'t Value<'t>,
    path: &str,
    place: &str,
    s: &Section,
    trials: &mut Vec<Trial<'t>>,
    repeats: bool,
) -> Option<Values> {
    let one = std::slice::from_ref(value);
    let items = value.get_ref().as_array().map_or(one, |a| a);
    if items.is_empty() {
        let text = "an empty list has no points; allowed: one value or more";
        refuse(s, place, text.into());
        return None;
    }
    let mut values: Vec<AxisValue> = Vec::new();
    for item in items {
        let line = s.reader().line_at(item.span().start);
        let refuse = |m: String| s.reader().error(line, format!("field `{place}`: {m}"));
        match AxisValue::read(item.get_ref()) {
            Ok(v) if !repeats && values.iter().any(|other| other.same(&v)) => {
                refuse(format!("value {v} is there twice"));
            }
            Ok(v) => {
                values.push(v);
                trials.push(Trial {
                    path: path.to_string(),
                    place: place.to_string(),
                    value: item,
                });
            }
            Err(m) => refuse(m),
        }
    }
    (!values.is_empty()).then_some(Values::List(values))
}

fn range<'t>(
    value: &'t Value<'t>,
    path: &str,
    place: &str,
    s: &Section,
    trials: &mut Vec<Trial<'t>>,
) -> Option<Values> {
    let table = value.get_ref().as_table()?;
    let (mut from, mut to, mut log, mut integer) = (None, None, false, false);
    let mut good = true;
    for (key, v) in table {
        let flag = || {
            v.get_ref()
                .as_bool()
                .ok_or("expected true or false".to_string())
        };
        let mut end = || {
            trials.push(Trial {
                path: path.to_string(),
                place: place.to_string(),
                value: v,
            });
            reader::real(v.get_ref(), &(-1e300..=1e300)).map(Some)
        };
        let read = match key.get_ref().as_ref() {
            "from" => end().map(|x| from = x),
            "to" => end().map(|x| to = x),
            "log" => flag().map(|b| log = b),
            "integer" => flag().map(|b| integer = b),
            _ => Err("unknown key; allowed: from, to, log, integer".into()),
        };
        if let Err(m) = read {
            refuse(s, &format!("{place}.{}", key.get_ref()), m);
            good = false;
        }
    }
    let problem = match (from, to) {
        _ if !good => return None,
        (Some(a), Some(b)) if a >= b => "from must be below to",
        (Some(a), Some(_)) if log && a <= 0.0 => "log needs from above 0",
        (Some(from), Some(to)) => {
            return Some(Values::Range {
                from,
                to,
                log,
                integer,
            });
        }
        _ => "a range has two ends; allowed: { from = A, to = B }",
    };
    refuse(s, place, problem.into());
    None
}

#[cfg(test)]
mod tests;
