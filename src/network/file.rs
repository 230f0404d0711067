//! Networks from files, whatever their format.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::graph::Graph;
use super::lower::Numerics;
use super::onnx;
use super::parameters::Parameters;
use crate::error::{Error, Result};

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
    let options = onnx::Options {
        fold_batch_norm,
        ..Default::default()
    };
    onnx::import_file(path, &options)
}
