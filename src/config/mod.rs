//! WHAT is simulated: the experiment file. Knows no bytes, no network code and no GPU.
//!
//! An [`Experiment`] is one TOML file. Every section is a struct here, which owns the meaning of
//! its parameters: the physics is documented at [`Variation`], [`Quantize`], [`Tuning`] and
//! [`Train`]. Every field has a default, so an empty file is a valid experiment.
//!
//! # Mistakes
//! A file is read as a whole and every mistake is reported at once, as
//! ``FILE:LINE: field `train.epochs`: value 0 is not allowed; allowed: 1 to 100000``. Unknown
//! fields are mistakes. So are combinations that make no sense at some point of the sweep; they
//! are reported at the line that sets the first of the fields concerned.

mod axes;
mod check;
pub mod chip;
mod choice;
mod data;
mod network;
mod points;
mod quantize;
mod reader;
mod sweep;
#[cfg(test)]
mod tests;
mod train;
mod tuning;
mod until;
mod variation;
mod worst_case;

use std::io::Read;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub use axes::{Axis, AxisValue, Design, Mode, Values};
pub use chip::Chip;
pub use choice::Choice;
pub use data::{Arrays, Constants, Data, DataKind, EmbeddedSet, Place};
pub use network::{Activation, Network, NetworkKind, Pool};
pub use points::{Point, n_trainings};
pub use quantize::{
    ActivationRange, ActivationStep, BinaryGroup, BinaryWeightGroup, LinearInputs, Profile,
    Quantize, Rounding, StraightThrough, WeightStep,
};
pub use sweep::{MAX_CHIPS, MAX_POINTS, Sweep};
pub use train::{Optimizer, Recipe, Schedule, Train, TrainAugment, TrainVariation};
pub use tuning::{Estimator, Tuning, TuningMethod, TuningPlace, TuningScope};
pub use until::{Quantity, Until};
pub use variation::{
    Distribution, Kernel, Law, Mapping, OffsetReference, Sampling, Variation, Wafer,
};
pub use worst_case::{SearchImages, WorstCase};

use crate::error::{Error, Result};
use axes::Trial;
use choice::choices;
use reader::Reader;

choices! {
    /// Level of the simulation.
    pub enum Fidelity {
        /// One deviation per weight, then exact arithmetic.
        Weight = "weight",
        /// Every cell, wire, drive and converter of the arrays: section `[chip]`.
        Cell = "cell",
    }
}

/// One experiment: everything that decides its result but the machine.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Experiment {
    /// Short name, used for files: letters, digits, `-`, `_`, `.`.
    pub name: String,
    /// Title of the report.
    pub title: String,
    /// What the experiment should show.
    pub about: String,
    /// Key of all random numbers: chip `k` of a seed is the same chip everywhere.
    pub seed: u64,
    /// Level of the simulation.
    pub fidelity: Fidelity,
    /// The images.
    pub data: Data,
    /// The network.
    pub network: Network,
    /// Resolution of weights and activations.
    pub quantize: Quantize,
    /// How the weights come about.
    pub train: Train,
    /// Arrays, cells, wires and converters of `fidelity = "cell"`.
    #[serde(skip_serializing_if = "Chip::is_default")]
    pub chip: Chip,
    /// What fabrication does to the cells.
    pub variation: Variation,
    /// What a chip does about it.
    pub tuning: Tuning,
    /// How many chips, over what.
    pub sweep: Sweep,
    /// How the worst chip is searched, where the file says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst_case: Option<WorstCase>,
}

impl Default for Experiment {
    fn default() -> Self {
        Self {
            name: "experiment".into(),
            title: String::new(),
            about: String::new(),
            seed: 1,
            fidelity: Fidelity::Weight,
            data: Data::default(),
            network: Network::default(),
            quantize: Quantize::default(),
            train: Train::default(),
            chip: Chip::default(),
            variation: Variation::default(),
            tuning: Tuning::default(),
            sweep: Sweep::default(),
            worst_case: None,
        }
    }
}

/// Largest experiment file; a real one has a few kilobytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

impl Experiment {
    /// Reads an experiment file. A relative `data.dir` or `data.file` is resolved against the file's folder; the
    /// name defaults to the file's.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let source = path.display().to_string();
        let mut bytes = Vec::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|e| Error::io(path, e))?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(Error::input(format!(
                "{source}: an experiment file has at most {MAX_FILE_BYTES} bytes, this one has more"
            )));
        }
        let text = String::from_utf8(bytes).map_err(|e| {
            let at = e.utf8_error().valid_up_to();
            Error::input(format!(
                "{source}: byte {at} is not UTF-8; allowed: a TOML text in UTF-8"
            ))
        })?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let stem: String = stem
            .chars()
            .map(|c| if is_name_char(c) { c } else { '-' })
            .take(MAX_NAME)
            .collect();
        let mut experiment = read(&text, &source, &stem)?;
        if let Some(folder) = path.parent() {
            experiment.data.resolve(folder);
        }
        if let (Some(file), Some(folder)) = (&experiment.network.file, path.parent()) {
            let file = folder.join(file);
            experiment.network.pin(&file)?;
            experiment.network.file = Some(file);
        }
        Ok(experiment)
    }

    /// Reads the text of an experiment file that is called `source` in messages.
    pub fn parse(text: &str, source: &str) -> Result<Self> {
        read(text, source, "experiment")
    }

    /// Makes the paths of images and network absolute, so that they hold wherever the experiment is
    /// read from.
    pub fn make_paths_absolute(&mut self) {
        let network = self.network.file.as_mut();
        let data = [self.data.dir.as_mut(), self.data.file.as_mut()];
        for path in data.into_iter().chain([network]).flatten() {
            // What is not there (yet) has no other name.
            let whole = path.canonicalize().or_else(|_| std::path::absolute(&*path));
            if let Ok(whole) = whole {
                *path = whole;
            }
        }
    }

    /// The experiment as a file: reading it gives an equal experiment.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string_pretty(self)
            .map_err(|e| Error::Internal(format!("experiment to TOML: {e}")))
    }
}

/// A number that JSON can carry: infinity as the text `inf`.
fn serialize_infinite<S: serde::Serializer>(x: &f64, s: S) -> std::result::Result<S::Ok, S::Error> {
    if x.is_infinite() {
        s.serialize_str("inf")
    } else {
        s.serialize_f64(*x)
    }
}

/// A path as text; what is not Unicode is replaced (it is provenance, not read back).
fn serialize_path<S: serde::Serializer>(
    path: &Option<std::path::PathBuf>,
    s: S,
) -> std::result::Result<S::Ok, S::Error> {
    match path {
        Some(path) => s.serialize_str(&path.to_string_lossy()),
        None => s.serialize_none(),
    }
}

/// Longest experiment name.
const MAX_NAME: usize = 100;

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

fn read(text: &str, source: &str, default_name: &str) -> Result<Experiment> {
    let reader = Reader::new(text, source);
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let messages = errors.iter().map(|e| {
            let line = e.span().map_or(1, |span| reader.line_at(span.start));
            format!("{source}:{line}: {}", e.to_string().trim_end())
        });
        return Err(Error::Config(messages.collect()));
    }
    let (experiment, trials) = read_root(&reader, document.get_ref(), default_name);
    try_axes(&reader, (text, source), document.get_ref(), &trials);
    if reader.messages().is_empty() {
        check_points(&reader, &experiment)?;
    }
    match reader.messages() {
        messages if messages.is_empty() => Ok(experiment),
        messages => Err(Error::Config(messages)),
    }
}

/// Reads a document that the program wrote: the messages have no lines, and combinations are not
/// judged.
fn read_document(text: &str) -> std::result::Result<Experiment, Vec<String>> {
    let document = DeTable::parse(text).map_err(|e| vec![e.to_string()])?;
    let reader = Reader::new(text, "");
    let (experiment, _) = read_root(&reader, document.get_ref(), "experiment");
    let mut messages: Vec<String> = reader.errors().into_iter().map(|(_, m)| m).collect();
    messages.dedup();
    match messages.is_empty() {
        true => Ok(experiment),
        false => Err(messages),
    }
}

/// Sets every value of every axis in the document, alone, and reads it: the field's own reader
/// says what is wrong with it, at the axis's line.
fn try_axes<'t>(
    reader: &Reader,
    (text, source): (&str, &str),
    document: &DeTable<'t>,
    trials: &[Trial<'t>],
) {
    let known = reader.errors();
    for trial in trials {
        let mut document = document.clone();
        insert(&mut document, &trial.path, trial.value);
        let again = Reader::new(text, source);
        read_root(&again, &document, "experiment");
        let line = reader.line_at(trial.value.span().start);
        let (own, place) = (format!("field `{}`", trial.path), &trial.place);
        for (_, message) in again.errors().into_iter().filter(|e| !known.contains(e)) {
            let text = match message.strip_prefix(&own) {
                Some(rest) => format!("field `{place}`{rest}"),
                None if message.starts_with("unknown") => message,
                None => format!(
                    "{message} (with `{place}` = {})",
                    reader::shown(trial.value.get_ref())
                ),
            };
            reader.error(line, text);
        }
    }
}

/// Sets a field of a document, making the tables around it.
fn insert<'t>(table: &mut DeTable<'t>, path: &str, value: &Spanned<DeValue<'t>>) {
    let (key, rest) = match path.split_once('.') {
        Some((key, rest)) => (key, Some(rest)),
        None => (path, None),
    };
    let spanned = Spanned::new(value.span(), key.to_string().into());
    let Some(rest) = rest else {
        table.insert(spanned, value.clone());
        return;
    };
    let empty = || Spanned::new(value.span(), DeValue::Table(DeTable::new()));
    if let DeValue::Table(inner) = table.entry(spanned).or_insert_with(empty).get_mut() {
        insert(inner, rest, value);
    }
}

/// The experiment, and the values of its axes, which are yet to be tried.
fn read_root<'t>(
    reader: &'t Reader,
    document: &'t DeTable<'t>,
    default_name: &str,
) -> (Experiment, Vec<Trial<'t>>) {
    let mut s = reader.root(document);
    let d = Experiment::default();
    let name = s.text("name", default_name);
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(is_name_char) {
        let text = format!(
            "value {name:?} is not allowed; allowed: 1 to {MAX_NAME} letters, digits, '-', '_' or '.'"
        );
        s.refuse("name", text);
    }
    let title = s.text("title", &d.title);
    let about = s.text("about", &d.about);
    let seed = s.u64("seed", d.seed, train::SEED);
    let fidelity = s.choice("fidelity", d.fidelity);
    let network = Network::read(s.section("network"));
    let from_file = network.kind == NetworkKind::File;
    let mut chip = s.section("chip");
    let (preset, variation) = chip::preset::read(&mut chip);
    let mut experiment = Experiment {
        name,
        title,
        about,
        seed,
        fidelity,
        data: Data::read(s.section("data")),
        quantize: Quantize::read(s.section("quantize"), network.activation),
        network,
        train: Train::read(s.section("train"), from_file),
        chip: Chip::read(chip, preset),
        variation: Variation::read(s.section("variation"), variation),
        tuning: Tuning::read(s.section("tuning")),
        sweep: Sweep::default(),
        worst_case: WorstCase::read(s.section("worst_case")),
    };
    let (sweep, trials) = Sweep::read(s.section("sweep"));
    experiment.sweep = sweep;
    s.finish();
    (experiment, trials)
}

/// Reports the points that cannot be read, and the contradictions of all others, each once, at the
/// line that sets the first of the fields concerned.
fn check_points(reader: &Reader, experiment: &Experiment) -> Result<()> {
    let designs = experiment.sweep.designs();
    let (points, refused) = experiment.try_points()?;
    for (design, message) in refused {
        reader.error(reader.line_of(&designs[design].0), message);
    }
    let n_of_design = designs.iter().map(|(_, design)| design.n_points());
    let design_of_point: Vec<usize> = n_of_design
        .enumerate()
        .flat_map(|(design, n)| std::iter::repeat_n(design, n))
        .collect();
    let mut seen = Vec::new();
    for point in points {
        let own = design_of_point.get(point.index).map(|&d| &designs[d]);
        for problem in check::problems(&point.experiment) {
            let place = |field: &&str| {
                let axis = own.and_then(|(place, design)| {
                    let axis = design.axes.iter().find(|axis| axis.path == *field)?;
                    let names = [&axis.name, &axis.path].map(|key| format!("{place}.{key}"));
                    names.into_iter().find(|name| reader.sets(name))
                });
                axis.or_else(|| reader.sets(field).then(|| field.to_string()))
            };
            let field = problem.fields[0].to_string();
            let field = problem.fields.iter().find_map(place).unwrap_or(field);
            if !seen.contains(&(field.clone(), problem.clone())) {
                let label = match point.axes.is_empty() {
                    true => String::new(),
                    false => format!(" (at the point {})", point.label()),
                };
                let text = format!("field `{field}`: {}{label}", problem.message);
                reader.error(reader.line_of(&field), text);
                seen.push((field, problem));
            }
        }
    }
    Ok(())
}
