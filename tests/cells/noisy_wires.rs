//! Read noise of arrays whose wires resist: the law of docs/cells.md 4 and 5 on both backends.

use pimento::backend::Backend;
use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::sweep::mvm::{Matrix, Problem, solve};

const CHIP: &str = "fidelity = \"cell\"\n[quantize]\nweight_bits = 4\nactivation_bits = 4\ninput_bits = 4\n\
                    [chip.dac]\nbits = 4\n[chip.adc]\nbits = 0\n";
const NOISE: &str = "[chip.read]\nproportional = 0.05\nfixed = 0.01\n";
const WIRES: &str = "[chip.wires]\nrow_ohm = 30\ncol_ohm = 10\n";

/// Reads of the same input.
const READS: usize = 4000;
const SIZE: (usize, usize) = (3, 12);

/// Six standard errors of a variance.
fn bar() -> f64 {
    6.0 * (2.0 / READS as f64).sqrt()
}

fn law(backend: &dyn Backend) {
    let (cols, rows) = SIZE;
    let code = |o: usize, k: usize| ((5 * o + 3 * k) % 15) as f32 - 7.0;
    let drive = |k: usize| ((7 * k) % 16) as f32;
    let weights = (0..cols * rows).map(|i| code(i / rows, i % rows)).collect();
    let problem = Problem {
        matrix: Matrix::Weights(weights),
        size: SIZE,
        inputs: (0..READS * rows).map(|i| drive(i % rows)).collect(),
        weight_max: Some(7.0),
        input_max: Some(15.0),
        signed: Some(false),
    };
    let sums = |chip: &str| {
        let experiment = Experiment::parse(chip, "x.toml").unwrap();
        solve(backend, &experiment, &problem, 0).unwrap().sums
    };
    let quiet = sums(&format!("{CHIP}{WIRES}"));
    let noisy = sums(&format!("{CHIP}{WIRES}{NOISE}"));
    for o in 0..cols {
        let product: f32 = (0..rows).map(|k| code(o, k) * drive(k)).sum();
        let read = |i: usize| f64::from(noisy[i * cols + o] - quiet[o]);
        let mean = (0..READS).map(read).sum::<f64>() / READS as f64;
        let square = |i| (read(i) - mean).powi(2);
        let variance = (0..READS).map(square).sum::<f64>() / READS as f64;
        // (C5) in level units: the cell of the magnitude, and both cells of the pair.
        let of_cell = |k| (0.05 * f64::from(code(o, k))).powi(2) + 2.0 * (0.01f64 * 7.0).powi(2);
        let law: f64 = (0..rows)
            .map(|k| of_cell(k) * f64::from(drive(k)).powi(2))
            .sum();
        assert!(
            (variance / law - 1.0).abs() < bar(),
            "{o}: {variance} against {law}"
        );
        // The noise is around what the wires make of the product.
        assert!(
            mean.abs() < 6.0 * (law / READS as f64).sqrt(),
            "{o}: {mean}"
        );
        assert!(
            (quiet[o] - product).abs() > 1.0,
            "{o}: {} and {product}",
            quiet[o]
        );
    }
}

#[test]
fn the_cpu_reads_noise_of_the_cells_behind_wires() {
    law(&CpuBackend::new());
}

#[cfg(feature = "gpu")]
#[test]
fn the_shaders_read_noise_of_the_cells_behind_wires() {
    if let Some(gpu) = crate::wires::adapter("the_shaders_read_noise_of_the_cells_behind_wires") {
        law(&gpu);
    }
}
