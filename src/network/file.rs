//! Networks from files, whatever their format.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::graph::Graph;
use super::lower::Numerics;
use super::parameters::Parameters;
use super::{description, onnx, rewrite};
use crate::error::{Error, Result};
use crate::files::kind::{SAFETENSORS, no_network};

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
    /// Groups of trained tensors that are one tensor in the model that the network comes from: they
    /// would be trained apart here.
    pub tied: Vec<Vec<String>>,
}

/// What was read last, so that the points of a sweep share it.
static LAST: Mutex<Option<Last>> = Mutex::new(None);

struct Last {
    key: Key,
    loaded: Arc<Loaded>,
    /// See [`content_sha256`]; where somebody asked.
    sha256: Option<String>,
}

/// Path, whether batch norm is folded, the shape asked for, and length and time of change of the file and of those that may
/// hold a part of the network.
type Key = (
    PathBuf,
    bool,
    Option<Vec<usize>>,
    Vec<Option<(u64, SystemTime)>>,
);

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
/// before it. `input` gives the sizes of the input behind the batch, which an ONNX model may leave
/// free; of other networks they must be those of the file.
///
/// # Errors
/// A file that cannot be read or is none of these, with the place in it.
pub fn load(path: &Path, fold_batch_norm: bool, input: Option<&[usize]>) -> Result<Arc<Loaded>> {
    with_last(path, fold_batch_norm, input, |last| Ok(last.loaded.clone()))
}

/// SHA-256 of a network as [`load`] reads it: of its description and all its tensors, whatever files
/// they are spread over and whatever else these hold. Hexadecimal.
///
/// # Errors
/// As [`load`].
pub fn content_sha256(
    path: &Path,
    fold_batch_norm: bool,
    input: Option<&[usize]>,
) -> Result<String> {
    with_last(path, fold_batch_norm, input, |last| {
        if let Some(known) = &last.sha256 {
            return Ok(known.clone());
        }
        let Loaded {
            graph,
            parameters,
            numerics,
            tied,
            ..
        } = &*last.loaded;
        let mut hash = Sha256::new();
        hash.update(description::to_json_with_ties(graph, numerics, tied)?);
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
    input: Option<&[usize]>,
    then: impl FnOnce(&mut Last) -> Result<T>,
) -> Result<T> {
    std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
    let key: Key = (
        path.to_path_buf(),
        fold_batch_norm,
        input.map(<[usize]>::to_vec),
        stamps(path),
    );
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let known = last.take().filter(|known| known.key == key);
    let known = match known {
        Some(known) => known,
        None => Last {
            key,
            loaded: Arc::new(read(path, fold_batch_norm, input)?),
            sha256: None,
        },
    };
    then(last.insert(known))
}

fn read(path: &Path, fold_batch_norm: bool, input: Option<&[usize]>) -> Result<Loaded> {
    let ends = |with: &str| {
        path.extension()
            .is_some_and(|e| e.eq_ignore_ascii_case(with))
    };
    let mut loaded = if ends("onnx") {
        let options = onnx::Options {
            fold_batch_norm,
            input: input.map(<[usize]>::to_vec),
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
    let (c, h, w) = loaded.graph.nodes[0].shape;
    if let Some(given) = input.filter(|given| *given != [c, h, w]) {
        return Err(Error::input(format!(
            "{}: the network's input is {c} x {h} x {w}, not {given:?}",
            path.display()
        )));
    }
    if fold_batch_norm {
        if loaded.numerics.weight_bits > 0 {
            return Err(Error::input(format!(
                "{}: was trained with quantized weights, so its batch norm cannot be folded into them",
                path.display()
            )));
        }
        rewrite::fold_factors(&mut loaded);
        let checked = loaded.parameters.check(&loaded.graph);
        checked.map_err(|e| e.context(path.display()))?;
    }
    Ok(loaded)
}

fn text(path: &Path) -> Result<String> {
    String::from_utf8(bytes(path)?).map_err(|e| {
        let valid = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let what = match no_network(e.as_bytes()) {
            Some(kind) => kind,
            None if valid.trim_ascii_start().starts_with(b"{") => "a damaged JSON file".into(),
            None => "something else".into(),
        };
        Error::input(format!(
            "{}: not a text in UTF-8 but {what}",
            path.display()
        ))
    })
}

fn tensors(path: &Path) -> Result<(Parameters, BTreeMap<String, String>)> {
    let bytes = bytes(path)?;
    Parameters::from_bytes(&bytes, path).map_err(|e| match no_network(&bytes) {
        Some(kind) if kind == SAFETENSORS => e.context("a damaged safetensors file"),
        Some(kind) => Error::input(format!(
            "{}: not a safetensors file but {kind}",
            path.display()
        )),
        None => e,
    })
}

/// The bytes of a regular file; of a pipe or a device, which may never end, an error.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>> {
    let failed = |e: std::io::Error| Error::io(path, e);
    let meta = std::fs::metadata(path).map_err(failed)?;
    if !meta.is_file() {
        return Err(Error::input(format!(
            "{}: not a regular file",
            path.display()
        )));
    }
    let mut file = File::open(path).map_err(failed)?;
    let mut bytes = vec![];
    let size = usize::try_from(meta.len()).unwrap_or(usize::MAX);
    if bytes.try_reserve_exact(size).is_err() {
        return Err(Error::input(format!(
            "{}: {size} bytes do not fit the memory",
            path.display()
        )));
    }
    file.read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// The bytes of a safetensors file that holds the network and its description, besides `meta`.
///
/// # Errors
/// None that a network can cause.
pub fn to_safetensors(network: &Loaded, meta: &BTreeMap<String, String>) -> Result<Vec<u8>> {
    let mut meta = meta.clone();
    let text = description::to_json_with_ties(&network.graph, &network.numerics, &network.tied)?;
    meta.insert(NETWORK.into(), text);
    network.parameters.to_file(&meta)
}
