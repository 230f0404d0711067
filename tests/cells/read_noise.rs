//! Read noise against its formulas (docs/cells.md 4), on both backends and through the whole chain from
//! an experiment's text.

use pimento::backend::Backend;
use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::sweep::mvm::{Matrix, Problem, solve};

/// Reads of the same input.
const READS: usize = 4000;

/// Six standard errors of a standard deviation, relative.
fn bar() -> f64 {
    6.0 / (2.0 * READS as f64).sqrt()
}

/// What the converters of a matrix see, read after read of the same input codes.
fn sums(
    backend: &dyn Backend,
    chip: &str,
    weights: &[f32],
    inputs: &[f32],
    reads: usize,
) -> Vec<f32> {
    let rows = inputs.len();
    let signed = inputs.iter().any(|x| *x < 0.0);
    let problem = Problem {
        matrix: Matrix::Weights(weights.to_vec()),
        size: (weights.len() / rows, rows),
        inputs: (0..reads * rows).map(|i| inputs[i % rows]).collect(),
        weight_max: Some(127.0),
        input_max: Some(if signed { 127.0 } else { 255.0 }),
        signed: Some(signed),
    };
    let experiment = Experiment::parse(chip, "x.toml").unwrap();
    solve(backend, &experiment, &problem, 0).unwrap().sums
}

/// Standard deviation of every column about its mean.
fn deviations(sums: &[f32], cols: usize) -> Vec<f64> {
    let of = |o: usize| {
        let reads = || sums.iter().skip(o).step_by(cols).map(|v| f64::from(*v));
        let n = reads().count() as f64;
        let mean = reads().sum::<f64>() / n;
        (reads().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt()
    };
    (0..cols).map(of).collect()
}

const EIGHT: &str =
    "fidelity = \"cell\"\n[quantize]\nweight_bits = 8\nactivation_bits = 8\ninput_bits = 8\n";

/// Phase-change cells of the preset, one a column: relative noise `Q(g0) sqrt(ln((t + t_read)/(2 t_read)))`
/// with `g0` the conductance as programmed and `Q(g) = min(0.0088 g^-0.65, 0.2)`.
fn phase_change(backend: &dyn Backend, times: &[f64]) {
    // Single cells: with the offset encoding a column holds one, with digits of the code plus 128. Levels
    // high enough that programming leaves none near 0, low enough that none is beyond `G_max`.
    let weights: Vec<f32> = (0..12).map(|i| (i * 18) as f32 - 112.0).collect();
    let at = |time: f64, noise: &str| {
        format!(
            "{EIGHT}[chip]\npreset = \"pcm\"\n[chip.cells]\nencoding = \"offset\"\nreference = 0\n\
             [chip.drift]\ntime_s = {time:?}\n[chip.read]\n{noise}\n[chip.adc]\nbits = 0\n"
        )
    };
    let quiet = "one_over_f = \"none\"";
    let read = |chip: String, reads| sums(backend, &chip, &weights, &[255.0], reads);
    // Level units times drive of `G_max`.
    let full = 255.0 * 255.0;
    let relative = |sums: Vec<f32>| {
        sums.iter()
            .map(|v| f64::from(*v) / full)
            .collect::<Vec<_>>()
    };
    let programmed = relative(read(at(20.0, quiet), 1));
    for &time in times {
        let now = relative(read(at(time, quiet), 1));
        let noise = deviations(&read(at(time, ""), READS), weights.len());
        let growth = ((time + 250e-9) / 500e-9f64).ln().sqrt();
        for (o, noise) in noise.iter().enumerate() {
            let (g0, g) = (programmed[o], now[o]);
            assert!(g0 > 0.02 && g0 < 1.0, "{g0}");
            let q = (0.0088 * g0.powf(-0.65)).min(0.2);
            let found = noise / full / g;
            let want = q * growth;
            // The curve is a table of 1024 intervals: a chord of g Q(g) is off by less than 0.1 % from
            // g = 0.02 on.
            assert!(
                (found / want - 1.0).abs() < bar() + 1e-3,
                "{time} s, cell {o} of {g0} at {g}: {found} for {want}"
            );
            if time > 1e6 {
                // Q of the drifted conductance would be seen.
                assert!((g / g0).powf(-0.65) > 1.2, "{g0} {g}");
            }
        }
    }
}

/// Steps that are added up before one conversion: every one has noise of its own, so the variance is
/// that of a cell times `sum place^2 drive^2`.
fn steps_added_up(backend: &dyn Backend, most: usize) {
    let (rows, cols) = (64, 3);
    let sigma = 0.05;
    let weights = vec![0.0; rows * cols];
    let cases: [(&str, f32, &[f64]); 5] = [
        (
            "bits = 1",
            255.0,
            &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0],
        ),
        ("bits = 3", 255.0, &[7.0, 56.0, 192.0]),
        ("bits = 8", 255.0, &[255.0]),
        ("bits = 1", -127.0, &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]),
        // -127 is 10000001.
        (
            "bits = 1\nsigns = \"twos-complement\"",
            -127.0,
            &[1.0, -128.0],
        ),
    ];
    for (dac, code, drives) in cases.into_iter().take(most) {
        for per_cell in [false, true] {
            let chip = format!(
                "{EIGHT}[chip.cells]\nslice_bits = 7\n[chip.dac]\naccumulate = \"analog\"\n{dac}\n\
                 [chip.read]\nfixed = {sigma}\nper_cell = {per_cell}\n[chip.adc]\nbits = 0\n"
            );
            let inputs = vec![code; rows];
            let noise = deviations(&sums(backend, &chip, &weights, &inputs, READS), cols);
            // Both cells of every pair.
            let square: f64 = drives.iter().map(|d| d * d).sum();
            let want = (2.0 * rows as f64 * square).sqrt() * sigma * 127.0;
            for found in noise {
                assert!(
                    (found / want - 1.0).abs() < bar(),
                    "{dac}, code {code}, per cell {per_cell}: {found} for {want}"
                );
            }
        }
    }
}

#[test]
fn phase_change_noise_goes_by_the_programmed_conductance_on_the_cpu() {
    phase_change(&CpuBackend::new(), &[20.0, 86_400.0, 31_557_600.0]);
}

#[test]
fn steps_that_are_added_up_have_noise_each_on_the_cpu() {
    steps_added_up(&CpuBackend::new(), 5);
}

#[cfg(feature = "gpu")]
#[test]
fn the_shaders_read_the_same_noise() {
    if let Some(gpu) = crate::wires::adapter("the_shaders_read_the_same_noise") {
        // Kernels against the CPU's, case by case, are in tests/gpu; here the law once.
        phase_change(&gpu, &[86_400.0]);
        steps_added_up(&gpu, 1);
    }
}
