//! Puts a network from an ONNX file on chips, without training it again.
//!
//! `cargo run --release --example own_network`

use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::data::Embedded;
use pimento::{network, setup, sweep, train};

/// Trains a network and writes it as ONNX, in the place of one that comes from elsewhere.
fn write_network(path: &std::path::Path) -> pimento::Result<()> {
    let experiment = Experiment::parse(
        "[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [32]\n\
         [train]\nrecipe = \"float\"\nepochs = 4\nlearning_rate = 5e-3\n",
        "elsewhere",
    )?;
    let data = Embedded::Digits8x8.load()?;
    let model = train::train(&train::Job {
        backend: &CpuBackend::new(),
        point: &setup::point(&experiment, &data, 0)?,
        label: "elsewhere".into(),
        checkpoint: None,
        resume: false,
        observer: &(),
    })?;
    let loaded = network::file::Loaded {
        graph: model.graph,
        parameters: model.parameters,
        numerics: model.numerics,
        tied: vec![],
    };
    let bytes = network::onnx::export(&loaded)?;
    std::fs::write(path, bytes).map_err(|e| pimento::Error::io(path, e))
}

pub fn main() -> pimento::Result<()> {
    let dir = std::env::temp_dir().join(format!("pimento-own-network-{}", std::process::id()));
    std::fs::create_dir_all(&dir).map_err(|e| pimento::Error::io(&dir, e))?;
    let path = dir.join("network.onnx");
    write_network(&path)?;

    // Post-training quantization to 6 bits: no epoch of training, only quantizer steps are chosen.
    let text = format!(
        "[data]\nset = \"digits-8x8\"\n[network]\nkind = \"file\"\nfile = '{}'\n\
         [quantize]\nweight_bits = 6\nactivation_bits = 8\n[train]\nrecipe = \"ptq\"\nepochs = 0\n\
         [variation]\nsigma_w = 0.1\n[sweep]\nchips = 8\n",
        path.display()
    );
    let experiment = Experiment::parse(&text, "own_network")?;

    let data = Embedded::Digits8x8.load()?;
    let points = sweep::in_memory(&CpuBackend::new(), &experiment, &data, &())?;
    let chips = &points[0].summary;
    println!(
        "{:.1} % without variation, {:.1} % on the mean chip",
        100.0 * chips.ideal,
        100.0 * chips.mean
    );
    std::fs::remove_dir_all(&dir).map_err(|e| pimento::Error::io(&dir, e))
}
