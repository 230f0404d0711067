//! The sweep that a module and the native test both run.

use std::fmt::Write;

use pimento::backend::cpu::{CpuBackend, Isa};
use pimento::config::Experiment;
use pimento::data::Embedded;
use pimento::sweep;

const EXPERIMENT: &str = "
[data]
set = \"digits-8x8\"
[network]
kind = \"mlp\"
hidden = [8]
batch_norm = true
[quantize]
weight_bits = 4
activation_bits = 4
input_bits = 4
[train]
recipe = \"qavat\"
epochs = 1
batch = 64
[variation]
sigma_w = 0.2
sigma_b = 0.1
[chip.cells]
slice_bits = 2
on_off_ratio = 100.0
[chip.adc]
bits = 6
[chip.read]
sigma = 0.02
[tuning]
method = \"self-tuning\"
test_cells = 8
[sweep]
chips = 3
images = 48
[sweep.axes]
fidelity = [\"weight\", \"cell\"]
";

/// Every chip of a small sweep at both levels, training included: its numbers with all bits, then its estimate
/// of its own deviation. Or the error.
pub fn text() -> String {
    rows().unwrap_or_else(|error| format!("error: {error}\n"))
}

fn rows() -> pimento::Result<String> {
    let experiment = Experiment::parse(EXPERIMENT, "experiment")?;
    let data = Embedded::Digits8x8.load()?;
    let backend = CpuBackend::new().with_isa(Isa::available()[0]);
    let mut text = String::new();
    for point in sweep::in_memory(&backend, &experiment, &data, &())? {
        let label = point.point.label();
        let bits = point.summary.mean_loss.to_bits();
        // A string is written to without an error.
        let _ = writeln!(text, "{label}: loss {bits:016x}");
        for c in &point.chips {
            let reals = [c.loss, c.eps_b, c.eps_common];
            let bits = reals.map(|x| format!("{:016x}", x.to_bits())).join(" ");
            let _ = writeln!(text, "{} {} {bits} {:e}", c.chip, c.correct, c.eps_hat);
        }
    }
    Ok(text)
}
