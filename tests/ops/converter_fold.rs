//! Laws of the converters' constants; the equations are in `tests/cases`.

use pimento::program::*;
use pimento::random::{Purpose, Stream};

use crate::case::{Case, EPS, Rng, backends};
use crate::cases::arrays::arrays;

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
            equal_slices: 1,
            weight_bits: 4,
            ..arrays(&mut Rng(1), &ConvGeometry::linear(1, cols))
        },
        sharing,
        columns: None,
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
