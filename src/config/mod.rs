//! WHAT is simulated: the experiment file. Knows no bytes, no network code and no GPU.
//!
//! An [`Experiment`] is one TOML file. Every section is a struct here, which owns the meaning of
//! its parameters: the physics is documented at [`Variation`], [`Quantize`], [`Tuning`] and
//! [`Train`]. Every field has a default, so an empty file is a valid experiment. A section is declared
//! once (`section.rs`), with the default, the allowed values and the unit of every field: struct,
//! reader, [`reference`](mod@reference) and JSON schema come from the declaration.
//!
//! # Mistakes
//! A file is read as a whole and every mistake is reported at once, as
//! ``FILE:LINE: field `train.epochs`: value 0 is not allowed; allowed: 1 to 100000``. Unknown
//! fields are mistakes. So are combinations that make no sense at some point of the sweep; they
//! are reported at the line that sets the first of the fields concerned.
//!
//! # Examples
//! ```
//! use pimento::config::Experiment;
//!
//! # fn main() -> pimento::Result<()> {
//! let experiment = Experiment::parse("[variation]\nsigma_w = 0.1\n", "example")?;
//! assert_eq!(experiment.variation.sigma_w, 0.1);
//! assert_eq!(experiment.points()?.len(), 1);
//! let mistake = Experiment::parse("[variation]\nsigma = 0.1\n", "x.toml").unwrap_err();
//! assert!(mistake.to_string().starts_with("x.toml:2: unknown field `variation.sigma`"));
//! # Ok(())
//! # }
//! ```

mod axes;
mod check;
pub mod chip;
mod data;
mod documents;
mod energy;
pub mod goal;
mod heads;
mod layers;
mod name;
mod network;
pub mod parts;
mod path;
mod points;
mod quantize;
mod reader;
pub mod reference;
mod rule;
mod schema;
mod search;
mod section;
mod sigma_profile;
mod stages;
mod sweep;
pub mod technology;
#[cfg(test)]
mod tests;
mod train;
mod tuning;
mod until;
mod variation;
mod worst_case;

use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

pub use axes::{Axis, AxisValue, Design, Mode, Values, field_path};
pub use chip::Chip;
pub use data::{Arrays, Constants, Data, DataKind, EmbeddedSet, Place};
pub use energy::Energy;
pub use goal::{Constraint, Goal, Measure, Side};
pub use heads::{Head, Heads};
pub use layers::{LayerSettings, Layers};
pub use network::{Activation, Network, NetworkKind, Pool};
pub use points::{Point, n_trainings};
pub use quantize::{
    ActivationRange, ActivationStep, BinaryWeightGroup, LinearInputs, Profile, Quantize, WeightStep,
};
pub use search::Search;
pub use sigma_profile::{KnownProfile, SigmaProfile};
pub use stages::{Stage, Stages};
pub use sweep::{MAX_CHIPS, MAX_POINTS, Sweep};
pub use technology::Technology;
pub use train::{Optimizer, Recipe, Schedule, Train, TrainAugment, TrainVariation};
pub use tuning::{BackwardWeights, Estimator, Tuning, TuningMethod, TuningPlace, TuningScope};
pub use until::{Quantity, Until};
pub use variation::{Distribution, Kernel, Mapping, OffsetReference, Sampling, Variation, Wafer};
pub use worst_case::{SearchImages, WorstCase};

use crate::choice::choices;
use crate::error::{Code, Error, Mistake, Result};
use axes::Trial;
use reader::{Reader, Section};
use rule::{Any, Text};
use section::{Declared, OptionalTable, Table, section};

choices! {
    /// Level of the simulation.
    pub enum Fidelity {
        /// One deviation per weight, then exact arithmetic.
        Weight = "weight",
        /// Every cell, wire, drive and converter of the arrays: section `[chip]`.
        Cell = "cell",
    }
}

section! {
    /// One experiment: everything that decides its result but the machine.
    pub struct Experiment {
        /// Short name, used for files and directories. By default the file's.
        name: String = "experiment".into(), name::Name;
        /// Title of the report.
        title: String = String::new(), Text;
        /// What the experiment should show.
        about: String = String::new(), Text;
        /// Key of all random numbers: chip `k` of a seed is the same chip everywhere.
        seed: u64 = 1, train::SEED;
        /// Level of the simulation.
        fidelity: Fidelity = Fidelity::Weight;
        /// The images.
        data: Data => Table;
        /// The network.
        network: Network => Table;
        /// Resolution of weights and activations.
        quantize: Quantize => Table;
        /// How the weights come about.
        train: Train => Table;
        /// Arrays, cells, wires and converters of `fidelity = "cell"`.
        [quiet] chip: Chip => Table;
        /// How fabricated cells deviate.
        variation: Variation => Table;
        /// How a chip corrects its own deviation.
        tuning: Tuning => Table;
        /// Settings of single layers of the network.
        [quiet] layer: Layers => layers::ByLayer;
        /// Energy, latency and area, where the file says so.
        energy: Option<Energy> => OptionalTable;
        /// How many chips, over which points.
        sweep: Sweep => Table;
        /// How the worst chip is searched, where the file says so.
        worst_case: Option<WorstCase> => OptionalTable;
        /// Which designs are wanted, where the file says so.
        design: Option<Search> => OptionalTable;
    }
}

/// What all points of an experiment have in common.
const SHARED: [&str; 4] = ["name", "title", "about", "data"];

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
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse_at(&text, Some(&source), &name::of_file(path), folder)
    }

    /// Reads the text of an experiment file as [`Experiment::load`] would in `folder`: relative paths are resolved
    /// against it, and the files of networks are pinned. Messages have lines where the text has a name, `source`;
    /// `name` is the experiment's unless it says another one.
    ///
    /// # Errors
    /// Every mistake of the text; a network's file that cannot be read.
    pub fn parse_at(text: &str, source: Option<&str>, name: &str, folder: &Path) -> Result<Self> {
        let mut experiment = read(text, source, name)?;
        experiment.data.resolve(folder);
        if let Some(file) = &experiment.network.file {
            let file = folder.join(file);
            network::pin(&file, &mut experiment.network.file_sha256, "network.file")?;
            experiment.network.file = Some(file);
        }
        if let Some(energy) = &mut experiment.energy
            && let Some(file) = &mut energy.file
        {
            *file = folder.join(&*file);
            network::pin(file, &mut energy.file_sha256, "energy.file")?;
        }
        let cells = &mut experiment.chip.cells;
        if let Some(file) = &mut cells.sampled {
            *file = folder.join(&*file);
            network::pin(file, &mut cells.sampled_sha256, "chip.cells.sampled")?;
        }
        for mut teacher in experiment.teachers_mut() {
            teacher.pin(folder)?;
        }
        Ok(experiment)
    }

    /// Reads the text of an experiment file that is called `source` in messages.
    pub fn parse(text: &str, source: &str) -> Result<Self> {
        read(text, Some(source), "experiment")
    }

    /// Checks an experiment that was built in code as if it came from a file: every field, the designs,
    /// and the contradictions at every point.
    ///
    /// # Errors
    /// [`Error::Input`] with every mistake; each names the path of its field.
    ///
    /// # Examples
    /// ```
    /// let mut experiment = pimento::config::Experiment::default();
    /// experiment.check()?;
    /// experiment.variation.sigma_w = f64::NAN;
    /// let error = experiment.check().unwrap_err().to_string();
    /// assert!(error.contains("`variation.sigma_w`"), "{error}");
    /// # Ok::<(), pimento::Error>(())
    /// ```
    pub fn check(&self) -> Result<()> {
        let text = match self.sweep.grid.is_empty() && self.sweep.axes.is_none() {
            true => self.to_toml()?,
            false => self.least()?,
        };
        read(&text, None, &self.name).map(drop)
    }

    /// The experiment as a file that says no more than it must: at a point of a sweep defaults may be others,
    /// as the kind of a network decides.
    fn least(&self) -> Result<String> {
        let mut base = self.clone();
        (base.sweep.grid, base.sweep.axes) = (Vec::new(), None);
        let (mut least, mut whole) = (base.document()?, self.table()?);
        for shared in SHARED.into_iter().chain(["sweep"]) {
            if let Some(value) = whole.remove(shared) {
                least.insert(shared.into(), value);
            }
        }
        toml::to_string(&least).map_err(|e| Error::Internal(format!("experiment to TOML: {e}")))
    }

    /// Makes the paths of images and network absolute, so that they hold wherever the experiment is
    /// read from.
    pub fn make_paths_absolute(&mut self) {
        let network = self.network.file.as_mut();
        let data = [self.data.dir.as_mut(), self.data.file.as_mut()];
        let energy = self.energy.as_mut().and_then(|energy| energy.file.as_mut());
        for path in data.into_iter().chain([network, energy]).flatten() {
            make_absolute(path);
        }
        for mut teacher in self.teachers_mut() {
            if let Some(mut path) = teacher.path() {
                make_absolute(&mut path);
                teacher.set_path(path);
            }
        }
    }

    /// The experiment as a file: reading it gives an equal experiment.
    pub fn to_toml(&self) -> Result<String> {
        let text = match self.chip.without().is_empty() {
            true => toml::to_string_pretty(self),
            false => toml::to_string_pretty(&self.table()?),
        };
        text.map_err(|e| Error::Internal(format!("experiment to TOML: {e}")))
    }

    /// The experiment as a table, in which curves that only its preset has are "none".
    fn table(&self) -> Result<toml::Table> {
        let broken = |e| Error::Internal(format!("experiment to TOML: {e}"));
        let mut whole = toml::Table::try_from(self).map_err(broken)?;
        for [section, key] in self.chip.without() {
            let chip = whole.get_mut("chip").and_then(|chip| chip.get_mut(section));
            if let Some(toml::Value::Table(section)) = chip {
                section.insert(key.into(), "none".into());
            }
        }
        Ok(whole)
    }
}

fn make_absolute(path: &mut PathBuf) {
    if path.as_os_str().is_empty() {
        // Beside an experiment file that was named without its directory.
        *path = ".".into();
    }
    // What is not there (yet) has no other name.
    let whole = path.canonicalize().or_else(|_| std::path::absolute(&*path));
    if let Ok(whole) = whole {
        *path = whole;
    }
}

fn read(text: &str, source: Option<&str>, default_name: &str) -> Result<Experiment> {
    let reader = Reader::new(text, source);
    let experiment = read_fields(text, &reader, default_name)?;
    if reader.is_content() {
        check_points(&reader, &experiment)?;
    }
    match reader.mistakes() {
        mistakes if mistakes.is_empty() => Ok(experiment),
        mistakes => Err(Error::Input(mistakes)),
    }
}

/// Reads every field, and tries every value of the axes; combinations are not judged.
fn read_fields(text: &str, reader: &Reader, default_name: &str) -> Result<Experiment> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(Error::Input(documents::syntax(reader, &errors)));
    }
    let (experiment, trials) = read_root(reader, document.get_ref(), default_name);
    // Too many points are a mistake already; nobody waits until all of them were tried.
    if experiment.sweep.n_points() <= MAX_POINTS {
        documents::try_axes(reader, document.get_ref(), &trials);
    }
    Ok(experiment)
}

/// The experiment, and the values of its axes, which are yet to be tried.
fn read_root<'t>(
    reader: &'t Reader,
    document: &'t DeTable<'t>,
    default_name: &str,
) -> (Experiment, Vec<Trial<'t>>) {
    let mut s = reader.root(document);
    let defaults = defaults(&s, default_name);
    let e = Experiment::take(&mut s, defaults);
    let misplaced = [e.data.misplaced(), e.network.misplaced()];
    for (field, text) in misplaced.into_iter().flatten() {
        s.refuse(field, Mistake::worded(Code::Misplaced, &text));
    }
    for (field, text) in e.sweep.misplaced() {
        s.refuse(field, text);
    }
    layers::judge(&e, document, reader);
    stages::judge(&e, document, reader);
    let trials = std::mem::take(&mut s.trials);
    s.finish();
    (e, trials)
}

/// The defaults of a document: some fields decide the defaults of others.
fn defaults(s: &Section, name: &str) -> Experiment {
    let section = s.glance("network");
    let network = Network::defaults(&section);
    let activation = section.peek("activation", &Any);
    let activation = activation.unwrap_or(network.activation);
    let (chip, variation) = chip::preset::defaults(&s.glance("chip"));
    Experiment {
        name: name.into(),
        data: Data::defaults(&s.glance("data")),
        quantize: Quantize::defaults(&s.glance("quantize"), activation),
        train: Train::defaults(network.kind == NetworkKind::File, &s.glance("train")),
        network,
        chip,
        variation,
        ..Experiment::default()
    }
}

/// The contradictions of a point: paths of fields, the one to name first, and what is wrong with them.
fn contradictions(e: &Experiment) -> Vec<(Vec<String>, String)> {
    let mut found = match e.train.stage.is_empty() {
        true => {
            let paths = |fields: &[&str]| fields.iter().map(|field| field.to_string()).collect();
            let first = stages::problem_of_first(e);
            let problems = check::problems(e).into_iter().chain(first);
            problems.map(|p| (paths(p.fields), p.message)).collect()
        }
        false => stages::problems(e),
    };
    found.extend(layers::problems(e));
    found.extend(heads::problem(e));
    found
}

/// Reports the points that cannot be read, and the contradictions of all others, each once, at the
/// line that sets the first of the fields concerned.
fn check_points(reader: &Reader, experiment: &Experiment) -> Result<()> {
    let designs = experiment.sweep.designs();
    let (points, refused) = experiment.try_points()?;
    for (design, mistake) in refused {
        reader.error(reader.line_of(&designs[design].0), mistake);
    }
    let n_of_design = designs.iter().map(|(_, design)| design.n_points());
    let design_of_point: Vec<usize> = n_of_design
        .enumerate()
        .flat_map(|(design, n)| std::iter::repeat_n(design, n))
        .collect();
    let mut seen = HashSet::new();
    for point in points {
        let own = design_of_point.get(point.index).map(|&d| &designs[d]);
        for (fields, message) in contradictions(&point.experiment) {
            let place = |field: &String| {
                let axis = own.and_then(|(place, design)| {
                    let axis = design.axes.iter().find(|axis| axis.path == *field)?;
                    let sets = |key: &str| reader.sets(&format!("{place}.{key}"));
                    axes::written(&axis.path, sets).map(|key| format!("{place}.{key}"))
                });
                let place = axis.or_else(|| reader.sets(field).then(|| field.to_string()));
                place.map(|place| (field.clone(), place))
            };
            let first = || (fields[0].clone(), fields[0].clone());
            let (path, field) = fields.iter().find_map(place).unwrap_or_else(first);
            if seen.insert((field.clone(), message.clone())) {
                let mistake = Mistake {
                    value: point.value(&path)?,
                    at: point.place(),
                    field: Some(field.clone()),
                    ..Mistake::worded(Code::Contradiction, &message)
                };
                reader.error(reader.line_of(&field), mistake);
            }
        }
    }
    Ok(())
}
