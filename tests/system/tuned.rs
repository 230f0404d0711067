//! What is left of a product on chips that tune themselves: one matrix, no converters, so that a
//! correction either undoes what happened or does not.

use pimento::backend::cpu::CpuBackend;
use pimento::sweep::mvm::{Matrix, Problem, solve};

use crate::experiment;

const CHIPS: u32 = 4;
/// Outputs and inputs, in arrays of 8 x 5.
const SIZE: (usize, usize) = (13, 20);

/// Root mean square error of a product over all chips, relative to that of the product.
fn error(chip: &str, variation: &str, tuning: &str) -> f64 {
    let e = experiment(&format!(
        "fidelity = \"cell\"\n[quantize]\nweight_bits = 6\nactivation_bits = 6\ninput_bits = 6\n\
         [variation]\n{variation}\n[tuning]\ntest_cells = 64\n{tuning}\n\
         [chip.programming]\nnon_negative = false\n[chip.array]\nrows = 8\ncols = 5\n{chip}"
    ));
    let wave = |i: usize, by: usize| ((i * by) % 64) as f32 / 32.0 - 1.0;
    let problem = Problem {
        matrix: Matrix::Weights((0..SIZE.0 * SIZE.1).map(|i| wave(i, 37)).collect()),
        size: SIZE,
        inputs: (0..3 * SIZE.1).map(|i| wave(i, 23).abs()).collect(),
        weight_max: None,
        input_max: None,
        signed: None,
    };
    let (mut wrong, mut all) = (0.0, 0.0);
    for c in 0..CHIPS {
        let answer = solve(&CpuBackend::new(), &e, &problem, c).unwrap();
        for (y, ideal) in answer.outputs.iter().zip(&answer.ideal) {
            wrong += f64::from(y - ideal).powi(2);
            all += f64::from(*ideal).powi(2);
        }
    }
    (wrong / all).sqrt()
}

/// Corrections are f32, and an offset is a multiple of the sum of the inputs many times the product.
const ROUNDED: f64 = 1e-4;

const SELF: &str = "method = \"self-tuning\"\n";

#[test]
fn every_estimator_finds_what_an_array_has_of_its_own() {
    let chip = "[chip.cells]\nsubtraction = \"digital\"\n[chip.adc]\nbits = 0\n";
    let variation = "sigma_array = 0.1\nsigma_layer = 0.05";
    assert!(error(chip, variation, "") > 0.05);
    for estimator in ["mean", "mmse"] {
        let tuning = format!("{SELF}scope = \"array\"\nestimator = \"{estimator}\"");
        let left = error(chip, variation, &tuning);
        assert!(left < ROUNDED, "{estimator}: {left}");
    }
}

const DRIFT: &str = "[chip.drift]\ntime_s = 1e5\nnu = 0.05\n";

#[test]
fn drift_is_compensated_under_both_laws_in_every_encoding() {
    let cells = [
        "",
        "subtraction = \"digital\"\n",
        "encoding = \"offset\"\n",
        "encoding = \"offset\"\nreference = 2\n",
    ];
    for law in ["weight-proportional", "layer-fixed"] {
        let variation = format!("law = \"{law}\"\nsigma_b = 0.1");
        for cells in cells {
            let chip =
                format!("[chip.cells]\non_off_ratio = 20.0\n{cells}[chip.adc]\nbits = 0\n{DRIFT}");
            let untuned = error(&chip, &variation, "");
            assert!(untuned > 0.25, "{law} {cells}: {untuned}");
            for tuning in [
                "method = \"oracle\"".to_string(),
                format!("{SELF}estimator = \"mean\""),
                format!("{SELF}estimator = \"mmse\""),
                format!("{SELF}estimator = \"mmse\"\nscope = \"array\""),
            ] {
                let left = error(&chip, &variation, &tuning);
                assert!(left < ROUNDED, "{law} {cells} {tuning}: {left}");
            }
        }
    }
}

/// Without common variation there is nothing to estimate but what is known: drift.
#[test]
fn mmse_knows_the_mean_drift() {
    let chip = format!("{DRIFT}sigma_nu = 0.005\n[chip.adc]\nbits = 0\n");
    for law in ["weight-proportional", "layer-fixed"] {
        let variation = format!("law = \"{law}\"\nsigma_w = 0.01");
        let oracle = error(&chip, &variation, "method = \"oracle\"");
        let mmse = error(&chip, &variation, &format!("{SELF}estimator = \"mmse\""));
        assert_eq!(mmse, oracle, "{law}");
        // Cells' independent errors of 1 and 4 percent, in a product of weights of both signs.
        assert!(oracle < 0.15, "{law}: {oracle}");
        assert!(error(&chip, &variation, "") > 0.25, "{law}");
    }
}

#[test]
fn a_reference_follows_drift_under_both_laws() {
    // A pair cancels what the law adds; codes of 14 bits lose little.
    let chip = format!("[chip.adc]\nbits = 14\nrange = \"fixed\"\nlimit = 4.0\n{DRIFT}");
    for law in ["weight-proportional", "layer-fixed"] {
        let variation = format!("law = \"{law}\"\nsigma_b = 0.1");
        let tuning = "method = \"oracle\"\nplace = \"adc-reference\"";
        let left = error(&chip, &variation, tuning);
        assert!(left < 0.01, "{law}: {left}");
        assert!(error(&chip, &variation, "") > 0.25, "{law}");
    }
}

/// Arrays of a pair that deviate differently shift what their difference shows: an offset undoes that where
/// both sides move.
#[test]
fn a_pair_of_different_arrays_is_corrected_by_a_gain_and_an_offset() {
    let variation = "sigma_array = 0.1\nsigma_b = 0.05";
    let cases = [
        // (cells, largest error that is left)
        ("two_sided = true\n", ROUNDED),
        ("two_sided = true\non_off_ratio = 5.0\n", ROUNDED),
        ("subtraction = \"digital\"\non_off_ratio = 5.0\n", ROUNDED),
        // Half the difference times the magnitude of a weight stays: of arrays that deviate by 0.1 some percent.
        ("on_off_ratio = 5.0\n", 0.2),
    ];
    for (cells, most) in cases {
        let chip = format!("[chip.cells]\n{cells}[chip.adc]\nbits = 0\n");
        let untuned = error(&chip, variation, "");
        assert!(untuned > 0.1, "{cells}: {untuned}");
        for tuning in [
            "method = \"oracle\"".to_string(),
            format!("{SELF}scope = \"array\""),
            "method = \"level-columns\"".to_string(),
        ] {
            let left = error(&chip, variation, &tuning);
            assert!(left < most, "{cells} {tuning}: {left}");
        }
    }
}

/// Columns of weight 0 take what is added to all weights, columns at a known level show the gain too.
#[test]
fn zero_columns_take_offsets_and_level_columns_gains() {
    let chip = "[chip.cells]\nencoding = \"offset\"\n[chip.adc]\nbits = 0\n";
    let columns = |method: &str, law: &str| {
        let variation = format!("law = \"{law}\"\nsigma_b = 0.1");
        error(chip, &variation, &format!("method = \"{method}\""))
    };
    for law in ["weight-proportional", "layer-fixed"] {
        assert!(columns("none", law) > 0.2, "{law}");
        let left = columns("level-columns", law);
        assert!(left < ROUNDED, "{law}: {left}");
    }
    assert!(columns("reference-columns", "layer-fixed") < ROUNDED);
    // The shift of the mid-range conductance goes, the gain stays: about sigma_b.
    let gain = columns("reference-columns", "weight-proportional");
    assert!((0.02..0.2).contains(&gain), "{gain}");
}
