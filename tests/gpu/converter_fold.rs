use pimento::program::*;

use super::arrays::*;
use super::harness::*;

/// Two divisions of 2.5 ulp, a deviate of 8 ulp and a few roundings of values of at most 64.
const TOLERANCE: f32 = 64.0 * 16.0 * EPS;

#[test]
fn converters_match_cpu() {
    // Column tiles of four and two columns: three columns a converter do not fill either.
    for (encoding, sharing) in [(ENCODINGS[0], 1), (ENCODINGS[2], 4), (ENCODINGS[4], 3)] {
        let a = arrays(6, 8, encoding);
        let mut case = Case::new();
        let n = a.read_planes() * a.cols;
        let range = case.state_of(2 * n, Scope::Shared, |n, seed| {
            let v = values(n, seed);
            let pair = |i: usize| match i % 2 {
                // One converter without a range.
                0 if i == 4 => 0.0,
                0 => 0.5 + 0.25 * v[i],
                _ => 4.0 * v[i],
            };
            (0..n).map(pair).collect()
        });
        let factors = a.row_tiles() * a.col_tiles() * a.read_planes();
        let factor = case.state_of(factors, Scope::PerChip, |n, seed| {
            values(n, seed).iter().map(|v| 1.0 + 0.3 * v).collect()
        });
        let mut ops = Vec::new();
        for (gain, offset, scale) in [
            (0.0, 0.0, None),
            (0.05, 0.5, None),
            (0.1, 1.0, Some(factor)),
        ] {
            ops.push(Op::from(ConverterFold {
                range,
                scale,
                out: case.result(2 * a.converters(), Scope::PerChip),
                spec: ConverterErrors {
                    arrays: a.clone(),
                    sharing,
                    gain,
                    offset,
                    layer: 3,
                },
            }));
        }
        case.section(ops);
        case.runs[0].1.first_chip = 77;
        case.compare(&format!("converter_fold {encoding:?}"), TOLERANCE);
    }
}
