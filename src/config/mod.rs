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
mod data;
mod documents;
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

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use toml::de::DeTable;

pub use axes::{Axis, AxisValue, Design, Mode, Values, field_path};
pub use chip::Chip;
pub use data::{Arrays, Constants, Data, DataKind, EmbeddedSet, Place};
pub use network::{Activation, Network, NetworkKind, Pool};
pub use points::{Point, n_trainings};
pub use quantize::{
    ActivationRange, ActivationStep, BinaryWeightGroup, LinearInputs, Profile, Quantize, WeightStep,
};
pub use sweep::{MAX_CHIPS, MAX_POINTS, Sweep};
pub use train::{Optimizer, Recipe, Schedule, Train, TrainAugment, TrainVariation};
pub use tuning::{Estimator, Tuning, TuningMethod, TuningPlace, TuningScope};
pub use until::{Quantity, Until};
pub use variation::{Distribution, Kernel, Mapping, OffsetReference, Sampling, Variation, Wafer};
pub use worst_case::{SearchImages, WorstCase};

use crate::choice::choices;
use crate::error::{Error, Result};
use axes::Trial;
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
    /// Short name, used for files and directories: letters, digits, `-`, `_`, and `.` between them; no
    /// name that a system reserves (`con`, `nul`, ...).
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
        let name = match is_plain_name(&stem) {
            true => &stem,
            false => "experiment",
        };
        let mut experiment = read(&text, &source, name)?;
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

/// Whether a name is one plain component of a path on every system: it neither leaves its directory
/// nor hides in it, and Windows takes it as it is.
fn is_plain_name(name: &str) -> bool {
    // Windows knows these as devices, whatever ending follows.
    const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
    let stem = name
        .split('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let numbered = |device: &str| {
        let number = stem.strip_prefix(device);
        number.is_some_and(|n| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit()))
    };
    !name.is_empty()
        && name.len() <= MAX_NAME
        && name.chars().all(is_name_char)
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !DEVICES.contains(&stem.as_str())
        && !numbered("com")
        && !numbered("lpt")
}

fn read(text: &str, source: &str, default_name: &str) -> Result<Experiment> {
    let reader = Reader::new(text, source);
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(Error::Config(documents::syntax(&reader, source, &errors)));
    }
    let (experiment, trials) = read_root(&reader, document.get_ref(), default_name);
    // Too many points are a mistake already; nobody waits until all of them were tried.
    if experiment.sweep.n_points() <= MAX_POINTS {
        documents::try_axes(&reader, document.get_ref(), &trials);
    }
    if reader.is_content() {
        check_points(&reader, &experiment)?;
    }
    match reader.messages() {
        messages if messages.is_empty() => Ok(experiment),
        messages => Err(Error::Config(messages)),
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
    if !is_plain_name(&name) {
        let text = format!(
            "value {:?} is not allowed; allowed: 1 to {MAX_NAME} letters, digits, '-', '_' or '.', no '.' at \
             either end, no name that a system reserves",
            reader::short(&name)
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
    let mut seen = HashSet::new();
    for point in points {
        let own = design_of_point.get(point.index).map(|&d| &designs[d]);
        for problem in check::problems(&point.experiment) {
            let place = |field: &&str| {
                let axis = own.and_then(|(place, design)| {
                    let axis = design.axes.iter().find(|axis| axis.path == *field)?;
                    let sets = |key: &str| reader.sets(&format!("{place}.{key}"));
                    axes::written(&axis.path, sets).map(|key| format!("{place}.{key}"))
                });
                axis.or_else(|| reader.sets(field).then(|| field.to_string()))
            };
            let field = problem.fields[0].to_string();
            let field = problem.fields.iter().find_map(place).unwrap_or(field);
            if seen.insert((field.clone(), problem.clone())) {
                let label = match point.axes.is_empty() {
                    true => String::new(),
                    false => format!(" (at the point {})", point.label()),
                };
                let text = format!("field `{field}`: {}{label}", problem.message);
                reader.error(reader.line_of(&field), text);
            }
        }
    }
    Ok(())
}
