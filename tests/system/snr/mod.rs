//! Signal-to-noise ratios of layers on the CPU, and what is refused. `laws` holds on any backend.

#[path = "laws.rs"]
mod laws;

use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::setup;
use pimento::sweep;
use pimento::sweep::snr::{self, Goal, Options, Part};

use crate::{digits, experiment};

macro_rules! holds {
    ($($law:ident),+) => {
        $(#[test]
        fn $law() {
            laws::$law(&CpuBackend::new());
        })+
    };
}

holds!(
    cells_deviate,
    weights_deviate,
    steps_are_noisy,
    steps_of_every_place_add_up,
    cells_are_noisy,
    steps_are_a_twelfth,
    clips_are_tails,
    parts_add_up,
    exact_chips_have_no_noise,
    converters_are_verified
);

/// The same chips whatever is asked for beside them: fewer chips are the first of more.
#[test]
fn chips_are_the_first_of_a_sweep() {
    let text = laws::cell("[variation]\nsigma_w = 0.1\nsigma_b = 0.1\n");
    let cpu = CpuBackend::new();
    let (one, all) = (
        laws::layer(&cpu, &text, &laws::on(1)),
        laws::layer(&cpu, &text, &laws::on(8)),
    );
    assert!(one.snr.lo95.is_nan() && all.snr.lo95 < all.snr.db);
    assert_eq!(one.worst_db, one.snr.db);
    assert!(all.worst_db <= one.worst_db);
    // Quantization is none of the chips.
    assert_eq!(laws::told(&one.sqnr), laws::told(&all.sqnr));
}

/// Other seeds look at other vectors, the same at the same ones.
#[test]
fn samples_are_drawn_by_the_seed() {
    let some = Options {
        vectors: 10,
        ..laws::on(2)
    };
    let cpu = CpuBackend::new();
    let text = laws::cell("[variation]\nsigma_w = 0.1\n");
    let found = laws::layer(&cpu, &text, &some);
    assert_eq!((found.vectors, found.vectors_of), (10, 40));
    let again = laws::layer(&cpu, &text, &some);
    assert_eq!(format!("{found:?}"), format!("{again:?}"));
    assert_ne!(found.signal, laws::layer(&cpu, &text, &laws::on(2)).signal);
    assert!(laws::part(&found, Part::Programming).own > 0.0);
}

#[test]
fn options_that_cannot_be_are_refused() {
    let with = |change: fn(&mut Options)| {
        let mut options = laws::on(2);
        change(&mut options);
        let found = laws::measured(&CpuBackend::new(), "", &options);
        found.expect_err("refused").to_string()
    };
    for (change, words) in [
        (
            (|o| o.chips = 0) as fn(&mut Options),
            "0 chips for signal-to-noise ratios; allowed: 1 or more",
        ),
        (
            |o| o.vectors = 1,
            "1 input vectors of a layer; allowed: 2 or more",
        ),
        (
            |o| o.goal = Some(Goal::Lose(0.0)),
            "converters may take 0 dB; allowed: more than 0",
        ),
        (
            |o| o.goal = Some(Goal::Reach(f64::NAN)),
            "converters are to reach NaN dB; allowed: a finite number",
        ),
    ] {
        let error = with(change);
        assert!(error.contains(words), "{error}");
    }
}

/// The ratio is that of the chips of a sweep: of the outputs that fabricated chips give for all test images, against those of
/// a chip without errors, whose network is one layer.
#[test]
fn chips_are_those_of_a_sweep() {
    let data = digits();
    let backend = CpuBackend::new();
    let base = "seed = 3\n[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = []\n[train]\nrecipe = \"qat\"\n\
                epochs = 1\n[quantize]\nweight_bits = 5\nactivation_bits = 5\ninput_bits = 5\n";
    let arrays = "[chip.array]\nrows = 24\n[chip.cells]\nslice_bits = 2\n";
    let errors = "[variation]\nsigma_w = 0.1\nsigma_b = 0.1\n[tuning]\nmethod = \"self-tuning\"\n";
    let wires = "[chip.wires]\nrow_ohm = 20.0\ncol_ohm = 10.0\n";
    let converters =
        "[chip.adc]\nbits = 6\nrange = \"calibrated\"\ngain_error = 0.02\noffset_error = 0.3\n";
    for (fidelity, exact, real) in [
        ("weight", String::new(), errors.to_string()),
        (
            "cell",
            format!("{arrays}[chip.adc]\nbits = 0\n"),
            format!("{arrays}{errors}{wires}{converters}"),
        ),
    ] {
        let of = |rest: &str| experiment(&format!("fidelity = \"{fidelity}\"\n{base}{rest}"));
        let (exact, real) = (of(&exact), of(&real));
        let point = setup::point(&real, &data, 0).unwrap();
        let images = point.test_images().unwrap();
        let (pixels, _) = images.range(&(0..images.len()));
        let logits = |e: &Experiment, chip| {
            let made = sweep::fabricated(&backend, e, &data, (0, chip), None, &());
            made.unwrap().logits(pixels, 0).unwrap()
        };
        let ideal = logits(&exact, 0);
        let outputs = ideal.len() / images.len();
        let n = images.len() as f64;
        let signal: f64 = (0..outputs)
            .map(|o| {
                let values = || ideal.iter().skip(o).step_by(outputs).map(|y| f64::from(*y));
                let mean = values().sum::<f64>() / n;
                values().map(|y| (y - mean).powi(2)).sum::<f64>() / n
            })
            .sum();
        let power = |chip| -> f64 {
            let found = logits(&real, chip);
            let both = found.iter().zip(&ideal);
            let squares = both.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
            squares.sum::<f64>() / n
        };
        let mean = (0..3).map(power).sum::<f64>() / 3.0;
        let want = 10.0 * (signal / mean).log10();
        let report = snr::run(&backend, &real, &data, 0, None, &laws::on(3), &()).unwrap();
        let layer = &report.layers[0];
        assert_eq!(layer.vectors, images.len());
        assert!(
            (layer.snr.db - want).abs() < 1e-3,
            "{fidelity}: {:?} for {want}",
            layer.snr
        );
    }
}

/// Cells without errors give the product of the codes, whatever holds it: convolutions with padding, steps of their own for
/// every column, one bit and two, offsets, cells that both move, several slices of a place, layouts that drop zeros.
#[test]
fn cells_without_errors_are_exact_in_every_layer() {
    let data = digits();
    for (quantize, chip) in [
        ("weight_bits = 5\nper_channel = true", "slice_bits = 2"),
        ("weight_bits = 1", "slice_bits = 1"),
        (
            "weight_bits = 2",
            "slice_bits = 2\nencoding = \"offset\"\nreference = 1",
        ),
        (
            "weight_bits = 4",
            "slice_bits = 4\nencoding = \"offset\"\non_off_ratio = 20.0",
        ),
        ("weight_bits = 4", "slice_bits = 1\nequal_slices = 2"),
        (
            "weight_bits = 4",
            "slice_bits = 3\nsubtraction = \"digital\"",
        ),
        (
            "weight_bits = 3",
            "slice_bits = 2\n[chip.array]\nrows = 20\ncols = 4\nrearrange = \"heavy-first\"\ncompact = \"columns\"\nsplit = \"filled\"",
        ),
    ] {
        let e = experiment(&format!(
            "fidelity = \"cell\"\n[data]\nset = \"digits-8x8\"\ntrain_limit = 100\n[network]\nkind = \"cnn\"\nchannels = [5]\n\
             [train]\nrecipe = \"qat\"\nepochs = 1\n[quantize]\n{quantize}\nactivation_bits = 4\ninput_bits = 4\n\
             [chip.adc]\nbits = 0\n[chip.cells]\n{chip}\n"
        ));
        let some = Options {
            images: 10,
            vectors: 50,
            ..laws::on(2)
        };
        let report = snr::run(&CpuBackend::new(), &e, &data, 0, None, &some, &()).unwrap();
        assert!(report.layers.len() > 1, "{chip}");
        for layer in &report.layers {
            assert_eq!(layer.snr.is, snr::Is::Infinite, "{chip}: {layer:?}");
            let quantized = layer.sqnr;
            assert!(quantized.db.is_finite() && layer.snr_total.db <= quantized.db + 1e-3);
        }
    }
}
