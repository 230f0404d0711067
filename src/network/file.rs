//! Networks from files, whatever their format.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

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
static LAST: Mutex<Option<Last>> = Mutex::new(None);

struct Last {
    key: Key,
    loaded: Arc<Loaded>,
    /// See [`content_sha256`]; where somebody asked.
    sha256: Option<String>,
}

/// Path, whether batch norm is folded, and length and time of change of the file and of those that may
/// hold a part of the network.
type Key = (PathBuf, bool, Vec<Option<(u64, SystemTime)>>);

/// Length and time of change of a file and of those that usually go with it.
fn stamps(path: &Path) -> Vec<Option<(u64, SystemTime)>> {
    let beside = ["safetensors", "json", "data", "bin"].map(|e| path.with_extension(e));
    // `net.onnx.data`, `net.onnx_data`.
    let behind = [".data", "_data"].map(|ending| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    });
    let all = std::iter::once(path.to_path_buf())
        .chain(beside)
        .chain(behind);
    let stamp = |path: PathBuf| {
        let about = std::fs::metadata(path).ok()?;
        Some((about.len(), about.modified().ok()?))
    };
    all.map(stamp).collect()
}

/// Reads a network: ONNX, safetensors of a training here, or a JSON description with its
/// safetensors file (docs/networks.md). `fold_batch_norm` multiplies batch norm into the weights
/// before it.
///
/// # Errors
/// A file that cannot be read or is none of these, with the place in it.
pub fn load(path: &Path, fold_batch_norm: bool) -> Result<Arc<Loaded>> {
    with_last(path, fold_batch_norm, |last| Ok(last.loaded.clone()))
}

/// SHA-256 of a network as [`load`] reads it: of its description and all its tensors, whatever files
/// they are spread over and whatever else these hold. Hexadecimal.
///
/// # Errors
/// As [`load`].
pub fn content_sha256(path: &Path, fold_batch_norm: bool) -> Result<String> {
    with_last(path, fold_batch_norm, |last| {
        if let Some(known) = &last.sha256 {
            return Ok(known.clone());
        }
        let Loaded {
            graph,
            parameters,
            numerics,
        } = &*last.loaded;
        let mut hash = Sha256::new();
        hash.update(description::to_json(graph, numerics)?);
        parameters.digest(&mut hash);
        let found: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
        last.sha256 = Some(found.clone());
        Ok(found)
    })
}

/// Reads the file unless it was the last one, and is as it was.
fn with_last<T>(
    path: &Path,
    fold_batch_norm: bool,
    then: impl FnOnce(&mut Last) -> Result<T>,
) -> Result<T> {
    std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
    let key: Key = (path.to_path_buf(), fold_batch_norm, stamps(path));
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let known = last.take().filter(|known| known.key == key);
    let known = match known {
        Some(known) => known,
        None => Last {
            key,
            loaded: Arc::new(read(path, fold_batch_norm)?),
            sha256: None,
        },
    };
    then(last.insert(known))
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
    network.parameters.to_file(&meta)
}
