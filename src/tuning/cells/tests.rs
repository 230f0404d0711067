//! Estimates against their closed forms.

use super::gauge::{Gauge, moment, truth};
use super::*;
use crate::backend::program::Drift;
use crate::chip::cells::{self, InputCodes};
use crate::config::Experiment;

const CHIPS: u32 = 4_000;

/// The tuner of a layer of 8 x 6 weights in arrays of 4 x 3, and the chips.
fn tuner(text: &str) -> (CellTuner, ChipVariation) {
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
    let layer = cells::layer(&e.chip, &e.variation, &geo, 4, input, layer_address(0)).unwrap();
    let layer = CellLayer {
        programming: layer.programming,
        reading: layer.reading,
        wires: None,
        errors: layer.errors,
        tuned: tuned(&e.tuning),
        storage: layer.storage,
    };
    let chips = ChipVariation::new(&e.variation).unwrap();
    (CellTuner::new(&e.tuning, &chips, vec![(layer, geo)]), chips)
}

const DRIFT: &str = "[chip.drift]\ntime_s = 1e5\nnu = 0.05\nsigma_nu = 0.03\n";

/// Mean and variance of the errors of an array's (or a chip's) estimates.
fn errors(tuner: &CellTuner, chips: &ChipVariation, gauge: &Gauge) -> (f64, f64) {
    let address = layer_address(0);
    let errors: Vec<f64> = (0..CHIPS)
        .map(|c| {
            let common = chips.deviation(5, c).total;
            let (e, place) = match tuner.tuning.scope {
                TuningScope::Chip => (common, (0, 0)),
                TuningScope::Array => {
                    let own = chips.layer(5, c, address) + chips.array(5, 0, c, address, 3);
                    (common + own, (address, 3))
                }
            };
            gauge.conclude(gauge.measure(5, c, place, e)) - truth(gauge.cells, e)
        })
        .collect();
    let n = f64::from(CHIPS);
    let mean = errors.iter().sum::<f64>() / n;
    let square = errors.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
    (mean, square / (n - 1.0))
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
                let (tuner, chips) = tuner(&format!(
                    "[variation]\nlaw = \"{law}\"\ndistribution = \"{distribution}\"\ntruncate_at = 2.0\n\
                     sigma_w = 0.2\nsigma_b = 0.03\nsigma_layer = 0.03\nsigma_array = 0.05\n\
                     [chip.cells]\non_off_ratio = 5.0\n{drift}\
                     [tuning]\nmethod = \"self-tuning\"\nscope = \"{scope}\"\n{noise}"
                ));
                let p = &tuner.layers[0].0.programming;
                let gauge = tuner.gauge(p);
                let (mean, var) = errors(&tuner, &chips, &gauge);
                let (k, v) = (gauge.shrink(), gauge.variance());
                // The posterior variance of what is concluded: f^2 S^2 v/(f^2 S^2 + v) under the
                // proportional law, over f^2 where e itself is concluded.
                let posterior = match p.law {
                    Law::WeightProportional => k * v,
                    Law::LayerFixed => k * v / drift_factor(p).powi(2),
                };
                let case = format!("{distribution} {law} {scope} {drift}");
                // 6 standard errors; the variance's allow for tails of a product of two deviates.
                let n = f64::from(CHIPS);
                assert!(
                    (var / posterior - 1.0).abs() < 6.0 * (3.0 / n).sqrt(),
                    "{case}: variance {var}, {posterior}"
                );
                assert!(mean.abs() < 6.0 * (posterior / n).sqrt(), "{case}: {mean}");
                assert!((0.02..0.9).contains(&k), "{case}: {k}");
            }
        }
    }
}

#[test]
fn what_arrays_have_of_their_own_is_in_the_prior_of_an_array_alone() {
    let prior = |scope: &str| {
        let (tuner, _) = tuner(&format!(
            "[variation]\nsigma_b = 0.03\nsigma_layer = 0.04\nsigma_array = 0.1\n\
             [tuning]\nmethod = \"self-tuning\"\nscope = \"{scope}\"\n"
        ));
        tuner.prior
    };
    // Rounding of the sums.
    assert!((prior("chip") - 0.0009).abs() < 1e-15);
    assert!((prior("array") - 0.0125).abs() < 1e-15);
}

/// A curve's standard deviation is relative to `G_max`, a deviation under the fixed law to the range of
/// conductances, here 0.8 of it.
#[test]
fn test_cells_deviate_as_programming_does() {
    for (law, sigma) in [("weight-proportional", 0.1), ("layer-fixed", 0.125)] {
        let (tuner, _) = tuner(&format!(
            "[variation]\nlaw = \"{law}\"\n[chip.cells]\non_off_ratio = 5.0\n\
             [chip.programming]\nsigma = 0.1\n[tuning]\ntest_cells = 16\n"
        ));
        let gauge = tuner.gauge(&tuner.layers[0].0.programming);
        // Curves and g_min are f32.
        let found = (16.0 * gauge.variance()).sqrt();
        assert!((found - sigma).abs() < 1e-6, "{law}: {found}");
    }
}

/// `E exp(-a nu)` by sums over 160,000 deviates, within the error of the rule.
#[test]
fn moments_of_drift_match_a_sum() {
    for (mean, sigma) in [
        (0.05, 0.0),
        (0.05, 0.02),
        (0.01, 0.1),
        (0.0, 0.3),
        (1.0, 1.0),
    ] {
        for log_time in [0.5, 8.0, 40.0] {
            let d = Drift {
                log_time,
                mean: [0.0, mean].into(),
                sigma: [0.0, sigma].into(),
            };
            for n in [1.0, 2.0] {
                let a = n * f64::from(log_time);
                let (mut sum, mut all) = (0.0, 0.0);
                for i in -80_000..80_000 {
                    let z = (f64::from(i) + 0.5) * 1e-4;
                    let density = (-0.5 * z * z).exp();
                    let nu = (f64::from(mean) + f64::from(sigma) * z).max(0.0);
                    sum += density * (-a * nu).exp();
                    all += density;
                }
                let (got, want) = (moment(&d, n), sum / all);
                assert!(
                    (got - want).abs() < 1e-6 * want,
                    "{mean} {sigma} {a}: {got}, {want}"
                );
            }
        }
    }
}
