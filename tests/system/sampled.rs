//! Cells that are drawn from a table of measurements.

use std::path::Path;

use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::sweep::mvm::{Answer, Matrix, Problem, solve};

/// Standard errors that a moment may be off.
const Z: f64 = 6.0;

/// Cells of 2 to 50 uS.
const CHIP: &str = "fidelity = \"cell\"\n[quantize]\nweight_bits = 5\nactivation_bits = 4\ninput_bits = 4\n\
    [chip.cells]\nslice_bits = 4\non_off_ratio = 25.0\ng_max_us = 50.0\nsampled = \"cells.csv\"\n";

/// Measured values of the cells of two targets, uS.
const LOW: [f64; 5] = [2.0, 2.1, 1.7, 4.0, 2.2];
const HIGH: [f64; 7] = [50.0, 46.0, 52.0, 49.5, 49.0, 30.0, 51.0];

/// A folder with that table.
fn folder(table: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("cells.csv"), table).unwrap();
    dir
}

fn table() -> String {
    let row = |target: f64| move |value: &f64| format!("{target},{value}\n");
    let rows = LOW.iter().map(row(2.0)).chain(HIGH.iter().map(row(50.0)));
    format!("target_us,value_us\n{}", rows.collect::<String>())
}

fn experiment(text: &str, folder: &Path) -> pimento::Result<Experiment> {
    Experiment::parse_at(text, Some("x.toml"), "x", folder)
}

fn products(text: &str, folder: &Path, problem: &Problem, chip: u32) -> Answer {
    let experiment = experiment(text, folder).unwrap();
    solve(&CpuBackend::new(), &experiment, problem, chip).unwrap()
}

/// The largest weight in every output, of a single input.
fn column(outputs: usize) -> Problem {
    Problem {
        matrix: Matrix::Weights(vec![1.0; outputs]),
        size: (outputs, 1),
        inputs: vec![1.0],
        weight_max: Some(1.0),
        input_max: Some(1.0),
        signed: Some(false),
    }
}

/// Mean and variance of equally likely values.
fn moments(values: &[f64]) -> [f64; 2] {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    [
        mean,
        values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n,
    ]
}

/// A weight is the difference of two cells, each one of those that were measured: mean, variance and the values that occur.
#[test]
fn weights_have_the_moments_of_the_table() {
    const N: usize = 20_000;
    let dir = folder(&table());
    let text = format!("{CHIP}[chip.adc]\nbits = 0\n");
    let found = products(&text, dir.path(), &column(N), 3).outputs;
    let ([low, low_var], [high, high_var]) = (moments(&LOW), moments(&HIGH));
    // One level of 15 is (50 - 2)/15 uS; a weight of 1 has 15 of them.
    let (mean, var) = ((high - low) / 48.0, (high_var + low_var) / 48.0f64.powi(2));
    let values: Vec<f64> = found.iter().map(|w| f64::from(*w)).collect();
    let [own, own_var] = moments(&values);
    let n = N as f64;
    assert!((own - mean).abs() < Z * (var / n).sqrt(), "{own} {mean}");
    let fourth = values.iter().map(|v| (v - mean).powi(4)).sum::<f64>() / n;
    let error = ((fourth - var * var) / n).sqrt();
    assert!((own_var - var).abs() < Z * error, "{own_var} {var}");
    let mut distinct: Vec<i64> = values.iter().map(|v| (v * 4.8e5).round() as i64).collect();
    distinct.sort_unstable();
    distinct.dedup();
    let mut wanted: Vec<i64> = HIGH
        .iter()
        .flat_map(|high| {
            LOW.iter()
                .map(move |low| ((high - low) * 1e4).round() as i64)
        })
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    let near = |a: &i64, b: &i64| a.abs_diff(*b) < 10;
    assert!(
        distinct.iter().all(|d| wanted.iter().any(|w| near(d, w))),
        "{distinct:?}"
    );
    assert!(
        wanted.iter().all(|w| distinct.iter().any(|d| near(d, w))),
        "{wanted:?}"
    );
}

/// Chips differ, and a chip is itself alone or among others.
#[test]
fn a_chip_of_measured_cells_is_itself() {
    let dir = folder(&table());
    let text = format!("{CHIP}[chip.adc]\nbits = 0\n");
    let of = |chip| products(&text, dir.path(), &column(50), chip).outputs;
    assert_eq!(of(7), of(7));
    assert_ne!(of(7), of(8));
    let experiment = experiment(&text, dir.path()).unwrap();
    let problem = column(50);
    let flight = pimento::sweep::mvm::submit(&CpuBackend::new(), &experiment, &problem, 5, 4);
    assert_eq!(flight.unwrap().finish().unwrap()[2].outputs, of(7));
}

/// A table whose values are its targets gives ideal chips, at all levels, whatever else chips share.
#[test]
fn cells_that_reach_their_targets_are_ideal() {
    let dir = folder("target_us,value_us\n2,2\n50,50\n50,50\n");
    let problem = Problem {
        matrix: Matrix::Weights((0..60).map(|i| (i % 31) as f32 - 15.0).collect()),
        size: (6, 10),
        inputs: (0..30).map(|i| (i * 7 % 16) as f32).collect(),
        weight_max: Some(15.0),
        input_max: Some(15.0),
        signed: Some(false),
    };
    for more in [
        "[chip.adc]\nbits = 5\n",
        "[chip.adc]\nbits = 0\n",
        "[chip.adc]\nbits = 5\n[variation]\nsigma_b = 0.1\nsigma_array = 0.05\n",
    ] {
        let with = format!("{CHIP}{more}");
        let without = with.replace("sampled = \"cells.csv\"\n", "");
        let of = |text: &str| products(text, dir.path(), &problem, 4);
        assert_eq!(of(&with).outputs, of(&without).outputs, "{more}");
    }
}

#[test]
fn tables_that_do_not_fit_are_refused() {
    let dir = folder(&table());
    let solved = |text: &str| {
        let experiment = experiment(text, dir.path())?;
        solve(&CpuBackend::new(), &experiment, &column(2), 0)
    };
    let said = |text: &str| solved(text).map(drop).unwrap_err().to_string();
    let narrow = said(&CHIP.replace("25.0", "50.0"));
    assert!(
        narrow.contains("targets from 2.0 to 50.0 uS, and cells are programmed to 1.0 to 50.0 uS"),
        "{narrow}"
    );
    let layer = said(&format!("{CHIP}[variation]\nsigma_w = 0.1\n"));
    assert!(layer.contains("would come on top"), "{layer}");
    let sha = format!("{CHIP}sampled_sha256 = \"{}\"\n", "0".repeat(64));
    assert!(
        said(&sha).contains("chip.cells.sampled_sha256 wants 000"),
        "{}",
        said(&sha)
    );
    let gone = CHIP.replace("cells.csv", "others.csv");
    assert!(said(&gone).contains("others.csv"));
    // A table that changes after the experiment was read is another one.
    let read = experiment(CHIP, dir.path()).unwrap();
    assert_eq!(
        read.chip.cells.sampled_sha256.as_ref().map(String::len),
        Some(64)
    );
    let noted = read.chip.cells.sampled_sha256.unwrap();
    std::fs::write(dir.path().join("cells.csv"), format!("{}50,49\n", table())).unwrap();
    let other = said(&format!("{CHIP}sampled_sha256 = \"{noted}\"\n"));
    assert!(
        other.contains(&format!("sampled_sha256 wants {noted}")),
        "{other}"
    );
}
