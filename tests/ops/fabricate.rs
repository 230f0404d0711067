use crate::harness::*;
use pimento::chip::closed_form;
use pimento::program::*;
use pimento::random::{NORMAL_TOLERANCE, TRAINING};

/// Standard errors a statistic may be off.
const Z: f64 = 6.0;

const COLS: usize = 7;
const ROWS: usize = 45;

const LAWS: [Law; 2] = [Law::WeightProportional, Law::LayerFixed];
const MAPPINGS: [Mapping; 7] = [
    Mapping::Ideal,
    Mapping::Differential { g_min: 0.0 },
    Mapping::Differential { g_min: 0.1 },
    Mapping::Offset {
        g_min: 0.0,
        copies: 0,
    },
    Mapping::Offset {
        g_min: 0.1,
        copies: 0,
    },
    Mapping::Offset {
        g_min: 0.1,
        copies: 1,
    },
    Mapping::Offset {
        g_min: 0.05,
        copies: 4,
    },
];
const DEVIATES: [Deviate; 3] = [
    Deviate::Gaussian,
    Deviate::Truncated { at: 2.0 },
    Deviate::Lognormal,
];

fn spec(law: Law, mapping: Mapping, deviate: Deviate) -> Fabrication {
    Fabrication {
        law,
        mapping,
        deviate,
        sigma_w: 0.2,
        reference_columns: 0,
        layer: 3,
        cols: COLS,
        rows: ROWS,
    }
}

/// Weights with zeros, both signs and the full scale among them.
fn weights() -> Vec<f32> {
    let mut w: Vec<f32> = normals(1, COLS * ROWS)
        .iter()
        .map(|v| (0.3 * v).clamp(-1.0, 1.0))
        .collect();
    (w[0], w[1], w[2]) = (0.0, 1.0, -1.0);
    w
}

/// A wave of chips with the same constants, `[chip][weight]`.
fn wave(
    w0: &[f32],
    full0: &[f32],
    spec: &Fabrication,
    fields: [f32; 3],
    args: RunArgs,
    threads: usize,
) -> Vec<f32> {
    let mut rig = Rig::new(args.chips, 0);
    let (w, full_scale) = (rig.shared(w0), rig.shared(full0));
    let [e, gain, offset] = fields;
    let chip = rig.flat(
        CHIP_FIELDS,
        Scope::PerChip,
        &[e, gain, offset, 0.0].repeat(args.chips),
    );
    let out = rig.result(w0.len(), Scope::PerChip);
    rig.args = args;
    rig.threads = threads;
    let op = Op::from(Fabricate {
        w,
        full_scale,
        chip,
        out,
        spec: *spec,
    });
    rig.run(op, [out])[0].clone()
}

fn chips(first: u32, n: usize) -> RunArgs {
    RunArgs::wave(0x1234_5678_9abc, first, n, 0..0)
}

#[test]
fn every_law_mapping_and_distribution_is_the_closed_form() {
    let w = weights();
    let per_column: Vec<f32> = (0..COLS).map(|c| 1.0 + 0.1 * c as f32).collect();
    for law in LAWS {
        for mapping in MAPPINGS {
            for deviate in DEVIATES {
                for reference_columns in [0, 3] {
                    for full in [&[1.25f32][..], &per_column] {
                        let spec = Fabrication {
                            reference_columns,
                            ..spec(law, mapping, deviate)
                        };
                        let args = RunArgs {
                            purpose: TRAINING,
                            ..chips(5, 2)
                        };
                        let got = wave(&w, full, &spec, [-0.2, 1.1, 0.05], args.clone(), 2);
                        for (i, got) in got.chunks(w.len()).enumerate() {
                            let chip = closed_form::Chip {
                                seed: args.seed,
                                flags: TRAINING,
                                index: 5 + i as u32,
                                e: f64::from(-0.2f32),
                                gain: f64::from(1.1f32),
                                offset: f64::from(0.05f32),
                            };
                            let want = closed_form::fabricate(&w, full, &spec, chip);
                            // Deviates below 5 sigma of 0.2, on conductances of size 1, times
                            // 2 full/(1 - g_min) < 5 and the gain; a dozen roundings.
                            let size = 5.0 * 1.1;
                            let deviates = size * 0.2 * 5.0 * NORMAL_TOLERANCE * 3.0;
                            let bar = deviates + 12.0 * size * 2.0 * ROUNDING;
                            close(got, &want, 4.0 * ROUNDING, bar);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn without_variation_a_chip_is_exactly_the_nominal_weights() {
    let w = weights();
    for law in LAWS {
        for mapping in MAPPINGS {
            for deviate in DEVIATES {
                for reference_columns in [0, 2] {
                    let spec = Fabrication {
                        sigma_w: 0.0,
                        reference_columns,
                        ..spec(law, mapping, deviate)
                    };
                    let got = wave(&w, &[1.0], &spec, [0.0, 1.0, 0.0], chips(0, 1), 2);
                    assert_eq!(got, w, "{spec:?}");
                }
            }
        }
    }
    // An all-zero layer, whose full scale is 0, stays zero on every chip.
    for mapping in MAPPINGS {
        for law in LAWS {
            let spec = spec(law, mapping, Deviate::Gaussian);
            let got = wave(
                &[0.0; COLS * ROWS],
                &[0.0],
                &spec,
                [0.3, 1.0, 0.0],
                chips(0, 1),
                2,
            );
            assert!(got.iter().all(|&v| v == 0.0), "{spec:?}");
        }
    }
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
        let all = wave(&w, &[1.0], &spec, fields, chips(0, 8), 2);
        for threads in [1, 3] {
            assert_eq!(wave(&w, &[1.0], &spec, fields, chips(0, 8), threads), all);
        }
        for (first, n) in [(7, 1), (0, 1), (3, 4), (6, 2)] {
            let part = wave(&w, &[1.0], &spec, fields, chips(first, n), 2);
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
    let make = |spec: &Fabrication, args: RunArgs| wave(&w, &[1.0], spec, [0.0, 1.0, 0.0], args, 2);
    let a = make(&base, chips(0, 1));
    let others = [
        make(&Fabrication { layer: 4, ..base }, chips(0, 1)),
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
        let without = wave(&w, &[1.0], &spec, [0.0, 1.0, 0.0], chips(0, 2), 2);
        let with = wave(&w, &[1.0], &spec, [0.4, 1.0, 0.0], chips(0, 2), 2);
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
                let got = wave(
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
                let bar = Z * (var / m).sqrt() + 4.0 * ROUNDING;
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
        let without = wave(&w, &[1.0], &spec, [0.0, 1.0, 0.0], chips(0, 1), 2);
        let with = wave(&w, &[1.0], &spec, [0.5, 1.0, 0.0], chips(0, 1), 2);
        // The common part is added and taken away again: two roundings of values below 3.
        close(&with, &wide(&without), 0.0, 8.0 * ROUNDING);
    }
}

/// `dw` of `sum dout out(w)`, the chip held: finite differences in the nominal weight.
#[test]
fn backward_agrees_with_finite_differences() {
    let w0 = weights();
    let chips_n = 3;
    let dout0 = normals(9, chips_n * w0.len());
    let fields = [-0.15f32, 1.2, 0.03];
    for law in LAWS {
        for mapping in MAPPINGS {
            for deviate in DEVIATES {
                let spec = spec(law, mapping, deviate);
                let mut rig = Rig::new(chips_n, 0);
                let (w, dout) = (rig.shared(&w0), rig.flat(w0.len(), Scope::PerChip, &dout0));
                let values = [fields[0], fields[1], fields[2], 0.0].repeat(chips_n);
                let chip = rig.flat(CHIP_FIELDS, Scope::PerChip, &values);
                let dw = rig.result(w0.len(), Scope::Shared);
                rig.args = chips(4, chips_n);
                let op = Op::from(FabricateGrad {
                    w,
                    chip,
                    dout,
                    dw,
                    spec,
                });
                let [dw] = rig.run(op, [dw]);

                // w' is linear in w on either side of zero, so a large step is exact; the closed
                // form is in f64, its argument an exact f32.
                let h = 1.0 / 64.0;
                let shifted = |h: f32| -> Vec<f32> {
                    let shift = |w: &f32| if *w >= 0.0 { w + 1.0 + h } else { w - 1.0 + h };
                    w0.iter().map(shift).collect()
                };
                let mut want = vec![0.0; w0.len()];
                for c in 0..chips_n {
                    let at = closed_form::Chip {
                        seed: rig.args.seed,
                        flags: 0,
                        index: 4 + c as u32,
                        e: f64::from(fields[0]),
                        gain: f64::from(fields[1]),
                        offset: f64::from(fields[2]),
                    };
                    let [low, high] =
                        [-h, h].map(|h| closed_form::fabricate(&shifted(h), &[2.5], &spec, at));
                    for i in 0..w0.len() {
                        let slope = (high[i] - low[i]) / f64::from(2.0 * h);
                        want[i] += f64::from(dout0[c * w0.len() + i]) * slope;
                    }
                }
                // Argument roundings 2^-23/h of a step; normals as above.
                close(
                    &dw,
                    &want,
                    0.0,
                    chips_n as f64 * 5.0 * (8.0 * ROUNDING / f64::from(h)),
                );
            }
        }
    }
}
