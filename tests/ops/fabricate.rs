//! Laws of fabricated weights; the equations are in `tests/cases`.

use pimento::backend::cpu::CpuBackend;
use pimento::program::*;
use pimento::random::TRAINING;

use crate::case::*;
use crate::cases::fabricate::*;

/// Standard errors a statistic may be off.
const Z: f64 = 6.0;

/// A wave of chips with the same constants, `[chip][weight]`.
fn weights_of(
    w0: &[f32],
    full0: &[f32],
    spec: &Fabrication,
    fields: [f32; 3],
    args: RunArgs,
    threads: usize,
) -> Vec<f32> {
    let mut case = Case::new(1, args.chips, 0);
    let (w, full_scale) = (case.shared(w0), case.shared(full0));
    let [e, gain, offset] = fields;
    let chip = case.given(
        CHIP_FIELDS,
        Scope::PerChip,
        [e, gain, offset, 0.0].repeat(args.chips),
    );
    let out = case.result(w0.len(), Scope::PerChip);
    let op = Op::from(Fabricate {
        w,
        full_scale,
        chip,
        out,
        spec: spec.clone(),
    });
    let backend = CpuBackend::new().with_threads(threads).unwrap();
    let [weights] = case.run_as(&backend, &args, vec![op], [out]);
    weights
}

fn chips(first: u32, n: usize) -> RunArgs {
    RunArgs::wave(0x1234_5678_9abc, first, n, 0..0)
}

#[test]
fn a_chip_is_the_same_alone_in_any_wave_and_on_any_number_of_threads() {
    // More cells than one part of the kernel.
    let (cols, rows) = (9, 501);
    let w: Vec<f32> = normals(2, cols * rows)
        .iter()
        .map(|v| (0.3 * v).clamp(-1.0, 1.0))
        .collect();
    for mapping in [
        Mapping::Ideal,
        Mapping::Differential { g_min: 0.1 },
        Mapping::Offset {
            g_min: 0.1,
            copies: 2,
        },
    ] {
        let spec = Fabrication {
            cols,
            rows,
            reference_columns: 2,
            ..spec(Law::LayerFixed, mapping, Deviate::Lognormal)
        };
        let fields = [0.1, 0.9, 0.02];
        let all = weights_of(&w, &[1.0], &spec, fields, chips(0, 8), 2);
        for threads in [1, 3] {
            assert_eq!(
                weights_of(&w, &[1.0], &spec, fields, chips(0, 8), threads),
                all
            );
        }
        for (first, n) in [(7, 1), (0, 1), (3, 4), (6, 2)] {
            let part = weights_of(&w, &[1.0], &spec, fields, chips(first, n), 2);
            let at = first as usize * w.len();
            assert_eq!(part, all[at..at + part.len()]);
        }
        assert_ne!(all[..w.len()], all[w.len()..2 * w.len()]);
    }
}

#[test]
fn seeds_layers_and_training_make_other_chips() {
    let w = vec![0.5; COLS * ROWS];
    let base = spec(Law::WeightProportional, Mapping::Ideal, Deviate::Gaussian);
    let make =
        |spec: &Fabrication, args: RunArgs| weights_of(&w, &[1.0], spec, [0.0, 1.0, 0.0], args, 2);
    let a = make(&base, chips(0, 1));
    let others = [
        make(
            &Fabrication {
                layer: 4,
                ..base.clone()
            },
            chips(0, 1),
        ),
        make(
            &base,
            RunArgs {
                seed: 1,
                ..chips(0, 1)
            },
        ),
        make(
            &base,
            RunArgs {
                purpose: TRAINING,
                ..chips(0, 1)
            },
        ),
        make(&base, chips(1, 1)),
    ];
    for b in others {
        assert!(a.iter().zip(&b).all(|(a, b)| a != b));
    }
}

#[test]
fn differential_pairs_cancel_a_fixed_common_deviation_exactly() {
    let w = weights();
    let mapping = Mapping::Differential { g_min: 0.1 };
    for deviate in DEVIATES {
        let spec = spec(Law::LayerFixed, mapping, deviate);
        let without = weights_of(&w, &[1.0], &spec, [0.0, 1.0, 0.0], chips(0, 2), 2);
        let with = weights_of(&w, &[1.0], &spec, [0.4, 1.0, 0.0], chips(0, 2), 2);
        assert_eq!(without, with);
    }
}

/// The mean and variance of `w'` over cells: docs/MODEL.md 3.2, one formula a mapping.
#[test]
fn every_mapping_has_its_mean_and_variance() {
    let (full, sigma, e) = (1.5f64, 0.2f64, 0.1f64);
    let n = 200_000;
    for value in [0.0f64, 0.6, -0.9] {
        let w = vec![value as f32; n];
        for law in LAWS {
            for mapping in MAPPINGS {
                // One row: the reference cells of an offset column are one draw, left to the
                // closed form.
                if matches!(mapping, Mapping::Offset { copies: 1.., .. }) {
                    continue;
                }
                let spec = Fabrication {
                    cols: n,
                    rows: 1,
                    ..spec(law, mapping, Deviate::Gaussian)
                };
                let got = weights_of(
                    &w,
                    &[full as f32],
                    &spec,
                    [e as f32, 1.0, 0.0],
                    chips(0, 1),
                    2,
                );
                let proportional = law == Law::WeightProportional;
                let g_min = match mapping {
                    Mapping::Ideal => 0.0,
                    Mapping::Differential { g_min } | Mapping::Offset { g_min, .. } => {
                        f64::from(g_min)
                    }
                };
                let span = 1.0 - g_min;
                let v = value / full;
                let pair = [v, -v].map(|v| g_min + span * v.max(0.0));
                let single = g_min + span * (v + 1.0) / 2.0;
                let (mean, var) = match (mapping, proportional) {
                    (Mapping::Ideal, true) => (value * (1.0 + e), value * value),
                    (Mapping::Ideal, false) => (value + full * e, full * full),
                    (Mapping::Differential { .. }, true) => (
                        value * (1.0 + e),
                        (full / span).powi(2) * (pair[0] * pair[0] + pair[1] * pair[1]),
                    ),
                    (Mapping::Differential { .. }, false) => (value, 2.0 * full * full),
                    (Mapping::Offset { .. }, true) => (
                        value + 2.0 * full / span * single * e,
                        (2.0 * full / span * single).powi(2),
                    ),
                    (Mapping::Offset { .. }, false) => (value + 2.0 * full * e, 4.0 * full * full),
                };
                let var = var * sigma * sigma;
                let m = n as f64;
                let found = got.iter().map(|&v| f64::from(v)).sum::<f64>() / m;
                let spread = got
                    .iter()
                    .map(|&v| (f64::from(v) - mean).powi(2))
                    .sum::<f64>()
                    / m;
                // Plus the rounding of values that do not vary.
                let bar = Z * (var / m).sqrt() + 4.0 * EPS;
                assert!(
                    (found - mean).abs() < bar,
                    "{law:?} {mapping:?} {value}: mean {found}, {mean}"
                );
                let bar = Z * var * (2.0 / m).sqrt() + 1e-12;
                assert!(
                    (spread - var).abs() < bar,
                    "{law:?} {mapping:?} {value}: {spread}, {var}"
                );
            }
        }
    }
}

#[test]
fn reference_columns_remove_a_fixed_common_deviation() {
    let w = weights();
    for columns in [1, 4] {
        let spec = Fabrication {
            reference_columns: columns,
            ..spec(Law::LayerFixed, Mapping::Ideal, Deviate::Gaussian)
        };
        let without = weights_of(&w, &[1.0], &spec, [0.0, 1.0, 0.0], chips(0, 1), 2);
        let with = weights_of(&w, &[1.0], &spec, [0.5, 1.0, 0.0], chips(0, 1), 2);
        // The common part is added and taken away again: two roundings of values below 3.
        close("weights", &with, &wide(&without), |_| 8.0 * EPS);
    }
}
