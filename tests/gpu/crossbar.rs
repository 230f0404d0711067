use pimento::backend::program::*;

use super::arrays::*;
use super::harness::*;

const SIGNS: [InputSigns; 3] = [
    InputSigns::Unsigned,
    InputSigns::SignMagnitude,
    InputSigns::TwosComplement,
];

/// Integer conductances, converters that lose nothing, steps that are powers of two: every number
/// is exact, and both backends must agree on every bit.
#[test]
fn integers_match_cpu_exactly() {
    for (i, geo) in geometries().into_iter().enumerate() {
        for j in [i % 3, (i + 1) % 3] {
            let encoding = ENCODINGS[2 * j];
            let signs = SIGNS[(i + j) % 3];
            let bits = if signs == InputSigns::TwosComplement {
                1
            } else {
                [1, 3, 2][(i + 2 * j) % 3]
            };
            let analog_sum = i == 3 && j == 1;
            let mut case = Case::new();
            let spec = Reading {
                integer: j != 2 && i % 2 == 0,
                ..reading(
                    &geo,
                    encoding,
                    Dac {
                        analog_sum,
                        ..dac(5, bits, signs)
                    },
                    Some(WIDE),
                )
            };
            let layer = Layer::new(&mut case, geo, spec, integers(-3, 3));
            let op = layer.crossbar(&mut case, |case, extra| {
                extra.adc = Some(layer.pairs(case, 1.0, 0.0, 0.0));
                extra.range = Some(layer.range(case, 1.0, 0.0));
            });
            case.section(vec![op]);
            case.compare(&format!("crossbar {geo:?} {encoding:?} {signs:?}"), 0.0);
        }
    }
}

/// Converters that clip, with a lowest input, corrections and an epilogue: exact numbers again.
#[test]
fn clipping_corrections_and_epilogue_match_cpu_exactly() {
    let geo = geometries()[0];
    for signs in SIGNS {
        let mut case = Case::new();
        let adc = Adc {
            lo: 0,
            hi: 15,
            ..WIDE
        };
        let spec = reading(&geo, ENCODINGS[4], dac(4, 1, signs), Some(adc));
        let layer = Layer::new(&mut case, geo, spec, integers(-3, 3));
        let map = [geo.c_out, geo.h_out(), geo.w_out()];
        let op = layer.crossbar(&mut case, |case, extra| {
            extra.adc = Some(layer.pairs(case, 1.0, 8.0, 0.0));
            extra.range = Some(layer.range(case, 1.0, -8.0));
            extra.correct = Some(layer.pairs(case, 1.5, 0.5, 0.0));
            extra.clipped = Some(case.output(map, Scope::PerChip));
            extra.post = Some(Post {
                scale: Some(case.state_of(geo.c_out, Scope::PerChip, integers(1, 4))),
                shift: Some(case.state_of(geo.c_out, Scope::Shared, integers(-9, 9))),
                residual: Some(case.input_of(map, Scope::Shared, integers(-5, 5))),
                act: Activation::Relu,
                quant: None,
            });
        });
        case.section(vec![op]);
        case.compare(&format!("clipping {signs:?}"), 0.0);
    }
}

/// Part of the outputs whose codes may differ: a scaled input within rounding of a threshold. The
/// bound is the probability that one of an output's conversions is: conversions times twice the
/// rounding of a sum (here 2^6 steps of 2^-24 relative to codes) times a factor for luck of 16.
fn may_differ(outputs: usize, conversions: usize) -> usize {
    let each = conversions as f64 * 2.0 * 64.0 * f64::from(EPS);
    (outputs as f64 * each * 16.0).ceil() as usize
}

/// Runs on both backends; counts outputs that differ by more than rounding, none by more than the
/// largest place value.
fn compare_codes(case: &Case, test: &str, conversions: usize, most: f32) {
    let Some(gpu) = gpu_or_skip(test) else {
        return;
    };
    let expected = case.run_on(&pimento::backend::cpu::CpuBackend::new());
    let actual = case.run_on(gpu);
    for (expected, actual) in expected.iter().zip(&actual) {
        let bound = may_differ(expected.len(), conversions);
        let mut different = 0;
        for (e, a) in expected.iter().zip(actual) {
            let distance = (e - a).abs();
            assert!(distance <= most, "{test}: cpu {e}, gpu {a}");
            // Sums of codes in f32: a few roundings of values of at most 2^13.
            different += usize::from(distance > 8192.0 * 8.0 * EPS);
        }
        assert!(different <= bound, "{test}: {different} of {bound} differ");
    }
}

/// Conductances with errors, read noise of both kinds, thermal noise, non-linearity of converters
/// and drivers.
#[test]
fn noisy_codes_match_cpu() {
    // Noise: of the sum, of every cell, none.
    let noises = [(true, false), (true, true), (true, false), (false, false)];
    for (i, (geo, (noisy, per_cell))) in geometries().into_iter().zip(noises).enumerate() {
        let mut case = Case::sized(2, 21);
        let adc = Adc {
            lo: -31,
            hi: 31,
            noise: 0.5,
            inl: (i % 2 == 0).then(|| values(63, 3).into()),
        };
        let table = (i == 1).then(|| [0.125, 1.25].into());
        let signs = SIGNS[i % 2];
        let spec = Reading {
            noise_per_cell: per_cell,
            ..reading(
                &geo,
                ENCODINGS[i],
                Dac {
                    table,
                    ..dac(5, 1, signs)
                },
                Some(adc),
            )
        };
        let layer = Layer::new(&mut case, geo, spec, |n, seed| {
            values(n, seed).iter().map(|v| 3.0 * v).collect()
        });
        let conversions = layer.spec.arrays.read_planes() * layer.spec.arrays.row_tiles() * 5;
        let op = layer.crossbar(&mut case, |case, extra| {
            extra.variance = noisy.then(|| layer.variances(case));
            extra.adc = Some(layer.pairs(case, 1.0, 0.0, 0.1));
            extra.range = Some(layer.range(case, 1.0, 0.0));
        });
        case.section(vec![op]);
        case.runs[0].1.first_chip = 4;
        case.runs[0].1.first_image = 1600;
        // A code at the highest step (16) of the highest slice (4), and once more for luck.
        let most = 2.0 * W_STEP * X_STEP * 16.0 * 4.0;
        let name = format!("noisy crossbar {geo:?} {noisy} {per_cell}");
        compare_codes(&case, &name, conversions, most);
    }
}

/// Without converters a crossbar is linear in its sums.
#[test]
fn unconverted_sums_match_cpu() {
    let geo = geometries()[1];
    for analog_sum in [false, true] {
        let mut case = Case::new();
        let dac = Dac {
            analog_sum,
            ..dac(8, 1, InputSigns::Unsigned)
        };
        let layer = Layer::new(
            &mut case,
            geo,
            reading(&geo, ENCODINGS[4], dac, None),
            |n, seed| values(n, seed).iter().map(|v| 3.0 * v).collect(),
        );
        let op = layer.crossbar(&mut case, |case, extra| {
            extra.correct = Some(layer.pairs(case, 1.0, 0.0, 0.1));
        });
        case.section(vec![op]);
        // Sums of a dozen rows at codes of at most 255, slices of at most 4, steps of 1/8: each
        // rounded a dozen times.
        let tolerance = 12.0 * 255.0 * 3.0 * 5.0 / 8.0 * 12.0 * EPS;
        case.compare("unconverted", tolerance);
    }
}

/// Small integer conductances are read by counting bits: the same codes, bit for bit, with
/// converters that clip, shift and are disturbed.
#[test]
fn counted_bits_give_the_same_codes() {
    // Geometry, encoding, bits of a step, signs, one conversion for all steps.
    let cases = [
        (0, ENCODINGS[0], 1, InputSigns::Unsigned, false),
        (1, ENCODINGS[4], 3, InputSigns::SignMagnitude, false),
        (2, ENCODINGS[2], 1, InputSigns::TwosComplement, true),
        (3, ENCODINGS[5], 1, InputSigns::TwosComplement, false),
    ];
    for (i, encoding, bits, signs, analog_sum) in cases {
        let geo = match i {
            // Rows of two words and a half, in two row tiles.
            3 => ConvGeometry::linear(81, 10),
            i => geometries()[i],
        };
        let adc = Adc {
            lo: -11,
            hi: 12,
            noise: 0.25,
            inl: None,
        };
        let drive = Dac {
            analog_sum,
            ..dac(5, bits, signs)
        };
        let mut case = Case::new();
        let spec = Reading {
            integer: i == 0,
            ..reading(&geo, encoding, drive, Some(adc))
        };
        let unsigned = matches!(encoding, Encoding::Offset { reference: 0 })
            || matches!(encoding, Encoding::Differential { digital: true, .. });
        let lowest = if unsigned { 0 } else { -3 };
        let mut layer = Layer::new(&mut case, geo, spec, integers(lowest, 3));
        let map = [geo.c_out, geo.h_out(), geo.w_out()];
        let mut ops = Vec::new();
        let adc = layer.pairs(&mut case, 0.5, 0.25, 0.0);
        let range = layer.range(&mut case, 2.0, -0.5 * f32::from(i != 0));
        for exact in [true, false] {
            layer.spec.exact = exact;
            ops.push(layer.crossbar(&mut case, |case, extra| {
                extra.adc = Some(adc);
                extra.range = Some(range);
                extra.clipped = Some(case.output(map, Scope::PerChip));
            }));
        }
        case.section(ops);
        let Some(gpu) = gpu_or_skip("counted bits") else {
            return;
        };
        let results = case.run_on(gpu);
        let [clips, counted, other_clips, analog] = &results[..] else {
            panic!("two maps of two crossbars");
        };
        assert!(counted.iter().any(|v| *v != counted[0]));
        assert_eq!(counted, analog, "case {i}");
        assert_eq!(clips, other_clips, "case {i}");
    }
}

/// Two planes are counted at once where the sums of both fit 16 bits: the largest that do, of either
/// sign, and the smallest that do not.
#[test]
fn largest_counts_match_cpu_exactly() {
    let slice_bits = [1, 4, 2];
    // A slice of four bits that may be negative has 31 levels above its lowest: 31 x 1057 = 2^15 - 1.
    for rows in [1057, 1058] {
        for signs in [InputSigns::Unsigned, InputSigns::SignMagnitude] {
            let geo = ConvGeometry::linear(rows, 8);
            let mut spec = Reading {
                exact: true,
                ..reading(&geo, ENCODINGS[0], dac(5, 1, signs), None)
            };
            spec.arrays.slice_bits = slice_bits.into();
            spec.arrays.weight_bits = 7;
            spec.arrays.tile_rows = [0, rows as u32].into();
            let mut case = Case::new();
            // Every column has another combination of signs.
            let extremes = |n, _| {
                let level = |i: usize| {
                    let (plane, column) = (i / (8 * rows) % 3, i / rows % 8);
                    let top = (1 << slice_bits[plane]) - 1;
                    if column >> plane & 1 == 1 { -top } else { top }
                };
                (0..n).map(|i| level(i) as f32).collect()
            };
            let mut layer = Layer::new(&mut case, geo, spec, extremes);
            let code = match signs {
                InputSigns::SignMagnitude => -31.0,
                _ => 31.0,
            };
            layer.x = case.input_of([rows, 1, 1], Scope::Shared, move |n, _| {
                vec![code * X_STEP; n]
            });
            let op = layer.crossbar(&mut case, |_, _| {});
            case.section(vec![op]);
            case.compare(&format!("{rows} rows, {signs:?}"), 0.0);
        }
    }
}
