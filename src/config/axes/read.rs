//! Reading the axes of a design.

use std::collections::{HashMap, HashSet};

use toml::de::DeValue;

use super::{Axis, AxisValue, Design, Mode, Values};
use crate::config::reader::{self, Entries, Section, Value};
use crate::config::rule::{Any, Read, Rule};
use crate::config::{MAX_POINTS, path};
use crate::error::{Code, Mistake};

/// Short names that are accepted for fields; what is written has the path.
pub(in crate::config) const SHORT: [(&str, &str); 17] = [
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

/// Fields, or sections, that all points of a sweep share, and why.
pub(in crate::config) const SHARED: [(&str, &str); 13] = [
    ("name", "a sweep has one name"),
    ("title", "a sweep has one title"),
    ("about", "a sweep has one text"),
    ("seed", "all points have the same chips"),
    ("data", "all points have the same images"),
    ("network.file", "a sweep reads one file"),
    ("network.file_sha256", "a sweep reads one file"),
    ("chip.cells.sampled", "a sweep reads one table of cells"),
    (
        "chip.cells.sampled_sha256",
        "a sweep reads one table of cells",
    ),
    ("train.loss.distill.file", "a sweep reads one teacher"),
    (
        "train.loss.distill.file_sha256",
        "a sweep reads one teacher",
    ),
    ("design", "a search has one goal"),
    (
        "sweep",
        "a sweep has one plan; allowed of it: sweep.chips, sweep.yield_limit",
    ),
];

/// Longest key of an axis; the longest path of a field has some 40 characters, and the name of a layer up to 200.
const MAX_KEY: usize = 300;

/// Most parts of an axis's path; the deepest field has four.
const MAX_PARTS: usize = 8;

/// The key that the file has for the axis of a field: its short name, where `is_there` says so,
/// else its path.
pub(in crate::config) fn written(path: &str, is_there: impl Fn(&str) -> bool) -> Option<String> {
    let short = SHORT
        .iter()
        .find(|(_, p)| *p == path)
        .map(|(name, _)| *name);
    let mut keys = short.into_iter().chain([path]);
    keys.find(|key| is_there(key)).map(str::to_string)
}

/// A value of an axis as it stands in the file, for the field's own reader to judge.
pub(in crate::config) struct Trial<'t> {
    /// The field.
    pub(in crate::config) path: String,
    /// Where the axis stands, e.g. `sweep.axes.variation.sigma_w`.
    pub(in crate::config) place: String,
    pub(in crate::config) value: &'t Value<'t>,
}

/// The place and length of every list.
type Lengths = Vec<(String, usize)>;

impl Design {
    /// Reads a design; the values of its axes are left to try in the section.
    pub(in crate::config) fn read<'t>(table: &Entries<'t>, s: &mut Section<'t>) -> Self {
        let mut trials = std::mem::take(&mut s.trials);
        let design = Self::read_axes(table, s, &mut trials);
        s.trials = trials;
        design
    }

    fn read_axes<'t>(table: &Entries<'t>, s: &Section, trials: &mut Vec<Trial<'t>>) -> Self {
        let mut design = Design::none();
        let mut axes = Vec::new();
        for (key, value) in &table.entries {
            let refuse = |m: Box<Mistake>| refuse(s, &format!("{}.{key}", table.path), m);
            match *key {
                "mode" => match Any.read(value.get_ref()) {
                    Ok(mode) => design.mode = mode,
                    Err(m) => refuse(m),
                },
                "samples" => match (1..=MAX_POINTS).read(value.get_ref()) {
                    Ok(n) => design.samples = n,
                    Err(m) => refuse(m),
                },
                _ => flatten(key, value, &mut axes),
            }
        }
        let mut lengths = Lengths::new();
        let mut known = HashSet::new();
        for (key, value) in axes {
            let place = format!("{}.{key}", table.path);
            let line = s.reader().line_at(value.span().start);
            s.reader().note(place.clone(), line);
            let Some(path) = field(&key, &place, s) else {
                continue;
            };
            // Where its field is looked for, however the file quotes it.
            s.reader().note(format!("{}.{path}", table.path), line);
            if !known.insert(path.clone()) {
                let text = format!("`{path}` is there twice; allowed: one axis a field");
                refuse(s, &place, Mistake::worded(Code::Repeated, &text));
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
                refuse(s, &place, Mistake::worded(Code::Contradiction, text));
                continue;
            }
            if let Some(values) = values {
                design.axes.push(Axis { path, values });
            }
        }
        design.check_lists(&lengths, s);
        let hypercube = design.mode == Mode::LatinHypercube;
        if hypercube != (design.samples > 0) {
            let text = "is the number of points of mode = \"latin-hypercube\", which needs it";
            let place = format!("{}.samples", table.path);
            refuse(s, &place, Mistake::new(Code::Contradiction, text));
        }
        design
    }

    /// Refuses lists of [`Mode::Zip`] that have different lengths or make a point twice.
    fn check_lists(&self, lengths: &Lengths, s: &Section) {
        let Some((first, others)) = lengths.split_first() else {
            return;
        };
        let mut equal = true;
        for (place, n) in others.iter().filter(|(_, n)| *n != first.1) {
            let text = format!(
                "has {n} values and `{}` {}; allowed: as many",
                first.0, first.1
            );
            refuse(s, place, Mistake::worded(Code::Contradiction, &text));
            equal = false;
        }
        if let Some((i, k)) = self.repeated().filter(|_| equal) {
            let text = format!(
                "values {} and {} of all axes are the same point",
                i + 1,
                k + 1
            );
            refuse(s, &first.0, Mistake::new(Code::Repeated, text));
        }
    }

    /// Two points of [`Mode::Zip`] with the same value of every axis. Their lists are of one length.
    fn repeated(&self) -> Option<(usize, usize)> {
        let mut seen = HashMap::new();
        (0..self.n_points()).find_map(|k| {
            let keys = self.axes.iter().filter_map(|axis| match &axis.values {
                Values::List(list) => Some(list[k].key()),
                Values::Range { .. } => None,
            });
            seen.insert(keys.collect::<Vec<_>>(), k).map(|i| (i, k))
        })
    }
}

fn refuse(s: &Section, place: &str, mistake: impl Into<Box<Mistake>>) {
    let mut mistake = *mistake.into();
    let line = s.reader().line_of(place);
    mistake.field = Some(reader::short(place).into_owned());
    s.reader().error(line, mistake);
}

/// Axes inside `key`: dotted keys without quotes are tables in tables, as deep as the parser allows.
fn flatten<'t>(key: &str, value: &'t Value<'t>, axes: &mut Vec<(String, &'t Value<'t>)>) {
    let is_range = |name: &str| matches!(name, "from" | "to" | "log" | "integer");
    match value.get_ref() {
        DeValue::Table(t) if !t.keys().any(|k| is_range(k.get_ref())) => {
            let mut inner: Vec<_> = t.iter().collect();
            inner.sort_by_key(|(k, _)| k.span().start);
            for (k, v) in inner {
                flatten(&format!("{key}.{}", path::part(k.get_ref())), v, axes);
            }
        }
        _ => axes.push((key.to_string(), value)),
    }
}

/// The field that an axis's key means.
fn field(key: &str, place: &str, s: &Section) -> Option<String> {
    let path = match key.len() <= MAX_KEY {
        true => path::canonical(super::field_path(key)),
        false => None,
    };
    let keys = path.as_deref().and_then(path::split);
    let parts = keys.map_or(0, |keys| keys.len());
    let (Some(path), 1..=MAX_PARTS) = (path, parts) else {
        let text = format!(
            "an axis of {} characters and {} parts is no field; allowed: the path of a field, such as \
             \"variation.sigma_layer\"",
            key.chars().count(),
            key.split('.').count()
        );
        refuse(s, place, Mistake::worded(Code::Misplaced, &text));
        return None;
    };
    let is =
        |field: &str| path == field || path.strip_prefix(field).is_some_and(|p| p.starts_with('.'));
    let shared = SHARED.iter().find(|(field, _)| is(field));
    let planned = matches!(path.as_str(), "sweep.chips" | "sweep.yield_limit");
    if let (Some((_, why)), false) = (shared, planned) {
        let text = format!("cannot vary: {why}");
        refuse(s, place, Mistake::worded(Code::Misplaced, &text));
        return None;
    }
    if path == key && !path.contains('.') && path != "fidelity" {
        let names = SHORT.map(|(name, _)| name);
        let line = s.reader().line_of(place);
        let mistake = reader::unknown(Code::UnknownAxis, place, key, &names);
        let path = ", or the path of a field, such as \"variation.sigma_layer\"";
        s.reader().error(line, mistake.also(path));
        return None;
    }
    Some(path)
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
    let number = match items.len() {
        0 => Some("an empty list has no points; allowed: one value or more".to_string()),
        n if n > MAX_POINTS => Some(format!("has {n} values; allowed: 1 to {MAX_POINTS}")),
        _ => None,
    };
    if let Some(text) = number {
        let mistake = Mistake::worded(Code::NotAllowed, &text);
        refuse(s, place, mistake.value(reader::shown(value.get_ref())));
        return None;
    }
    let mut values: Vec<AxisValue> = Vec::new();
    let mut known = HashSet::new();
    for item in items {
        let line = s.reader().line_at(item.span().start);
        let refuse = |m: Mistake| {
            let mistake = m.value(reader::shown(item.get_ref()));
            let field = Some(place.to_string());
            s.reader().error(line, Mistake { field, ..mistake });
        };
        match AxisValue::read(item.get_ref()) {
            Ok(v) if !known.insert(v.key()) && !repeats => {
                let text = format!("value {v} is there twice");
                refuse(Mistake::new(Code::Repeated, text));
            }
            Ok(v) => {
                values.push(v);
                trials.push(Trial {
                    path: path.to_string(),
                    place: place.to_string(),
                    value: item,
                });
            }
            Err(m) => refuse(Mistake::worded(Code::WrongType, &m)),
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
        let flag = || -> Read<bool> {
            let flag = v.get_ref().as_bool();
            let mistake = || Mistake::new(Code::WrongType, "expected true or false");
            flag.ok_or_else(|| mistake().value(reader::shown(v.get_ref())).into())
        };
        let mut end = || {
            trials.push(Trial {
                path: path.to_string(),
                place: place.to_string(),
                value: v,
            });
            (-1e300..=1e300).read(v.get_ref()).map(Some)
        };
        let read = match key.get_ref().as_ref() {
            "from" => end().map(|x| from = x),
            "to" => end().map(|x| to = x),
            "log" => flag().map(|b| log = b),
            "integer" => flag().map(|b| integer = b),
            _ => {
                let text = "unknown key; allowed: from, to, log, integer";
                Err(Mistake::worded(Code::Misplaced, text).into())
            }
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
    refuse(s, place, Mistake::worded(Code::Contradiction, problem));
    None
}
