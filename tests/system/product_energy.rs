//! Energy of the products of one matrix: the sum over its cells in `f64`.

use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::sweep::mvm::{Answer, Matrix, Problem, solve};

/// Sums of positive terms in `f32`, rounded a few times each.
const ROUNDED: f64 = 1e-5;

const ROWS: usize = 30;
const COLS: usize = 7;

/// Pairs read bit by bit, each cell by itself, 0.3 V for 20 ns, cells of 50 uS.
const CHIP: &str = "fidelity = \"cell\"\nseed = 5\n[quantize]\nweight_bits = 5\nactivation_bits = 4\ninput_bits = 4\n\
    [variation]\nsigma_w = 0.1\nsigma_array = 0.05\n[chip.array]\nrows = 12\ncols = 4\n\
    [chip.cells]\nslice_bits = 2\nsubtraction = \"digital\"\non_off_ratio = inf\ng_max_us = 50\n\
    [energy]\nread_v = 0.3\npulse_ns = 20\n";

fn answer(chip: &str, matrix: Matrix) -> Answer {
    let problem = Problem {
        matrix,
        size: (COLS, ROWS),
        inputs: (0..3 * ROWS).map(|i| (i * 7 % 16) as f32).collect(),
        weight_max: Some(15.0),
        input_max: Some(15.0),
        signed: Some(false),
    };
    let experiment = Experiment::parse(chip, "x.toml").unwrap();
    solve(&CpuBackend::new(), &experiment, &problem, 2).unwrap()
}

/// `t V^2 G_max` times the ones of an input's code and the conductances of its row, `[plane][output][input]`, in pJ.
fn by_loop(codes: &[f32], cells: &[f64]) -> f64 {
    let unit = 20e-9 * 0.3f64.powi(2) * 50e-6 * 1e12;
    let terms = cells
        .chunks(ROWS)
        .flat_map(|column| column.iter().zip(codes));
    let sum: f64 = terms
        .map(|(g, code)| g * f64::from((*code as u32).count_ones()))
        .sum();
    unit * sum
}

fn close(answer: &Answer, cells: &[f64]) {
    let energy = answer.energy.as_ref().expect("a section [energy]");
    assert_eq!(energy.arrays_pj.len(), 3);
    assert!(0.0 < energy.others_pj.low && energy.others_pj.low <= energy.others_pj.high);
    for (pj, codes) in energy.arrays_pj.iter().zip(answer.input_codes.chunks(ROWS)) {
        let want = by_loop(codes, cells);
        assert!(
            (pj - want).abs() < ROUNDED * want,
            "{pj} pJ instead of {want}"
        );
    }
}

#[test]
fn given_cells_take_what_a_loop_over_them_says() {
    let cells: Vec<f32> = (0..4 * COLS * ROWS)
        .map(|i| (i % 11) as f32 / 11.0)
        .collect();
    let exact: Vec<f64> = cells.iter().map(|g| f64::from(*g)).collect();
    close(&answer(CHIP, Matrix::Conductances(cells.clone())), &exact);
    // With wires it is the energy on ideal lines.
    let wired = format!("{CHIP}[chip.wires]\nrow_ohm = 5\ncol_ohm = 5\n");
    close(&answer(&wired, Matrix::Conductances(cells)), &exact);
}

#[test]
fn programmed_cells_take_what_their_planes_say() {
    let weights: Vec<f32> = (0..COLS * ROWS)
        .map(|i| (i * 5 % 31) as f32 - 15.0)
        .collect();
    let found = answer(CHIP, Matrix::Weights(weights));
    // Cells that are read alone, in levels of two bits each.
    let cells: Vec<f64> = found.planes.iter().map(|u| f64::from(*u) / 3.0).collect();
    close(&found, &cells);
}

#[test]
fn without_the_section_there_is_none() {
    let plain = CHIP.split("[energy]").next().unwrap();
    let cells = vec![0.5; 4 * COLS * ROWS];
    let [with, without] =
        [CHIP, plain].map(|chip| answer(chip, Matrix::Conductances(cells.clone())));
    assert_eq!(without.energy, None);
    assert_eq!(with.outputs, without.outputs);
}
