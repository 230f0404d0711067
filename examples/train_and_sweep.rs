//! Trains a small network under variation, and measures chips at two strengths of variation.
//!
//! `cargo run --release --example train_and_sweep`

use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::data::Embedded;
use pimento::sweep;

const EXPERIMENT: &str = r#"
[data]
set = "digits-8x8"

[network]
kind = "mlp"
hidden = [32]

[quantize]
weight_bits = 4
activation_bits = 6

[train]
recipe = "qavat"
epochs = 2

[sweep]
chips = 8

[[sweep.grid]]
sigma_w = [0.1, 0.3]
"#;

pub fn main() -> pimento::Result<()> {
    let experiment = Experiment::parse(EXPERIMENT, "train_and_sweep")?;
    let data = Embedded::Digits8x8.load()?;
    for point in sweep::in_memory(&CpuBackend::new(), &experiment, &data, &())? {
        let chips = &point.summary;
        println!(
            "{}: {:.1} % +- {:.1} % over {} chips, {:.1} % without variation",
            point.point.label(),
            100.0 * chips.mean,
            100.0 * chips.std,
            chips.chips,
            100.0 * chips.ideal,
        );
    }
    Ok(())
}
