//! Networks from files, whatever their format.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

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

/// Reads a network: ONNX, safetensors of a training here, or a JSON description with its
/// safetensors file (docs/networks.md). `fold_batch_norm` multiplies batch norm into the weights
/// before it. `input` gives the sizes of the input behind the batch, which an ONNX model may leave
/// free; of other networks they must be those of the file.
///
/// # Errors
/// A file that cannot be read or is none of these, with the place in it.
pub fn load(path: &Path, fold_batch_norm: bool, input: Option<&[usize]>) -> Result<Loaded> {
    std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
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
        if loaded.numerics.quantizes_weights() {
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

impl Loaded {
    /// SHA-256 of the network's description and all its tensors, whatever files they are spread over
    /// and whatever else these hold. Hexadecimal.
    ///
    /// # Errors
    /// None that a network can cause.
    pub fn sha256(&self) -> Result<String> {
        let mut hash = Sha256::new();
        let text = description::to_json_with_ties(&self.graph, &self.numerics, &self.tied)?;
        hash.update(text);
        self.parameters.digest(&mut hash);
        Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
    }
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
