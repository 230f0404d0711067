//! Does memory grow with the number of chips? Sweeps of 100 and of 10,000 chips, each in a process
//! of its own whose peak resident memory (`VmHWM`) is read at its end. Linux only.

mod common;

use std::process::{Command, ExitCode};

use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::data::Embedded;
use pimento::sweep::{SweepOptions, run};

/// Tells a process of this program to sweep so many chips and report its memory.
const CHIPS: &str = "PIMENTO_BENCH_CHIPS";

const EXPERIMENT: &str = r#"
name = "memory"
[data]
kind = "embedded"
set = "fashion-10k"
train_limit = 512
[network]
kind = "cnn"
channels = [16, 32]
[train]
epochs = 1
[variation]
sigma_w = 0.2
[sweep]
images = 128
"#;

fn main() -> ExitCode {
    if let Ok(chips) = std::env::var(CHIPS) {
        let chips = chips.parse().expect("a number of chips");
        println!("{}", sweep(chips));
        return ExitCode::SUCCESS;
    }
    let bench = common::Bench::new("memory");
    let (few, many) = if bench.is_tiny() {
        (2, 70)
    } else {
        (100, 10_000)
    };
    let (Some(a), Some(b)) = (child(few), child(many)) else {
        println!("memory: the system does not tell the peak resident memory");
        return ExitCode::SUCCESS;
    };
    println!("sweep of {few} chips: {a} KiB resident at most");
    println!("sweep of {many} chips: {b} KiB resident at most");
    println!("  {:.3} times as much", b as f64 / a as f64);
    ExitCode::SUCCESS
}

/// Peak resident KiB of a process that sweeps `chips` chips.
fn child(chips: usize) -> Option<u64> {
    let program = std::env::current_exe().expect("this program has a path");
    let output = Command::new(program)
        .env(CHIPS, chips.to_string())
        .output()
        .expect("this program starts again");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

/// Runs the sweep, results written as always; returns this process's `VmHWM` in KiB, or nothing
/// readable where the system has none.
fn sweep(chips: usize) -> String {
    let text = format!("{EXPERIMENT}chips = {chips}\n");
    let experiment = Experiment::parse(&text, "memory").unwrap_or_else(|e| panic!("{e}"));
    let data = Embedded::Digits8x8.load().expect("the embedded set");
    let out = tempfile::tempdir().expect("a temporary directory");
    let options = SweepOptions::new(out.path().join("run"), "bench", pimento::report::write);
    run(&[&CpuBackend::new()], &experiment, &data, &options, &()).unwrap_or_else(|e| panic!("{e}"));
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM:"));
    line.and_then(|l| l.split_whitespace().nth(1))
        .unwrap_or("unknown")
        .to_string()
}
