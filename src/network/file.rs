//! Networks from files, whatever their format.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::graph::Graph;
use super::lower::Numerics;
use super::parameters::Parameters;
use super::{description, onnx, rewrite};
use crate::error::{Error, Result};

/// Metadata entry of a safetensors file with the description of the network.
pub const NETWORK: &str = "pimento.network";

/// A network with its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The architecture.
    pub graph: Graph,
    /// Weights, biases, batch norm, constants.
    pub parameters: Parameters,
    /// Number formats of a network that was trained here with quantizers; else
    /// [`Numerics::FLOAT`].
    pub numerics: Numerics,
}

/// What was read last, so that the points of a sweep share it.
static LAST: Mutex<Option<(Key, Arc<Loaded>)>> = Mutex::new(None);

type Key = (std::path::PathBuf, bool, Option<SystemTime>, u64);

/// Reads a network: ONNX, safetensors of a training here, or a JSON description with its
/// safetensors file (docs/networks.md). `fold_batch_norm` multiplies batch norm into the weights
/// before it.
///
/// # Errors
/// A file that cannot be read or is none of these, with the place in it.
pub fn load(path: &Path, fold_batch_norm: bool) -> Result<Arc<Loaded>> {
    let meta = std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
    let key: Key = (
        path.to_path_buf(),
        fold_batch_norm,
        meta.modified().ok(),
        meta.len(),
    );
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, loaded)) = last.as_ref().filter(|(k, _)| *k == key) {
        return Ok(loaded.clone());
    }
    let loaded = Arc::new(read(path, fold_batch_norm)?);
    *last = Some((key, loaded.clone()));
    Ok(loaded)
}

fn read(path: &Path, fold_batch_norm: bool) -> Result<Loaded> {
    let ends = |with: &str| {
        path.extension()
            .is_some_and(|e| e.eq_ignore_ascii_case(with))
    };
    let mut loaded = if ends("onnx") {
        let options = onnx::Options {
            fold_batch_norm,
            ..Default::default()
        };
        return onnx::import_file(path, &options);
    } else if ends("json") {
        let text = text(path)?;
        let weights = path.with_extension("safetensors");
        description::read(&text, &tensors(&weights)?.0, path)?
    } else if ends("safetensors") {
        let (tensors, mut meta) = tensors(path)?;
        let beside = path.with_extension("json");
        match meta.remove(NETWORK) {
            Some(text) => description::read(&text, &tensors, path)?,
            None if beside.exists() => description::read(&text(&beside)?, &tensors, &beside)?,
            None => {
                return Err(Error::input(format!(
                    "{}: tensors alone are no network; allowed: a file of `pimento train` or \
                     `pimento export`, or one with its description beside it ({})",
                    path.display(),
                    beside.display()
                )));
            }
        }
    } else {
        return Err(Error::input(format!(
            "{}: a network of an unknown kind; allowed: .onnx, .safetensors, .json",
            path.display()
        )));
    };
    if fold_batch_norm {
        if loaded.numerics.weight_bits > 0 {
            return Err(Error::input(format!(
                "{}: was trained with quantized weights, so its batch norm cannot be folded into them",
                path.display()
            )));
        }
        rewrite::fold_factors(&mut loaded);
    }
    Ok(loaded)
}

fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| Error::io(path, e))
}

fn tensors(path: &Path) -> Result<(Parameters, BTreeMap<String, String>)> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    Parameters::from_bytes(&bytes, path)
}

/// The bytes of a safetensors file that holds the network and its description, besides `meta`.
///
/// # Errors
/// None that a network can cause.
pub fn to_safetensors(network: &Loaded, meta: &BTreeMap<String, String>) -> Result<Vec<u8>> {
    let mut meta = meta.clone();
    let text = description::to_json(&network.graph, &network.numerics)?;
    meta.insert(NETWORK.into(), text);
    network.parameters.to_bytes(&meta)
}
