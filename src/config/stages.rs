//! Stages of a training: tables `[[train.stage]]`.
//!
//! # Theory
//! A training is a list of stages, one after the other; each begins with the network that the one before would
//! deploy, and with an optimizer of its own. A stage has a name and any fields of `[train]`; what it leaves out is
//! `[train]`'s. A stage that names parts of its own keeps the other parts of `[train]`, also those of its
//! recipe; a stage that names a recipe has the parts of that recipe and no others. A training without stages is
//! one stage.
//!
//! # Practice
//! What a stage says is kept as it was written and judged by the reader of `[train]`, with `[train]`'s values as
//! its defaults ([`Experiment::stages`]). As an axis: `train.stage.NAME.FIELD`.

use std::collections::HashSet;

use serde::ser::SerializeStruct;
use serde_json::json;
use toml::de::{DeTable, DeValue};

use super::axes::AxisValue;
use super::parts::PARTS;
use super::reader::{Reader, Section};
use super::reference::{self, Field};
use super::rule::{Allowed, Any, Read, Rule, not_allowed, wrong_type};
use super::section::{Declared, Entry, FIRST};
use super::{Experiment, NetworkKind, Recipe, Train, check};
use crate::error::{Code, Error, Mistake, Result};

/// Path of the stages in the reference.
pub(super) const TABLE: &str = "train.stage";

/// Field that names a stage.
pub(super) const NAME: &str = "name";

/// Fields of `[train]` that a training has once.
pub(super) const ONCE: [&str; 2] = ["seed", "stage"];

/// Most stages.
const MAX_STAGES: usize = 64;

/// Longest name.
const MAX_NAME: usize = 40;

/// Stages of a training, as they were written.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[serde(transparent)]
pub struct Stages(Vec<toml::Table>);

/// A stage of a training.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Its name; empty for the one stage of a training without stages.
    pub name: String,
    /// The experiment whose `[train]` is that of the stage.
    pub experiment: Experiment,
}

impl Stages {
    /// Whether the training is one stage.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of stages that the file has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Parts of a kind in a list of any stage, as they were written.
    pub(super) fn parts_mut(
        &mut self,
        list: &'static str,
        kind: &'static str,
    ) -> impl Iterator<Item = &mut toml::Table> {
        let lists = self
            .0
            .iter_mut()
            .filter_map(move |stage| stage.get_mut(list)?.as_array_mut());
        let parts = lists.flatten().filter_map(toml::Value::as_table_mut);
        parts.filter(move |part| part.get("kind").and_then(toml::Value::as_str) == Some(kind))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(name)
    }
}

fn name(stage: &toml::Table) -> &str {
    stage
        .get(NAME)
        .and_then(toml::Value::as_str)
        .unwrap_or_default()
}

/// Names of stages: bare keys, so that they are parts of paths.
struct StageName;

impl Rule<String> for StageName {
    fn read(&self, value: &DeValue) -> Read<String> {
        let allowed = Rule::allowed(self).values;
        let text = value
            .as_str()
            .ok_or_else(|| wrong_type(value, "a string", &allowed))?;
        let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        match (1..=MAX_NAME).contains(&text.len()) && text.chars().all(bare) {
            true => Ok(text.into()),
            false => Err(not_allowed(value, &allowed).into()),
        }
    }

    fn allowed(&self) -> Allowed {
        let values = format!("1 to {MAX_NAME} letters, digits, `-` and `_`");
        let schema =
            json!({"type": "string", "pattern": format!("^[A-Za-z0-9_-]{{1,{MAX_NAME}}}$")});
        Allowed::new("text", values, schema)
    }
}

/// How the stages are read: what they say is kept as it stands there.
pub(super) struct InOrder;

impl Entry<Stages> for InOrder {
    fn take(&self, s: &mut Section, key: &'static str, default: Stages) -> Stages {
        let Some(value) = s.value(key) else {
            return default;
        };
        let Some(list) = value.get_ref().as_array() else {
            s.refuse(
                key,
                wrong_type(value.get_ref(), "an array of tables", "tables"),
            );
            return default;
        };
        if list.len() > MAX_STAGES {
            let text = format!("{} stages; allowed: at most {MAX_STAGES}", list.len());
            s.refuse(key, Mistake::worded(Code::NotAllowed, &text));
            return default;
        }
        let mut stages = Stages::default();
        let mut known = HashSet::new();
        for (i, item) in list.iter().enumerate() {
            let line = s.reader().line_at(item.span().start);
            let at = s.path_of(&format!("{key}[{i}]"));
            let refuse = |field: String, mistake: Mistake| {
                let field = Some(field);
                s.reader().error(line, Mistake { field, ..mistake });
            };
            let Some(table) = item.get_ref().as_table() else {
                refuse(at, wrong_type(item.get_ref(), "a table", "tables"));
                continue;
            };
            let name = match table.get(NAME) {
                Some(name) => StageName.read(name.get_ref()),
                None => {
                    let text = "a stage without a name; allowed: a name of its own for every stage";
                    let mistake = Mistake::worded(Code::NotAllowed, text);
                    Err(mistake.value("a table").into())
                }
            };
            match name {
                Ok(name) if !known.insert(name.clone()) => {
                    let text = format!("stage \"{name}\" is there twice; allowed: each name once");
                    refuse(
                        format!("{at}.{NAME}"),
                        Mistake::worded(Code::Repeated, &text),
                    );
                }
                Ok(name) => {
                    s.reader().note(s.path_of(&format!("{key}.{name}")), line);
                    stages.0.extend(plain_table(table));
                }
                Err(mistake) => refuse(format!("{at}.{NAME}"), *mistake),
            }
        }
        stages
    }

    fn write<M: SerializeStruct>(
        &self,
        map: &mut M,
        key: &'static str,
        value: &Stages,
    ) -> std::result::Result<(), M::Error> {
        map.serialize_field(key, value)
    }

    fn describe(&self, _: Field, _: &Stages, book: &mut Vec<reference::Table>) {
        book.push(reference::Table::new(TABLE, ABOUT));
        let docs = " Name of the stage. The only field that a stage must have.";
        let mut field = Field::new(TABLE, NAME, docs, "", FIRST);
        field.set_allowed(StageName.allowed());
        reference::add(book, field);
    }
}

/// What the reference says of stages.
const ABOUT: &str = " Section `[train.stage]`: stages of a training, tables `[[train.stage]]` in their order. A \
    training without them is one stage.\n\n\
    A stage has a `name` and takes every field of `[train]` but `seed`; what it leaves out is `[train]`'s. It \
    begins with the network that the stage before would deploy, and with an optimizer, a schedule and moving \
    ranges of its own. A stage that names parts keeps the other parts of `[train]`, also those of its \
    recipe; a stage that names a `recipe` has the parts of that recipe only. As an axis: \
    `'train.stage.NAME.epochs' = [5, 10]`.";

/// A table as it was written; `None` where something in it is no value of a field.
fn plain_table(table: &DeTable) -> Option<toml::Table> {
    let entry = |(key, value): (&toml::Spanned<_>, &super::reader::Value)| {
        let key: &std::borrow::Cow<str> = key.get_ref();
        Some((key.to_string(), plain(value.get_ref())?))
    };
    table.iter().map(entry).collect()
}

fn plain(value: &DeValue) -> Option<toml::Value> {
    match value {
        DeValue::Table(table) => plain_table(table).map(toml::Value::Table),
        DeValue::Array(list) => {
            let items: Option<Vec<_>> = list.iter().map(|v| plain(v.get_ref())).collect();
            items.map(toml::Value::Array)
        }
        other => AxisValue::read(other).ok().map(|v| v.toml().clone()),
    }
}

impl Train {
    /// What a stage with these fields does not say.
    fn of_stage(&self, sets: impl Fn(&str) -> bool, recipe: Option<Recipe>) -> Self {
        let whole = Self {
            stage: Stages::default(),
            ..self.clone()
        };
        let sets_parts = PARTS.iter().copied().chain(["gradient"]).any(&sets);
        match recipe {
            // Its lists are `[train]`'s, or those of `[train]`'s recipe.
            None if sets_parts => whole.expanded(),
            Some(Recipe::Parts) => whole.expanded(),
            Some(recipe) => whole.without_parts(recipe),
            None => whole,
        }
    }

    /// Reads the fields of a stage.
    fn read_stage(&self, name: &str, table: &DeTable, reader: &Reader) -> Self {
        let mut s = reader.table(format!("{TABLE}.{name}"), table);
        s.value(NAME);
        let recipe = s.peek("recipe", &Any);
        let defaults = self.of_stage(|key| table.contains_key(key), recipe);
        let train = Self::take(&mut s, defaults);
        for once in ONCE {
            if table.contains_key(once) {
                let text = "is of a whole training; allowed: in [train]";
                s.refuse(once, Mistake::worded(Code::Misplaced, text));
            }
        }
        s.finish();
        Self {
            seed: self.seed,
            stage: Stages::default(),
            ..train
        }
    }
}

/// Judges the fields of all stages.
pub(super) fn judge(e: &Experiment, document: &DeTable, reader: &Reader) {
    let train = document.get("train").and_then(|v| v.get_ref().as_table());
    let stages = train.and_then(|t| t.get("stage")?.get_ref().as_array());
    for stage in stages.into_iter().flatten() {
        let table = stage.get_ref().as_table();
        let name = table.and_then(|t| t.get(NAME)?.get_ref().as_str());
        if let (Some(table), Some(name)) = (table, name)
            && e.train.stage.names().any(|known| known == name)
        {
            e.train.read_stage(name, table, reader);
        }
    }
}

impl Experiment {
    /// The stages of the training, in order, each as an experiment with a training of one stage.
    ///
    /// # Errors
    /// Fields of a stage that [`Experiment::check`] refuses.
    pub fn stages(&self) -> Result<Vec<Stage>> {
        let stage = |table: &toml::Table| {
            let broken = |e: String| Error::Internal(format!("a stage to TOML: {e}"));
            let text = toml::to_string(table).map_err(|e| broken(e.to_string()))?;
            let document = DeTable::parse(&text).map_err(|e| broken(e.to_string()))?;
            let reader = Reader::new("", None);
            let name = name(table).to_string();
            let train = self.train.read_stage(&name, document.get_ref(), &reader);
            let mistakes = reader.mistakes();
            if !mistakes.is_empty() {
                return Err(Error::Input(mistakes));
            }
            let experiment = Self {
                train,
                ..self.clone()
            };
            Ok(Stage { name, experiment })
        };
        match self.train.stage.is_empty() {
            true => Ok(vec![Stage {
                name: String::new(),
                experiment: self.clone(),
            }]),
            false => self.train.stage.0.iter().map(stage).collect(),
        }
    }

    /// Whether any stage satisfies a condition.
    pub fn any_stage(&self, is: impl Fn(&Train) -> bool) -> bool {
        match (self.train.stage.is_empty(), self.stages()) {
            (false, Ok(stages)) => stages.iter().any(|s| is(&s.experiment.train)),
            _ => is(&self.train),
        }
    }

    /// The training in a word: its recipe, or "stages".
    pub fn training_name(&self) -> &'static str {
        match self.train.stage.is_empty() {
            true => self.train.recipe.as_str(),
            false => "stages",
        }
    }

    /// The last stage as an experiment: its training ends with the network that is deployed.
    ///
    /// # Errors
    /// As [`Experiment::stages`].
    pub fn last_stage(&self) -> Result<Experiment> {
        let mut stages = self.stages()?;
        let last = stages.pop().map(|stage| stage.experiment);
        last.ok_or_else(|| Error::Internal("a training without a stage".into()))
    }

    /// The same experiment with the parts of every training written out in place of recipes; what a sweep varies
    /// stays as it is.
    ///
    /// # Errors
    /// As [`Experiment::stages`].
    ///
    /// # Examples
    /// ```
    /// let experiment = pimento::config::Experiment::parse("[train]\nrecipe = \"qat\"", "x")?;
    /// let expanded = experiment.expanded()?;
    /// assert!(expanded.to_toml()?.contains("[[train.weights]]\nkind = \"quantize\""));
    /// expanded.check()?;
    /// # Ok::<(), pimento::Error>(())
    /// ```
    pub fn expanded(&self) -> Result<Experiment> {
        let axes = self.axis_paths();
        let varies = |at: &str| {
            let fields = ["recipe", "level", "rescale"].map(|field| format!("{at}.{field}"));
            axes.iter().any(|axis| fields.contains(axis))
        };
        let of_train = axes.iter().filter_map(|axis| axis.strip_prefix("train."));
        let varied: HashSet<String> = of_train
            .filter_map(|field| field.split('.').next().map(String::from))
            .collect();
        let mut e = self.clone();
        if !varies("train") {
            if !self.train.stage.is_empty() && !PARTS.iter().all(|list| !varied.contains(*list)) {
                e.train = self.train.expanded();
            }
            for (i, stage) in self.stages()?.into_iter().enumerate() {
                let train = stage.experiment.train;
                if self.train.stage.is_empty() {
                    e.train = train.expanded();
                } else if !varies(&format!("{TABLE}.{}", stage.name)) {
                    let mut whole = written_out(&stage.name, &train.expanded())?;
                    let own = &self.train.stage.0[i];
                    // What the sweep varies for all stages stays theirs together.
                    whole.retain(|key, _| own.contains_key(key) || !varied.contains(key));
                    e.train.stage.0[i] = whole;
                }
            }
        }
        Ok(e)
    }
}

/// All fields of a stage.
fn written_out(name: &str, train: &Train) -> Result<toml::Table> {
    let broken = |e| Error::Internal(format!("a stage to TOML: {e}"));
    let mut table = toml::Table::try_from(train).map_err(broken)?;
    // Lists that are left out would be those of `[train]`.
    for list in PARTS {
        table
            .entry(list)
            .or_insert_with(|| toml::Value::Array(Vec::new()));
    }
    let gradient = toml::Value::String(train.gradient.to_string());
    table.insert("gradient".into(), gradient);
    for once in ONCE {
        table.remove(once);
    }
    let mut whole = toml::Table::new();
    whole.insert(NAME.into(), name.into());
    whole.extend(table);
    Ok(whole)
}

/// What the first stage of a training cannot have: a network without weights that somebody trained teaches nothing.
pub(super) fn problem_of_first(e: &Experiment) -> Option<check::Problem> {
    let parts = e.train.composition();
    let taught = parts
        .distill()
        .is_some_and(|distill| distill.file.is_none());
    let untrained = e.network.kind != NetworkKind::File;
    (taught && untrained).then(|| check::Problem {
        fields: &["train.loss.distill", "train.loss"],
        message: "an untrained network teaches nothing; allowed: after another stage, with a network from a file, or \
                  with the teacher's file"
            .into(),
    })
}

/// The paths of fields, the one to name first, and what is wrong with them.
type Told = (Vec<String>, String);

/// Contradictions of every stage. A field of `[train]` is the stage's where the stage sets it.
pub(super) fn problems(e: &Experiment) -> Vec<Told> {
    // What a reader refuses has been told.
    let Ok(stages) = e.stages() else {
        return Vec::new();
    };
    let last = stages.len() - 1;
    let mut told = Vec::new();
    for (i, stage) in stages.iter().enumerate() {
        let at = format!("{TABLE}.{}", stage.name);
        let mut found = check::problems(&stage.experiment);
        if i == 0 {
            found.extend(problem_of_first(&stage.experiment));
        }
        let t = &stage.experiment.train;
        if t.epochs == 0 {
            found.push(check::Problem {
                fields: &["train.epochs"],
                message: "0 epochs are no stage; allowed: 1 to 100000".into(),
            });
        }
        if i < last && t.composition().quantizes_afterwards().is_some() {
            found.push(check::Problem {
                fields: &["train.controllers", "train.recipe"],
                message: format!(
                    "stage \"{}\" quantizes its network and the next stage trains the weights before \
                     that; allowed in the last stage",
                    stage.name
                ),
            });
        }
        let written = &e.train.stage.0[i];
        told.extend(found.into_iter().map(|p| {
            let mut fields: Vec<String> = Vec::new();
            for field in p.fields {
                let own = field.strip_prefix("train.");
                let first = own.and_then(|own| own.split('.').next());
                match (own, first.filter(|first| written.contains_key(*first))) {
                    (Some(own), Some(_)) => fields.push(format!("{at}.{own}")),
                    _ => fields.push(field.to_string()),
                }
            }
            fields.push(at.clone());
            (fields, p.message)
        }));
    }
    told
}
