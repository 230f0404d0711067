//! One matrix on many chips at once: each chip answers as it does alone, on both backends.

use pimento::backend::Backend;
use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::sweep::mvm::{Matrix, Problem, solve, submit};

const SIZE: (usize, usize) = (5, 40);
const VECTORS: usize = 3;
const FIRST: u32 = 7;
const CHIPS: usize = 4;

const COMMON: &str = "fidelity = \"cell\"\nseed = 3\n[quantize]\nweight_bits = 4\nactivation_bits = 4\n\
                      input_bits = 4\n[variation]\nsigma_w = 0.1\nsigma_b = 0.1\n[chip.array]\nrows = 16\n\
                      [chip.cells]\nslice_bits = 2\non_off_ratio = 50.0\n[chip.read]\nproportional = 0.02\n";

/// Everything that is written for a chip of its own: corrections, references, converters' errors, wires.
const MORE: [&str; 5] = [
    "[chip.adc]\nbits = 6\n",
    "[chip.adc]\nbits = 6\ngain_error = 0.05\n[tuning]\nmethod = \"self-tuning\"\ntest_cells = 8\n",
    "[chip.adc]\nbits = 6\n[tuning]\nmethod = \"self-tuning\"\nplace = \"adc-reference\"\nscope = \"array\"\n",
    "[chip.adc]\nbits = 0\n[chip.wires]\nrow_ohm = 2\ncol_ohm = 2\n",
    "[chip.adc]\nbits = 7\nrange = \"calibrated\"\n[chip.wires]\nrow_ohm = 2\nmethod = \"fast\"\n",
];

fn problem(matrix: Matrix) -> Problem {
    Problem {
        matrix,
        size: SIZE,
        inputs: (0..VECTORS * SIZE.1).map(|i| (7 * i % 16) as f32).collect(),
        weight_max: None,
        input_max: Some(15.0),
        signed: Some(false),
    }
}

fn as_alone(backend: &dyn Backend, chip: &str, problem: &Problem) {
    let experiment = Experiment::parse(&format!("{COMMON}{chip}"), "x.toml").unwrap();
    let flight = submit(backend, &experiment, problem, FIRST, CHIPS).unwrap();
    let together = flight.finish().unwrap();
    assert_eq!(together.len(), CHIPS);
    for i in [0, CHIPS - 1] {
        let alone = solve(backend, &experiment, problem, FIRST + i as u32).unwrap();
        assert_eq!(together[i], alone, "chip {i}");
    }
    let differ = together[0].outputs != together[1].outputs;
    assert!(differ, "chips are not alike");
}

fn on(backend: &dyn Backend) {
    let weights = (0..SIZE.0 * SIZE.1).map(|i| (5 * i % 15) as f32 - 7.0);
    let weights = problem(Matrix::Weights(weights.collect()));
    for chip in MORE {
        as_alone(backend, chip, &weights);
    }
    // Two slices of two cells; reads differ between chips, programming does not.
    let cells = (0..4 * SIZE.0 * SIZE.1).map(|i| (i % 11) as f32 / 10.0);
    let given = problem(Matrix::Conductances(cells.collect()));
    for chip in [MORE[0], MORE[3]] {
        as_alone(backend, chip, &given);
    }
}

#[test]
fn a_chip_among_others_answers_as_alone() {
    on(&CpuBackend::new());
}

#[cfg(feature = "gpu")]
#[test]
fn a_chip_among_others_answers_as_alone_on_an_adapter() {
    if let Some(gpu) = crate::wires::adapter("a_chip_among_others_answers_as_alone_on_an_adapter") {
        on(&gpu);
    }
}

#[test]
fn chips_that_do_not_exist_are_refused() {
    let experiment = Experiment::parse(COMMON, "x.toml").unwrap();
    let problem = problem(Matrix::Weights(vec![1.0; SIZE.0 * SIZE.1]));
    let refused = |first, chips| {
        let flight = submit(&CpuBackend::new(), &experiment, &problem, first, chips);
        flight.err().map(|e| e.to_string()).unwrap_or_default()
    };
    assert!(refused(0, 0).contains("allowed: 1 to 4294967296"));
    assert!(refused(u32::MAX, 2).contains("2 chips from chip 4294967295 on; allowed: 1 to 1"));
    assert_eq!(refused(u32::MAX, 1), "");
}
