//! Multiplies one matrix by one vector on the arrays of one chip, and shows every stage.
//!
//! `cargo run --release --example one_matrix`

use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::sweep::mvm::{self, Matrix, Problem};

pub fn main() -> pimento::Result<()> {
    let experiment = Experiment::parse(
        "fidelity = \"cell\"\n[quantize]\nweight_bits = 4\nactivation_bits = 4\ninput_bits = 4\n\
         [variation]\nsigma_w = 0.05\n[chip.cells]\nslice_bits = 1\n[chip.adc]\nbits = 6\n",
        "one_matrix",
    )?;
    let problem = Problem {
        // Two outputs of three inputs.
        matrix: Matrix::Weights(vec![0.5, -1.0, 0.25, 1.0, 0.0, -0.75]),
        size: (2, 3),
        inputs: vec![1.0, 0.4, 0.7],
        weight_max: None,
        input_max: None,
        signed: None,
    };
    for chip in 0..3 {
        let answer = mvm::solve(&CpuBackend::new(), &experiment, &problem, chip)?;
        println!(
            "chip {chip}: {:?}, without any error {:?}; {} conversions a column",
            answer.outputs, answer.ideal, answer.conversions
        );
    }
    Ok(())
}
