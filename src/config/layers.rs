//! Settings that single layers of a network have for themselves: sections `[layer.NAME]`.
//!
//! # Theory
//! A section holds differences: every field that it does not set is that of the experiment. NAME is the name
//! of a layer, or a pattern in which `*` stands for any text and `?` for any one character. Where several
//! sections set the same field of a layer, the layer's own name beats every pattern, and of two patterns the
//! one with more literal characters wins; two that have as many must agree. The order of the sections does
//! not matter, so that a file, a JSON document and a table of a program mean the same.
//!
//! # Practice
//! What a section says is kept as it was written ([`Layers`]) and judged by the readers of the sections whose
//! fields it overrides, with the experiment's values as their defaults. [`Experiment::of_layer`] resolves it.

mod entry;
mod glob;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::check::{Problem, problems_of_layer};
use super::reader::{Reader, nearest};
use super::rule::Any;
use super::section::{Declared, Entry, Leaf, Table};
use super::{Chip, Experiment, Quantize, TuningMethod, Variation, path};
use crate::error::{Code, Error, Mistake, Result};

pub(super) use entry::{ByLayer, TABLE, judge};

/// Sections `[layer.NAME]`, by name or pattern.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[serde(transparent)]
pub struct Layers {
    sections: BTreeMap<String, toml::Table>,
    /// Where they stand, so that what is found wrong when the network is known has a place too.
    #[serde(skip)]
    written: Written,
}

/// Where sections stand in a file. It says nothing of what they say: all are equal, and look alike.
#[derive(Clone, Default)]
pub(super) struct Written {
    /// The file; `None`: a document without places.
    pub(super) file: Option<String>,
    /// Line of every section and field, by path.
    pub(super) lines: BTreeMap<String, usize>,
}

impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("..")
    }
}

impl PartialEq for Written {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Fields, and whole sections, that a layer may have for itself. Those of `[quantize]` stand directly in the
/// layer's section, the others in tables inside.
///
/// Not here is what a chip or a training has once: wafers, the part of the deviation that a chip shares, the
/// law, ages, learned quantizer steps, tuning, one reference for all converters.
const OFFERED: [&str; 35] = [
    "digital",
    "tuned",
    "weight_bits",
    "per_channel",
    "activation_bits",
    "activation_rounding",
    "activation_range",
    "input_bits",
    "binary_group",
    "binary_weight_group",
    "chip.array",
    "chip.cells",
    "chip.programming",
    "chip.drift.nu",
    "chip.drift.sigma_nu",
    "chip.wires",
    "chip.read",
    "chip.dac",
    "chip.adc.bits",
    "chip.adc.range",
    "chip.adc.limit",
    "chip.adc.method",
    "chip.adc.percentile",
    "chip.adc.per",
    "chip.adc.gain_error",
    "chip.adc.offset_error",
    "chip.adc.noise",
    "chip.adc.inl",
    "chip.adc.sharing",
    "variation.sigma_w",
    "variation.sigma_profile",
    "variation.mapping",
    "variation.on_off_ratio",
    "variation.offset_reference",
    "variation.reference_copies",
];

/// How many of them, from the first on, only layers have.
const OWN: usize = 2;

/// Whether a field of a layer's section is offered, as `chip.adc.bits`.
pub(super) fn is_offered(field: &str) -> bool {
    let around = |offered: &&str| {
        let rest = field.strip_prefix(*offered);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    !ONCE.contains(&field) && OFFERED.iter().any(around)
}

/// Of the sections that are offered, what an experiment has once: files.
const ONCE: [&str; 2] = ["chip.cells.sampled", "chip.cells.sampled_sha256"];

/// Whether a table of a layer's section has fields inside that are offered.
fn leads(field: &str) -> bool {
    let inside = |offered: &&str| {
        let rest = offered.strip_prefix(field);
        rest.is_some_and(|rest| rest.starts_with('.'))
    };
    whole(field) || OFFERED.iter().any(inside)
}

/// Whether it is a section of which everything is offered.
fn whole(field: &str) -> bool {
    OFFERED.contains(&field) && field.starts_with("chip.") && !field[5..].contains('.')
}

/// Keys that a table of a layer's section may have: of the section itself `inside` is empty, else it ends
/// with a dot.
fn offered_in(inside: &str) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for rest in OFFERED
        .iter()
        .filter_map(|field| field.strip_prefix(inside))
    {
        let key = rest.split('.').next().unwrap_or_default();
        if !keys.iter().any(|known| known == key) {
            keys.push(key.into());
        }
    }
    keys
}

/// What one crossbar layer of a network is made with.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerSettings {
    /// Name of the layer.
    pub name: String,
    /// Executed digitally: quantized as its quantizers say, and then exact. It has no arrays and no
    /// variation.
    pub digital: bool,
    /// Corrected as `[tuning]` says; else left as it is, without columns and test cells of its own.
    pub tuned: bool,
    /// Quantizers of its weights and of its inputs.
    pub quantize: Quantize,
    /// Its arrays, at cell level.
    pub chip: Chip,
    /// How its cells deviate. Terms that chips share are those of the experiment.
    pub variation: Variation,
}

impl LayerSettings {
    /// A layer of an experiment without settings of its own.
    pub fn usual(e: &Experiment, name: &str) -> Self {
        Self {
            name: name.into(),
            digital: false,
            tuned: true,
            quantize: e.quantize.clone(),
            chip: e.chip.clone(),
            variation: e.variation.clone(),
        }
    }

    /// The fields of a section on top of the experiment's. What is wrong is left with the reader.
    fn read(e: &Experiment, name: &str, table: &DeTable, reader: &Reader) -> Self {
        let mut s = reader.table(format!("layer.{}", path::part(name)), table);
        let settings = Self {
            name: name.into(),
            digital: Leaf(Any).take(&mut s, "digital", false),
            tuned: Leaf(Any).take(&mut s, "tuned", true),
            quantize: Quantize::take(&mut s, e.quantize.clone()),
            chip: Table.take(&mut s, "chip", e.chip.clone()),
            variation: Table.take(&mut s, "variation", e.variation.clone()),
        };
        s.finish();
        settings
    }

    /// An experiment all of whose layers are like this one.
    pub(super) fn everywhere(&self, e: &Experiment) -> Experiment {
        let mut own = Experiment {
            quantize: self.quantize.clone(),
            chip: self.chip.clone(),
            variation: self.variation.clone(),
            ..e.clone()
        };
        if !self.tuned {
            own.tuning.method = TuningMethod::None;
        }
        own
    }
}

/// How well a pattern knows a layer that it matches: whether it is the name, and its literal characters.
pub(super) type Rank = (bool, usize);

/// The rank of a pattern for a layer; none where it does not match.
pub(super) fn rank(pattern: &str, name: &str) -> Option<Rank> {
    let literal = pattern.chars().filter(|c| !matches!(c, '*' | '?')).count();
    match pattern == name {
        true => Some((true, literal)),
        false => glob::matches(pattern, name).then_some((false, literal)),
    }
}

impl Layers {
    /// Whether no layer has settings of its own.
    pub fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    /// Names and patterns.
    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        self.sections.keys().map(String::as_str)
    }

    /// Whether a layer of this name is meant by a name or pattern.
    pub fn is_of(&self, pattern: &str, name: &str) -> bool {
        rank(pattern, name).is_some()
    }

    /// Whether any section sets a field, or one inside a section, in its own words: `variation.sigma_w`.
    pub fn sets(&self, field: &str) -> bool {
        self.patterns().any(|pattern| self.sets_at(pattern, field))
    }

    /// The same for one name or pattern.
    pub fn sets_at(&self, pattern: &str, field: &str) -> bool {
        let mut keys = field.split('.');
        let Some((table, key)) = self.sections.get(pattern).zip(keys.next()) else {
            return false;
        };
        let value = keys.try_fold(table.get(key), |value, key| {
            value.map(|value| value.get(key))
        });
        value.flatten().is_some()
    }

    /// The same sections with the fields that `keep` accepts; sections without any are left out.
    #[must_use]
    pub fn only(&self, keep: impl Fn(&str) -> bool) -> Self {
        let of = |(pattern, table): (&String, &toml::Table)| {
            let mut kept = toml::Table::new();
            let mut found = Vec::new();
            leaves(table, "", &mut found);
            for (field, value) in found.iter().filter(|(field, _)| keep(field)) {
                put(&mut kept, field, value);
            }
            (!kept.is_empty()).then(|| (pattern.clone(), kept))
        };
        Self {
            sections: self.sections.iter().filter_map(of).collect(),
            written: self.written.clone(),
        }
    }

    /// The same sections where others stand.
    pub(super) fn stand_as(&mut self, others: &Layers) {
        self.written = others.written.clone();
    }

    /// A mistake in a section: at a field of it, or the section itself where the field is empty.
    pub fn mistake(&self, pattern: &str, field: &str, mistake: Mistake) -> Error {
        let section = format!("layer.{}", path::part(pattern));
        let path = match field {
            "" => section.clone(),
            field => format!("{section}.{field}"),
        };
        let lines = &self.written.lines;
        Error::Input(vec![Mistake {
            file: self.written.file.clone(),
            line: lines.get(&path).or_else(|| lines.get(&section)).copied(),
            field: Some(path),
            ..mistake
        }])
    }

    /// Sees that every name and pattern is of at least one of these layers.
    ///
    /// # Errors
    /// [`Error::Input`] with the pattern and the names that there are.
    pub fn check_names(&self, names: &[&str]) -> Result<()> {
        let unknown = |pattern: &&str| !names.iter().any(|name| rank(pattern, name).is_some());
        let Some(pattern) = self.patterns().find(unknown) else {
            return Ok(());
        };
        let mistake = Mistake {
            hint: nearest(pattern, names).map(str::to_string),
            ..Mistake::new(
                Code::NotAllowed,
                "the network has no such layer on crossbars",
            )
            .allowed(names.join(", "))
        };
        Err(self.mistake(pattern, "", mistake))
    }

    /// Everything that the sections say of a layer.
    fn of(&self, name: &str) -> Result<toml::Table> {
        let mut known: BTreeMap<String, (Rank, &str, &toml::Value)> = BTreeMap::new();
        for (pattern, table) in &self.sections {
            let Some(rank) = rank(pattern, name) else {
                continue;
            };
            let mut found = Vec::new();
            leaves(table, "", &mut found);
            for (field, value) in found {
                match known.get(&field) {
                    Some((other, earlier, there)) if *other == rank && *there != value => {
                        return Err(Error::input(format!(
                            "sections `layer.{}` and `layer.{}` both set `{field}` of layer `{name}`, and \
                             their patterns have as many literal characters; allowed: one value, or a \
                             section `layer.{}`",
                            path::part(earlier),
                            path::part(pattern),
                            path::part(name)
                        )));
                    }
                    Some((other, ..)) if *other >= rank => {}
                    _ => _ = known.insert(field, (rank, pattern, value)),
                }
            }
        }
        let mut all = toml::Table::new();
        for (field, (.., value)) in known {
            put(&mut all, &field, value);
        }
        Ok(all)
    }
}

impl Experiment {
    /// The settings of a crossbar layer.
    ///
    /// # Errors
    /// Two patterns that contradict each other; fields of several sections that make no sense together.
    pub fn of_layer(&self, name: &str) -> Result<LayerSettings> {
        let own = self.layer.of(name)?;
        if own.is_empty() {
            return Ok(LayerSettings::usual(self, name));
        }
        let settings = self.with_fields(name, &own)?;
        let problems = problems_of_layer(self, &settings).into_iter();
        let told = problems.map(|p| {
            let cause = self.cause(name, &own, &p);
            let field = cause.unwrap_or_else(|| own_field(p.fields[0]).into());
            Mistake {
                field: Some(format!("layer.{}.{field}", path::part(name))),
                ..Mistake::worded(Code::Contradiction, &p.message)
            }
        });
        match told.collect::<Vec<_>>() {
            none if none.is_empty() => Ok(settings),
            mistakes => Err(Error::Input(mistakes)),
        }
    }

    /// The field of a section that a contradiction comes from: one that it speaks of, else one without which
    /// it is gone.
    fn cause(&self, name: &str, own: &toml::Table, problem: &Problem) -> Option<String> {
        let mut fields = Vec::new();
        leaves(own, "", &mut fields);
        let named = problem.fields.iter().map(|field| own_field(field));
        let is_set = |field: &&str| fields.iter().any(|(own, _)| own == field);
        if let Some(field) = named.into_iter().find(is_set) {
            return Some(field.into());
        }
        let without = |left: &&(String, &toml::Value)| {
            let mut rest = toml::Table::new();
            let others = fields.iter().filter(|(field, _)| *field != left.0);
            others.for_each(|(field, value)| put(&mut rest, field, value));
            let settings = self.with_fields(name, &rest);
            settings.is_ok_and(|s| !problems_of_layer(self, &s).contains(problem))
        };
        fields.iter().find(without).map(|(field, _)| field.clone())
    }

    /// A layer with fields as sections write them, whether they make sense together or not.
    fn with_fields(&self, name: &str, own: &toml::Table) -> Result<LayerSettings> {
        let broken = |e: String| Error::Internal(format!("settings of a layer to TOML: {e}"));
        let text = toml::to_string(own).map_err(|e| broken(e.to_string()))?;
        let table = DeTable::parse(&text).map_err(|e| broken(e.to_string()))?;
        let reader = Reader::new("", None);
        let settings = LayerSettings::read(self, name, table.get_ref(), &reader);
        match reader.mistakes() {
            none if none.is_empty() => Ok(settings),
            mistakes => Err(Error::Input(mistakes)),
        }
    }
}

/// How a section of a layer calls a field of the experiment.
fn own_field(field: &str) -> &str {
    field.strip_prefix("quantize.").unwrap_or(field)
}

/// The paths of fields, the one to name first, and what is wrong with them.
type Told = (Vec<String>, String);

/// Contradictions of every section, taken alone, with the experiment.
pub(super) fn problems(e: &Experiment) -> Vec<Told> {
    let of = |(pattern, own): (&String, &toml::Table)| {
        // What a reader refuses has been told.
        let settings = e.with_fields(pattern, own).ok()?;
        let problems = problems_of_layer(e, &settings).into_iter();
        let section = format!("layer.{}", path::part(pattern));
        let told = problems.map(|p| {
            let cause = e.cause(pattern, own, &p);
            let cause = cause.map(|field| format!("{section}.{field}"));
            (
                cause.into_iter().chain([section.clone()]).collect(),
                p.message,
            )
        });
        Some(told.collect::<Vec<Told>>())
    };
    e.layer.sections.iter().filter_map(of).flatten().collect()
}

/// Fields with their values, by path inside the layer's section.
fn leaves<'t>(table: &'t toml::Table, prefix: &str, found: &mut Vec<(String, &'t toml::Value)>) {
    for (key, value) in table {
        match value {
            toml::Value::Table(inner) => leaves(inner, &format!("{prefix}{key}."), found),
            _ => found.push((format!("{prefix}{key}"), value)),
        }
    }
}

/// Sets a field, making the tables around it.
fn put(table: &mut toml::Table, field: &str, value: &toml::Value) {
    match field.split_once('.') {
        None => _ = table.insert(field.into(), value.clone()),
        Some((key, rest)) => {
            let empty = || toml::Value::Table(toml::Table::new());
            if let Some(inner) = table.entry(key).or_insert_with(empty).as_table_mut() {
                put(inner, rest, value);
            }
        }
    }
}
