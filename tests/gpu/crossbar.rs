use pimento::program::*;

use super::arrays::*;
use super::harness::*;

const SIGNS: [Option<InputSigns>; 3] = [
    None,
    Some(InputSigns::SignMagnitude),
    Some(InputSigns::TwosComplement),
];

/// Integer conductances, converters that lose nothing, steps that are powers of two: every number
/// is exact, and both backends must agree on every bit.
#[test]
fn integers_match_cpu_exactly() {
    for (i, geo) in geometries().into_iter().enumerate() {
        for j in [i % 3, (i + 1) % 3] {
            let encoding = ENCODINGS[2 * j];
            let signs = SIGNS[(i + j) % 3];
            let bits = if signs == Some(InputSigns::TwosComplement) {
                1
            } else {
                [1, 3, 2][(i + 2 * j) % 3]
            };
            let analog_sum = i == 3 && j == 1;
            let mut case = wave(1);
            let spec = Reading {
                integer: j != 2 && i % 2 == 0,
                ..reading(
                    &geo,
                    encoding,
                    Dac {
                        analog_sum,
                        ..dac(5, bits, signs)
                    },
                    Some(lossless()),
                )
            };
            let layer = Layer::new(&mut case, geo, spec, integers(-3, 3));
            let op = layer.crossbar(&mut case, |case, extra| {
                extra.adc = Some(layer.pairs(case, 1.0, 0.0, 0.0));
                extra.range = Some(layer.range(case, 1.0, 0.0));
            });
            case.section(vec![op]);
            case.matches_cpu(&format!("crossbar {geo:?} {encoding:?} {signs:?}"), 0.0);
        }
    }
}

/// Converters that clip, with a lowest input, corrections and an epilogue: exact numbers again.
#[test]
fn clipping_corrections_and_epilogue_match_cpu_exactly() {
    let geo = geometries()[0];
    for signs in SIGNS {
        let mut case = wave(1);
        let mut spec = reading(&geo, ENCODINGS[4], dac(4, 1, signs), None);
        spec.adc = Some(differing(Adc::with_codes(0, 15), &spec.arrays));
        let layer = Layer::new(&mut case, geo, spec, integers(-3, 3));
        let map = [geo.c_out, geo.h_out(), geo.w_out()];
        let op = layer.crossbar(&mut case, |case, extra| {
            extra.adc = Some(layer.pairs(case, 1.0, 8.0, 0.0));
            extra.range = Some(layer.range(case, 1.0, -8.0));
            extra.correct = Some(layer.pairs(case, 1.5, 0.5, 0.0));
            extra.clipped = Some(case.output(map, Scope::PerChip));
            extra.post = Some(Post {
                scale: Some(case.made(geo.c_out, Scope::PerChip, integers(1, 4))),
                shift: Some(case.made(geo.c_out, Scope::Shared, integers(-9, 9))),
                residual: Some(case.made(map, Scope::Shared, integers(-5, 5))),
                act: Activation::Relu,
                quant: None,
            });
        });
        case.section(vec![op]);
        case.matches_cpu(&format!("clipping {signs:?}"), 0.0);
    }
}

/// Part of the outputs whose codes may differ: a scaled input within rounding of a threshold. The
/// bound is the probability that one of an output's conversions is: conversions times twice the
/// rounding of a sum (here 2^6 steps of 2^-24 relative to codes) times a factor for luck of 16.
fn may_differ(outputs: usize, conversions: usize) -> usize {
    let each = conversions as f64 * 2.0 * 64.0 * ULP;
    (outputs as f64 * each * 16.0).ceil() as usize
}

/// Runs on both backends; counts outputs that differ by more than rounding, none by more than the
/// largest place value.
fn compare_codes(case: &Case, test: &str, conversions: usize, most: f32) {
    let Some(gpu) = gpu_or_skip(test) else {
        return;
    };
    let expected = case.results(&pimento::backend::cpu::CpuBackend::new());
    let adapters = case.with_matrices(test, gpu);
    let actual: Vec<_> = adapters.iter().flat_map(|gpu| case.results(*gpu)).collect();
    for (expected, actual) in expected.iter().cycle().zip(&actual) {
        let bound = may_differ(expected.len(), conversions);
        let mut different = 0;
        for (e, a) in expected.iter().zip(actual) {
            let distance = (e - a).abs();
            assert!(distance <= most, "{test}: cpu {e}, gpu {a}");
            // Sums of codes in f32: a few roundings of values of at most 2^13.
            different += usize::from(f64::from(distance) > 8192.0 * 8.0 * ULP);
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
        let mut case = Case::new(1, 2, 21);
        let mut adc = Adc::with_codes(-31, 31).noisy(0.5);
        if i % 2 == 0 {
            adc = adc.bent(values(63, 3));
        }
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
        let mut case = wave(1);
        let dac = Dac {
            analog_sum,
            ..dac(8, 1, None)
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
        let tolerance = 12.0 * 255.0 * 3.0 * 5.0 / 8.0 * 12.0 * ULP;
        case.matches_cpu("unconverted", tolerance);
    }
}

/// Steps that are added up before a conversion have noise each, drawn for the sum or cell by cell.
#[test]
fn noise_of_summed_steps_matches_cpu() {
    let geo = geometries()[1];
    for (per_cell, signs) in [false, true]
        .into_iter()
        .flat_map(|p| SIGNS.map(|s| (p, s)))
    {
        let mut case = Case::new(1, 2, 21);
        let dac = Dac {
            analog_sum: true,
            ..dac(5, 1, signs)
        };
        let spec = Reading {
            noise_per_cell: per_cell,
            ..reading(&geo, ENCODINGS[4], dac, None)
        };
        let layer = Layer::new(&mut case, geo, spec, |n, seed| {
            values(n, seed).iter().map(|v| 3.0 * v).collect()
        });
        let op = layer.crossbar(&mut case, |case, extra| {
            extra.variance = Some(layer.variances(case));
        });
        case.section(vec![op]);
        // Sums of a dozen rows at codes of at most 31 with noise of six deviates as large as a
        // conductance, slices of at most 4, steps of 1/8: each rounded a dozen times; normals of both
        // backends differ by 1e-6.
        let tolerance = 12.0 * 31.0 * 9.0 * 5.0 / 8.0 * 24.0 * ULP;
        case.matches_cpu(&format!("noisy sums {per_cell} {signs:?}"), tolerance);
    }
}

/// Small integer conductances are read by counting bits: the same codes, bit for bit, with
/// converters that clip, shift and are disturbed.
#[test]
fn counted_bits_give_the_same_codes() {
    // Geometry, encoding, bits of a step, signs, one conversion for all steps.
    let cases = [
        (0, ENCODINGS[0], 1, None, false),
        (1, ENCODINGS[4], 3, Some(InputSigns::SignMagnitude), false),
        (2, ENCODINGS[2], 1, Some(InputSigns::TwosComplement), true),
        (3, ENCODINGS[5], 1, Some(InputSigns::TwosComplement), false),
    ];
    for (i, encoding, bits, signs, analog_sum) in cases {
        let geo = match i {
            // Rows of two words and a half, in two row tiles.
            3 => ConvGeometry::linear(81, 10),
            i => geometries()[i],
        };
        let adc = Adc::with_codes(-11, 12).noisy(0.25);
        let drive = Dac {
            analog_sum,
            ..dac(5, bits, signs)
        };
        let mut case = wave(1);
        let mut spec = Reading {
            integer: i == 0,
            ..reading(&geo, encoding, drive, Some(adc.clone()))
        };
        if i % 2 == 1 {
            spec.adc = Some(differing(adc, &spec.arrays));
        }
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
        for (kind, gpu) in both_kinds("counted bits").into_iter().enumerate() {
            let results = case.results(gpu);
            let [clips, counted, other_clips, analog] = &results[..] else {
                panic!("two maps of two crossbars");
            };
            assert!(counted.iter().any(|v| *v != counted[0]));
            assert_eq!(counted, analog, "case {i}, kind {kind}");
            assert_eq!(clips, other_clips, "case {i}, kind {kind}");
        }
    }
}

/// Two planes are counted at once where the sums of both fit 16 bits: the largest that do, of either
/// sign, and the smallest that do not.
#[test]
fn largest_counts_match_cpu_exactly() {
    let slice_bits = [1, 4, 2];
    // A slice of four bits that may be negative has 31 levels above its lowest: 31 x 1057 = 2^15 - 1.
    for rows in [1057, 1058] {
        for signs in [None, Some(InputSigns::SignMagnitude)] {
            let geo = ConvGeometry::linear(rows, 8);
            let mut spec = Reading {
                exact: true,
                ..reading(&geo, ENCODINGS[0], dac(5, 1, signs), None)
            };
            spec.arrays.slice_bits = slice_bits.into();
            spec.arrays.weight_bits = 7;
            spec.arrays.tile_rows = [0, rows as u32].into();
            let mut case = wave(1);
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
                Some(InputSigns::SignMagnitude) => -31.0,
                _ => 31.0,
            };
            layer.x = case.made([rows, 1, 1], Scope::Shared, move |n, _| {
                vec![code * X_STEP; n]
            });
            let op = layer.crossbar(&mut case, |_, _| {});
            case.section(vec![op]);
            case.matches_cpu_both(&format!("{rows} rows, {signs:?}"), 0.0);
        }
    }
}

/// Geometry, encoding, slices, rows of an array, inputs, scopes of the map and the conductances.
type Pieces<'a> = (
    ConvGeometry,
    Encoding,
    [u8; 2],
    usize,
    &'a Dac,
    Scope,
    Scope,
);

/// One of these layers, exactly.
fn in_pieces(i: usize, (geo, encoding, slice_bits, most, dac, x, g): Pieces) {
    let mut case = wave(1);
    let adc = Adc::with_codes(-63, 63);
    let mut spec = Reading {
        exact: true,
        integer: i.is_multiple_of(2),
        ..reading(&geo, encoding, dac.clone(), Some(adc))
    };
    let rows = geo.rows();
    spec.arrays.slice_bits = slice_bits.into();
    if i > 1 {
        spec.adc = spec.adc.map(|adc| differing(adc, &spec.arrays));
    }
    spec.arrays.tile_rows = (0..rows)
        .step_by(most)
        .chain([rows])
        .map(|row| row as u32)
        .collect();
    let mut layer = Layer::new(&mut case, geo, spec, integers(0, 1));
    layer.x = case.made([geo.c_in, geo.h_in, geo.w_in], x, codes(dac));
    // Every digit of a slice, negative ones where pairs are subtracted.
    let arrays = layer.spec.arrays.clone();
    let (planes, n) = (arrays.read_planes(), arrays.plane_len());
    let digit = |(i, v): (usize, f32)| {
        let top = arrays.top_digit(arrays.slice_of(i / n % planes)) as f32;
        let low = if encoding == ENCODINGS[0] { -top } else { 0.0 };
        (0.5 * (v + 1.0) * (top - low + 1.0)).floor() + low
    };
    let digits = |len, seed| {
        values(len, seed)
            .into_iter()
            .enumerate()
            .map(digit)
            .collect()
    };
    layer.g = case.made(planes * n, g, digits);
    let op = layer.crossbar(&mut case, |case, extra| {
        extra.adc = Some(layer.pairs(case, 1.0, 0.0, 0.0));
        extra.range = Some(layer.range(case, 1.0, 0.0));
    });
    let section = case.section(vec![op]);
    // The last run is what is read.
    let args = RunArgs::wave(7, 0, 2, 16..case.images);
    case.runs.push((section, args));
    case.matches_cpu_both(&format!("pieces, case {i}"), 0.0);
}

/// Inputs and columns that do not fit one window: pieces of pixels and of columns, of maps and
/// conductances that chips share or do not, in runs of fewer chips and images than there is room for.
#[test]
fn pieces_match_cpu_exactly() {
    let conv = |c_in, c_out, side, groups| ConvGeometry {
        c_in,
        h_in: side,
        w_in: side,
        c_out,
        kh: 3,
        kw: 3,
        stride: [1; 2],
        dilation: [1; 2],
        pad: [1; 4],
        groups,
    };
    let (shared, own) = (Scope::Shared, Scope::PerChip);
    let unsigned = dac(8, 1, None);
    let signed = dac(6, 2, Some(InputSigns::SignMagnitude));
    let sum = Dac {
        analog_sum: true,
        ..dac(5, 1, Some(InputSigns::TwosComplement))
    };
    // Three groups of 108 rows.
    let grouped = conv(36, 9, 12, 3);
    let wide = ConvGeometry::linear(520, 70);
    let cases = [
        (
            grouped,
            ENCODINGS[4],
            [2, 2],
            128,
            &unsigned,
            shared,
            shared,
        ),
        (grouped, ENCODINGS[0], [3, 1], 128, &signed, own, shared),
        (wide, ENCODINGS[4], [2, 2], 104, &sum, shared, own),
        (wide, ENCODINGS[0], [2, 2], 104, &unsigned, own, own),
        (wide, ENCODINGS[2], [3, 1], 128, &signed, own, own),
        // Too many words a row tile, and a pixel whose bits exceed a window.
        (wide, ENCODINGS[2], [2, 2], 260, &unsigned, own, shared),
        (
            ConvGeometry::linear(9000, 3),
            ENCODINGS[4],
            [2, 2],
            128,
            &unsigned,
            shared,
            shared,
        ),
    ];
    for (i, case) in cases.into_iter().enumerate() {
        in_pieces(i, case);
    }
}
