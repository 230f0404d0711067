//! Constants of converters.

use pimento::backend::program::*;
use pimento::random::{Purpose, Stream};

use crate::arrays::{arrays, geometry};
use crate::case::{Case, Rng, backends, close};

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
        let mut want = Vec::new();
        for chip in 0..case.chips {
            let range = case.at(range, 0, 0);
            let scale = scale.map(|t| case.at(t, chip, 0));
            let stream = |purpose| Stream::new(1, purpose, 0, 3, chip as u32);
            for r in 0..a.row_tiles() {
                for p in 0..a.read_planes() {
                    for o in 0..a.cols {
                        let shared = a.cols.div_ceil(spec.sharing);
                        let i = ((r * a.read_planes() + p) * shared + o / spec.sharing) as u32;
                        let z = |purpose| f64::from(stream(purpose).normal(i));
                        let at = 2 * (p * a.cols + o);
                        let tile = (r * a.col_tiles() + a.col_tile(o)) * a.read_planes() + p;
                        let scale = scale.as_ref().map_or(1.0, |s| s[tile]);
                        let gain = 1.0 + f64::from(spec.gain) * z(Purpose::AdcGain);
                        want.push(gain / (range[at] * scale));
                        let offset = f64::from(spec.offset) * z(Purpose::AdcOffset);
                        want.push(offset - range[at + 1] / range[at]);
                    }
                }
            }
        }
        let op = Op::ConverterFold {
            range,
            scale,
            out,
            spec,
        };
        for (isa, backend) in backends() {
            let [got] = case.run(&backend, vec![op.clone()], [out]);
            close(isa, &got, &want, |i| 1e-6 * (1.0 + want[i].abs()));
        }
    }
}

/// A converter without a range gives code 0.
#[test]
fn no_range() {
    let geo = pimento::backend::program::ConvGeometry::linear(2, 1);
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
    let op = Op::ConverterFold {
        range,
        scale: None,
        out,
        spec,
    };
    for (_, backend) in backends() {
        let [got] = case.run(&backend, vec![op.clone()], [out]);
        assert!(got.iter().all(|&v| v == 0.0));
    }
}
