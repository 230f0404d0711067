//! Compares what chips gain by tuning themselves, with different estimators of their common
//! deviation.
//!
//! `cargo run --release --example self_tuning`

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
batch_norm = true

[train]
recipe = "qat"
epochs = 2

[variation]
sigma_w = 0.2
sigma_b = 0.3

[tuning]
test_cells = 16

[sweep]
chips = 12

[[sweep.grid]]
"tuning.method" = ["none", "oracle"]

[[sweep.grid]]
"tuning.method" = ["self-tuning"]
"tuning.estimator" = ["mean", "mmse"]
"#;

pub fn main() -> pimento::Result<()> {
    let experiment = Experiment::parse(EXPERIMENT, "self_tuning")?;
    let data = Embedded::Digits8x8.load()?;
    // All points share one network: tuning is no part of training.
    for point in sweep::in_memory(&CpuBackend::new(), &experiment, &data, &())? {
        let errors = point
            .chips
            .iter()
            .map(|c| (c.eps_hat - c.eps_common).powi(2));
        let rms = (errors.sum::<f64>() / point.chips.len() as f64).sqrt();
        println!(
            "{}: {:.1} %, estimates off by {rms:.3} (NaN: none is made)",
            point.point.label(),
            100.0 * point.summary.mean
        );
    }
    Ok(())
}
