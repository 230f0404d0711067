//! Which points of two runs belong together: those that agree in what the runs sweep.
//!
//! A setting that no run varies cannot tell points apart: where two runs differ in it, it is what
//! they are compared for. So points are paired by the axes that vary inside one of the runs.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::text::{compact, key};
use crate::config::field_path;
use crate::sweep::result::{PointSummary, SweepResult};

/// A setting with what it is in two runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// The field of the experiment.
    pub name: String,
    /// Its values in the first run, each once.
    pub a: Vec<Value>,
    /// Its values in the second run.
    pub b: Vec<Value>,
}

impl Setting {
    /// What the runs have of it, in words.
    pub fn sides(&self) -> [String; 2] {
        [&self.a, &self.b].map(|values| {
            let words: Vec<String> = values.iter().map(word).collect();
            words.join(", ")
        })
    }
}

/// Which points of two runs are pairs.
#[derive(Debug, Clone, PartialEq)]
pub struct Pairing {
    /// Fields by which points are paired.
    pub axes: Vec<String>,
    /// Indices of points of the first and the second run.
    pub pairs: Vec<(usize, usize)>,
    /// Points of the first run without one in the second.
    pub only_a: Vec<usize>,
    /// Points of the second run without one in the first.
    pub only_b: Vec<usize>,
    /// Settings that are the same at all points of a run, and others in the other.
    pub settings: Vec<Setting>,
    /// Axes that prevent pairs: they have values in one run only.
    pub prevents: Vec<Setting>,
    /// What tells every point of the first and of the second run from the others, in words.
    pub words: [Vec<String>; 2],
}

/// Parts of an experiment that say how a run is named and how long it is, not what it is of.
const ASIDE: [&str; 4] = ["name", "title", "about", "sweep"];

/// Values of the settings of every point of a run, by field.
pub(super) type Table = BTreeMap<String, Vec<Value>>;

impl Pairing {
    /// Pairs the points of two runs.
    pub fn new(a: &SweepResult, b: &SweepResult) -> Self {
        let names: Vec<String> = names(a).into_iter().chain(names(b)).collect();
        let [of_a, of_b] = [a, b].map(|run| table(run, &names));
        let varies = |t: &Table, name: &str| distinct(&t[name]).len() > 1;
        let mut axes: Vec<String> = of_a.keys().cloned().collect();
        axes.retain(|name| varies(&of_a, name) || varies(&of_b, name));
        drop_redundant(&mut axes, &of_a, &of_b);
        let [keys_a, keys_b] = [&of_a, &of_b].map(|t| keys(t, &axes));
        let mut taken = vec![false; keys_b.len()];
        let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (j, key) in keys_b.iter().enumerate().rev() {
            places.entry(key).or_default().push(j);
        }
        let (mut pairs, mut only_a) = (vec![], vec![]);
        for (i, key) in keys_a.iter().enumerate() {
            match places.get_mut(key.as_str()).and_then(Vec::pop) {
                Some(j) => {
                    taken[j] = true;
                    pairs.push((i, j));
                }
                None => only_a.push(i),
            }
        }
        let only_b = (0..taken.len()).filter(|&j| !taken[j]).collect();
        let differ = |name: &String| {
            let [a, b] = [&of_a, &of_b].map(|t| distinct(&t[name]));
            (a != b).then(|| Setting {
                name: name.clone(),
                a,
                b,
            })
        };
        let all: Vec<Setting> = of_a.keys().filter_map(differ).collect();
        let (prevents, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|s| axes.contains(&s.name));
        let single = |s: &Setting| s.a.len() == 1 && s.b.len() == 1;
        // A training's seed is the run's where nothing else is said.
        let runs = |s: &Setting| {
            s.name == "train.seed" && s.a == [Value::from(a.seed)] && s.b == [Value::from(b.seed)]
        };
        let words = [&of_a, &of_b].map(|t| words(t, &axes));
        Self {
            axes,
            pairs,
            only_a,
            only_b,
            settings: others
                .into_iter()
                .filter(|s| single(s) && !runs(s))
                .collect(),
            prevents,
            words,
        }
    }
}

/// What tells the points of a table apart, in words.
fn words(table: &Table, axes: &[String]) -> Vec<String> {
    let of = |p: usize| {
        let parts = axes.iter();
        let parts = parts.map(|name| format!("{name} = {}", word(&table[name][p])));
        parts.collect::<Vec<_>>().join(", ")
    };
    (0..table.values().next().map_or(0, Vec::len))
        .map(of)
        .collect()
}

/// Fields that the points of a run, or its experiment, name.
fn names(run: &SweepResult) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for point in &run.points {
        found.extend(axes(point).keys().map(|name| field_path(name).to_string()));
    }
    let mut sections = vec![(String::new(), &run.config)];
    while let Some((path, value)) = sections.pop() {
        match value.as_object() {
            Some(fields) => {
                let dot = if path.is_empty() { "" } else { "." };
                let fields = fields
                    .iter()
                    .filter(|(name, _)| !ASIDE.contains(&name.as_str()));
                sections.extend(fields.map(|(name, v)| (format!("{path}{dot}{name}"), v)));
            }
            None if path.is_empty() => {}
            None => {
                found.insert(path);
            }
        }
    }
    found
}

/// The axes of a point; through JSON, so that equal numbers are equal whatever their type.
fn axes(point: &PointSummary) -> serde_json::Map<String, Value> {
    match serde_json::to_value(&point.axes) {
        Ok(Value::Object(map)) => map,
        Ok(_) | Err(_) => serde_json::Map::new(),
    }
}

/// Values of the fields `names` at every point; a field that the points do not name is looked up in
/// the run's experiment.
pub(super) fn table(run: &SweepResult, names: &[String]) -> Table {
    let points: Vec<BTreeMap<String, Value>> = run
        .points
        .iter()
        .map(|p| {
            let own = axes(p).into_iter();
            own.map(|(name, value)| (field_path(&name).to_string(), value))
                .collect()
        })
        .collect();
    let mut table = Table::new();
    for name in names {
        let of_run = name
            .split('.')
            .try_fold(&run.config, |at, part| at.get(part));
        let values = points.iter().map(|own| {
            let value = own.get(name).or(of_run);
            value.cloned().unwrap_or(Value::Null)
        });
        table.insert(name.clone(), values.collect());
    }
    table
}

/// Leaves out axes whose values the two runs do not share where the others tell all points apart:
/// what follows from another axis, such as a default, is no axis of its own.
fn drop_redundant(axes: &mut Vec<String>, a: &Table, b: &Table) {
    let unique = |axes: &[String]| {
        [a, b].iter().all(|t| {
            let keys = keys(t, axes);
            let different: BTreeSet<&String> = keys.iter().collect();
            different.len() == keys.len()
        })
    };
    let mut at = 0;
    while at < axes.len() {
        let mut fewer = axes.clone();
        let name = fewer.remove(at);
        let shared = distinct(&a[&name]) == distinct(&b[&name]);
        match !shared && unique(&fewer) {
            true => *axes = fewer,
            false => at += 1,
        }
    }
}

/// What tells points apart, as a text for each.
fn keys(table: &Table, axes: &[String]) -> Vec<String> {
    let points = table.values().next().map_or(0, Vec::len);
    let of = |p: usize| {
        let values = axes.iter().map(|name| key(&table[name][p]));
        values.collect::<Vec<_>>().join("\n")
    };
    (0..points).map(of).collect()
}

/// Values that occur, in ascending order of their keys.
pub(super) fn distinct(values: &[Value]) -> Vec<Value> {
    let mut found: BTreeMap<String, Value> = BTreeMap::new();
    for value in values {
        found.entry(key(value)).or_insert_with(|| value.clone());
    }
    let mut found: Vec<Value> = found.into_values().collect();
    // Numbers by size; others keep the order of their texts.
    if found.iter().all(Value::is_number) {
        let size = |v: &Value| v.as_f64().unwrap_or(f64::NAN);
        found.sort_by(|x, y| size(x).total_cmp(&size(y)));
    }
    found
}

/// A value as people read it.
pub(super) fn word(value: &Value) -> String {
    match value {
        Value::Null => "not set".into(),
        Value::String(text) => text.clone(),
        other => other
            .as_f64()
            .map_or_else(|| other.to_string(), |x| compact(x, 6)),
    }
}
