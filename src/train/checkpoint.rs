//! Files of trained networks and of interrupted trainings: safetensors whose metadata holds the
//! configuration, so that a file alone says what it is, and a checksum over every byte.
//!
//! A file is believed only if its checksum is right, it is of the training that is wanted, and what it
//! says of the training's course can be: steps, epochs and sums that belong together.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::identity;
use super::settings::{Course, Steps};
use super::trainer::{EpochRecord, Model, TrainRecord};
use crate::error::{Error, Result};
use crate::files;
use crate::network::file::NETWORK;
use crate::network::lower::StateTensor;
use crate::network::parameters::Tensor;
use crate::network::{Parameters, description, seal};
use crate::setup::Point;

/// Metadata entry that says what the file is.
const KIND: &str = "pimento.kind";
/// Metadata entry with the training key, see [`super::training_key`].
const KEY: &str = "pimento.training";
/// Metadata entry with the progress or the record.
const STATE: &str = "pimento.state";

/// Tensor of a checkpoint with hits and losses that the adapter has added up since they were last
/// looked at.
const TALLY: &str = "training.tally";

/// Where an interrupted training stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// The stage.
    #[serde(default, skip_serializing_if = "is_first")]
    pub stage: usize,
    /// Steps done of the stage.
    pub step: usize,
    /// Complete epochs of all stages so far.
    pub history: Vec<EpochRecord>,
    /// The epoch in progress.
    pub epoch: EpochSums,
}

/// Whether it is the first stage, which most trainings have alone.
fn is_first(stage: &usize) -> bool {
    *stage == 0
}

/// What an epoch's record is made of, so far.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochSums {
    /// Images that were classified rightly.
    pub hits: f64,
    /// Sum of their losses.
    pub loss: f64,
    /// Images.
    pub images: usize,
    /// Steps since, whose sums are still in the adapter's tally.
    pub untold: usize,
}

impl Position {
    /// What cannot be in a training of these steps, if anything.
    fn problem(&self, course: &Course) -> Option<String> {
        let Some(&steps) = course.stages.get(self.stage) else {
            let stages = course.stages.len();
            return Some(format!("stage {} of {stages}", self.stage + 1));
        };
        let Steps {
            batch, per_epoch, ..
        } = steps;
        if self.step > steps.total() {
            let total = steps.total();
            return Some(format!("step {} of a training of {total} steps", self.step));
        }
        let before = course.epochs_before(self.stage);
        let (done, within) = (self.step / per_epoch.max(1), self.step % per_epoch.max(1));
        if self.history.len() != before + done {
            let epochs = self.history.len();
            return Some(format!(
                "{epochs} epochs in {} steps of {per_epoch}",
                self.step
            ));
        }
        let sums = self.epoch;
        let fit = match within {
            // The sums of a complete epoch begin anew with the next.
            0 => sums.untold == 0,
            _ => {
                sums.untold <= within
                    && Some(sums.images) == batch.checked_mul(within - sums.untold)
            }
        };
        if !fit {
            return Some(format!(
                "sums over {} images and {} steps where the epoch has {within} steps of {batch} images",
                sums.images, sums.untold
            ));
        }
        let counts = (0.0..=sums.images as f64).contains(&sums.hits);
        if !(counts && sums.loss.is_finite()) {
            return Some(format!("{} hits and a loss of {}", sums.hits, sums.loss));
        }
        problem_of(&self.history)
    }
}

impl TrainRecord {
    /// What cannot be in the record of a training of these steps, if anything.
    fn problem(&self, steps: &Course) -> Option<String> {
        if self.steps != steps.total() {
            let total = steps.total();
            return Some(format!(
                "{} steps of a training of {total} steps",
                self.steps
            ));
        }
        if self.history.len() != steps.epochs() {
            let epochs = self.history.len();
            return Some(format!("{epochs} of {} epochs", steps.epochs()));
        }
        if !self.stages.is_empty() && self.stages.len() != steps.stages.len() {
            let (names, stages) = (self.stages.len(), steps.stages.len());
            return Some(format!("{names} names of {stages} stages"));
        }
        let last = self
            .history
            .last()
            .map_or((0.0, 0.0), |e| (e.loss, e.accuracy));
        if (self.loss, self.accuracy) != last {
            return Some("loss and accuracy that are not those of the last epoch".into());
        }
        problem_of(&self.history)
    }
}

/// What cannot be in a history, if anything.
fn problem_of(history: &[EpochRecord]) -> Option<String> {
    let share = |x: f64| (0.0..=1.0).contains(&x);
    for (i, e) in history.iter().enumerate() {
        let held_out = e.validation.is_none_or(|v| {
            share(v.ideal) && share(v.mean) && share(v.std) && v.images > 0 && v.chips > 0
        });
        if e.epoch != i + 1 || !e.loss.is_finite() || !share(e.accuracy) || !held_out {
            return Some(format!(
                "epoch {} in the place of epoch {}: {e:?}",
                e.epoch,
                i + 1
            ));
        }
    }
    None
}

fn bytes(
    parameters: &Parameters,
    kind: &str,
    key: &str,
    state: &impl Serialize,
    network: Option<String>,
) -> Result<Vec<u8>> {
    let state = serde_json::to_string(state)
        .map_err(|e| Error::Internal(format!("training state: {e}")))?;
    let mut meta = BTreeMap::from([
        (KIND.to_string(), kind.to_string()),
        (KEY.to_string(), key.to_string()),
        (STATE.to_string(), state),
        (
            "pimento.version".to_string(),
            env!("CARGO_PKG_VERSION").to_string(),
        ),
    ]);
    meta.extend(network.map(|text| (NETWORK.to_string(), text)));
    parameters.to_file(&meta)
}

fn read(path: &Path, kind: &str, key: &str) -> Result<(Parameters, String)> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let (parameters, stored, state) = parts(&bytes, path, kind)?;
    if stored != key {
        return Err(Error::input(format!(
            "{}: made by another training than this configuration and these images describe; {}{}",
            path.display(),
            without(kind),
            identity::differences(&stored, key)
        )));
    }
    Ok((parameters, state))
}

/// Parameters, key and state of a file whose checksum is right.
fn parts(bytes: &[u8], path: &Path, kind: &str) -> Result<(Parameters, String, String)> {
    let (parameters, mut meta) = Parameters::from_bytes(bytes, path)?;
    let found = meta.remove(KIND).unwrap_or_default();
    if found != kind {
        return Err(Error::input(format!(
            "{}: metadata `{KIND}` is `{found}`; `{kind}` is needed here",
            path.display()
        )));
    }
    if !meta.contains_key(seal::CHECKSUM) {
        return Err(Error::input(format!(
            "{}: has no checksum (metadata `{}`), so it is damaged or of an earlier version; {}",
            path.display(),
            seal::CHECKSUM,
            without(kind)
        )));
    }
    let mut entry = |name| meta.remove(name).unwrap_or_default();
    let (key, state) = (entry(KEY), entry(STATE));
    Ok((parameters, key, state))
}

/// What to do without a file.
fn without(kind: &str) -> String {
    format!("allowed: the {kind} of this training, or none, to train from the start")
}

fn parse<T: for<'de> Deserialize<'de>>(path: &Path, text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|e| Error::input(format!("{}: metadata `{STATE}`: {e}", path.display())))
}

fn impossible(path: &Path, kind: &str, problem: Option<String>) -> Result<()> {
    problem.map_or(Ok(()), |what| {
        Err(Error::input(format!(
            "{}: metadata `{STATE}` says what cannot be: {what}; {}",
            path.display(),
            without(kind)
        )))
    })
}

/// Saves a training in progress (network and optimizer states).
pub(super) fn save_position(
    path: &Path,
    parameters: &Parameters,
    key: &str,
    position: Position,
) -> Result<()> {
    let bytes = bytes(parameters, "checkpoint", key, &position, None)?;
    files::replace_atomically(path, &bytes)
}

/// Reads a training of these steps in progress.
///
/// # Errors
/// A damaged file; one of another training (the message says what differs); a position that cannot be.
pub(super) fn load_position(
    path: &Path,
    key: &str,
    steps: &Course,
) -> Result<(Parameters, Position)> {
    let (parameters, state) = read(path, "checkpoint", key)?;
    let position: Position = parse(path, &state)?;
    impossible(path, "checkpoint", position.problem(steps))?;
    Ok((parameters, position))
}

/// Adds the adapter's tally to what a checkpoint keeps.
pub(super) fn put_tally(to: &mut Parameters, tally: Vec<f32>) {
    let tensor = Tensor {
        shape: vec![tally.len() / 2, 2],
        data: tally,
    };
    to.tensors.insert(TALLY.into(), tensor);
}

/// Takes the tally of so many chips out of a checkpoint.
///
/// # Errors
/// It is missing, or of another training.
pub(super) fn take_tally(path: &Path, from: &mut Parameters, chips: usize) -> Result<Vec<f32>> {
    let tensor = from.tensors.remove(TALLY);
    let tally = tensor.map(|t| t.data).filter(|t| t.len() == 2 * chips);
    tally.ok_or_else(|| {
        Error::input(format!(
            "{}: has no `{TALLY}` of {chips} pairs; {}",
            path.display(),
            without("checkpoint")
        ))
    })
}

/// What the name of a mask in a checkpoint ends with.
const MASK: &str = ".mask";

/// Adds the masks of weights to what a checkpoint keeps.
pub(super) fn put_masks(to: &mut Parameters, masks: Parameters) {
    let masks = masks.tensors.into_iter();
    to.tensors
        .extend(masks.map(|(layer, mask)| (layer + MASK, mask)));
}

/// Takes the masks of a training out of a checkpoint.
///
/// # Errors
/// One is missing, or of another training.
pub(super) fn take_masks(
    path: &Path,
    from: &mut Parameters,
    wanted: &[StateTensor],
) -> Result<Parameters> {
    let mut masks = Parameters::default();
    for state in wanted {
        let name = format!("{}{MASK}", state.name);
        let mask = from.tensors.remove(&name);
        let mask = mask.filter(|mask| mask.shape == state.shape);
        let Some(mask) = mask else {
            return Err(Error::input(format!(
                "{}: has no `{name}` of {:?}; {}",
                path.display(),
                state.shape,
                without("checkpoint")
            )));
        };
        masks.tensors.insert(state.name.clone(), mask);
    }
    Ok(masks)
}

/// Saves a trained network with the configuration that made it and its own description, so that
/// it can be read as a network of its own ([`crate::network::file`]).
///
/// # Errors
/// The file cannot be written.
pub fn save_model(path: &Path, model: &Model, key: &str) -> Result<()> {
    files::write_atomically(path, &bytes_of(model, key)?)
}

/// [`save_model`] into a directory of trained networks, which others may write to as well.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn keep_model(path: &Path, model: &Model, key: &str) -> Result<()> {
    files::replace_atomically(path, &bytes_of(model, key)?)
}

fn bytes_of(model: &Model, key: &str) -> Result<Vec<u8>> {
    let network = description::to_json(&model.graph, &model.numerics)?;
    bytes(
        &model.parameters,
        "model",
        key,
        &model.record,
        Some(network),
    )
}

/// Reads the parameters and the record of a network that was trained in these steps.
///
/// # Errors
/// A damaged file; one that was trained otherwise than `key` says (the message says what differs); a
/// record that cannot be.
pub fn load_model(path: &Path, key: &str, steps: &Course) -> Result<(Parameters, TrainRecord)> {
    let (parameters, state) = read(path, "model", key)?;
    let record: TrainRecord = parse(path, &state)?;
    impossible(path, "model", record.problem(steps))?;
    Ok((parameters, record))
}

/// What a network of [`save_model`] is known by ([`super::training_key`]), and how its training went.
///
/// # Errors
/// A damaged file, or one that holds no trained network; a record that cannot be.
pub fn record_of(path: &Path) -> Result<(String, TrainRecord)> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let (_, key, state) = parts(&bytes, path, "model")?;
    let record: TrainRecord = parse(path, &state)?;
    impossible(path, "model", problem_of(&record.history))?;
    Ok((key, record))
}

/// A network of [`save_model`] for the chips of a point, where its training images are not at hand: its tensors must
/// be those of the point's network, and nobody asks whether the point describes its training, as [`load_model`] does.
/// `name` is what messages call it.
///
/// ```
/// # use pimento::backend::cpu::CpuBackend;
/// # use pimento::config::Experiment;
/// # use pimento::{data::Embedded, setup, train};
/// # fn main() -> pimento::Result<()> {
/// # let text = "[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [8]\n[train]\nepochs = 1\n";
/// # let experiment = Experiment::parse(text, "example")?;
/// # let data = Embedded::Digits8x8.load()?;
/// # let (backend, point) = (CpuBackend::new(), setup::point(&experiment, &data, 0)?);
/// # let job = train::Job { backend: &backend, point: &point, label: "example".into(), checkpoint: None, resume: false,
/// #     observer: &() };
/// # let trained = train::train(&job)?;
/// # let file = std::env::temp_dir().join(format!("pimento-example-{}.safetensors", std::process::id()));
/// # train::save_model(&file, &trained, "the key of the training")?;
/// let bytes = std::fs::read(&file).expect("a file of `pimento train`");
/// let model = train::model_from_bytes(&bytes, "network.safetensors", &point)?;
/// assert_eq!(model.parameters, trained.parameters);
/// # std::fs::remove_file(&file).expect("ours");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// A damaged file, or one that is no trained network; tensors that are not those of the point's network.
pub fn model_from_bytes(bytes: &[u8], name: &str, point: &Point) -> Result<Model> {
    let path = Path::new(name);
    let (parameters, _, state) = parts(bytes, path, "model")?;
    let graph = point.start.graph.clone();
    parameters.check(&graph).map_err(|e| e.context(name))?;
    Ok(Model {
        graph,
        numerics: point.numerics.clone(),
        parameters,
        record: parse(path, &state)?,
    })
}
