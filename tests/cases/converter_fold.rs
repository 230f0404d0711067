//! Constants of converters.

use pimento::program::*;
use pimento::random::{Purpose, Stream};

use super::arrays;
use super::case::*;
use super::layers::{self, ENCODINGS};

/// Number of the converter of every column within a row tile and plane, and how many there are. Columns
/// of different arrays share nothing: the count begins anew with every array.
fn converters(a: &Arrays, sharing: usize) -> (Vec<usize>, usize) {
    let (mut of_column, mut count) = (Vec::new(), 0);
    for tile in a.tile_cols.windows(2) {
        let cols = (tile[1] - tile[0]) as usize;
        of_column.extend((0..cols).map(|o| count + o / sharing));
        count += cols.div_ceil(sharing);
    }
    (of_column, count)
}

/// Slopes and shifts of a chip's converters.
fn constants(spec: &ConverterErrors, range: &[f64], scale: Option<&[f64]>, chip: u32) -> Vec<f64> {
    let a = &spec.arrays;
    let (group, groups) = converters(a, spec.sharing);
    let stream = |purpose| Stream::new(1, purpose, 0, 3, chip);
    let mut constants = Vec::new();
    for r in 0..a.row_tiles() {
        for p in 0..a.read_planes() {
            for o in 0..a.cols {
                let place = match &spec.columns {
                    None => o,
                    Some(columns) if columns[r * a.cols + o] == NO_SOURCE => {
                        constants.extend([0.0; 2]);
                        continue;
                    }
                    Some(columns) => columns[r * a.cols + o] as usize,
                };
                let i = ((r * a.read_planes() + p) * groups + group[place]) as u32;
                let z = |purpose| f64::from(stream(purpose).normal(i));
                let at = 2 * (p * a.cols + o);
                let tile = (r * a.col_tiles() + a.col_tile(place)) * a.read_planes() + p;
                let scale = scale.map_or(1.0, |s| s[tile]);
                let gain = 1.0 + f64::from(spec.gain) * z(Purpose::AdcGain);
                constants.push(gain / (range[at] * scale));
                let offset = f64::from(spec.offset) * z(Purpose::AdcOffset);
                // (C8): the gain's error turns the line about code 0.
                constants.push(offset - gain * range[at + 1] / range[at]);
            }
        }
    }
    constants
}

pub fn equations() -> Vec<Case> {
    let cases = (0..40).map(|seed| {
        let mut rng = Rng(seed);
        let geo = arrays::geometry(&mut rng);
        let a = arrays::arrays(&mut rng, &geo);
        let mut case = Case::new(seed, rng.pick(1, 3), 1);
        let n = a.read_planes() * a.cols;
        let pairs: Vec<f32> = (0..n)
            .flat_map(|_| [1.5 + rng.signed(), 5.0 * rng.signed()])
            .collect();
        let range = case.shared(&pairs);
        let tiles = a.row_tiles() * a.col_tiles() * a.read_planes();
        let scale = rng
            .coin()
            .then(|| case.drawn(tiles, Scope::PerChip, |rng| 1.0 + 0.2 * rng.signed()));
        let out = case.result(2 * a.converters(), Scope::PerChip);
        // Columns in another order in every row tile, some of them nowhere.
        let mut columns = Vec::new();
        for _ in 0..a.row_tiles() {
            let mut order: Vec<u32> = (0..a.cols as u32).collect();
            (1..a.cols).for_each(|i| order.swap(i, rng.pick(0, i)));
            columns.extend(order.into_iter().map(|o| match rng.pick(0, 4) {
                0 => NO_SOURCE,
                _ => o,
            }));
        }
        let columns = columns.into();
        let spec = ConverterErrors {
            arrays: a,
            sharing: rng.pick(1, 4),
            gain: [0.0, 0.1][rng.pick(0, 1)],
            offset: [0.0, 0.7][rng.pick(0, 1)],
            layer: 3,
            columns: rng.coin().then_some(columns),
        };
        case.section(vec![Op::from(ConverterFold {
            range,
            scale,
            out,
            spec: spec.clone(),
        })]);
        let want = case.each(Scope::PerChip, |chip, _| {
            let scale = scale.map(|t| case.at(t, chip, 0));
            constants(&spec, &case.at(range, 0, 0), scale.as_deref(), chip as u32)
        });
        let limits: Vec<f64> = want.iter().map(|v| 1e-6 * (1.0 + v.abs())).collect();
        case.want_within(out, want, |i| limits[i]);
        // Two divisions of 2.5 ulp, a deviate of 8 ulp and a few roundings.
        case.apart = [16.0 * ULP; 2];
        case
    });
    cases.collect()
}

/// Every kind of encoding. Column tiles of four and two columns: three columns a converter do not fill
/// either.
pub fn encodings() -> Vec<Case> {
    let cases = [(ENCODINGS[0], 1), (ENCODINGS[2], 4), (ENCODINGS[4], 3)];
    let cases = cases.map(|(encoding, sharing)| {
        let a = layers::arrays(6, 8, encoding);
        let mut case = wave(1);
        case.name = format!("{encoding:?}");
        let n = a.read_planes() * a.cols;
        let range = case.made(2 * n, Scope::Shared, |n, seed| {
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
        let factor = case.made(factors, Scope::PerChip, |n, seed| {
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
                out: case.output(2 * a.converters(), Scope::PerChip),
                spec: ConverterErrors {
                    arrays: a.clone(),
                    sharing,
                    columns: None,
                    gain,
                    offset,
                    layer: 3,
                },
            }));
        }
        case.section(ops);
        case.runs[0].1.first_chip = 77;
        // Two divisions of 2.5 ulp, a deviate of 8 ulp and a few roundings of values of at most 64.
        case.apart[0] = 64.0 * 16.0 * ULP;
        case
    });
    cases.into()
}

/// A converter without a range gives code 0.
pub fn no_range() -> Vec<Case> {
    let mut a = arrays::arrays(&mut Rng(1), &ConvGeometry::linear(2, 1));
    a.slice_bits = vec![8].into();
    let mut case = Case::new(1, 1, 1);
    let range = case.shared(&vec![0.0; 2 * a.read_planes()]);
    let n = 2 * a.converters();
    let out = case.result(n, Scope::PerChip);
    let spec = ConverterErrors {
        arrays: a,
        sharing: 1,
        columns: None,
        gain: 0.1,
        offset: 0.1,
        layer: 3,
    };
    case.section(vec![Op::from(ConverterFold {
        range,
        scale: None,
        out,
        spec,
    })]);
    case.want(out, vec![0.0; n], 0.0);
    vec![case]
}
