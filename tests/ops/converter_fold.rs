//! Constants of converters.

use pimento::program::*;
use pimento::random::{Purpose, Stream};

use crate::arrays::{arrays, geometry};
use crate::case::{Case, EPS, Rng, backends, close};

#[test]
fn constants_match_the_equations() {
    for seed in 0..40 {
        let mut rng = Rng(seed);
        let geo = geometry(&mut rng);
        let a = arrays(&mut rng, &geo);
        let mut case = Case::new(seed, rng.pick(1, 3), 1);
        let n = a.read_planes() * a.cols;
        let pairs: Vec<f32> = (0..n)
            .flat_map(|_| [1.5 + rng.signed(), 5.0 * rng.signed()])
            .collect();
        let range = case.given(Shape::Flat(2 * n), Scope::Shared, pairs);
        let tiles = a.row_tiles() * a.col_tiles() * a.read_planes();
        let scale = rng.coin().then(|| {
            let values = (0..tiles * case.chips).map(|_| 1.0 + 0.2 * rng.signed());
            let values = values.collect();
            case.given(Shape::Flat(tiles), Scope::PerChip, values)
        });
        let out = case.result(Shape::Flat(2 * a.converters()), Scope::PerChip);
        let spec = ConverterErrors {
            arrays: a.clone(),
            sharing: rng.pick(1, 4),
            gain: [0.0, 0.1][rng.pick(0, 1)],
            offset: [0.0, 0.7][rng.pick(0, 1)],
            layer: 3,
        };
        // Columns of different arrays share nothing: the count begins anew with every array.
        let (mut group, mut groups) = (Vec::new(), 0);
        for tile in a.tile_cols.windows(2) {
            let cols = (tile[1] - tile[0]) as usize;
            group.extend((0..cols).map(|o| groups + o / spec.sharing));
            groups += cols.div_ceil(spec.sharing);
        }
        let mut want = Vec::new();
        for chip in 0..case.chips {
            let range = case.at(range, 0, 0);
            let scale = scale.map(|t| case.at(t, chip, 0));
            let stream = |purpose| Stream::new(1, purpose, 0, 3, chip as u32);
            for r in 0..a.row_tiles() {
                for p in 0..a.read_planes() {
                    for (o, group) in group.iter().enumerate() {
                        let i = ((r * a.read_planes() + p) * groups + group) as u32;
                        let z = |purpose| f64::from(stream(purpose).normal(i));
                        let at = 2 * (p * a.cols + o);
                        let tile = (r * a.col_tiles() + a.col_tile(o)) * a.read_planes() + p;
                        let scale = scale.as_ref().map_or(1.0, |s| s[tile]);
                        let gain = 1.0 + f64::from(spec.gain) * z(Purpose::AdcGain);
                        want.push(gain / (range[at] * scale));
                        let offset = f64::from(spec.offset) * z(Purpose::AdcOffset);
                        // (C8): the gain's error turns the line about code 0.
                        want.push(offset - gain * range[at + 1] / range[at]);
                    }
                }
            }
        }
        let op = Op::from(ConverterFold {
            range,
            scale,
            out,
            spec,
        });
        for (isa, backend) in backends() {
            let [got] = case.run(&backend, vec![op.clone()], [out]);
            close(isa, &got, &want, |i| 1e-6 * (1.0 + want[i].abs()));
        }
    }
}

/// Errors of the converters of arrays of one row.
fn errors(tile_cols: &[u32], sharing: usize) -> ConverterErrors {
    let cols = *tile_cols.last().unwrap() as usize;
    ConverterErrors {
        arrays: Arrays {
            tile_cols: tile_cols.into(),
            encoding: Encoding::Differential {
                two_sided: false,
                digital: false,
            },
            slice_bits: [3].into(),
            weight_bits: 4,
            ..arrays(&mut Rng(1), &ConvGeometry::linear(1, cols))
        },
        sharing,
        gain: 0.05,
        offset: 0.0,
        layer: 3,
    }
}

/// Slopes and shifts of converters with one range.
fn constants(spec: ConverterErrors, [lsb, lo]: [f32; 2]) -> Vec<[f64; 2]> {
    let mut case = Case::new(1, 1, 1);
    let n = 2 * spec.arrays.read_planes() * spec.arrays.cols;
    let range = case.given(Shape::Flat(n), Scope::Shared, [lsb, lo].repeat(n / 2));
    let out = case.result(Shape::Flat(2 * spec.arrays.converters()), Scope::PerChip);
    let op = Op::from(ConverterFold {
        range,
        scale: None,
        out,
        spec,
    });
    let (_, backend) = backends().swap_remove(0);
    let [got] = case.run(&backend, vec![op], [out]);
    got.chunks_exact(2)
        .map(|c| [f64::from(c[0]), f64::from(c[1])])
        .collect()
}

/// Where a converter's input is `lo` its code is 0, whatever its gain.
#[test]
fn a_gain_error_leaves_code_0_where_it_is() {
    let [lsb, lo] = [0.25, -128.0];
    for [a, b] in constants(errors(&[0, 40], 1), [lsb, lo]) {
        let gain = a * f64::from(lsb);
        assert!((gain - 1.0).abs() > 1e-6, "there is an error");
        // Roundings of 512 codes.
        assert!((a * f64::from(lo) + b).abs() < 512.0 * 4.0 * EPS);
    }
}

/// Runs of columns with the same converter.
fn runs(spec: ConverterErrors) -> Vec<usize> {
    let slopes = constants(spec, [1.0, 0.0]);
    let same = slopes.chunk_by(|a, b| a[0] == b[0]);
    same.map(<[_]>::len).collect()
}

#[test]
fn a_shared_converter_belongs_to_one_array() {
    assert_eq!(runs(errors(&[0, 10, 20], 7)), [7, 3, 7, 3]);
    assert_eq!(runs(errors(&[0, 3, 4, 9], 4)), [3, 1, 4, 1]);
    assert_eq!(runs(errors(&[0, 20], 7)), [7, 7, 6]);
    // Where arrays end with a group, and in a single array, chips are what they always were.
    let slopes = |spec: ConverterErrors| -> Vec<f64> {
        let constants = constants(spec, [1.0, 0.0]);
        constants.iter().map(|c| c[0]).collect()
    };
    let whole = slopes(errors(&[0, 24], 4));
    assert_eq!(slopes(errors(&[0, 8, 20, 24], 4)), whole);
    let stream = Stream::new(1, Purpose::AdcGain, 0, 3, 0);
    for (o, slope) in whole.iter().enumerate() {
        let gain = 1.0 + 0.05 * f64::from(stream.normal(o as u32 / 4));
        assert!((slope - gain).abs() < 4.0 * EPS, "{o}: {slope}, {gain}");
    }
}

/// A converter without a range gives code 0.
#[test]
fn no_range() {
    let geo = pimento::program::ConvGeometry::linear(2, 1);
    let mut a = arrays(&mut Rng(1), &geo);
    a.slice_bits = vec![8].into();
    let mut case = Case::new(1, 1, 1);
    let n = 2 * a.read_planes();
    let range = case.given(Shape::Flat(n), Scope::Shared, vec![0.0; n]);
    let out = case.result(Shape::Flat(2 * a.converters()), Scope::PerChip);
    let spec = ConverterErrors {
        arrays: a,
        sharing: 1,
        gain: 0.1,
        offset: 0.1,
        layer: 3,
    };
    let op = Op::from(ConverterFold {
        range,
        scale: None,
        out,
        spec,
    });
    for (_, backend) in backends() {
        let [got] = case.run(&backend, vec![op.clone()], [out]);
        assert!(got.iter().all(|&v| v == 0.0));
    }
}
