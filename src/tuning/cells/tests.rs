//! Estimates against their closed forms.

use super::gauge::{Gauge, Place};
use super::*;
use crate::chip::cells::{self, InputCodes};
use crate::chip::variation::truncated_variance;
use crate::choice::Choice;
use crate::config::{Distribution, Estimator, Experiment};
use crate::effects::drift::falling;
use crate::network::lower::layer_address;
use crate::program::Law;
use crate::tuning::estimate::TestCells;

const CHIPS: u32 = 4_000;

/// The tuner of a layer of 8 x 6 weights in arrays of 4 x 3, the chips, and the experiment.
fn tuner(text: &str) -> (CellTuner, ChipVariation, Experiment) {
    let text = format!(
        "fidelity = \"cell\"\n[quantize]\nweight_bits = 4\nactivation_bits = 4\ninput_bits = 4\n\
         [chip.array]\nrows = 4\ncols = 3\n{text}"
    );
    let e = Experiment::parse(&text, "test").unwrap();
    let geo = ConvGeometry::linear(8, 6);
    let input = InputCodes {
        bits: 4,
        signed: false,
    };
    let mut cells = cells::layer(&e.chip, &e.variation, &geo, 4, input, layer_address(0)).unwrap();
    (cells.wires, cells.tuned) = (None, tuned(&e.tuning));
    let layer = TunedLayer {
        cells,
        geo,
        held: Held::default(),
    };
    let chips = ChipVariation::new(&e.variation).unwrap();
    (CellTuner::new(&e.tuning, &chips, vec![layer]), chips, e)
}

const DRIFT: &str = "[chip.drift]\ntime_s = 1e5\nnu = 0.05\nsigma_nu = 0.03\n";

/// Mean and variance of the errors of an array's (or a chip's) estimates, and their kurtosis.
fn errors(tuner: &CellTuner, chips: &ChipVariation) -> (f64, f64, f64) {
    let address = layer_address(0);
    let gauge = tuner.gauge(&tuner.layers[0].cells.programming, 0);
    let errors: Vec<f64> = (0..CHIPS)
        .map(|c| {
            let common = chips.deviation(5, c).total;
            match tuner.has_own_estimates() {
                false => {
                    tuner.lines[0][0].estimate(gauge.measure(5, c, Place::CHIP, common)) - common
                }
                true => {
                    let own = chips.layer(5, c, address) + chips.array(5, 0, c, address, 3);
                    tuner.array_estimate((5, c), 0, 3, common + own) - (common + own)
                }
            }
        })
        .collect();
    let n = f64::from(CHIPS);
    let mean = errors.iter().sum::<f64>() / n;
    let moment = |power: i32| errors.iter().map(|x| (x - mean).powi(power)).sum::<f64>() / n;
    (mean, moment(2), moment(4) / moment(2).powi(2))
}

/// Whether errors have the predicted variance and the mean 0: 6 standard errors, the variance's from
/// their own kurtosis, and `model` for what the sums over a distribution leave out.
fn check(case: &str, (mean, var, kurtosis): (f64, f64, f64), predicted: f64, model: f64) {
    let n = f64::from(CHIPS);
    let bar = 6.0 * ((kurtosis - 1.0) / n).sqrt() + model;
    assert!(
        (var / predicted - 1.0).abs() < bar,
        "{case}: variance {var}, {predicted}, {bar}"
    );
    let bar = 6.0 * (predicted / n).sqrt() + model * predicted.sqrt();
    assert!(mean.abs() < bar, "{case}: mean {mean}, {bar}");
}

#[test]
fn mmse_reaches_the_posterior_variance_in_every_scope_with_and_without_drift() {
    let noise = "test_cells = 16\nestimator = \"mmse\"\nread_noise = 0.05\n";
    for distribution in ["gaussian", "truncated"] {
        for (law, drift) in [
            ("weight-proportional", ""),
            ("weight-proportional", DRIFT),
            ("layer-fixed", ""),
            ("layer-fixed", DRIFT),
        ] {
            for scope in ["chip", "array"] {
                let (tuner, chips, e) = tuner(&format!(
                    "[variation]\nlaw = \"{law}\"\ndistribution = \"{distribution}\"\ntruncate_at = 2.0\n\
                     sigma_w = 0.2\nsigma_b = 0.03\nsigma_layer = 0.03\nsigma_array = 0.05\n\
                     [chip.cells]\non_off_ratio = 5.0\n{drift}\
                     [tuning]\nmethod = \"self-tuning\"\nscope = \"{scope}\"\n{noise}"
                ));
                let p = &tuner.layers[0].cells.programming;
                let full = match p.effects.variation.law {
                    Law::WeightProportional => 1.0,
                    Law::LayerFixed => 1.25,
                };
                let (f, square) = p.effects.drift.exponent.as_ref().map_or((1.0, 1.0), |_| {
                    let log = f64::from(p.effects.drift.log_time);
                    (falling(log, 0.05, 0.03), falling(2.0 * log, 0.05, 0.03))
                });
                let prior = match scope {
                    "chip" => chips.common_variance(),
                    _ => chips.array_variance(),
                };
                let factor = match e.variation.distribution {
                    Distribution::Truncated => truncated_variance(2.0),
                    _ => 1.0,
                };
                // Equations of the module.
                let spread = (full * full + prior) * (square - f * f);
                let v = (spread + 0.04 * factor * square + 0.0025) / 16.0;
                let posterior = prior * v / (f * f * prior + v);
                let case = format!("{distribution} {law} {scope} {drift}");
                let line = tuner.lines[0][0];
                // Pieces of the distribution of cells, coarser with drift.
                let model = 0.01;
                assert!(
                    (line.error / posterior - 1.0).abs() < model,
                    "{case}: {line:?} {posterior}"
                );
                assert!((0.02..0.98).contains(&(posterior / prior)), "{case}");
                check(&case, errors(&tuner, &chips), posterior, model);
            }
        }
    }
}

/// Limits, stuck cells, read noise and the lognormal act on test cells as on all others, and the estimate
/// knows it.
#[test]
fn test_cells_are_cells() {
    let cases = [
        "[variation]\ndistribution = \"lognormal\"\nsigma_w = 0.4\nsigma_b = 0.3\n",
        "[variation]\nsigma_w = 0.1\nsigma_b = 0.05\n[chip.programming]\nclip = 1.0\n",
        "[variation]\nsigma_w = 0.2\nsigma_b = 0.1\n[chip.programming]\nclip = 0.9\n\
         [tuning]\nlevel = 0.6\n",
        "[variation]\nlaw = \"layer-fixed\"\nsigma_w = 0.3\nsigma_b = 0.1\n[tuning]\nlevel = 0.1\n",
        "[variation]\nsigma_w = 0.1\nsigma_b = 0.1\n\
         [chip.programming]\nstuck_off = 0.05\nstuck_on = 0.02\n[tuning]\nlevel = 0.5\n",
        "[variation]\nsigma_w = 0.01\nsigma_b = 0.05\n\
         [chip.read]\nproportional = 0.2\nfixed = 0.1\n[chip.cells]\non_off_ratio = 3.0\n",
        "[variation]\nlaw = \"layer-fixed\"\nsigma_b = 0.05\n[chip.programming]\nsigma = [0.1, 0.3]\n\
         [chip.drift]\ntime_s = 1e4\nnu = [0.1, 0.0]\n[tuning]\nlevel = 0.4\n",
        "[variation]\nsigma_w = 0.02\nsigma_b = 0.1\n[chip.programming]\nstuck_off = 0.05\n\
         [tuning]\nread_lsb = 0.1\n",
        // Cells that do not spread: a column's one stuck cell moves its read by half a step.
        "[variation]\nlaw = \"layer-fixed\"\nsigma_b = 0.01\n[chip.cells]\non_off_ratio = 10.0\n\
         [chip.programming]\nstuck_off = 0.03\nstuck_on = 0.01\n\
         [tuning]\nlevel = 0.5\nread_lsb = 0.2\nread_noise = 0.02\n",
    ];
    for chip in cases {
        for estimator in Estimator::ALL {
            for method in ["self-tuning", "level-columns"] {
                let tuning = format!(
                    "method = \"{method}\"\nestimator = \"{estimator}\"\ntest_cells = 9\n\
                     reference_columns = 3\n"
                );
                let text = match chip.contains("[tuning]\n") {
                    true => chip.replace("[tuning]\n", &format!("[tuning]\n{tuning}")),
                    false => format!("{chip}[tuning]\n{tuning}"),
                };
                let (tuner, chips, _) = tuner(&text);
                let line = tuner.lines[0][0];
                let (mean, var, kurtosis) = errors(&tuner, &chips);
                // Columns of four cells are not quite normal, nor are lognormal chips.
                check(&text, (mean, var, kurtosis), line.error, 0.03);
            }
        }
    }
}

/// The mean of `K` columns of `R` rows has the variance `sigma_w^2/(R K)` on both levels.
#[test]
fn columns_at_a_known_level_have_one_law_on_both_levels() {
    let (sigma_w, sigma_b) = (0.2, 0.1);
    for law in ["weight-proportional", "layer-fixed"] {
        for distribution in ["gaussian", "lognormal"] {
            let (tuner, chips, e) = tuner(&format!(
                "[variation]\nlaw = \"{law}\"\ndistribution = \"{distribution}\"\nsigma_w = {sigma_w}\n\
                 sigma_b = {sigma_b}\n[tuning]\nmethod = \"level-columns\"\nreference_columns = 3\n"
            ));
            let columns = TestCells {
                n: 3,
                per_read: 4,
                sigma_w,
                deviate: crate::chip::terms::deviate(&e.variation),
                read_noise: 0.0,
                read_lsb: 0.0,
                estimator: e.tuning.estimator,
            };
            let whole = columns.line(chips.common_variance());
            // Lognormal cells are (1 + e)(1 + z), weights 1 + e + z.
            let growth = match (law, distribution) {
                ("weight-proportional", "lognormal") => 1.0 + sigma_b * sigma_b,
                _ => 1.0,
            };
            let line = tuner.lines[0][0];
            assert!(
                (line.error / (growth * whole.error) - 1.0).abs() < 1e-3,
                "{line:?} {whole:?}"
            );
            assert!((whole.error / (sigma_w * sigma_w / 12.0) - 1.0).abs() < 1e-6);
            check(law, errors(&tuner, &chips), line.error, 1e-3);
            let cost = tuner.cost().unwrap();
            // 8 rows in two tiles, 2 column tiles, a pair of cells, 3 columns each.
            assert_eq!(cost.cells, 3 * 8 * 2 * 2);
            assert_eq!(cost.conversions_once, 3 * 2 * 2 * 2);
        }
    }
}

#[test]
fn what_arrays_have_of_their_own_is_in_the_prior_of_an_array_alone() {
    let error = |scope: &str| {
        let (tuner, _, _) = tuner(&format!(
            "[variation]\nsigma_b = 0.03\nsigma_layer = 0.04\nsigma_array = 0.1\nsigma_w = 10.0\n\
             [chip.programming]\nnon_negative = false\n\
             [tuning]\nmethod = \"self-tuning\"\nscope = \"{scope}\"\nestimator = \"mmse\"\ntest_cells = 1\n"
        ));
        tuner.lines[0][0].error
    };
    // A read that is noise leaves the prior, less 1e-4 of it.
    assert!((error("chip") / 0.0009 - 1.0).abs() < 2e-4);
    assert!((error("array") / 0.0125 - 1.0).abs() < 2e-4);
}

/// A curve's standard deviation is relative to `G_max`, a deviation under the fixed law to the range of
/// conductances, here 0.8 of it.
#[test]
fn test_cells_deviate_as_programming_does() {
    for (law, sigma) in [("weight-proportional", 0.1), ("layer-fixed", 0.125)] {
        let (tuner, _, _) = tuner(&format!(
            "[variation]\nlaw = \"{law}\"\n[chip.cells]\non_off_ratio = 5.0\n\
             [chip.programming]\nsigma = 0.1\n[tuning]\nmethod = \"self-tuning\"\ntest_cells = 16\n"
        ));
        let gauge: Gauge = tuner.gauge(&tuner.layers[0].cells.programming, 0);
        // Curves and g_min are f32.
        let found = (16.0 * gauge.moments(0.0).noise).sqrt();
        assert!((found - sigma).abs() < 1e-6, "{law}: {found}");
    }
}
