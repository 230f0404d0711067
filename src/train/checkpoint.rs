//! Files of trained networks and of interrupted trainings: safetensors whose metadata holds the
//! configuration, so that a file alone says what it is.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::trainer::{EpochRecord, Model, TrainRecord};
use crate::error::{Error, Result};
use crate::files;
use crate::network::file::NETWORK;
use crate::network::{Parameters, description};

/// Metadata entry that says what the file is.
const KIND: &str = "pimento.kind";
/// Metadata entry with the training key, see [`super::training_key`].
const KEY: &str = "pimento.training";
/// Metadata entry with the progress or the record.
const STATE: &str = "pimento.state";

/// Where an interrupted training stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Position {
    /// Steps done.
    pub step: usize,
    /// Complete epochs.
    #[serde(default)]
    pub history: Vec<EpochRecord>,
}

fn write(
    path: &Path,
    parameters: &Parameters,
    kind: &str,
    key: &str,
    state: &impl Serialize,
    network: Option<String>,
) -> Result<()> {
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
    files::write_atomically(path, &parameters.to_bytes(&meta)?)
}

fn read(path: &Path, kind: &str, key: &str) -> Result<(Parameters, String)> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let (parameters, mut meta) = Parameters::from_bytes(&bytes, path)?;
    let found = meta.remove(KIND).unwrap_or_default();
    if found != kind {
        return Err(Error::input(format!(
            "{}: metadata `{KIND}` is `{found}`; `{kind}` is needed here",
            path.display()
        )));
    }
    let stored = meta.remove(KEY).unwrap_or_default();
    if stored != key {
        return Err(Error::input(format!(
            "{}: made by another training than this configuration describes\n  in the file: {stored}\n  wanted:      {key}",
            path.display()
        )));
    }
    Ok((parameters, meta.remove(STATE).unwrap_or_default()))
}

fn parse<T: for<'de> Deserialize<'de>>(path: &Path, text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|e| Error::input(format!("{}: metadata `{STATE}`: {e}", path.display())))
}

/// Saves a training in progress (network and optimizer states).
pub(super) fn save_position(
    path: &Path,
    parameters: &Parameters,
    key: &str,
    position: Position,
) -> Result<()> {
    write(path, parameters, "checkpoint", key, &position, None)
}

/// Reads a training in progress; an error if it belongs to another configuration.
pub(super) fn load_position(path: &Path, key: &str) -> Result<(Parameters, Position)> {
    let (parameters, state) = read(path, "checkpoint", key)?;
    Ok((parameters, parse(path, &state)?))
}

/// Saves a trained network with the configuration that made it and its own description, so that
/// it can be read as a network of its own ([`crate::network::file`]).
pub fn save_model(path: &Path, model: &Model, key: &str) -> Result<()> {
    let network = description::to_json(&model.graph, &model.numerics)?;
    write(
        path,
        &model.parameters,
        "model",
        key,
        &model.record,
        Some(network),
    )
}

/// Reads the parameters and the record of a trained network; an error if it was trained otherwise
/// than `key` says.
pub fn load_model(path: &Path, key: &str) -> Result<(Parameters, TrainRecord)> {
    let (parameters, state) = read(path, "model", key)?;
    Ok((parameters, parse(path, &state)?))
}
