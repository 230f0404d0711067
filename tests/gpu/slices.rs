//! The analysis of a network's digits on both backends: the same counts, the same currents but for rounding.

use pimento::backend::Backend;
use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::data::Embedded;
use pimento::setup;
use pimento::sweep::slices::{self, LayerRow, Options, Report};
use pimento::train::{self, Job};

use crate::harness;

/// Wires on an adapter are as many sweeps as converge in single precision, and factors are differences of currents
/// that hardly differ: of their size, which is some percent.
const FACTOR: f64 = 2e-5;
/// Behind the first layer an input on a quantizer's threshold may take the other code: one of some thousand.
const LATER: f64 = 2e-3;

/// A report with what rounds taken out, and what was taken out with its tolerance.
fn counts(report: &Report) -> (Vec<LayerRow>, Vec<(f64, f64)>) {
    let mut layers = report.layers.clone();
    let mut rounded = vec![];
    for layer in &mut layers {
        let first = layer.index == 0;
        let mut take = |x: &mut f64| {
            let tolerance = if first { FACTOR } else { LATER };
            rounded.push((std::mem::replace(x, 0.0), tolerance));
        };
        take(&mut layer.nf);
        take(&mut layer.nf_std);
        take(&mut layer.nf_weighted);
        for a in &mut layer.arrays {
            let of_chips = [&mut a.nf, &mut a.nf_std, &mut a.nf_min, &mut a.nf_max];
            of_chips.into_iter().for_each(&mut take);
            take(&mut a.nf_weighted);
            if !first {
                (a.currents, a.zero_currents) = (a.currents + a.zero_currents, 0);
            }
        }
        if first {
            continue;
        }
        layer.reads.clear();
        for r in &mut layer.cells {
            take(&mut r.mean);
            (r.zero_sums, r.lowest, r.highest, r.max) = (0, 0.0, 0.0, 0.0);
            [r.q50, r.q90, r.q99, r.q999, r.q9999] = [0.0; 5];
        }
    }
    (layers, rounded)
}

#[test]
fn both_backends_count_the_same_sums() {
    let Some(gpu) = harness::gpu_or_skip("both_backends_count_the_same_sums") else {
        return;
    };
    // Groups, padding and strides; wires and cells that deviate; one cell of a pair, or of an offset, by itself.
    for cells in [
        "slice_bits = [1, 3]\non_off_ratio = 20.0",
        "slice_bits = 3\nencoding = \"offset\"",
    ] {
        let text = format!(
            "fidelity = \"cell\"\n[data]\nset = \"digits-8x8\"\ntrain_limit = 100\n[network]\nkind = \"cnn\"\nchannels = [5]\n\
             [train]\nrecipe = \"qat\"\nepochs = 1\n[quantize]\nweight_bits = 5\nactivation_bits = 4\ninput_bits = 4\n\
             [variation]\nsigma_w = 0.05\nsigma_b = 0.02\n[chip.array]\nrows = 20\ncols = 4\n[chip.cells]\n{cells}\n\
             [chip.wires]\nrow_ohm = 20\ncol_ohm = 10\n"
        );
        let experiment = Experiment::parse(&text, "test").expect("the experiment is valid");
        let data = Embedded::Digits8x8.load().expect("embedded");
        let point = setup::point(&experiment, &data, 0).expect("a point");
        let cpu = CpuBackend::new();
        let model = train::train(&Job {
            backend: &cpu,
            point: &point,
            label: String::new(),
            checkpoint: None,
            resume: false,
            observer: &(),
        })
        .expect("trained");
        let options = Options {
            images: 20,
            chips: 2,
            current_images: 2,
            accuracy: None,
        };
        let of = |backend: &dyn Backend| {
            let report = slices::analyse(backend, &point, &model, &options, &());
            counts(&report.expect("analysed"))
        };
        let ((here, near), (there, far)) = (of(&cpu), of(gpu));
        assert_eq!(here, there, "{cells}");
        for ((a, tolerance), (b, _)) in near.iter().zip(&far) {
            let apart = (a - b).abs();
            let equal = apart <= tolerance * (1.0 + a.abs());
            assert!(equal || (a.is_nan() && b.is_nan()), "{a} {b}");
        }
        assert!(near[0].0 > 0.01, "wires that matter");
    }
}
