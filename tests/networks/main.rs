//! Networks from files: what is read computes what it computed where it came from, what is written
//! computes what is read, and files that are no networks are refused.
//!
//! `assets/golden/onnx` holds small models over all supported operators with the outputs of ONNX
//! Runtime; `scripts/onnx_vectors.py` makes them, and holds the models that these tests export (to
//! the directory named by `PIMENTO_EXPORT_DIR`) against the same outputs. `graphs` beside them are
//! random graphs, of `scripts/onnx_graphs.py`.

mod batch;
mod damaged;
mod description;
mod finite;
mod golden;
mod models;
mod refusals;
mod semantics;
mod trained;

use std::path::{Path, PathBuf};

use pimento::backend::Backend;
use pimento::backend::cpu::CpuBackend;
use pimento::network::Parameters;
use pimento::network::file::Loaded;
use pimento::network::run::Runner;

/// Largest difference allowed, relative to the largest output: two to three dozen roundings of
/// values of that size, as sums in another order and other tanh and exp make them.
const TOLERANCE: f32 = 1e-5;

/// Directory of the vectors.
fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/golden/onnx")
}

/// Inputs and outputs of all models over single operators.
fn vectors() -> Parameters {
    vectors_in("")
}

/// Inputs and outputs of all models of a directory of the vectors.
fn vectors_in(directory: &str) -> Parameters {
    let path = golden().join(directory).join("vectors.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    Parameters::from_bytes(&bytes, &path).unwrap().0
}

/// Names of all models over single operators.
fn models() -> Vec<String> {
    models_in("")
}

/// Names of all models of a directory of the vectors.
fn models_in(directory: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(golden().join(directory))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "onnx"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Outputs of the network.
fn outputs(backend: &dyn Backend, network: &Loaded, images: &[f32]) -> Vec<f32> {
    Runner::new(backend, network)
        .and_then(|mut r| r.run_all(images))
        .unwrap_or_else(|e| panic!("{}: {e}", network.graph.name))
}

/// Largest difference relative to the largest wanted value.
fn distance(got: &[f32], want: &[f32]) -> f32 {
    assert_eq!(got.len(), want.len());
    let largest = |v: &mut dyn Iterator<Item = f32>| v.fold(0.0f32, |m, x| m.max(x.abs()));
    let scale = largest(&mut want.iter().copied()).max(1e-6);
    let pairs = got.iter().zip(want);
    // A value that is not a number must not pass.
    let far = pairs.map(|(g, w)| if g.is_nan() { f32::INFINITY } else { g - w });
    largest(&mut far.into_iter()) / scale
}

/// The backends of this machine.
fn backends(test: &str) -> Vec<Box<dyn Backend>> {
    let cpu: Box<dyn Backend> = Box::new(CpuBackend::new());
    [Some(cpu), adapter(test)].into_iter().flatten().collect()
}

#[cfg(feature = "gpu")]
fn adapter(test: &str) -> Option<Box<dyn Backend>> {
    match pimento::backend::wgpu::WgpuBackend::open(None) {
        Ok(gpu) => Some(Box::new(gpu)),
        Err(reason) => {
            let required = std::env::var("PIMENTO_REQUIRE_GPU").as_deref() == Ok("1");
            assert!(!required, "{test}: PIMENTO_REQUIRE_GPU=1, but {reason}");
            println!("SKIPPED {test} on a GPU: {reason}");
            None
        }
    }
}

#[cfg(not(feature = "gpu"))]
fn adapter(_: &str) -> Option<Box<dyn Backend>> {
    None
}
