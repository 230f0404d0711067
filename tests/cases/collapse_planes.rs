//! Effective weights of arrays without converters.

use pimento::program::*;

use super::arrays::{self, SUM_TOLERANCE};
use super::case::*;
use super::layers::{self, ENCODINGS, Layer};

pub fn planes() -> Vec<Case> {
    let cases = (0..30).map(|seed| {
        let mut rng = Rng(seed);
        let geo = arrays::geometry(&mut rng);
        let mut a = arrays::arrays(&mut rng, &geo);
        a.g_min = 0.05;
        let spec = Reading {
            arrays: a.clone(),
            dac: arrays::dac(&mut rng, false),
            adc: None,
            noise_per_cell: false,
            integer: false,
            exact: false,
            layer: 2,
        };
        let mut case = Case::new(seed, 2, 1);
        let g = case.random(a.read_planes() * a.plane_len(), rng.scope());
        let w_step = case.random(a.cols, Scope::Shared);
        let correct = rng
            .coin()
            .then(|| case.random(2 * a.converters(), Scope::PerChip));
        let out = case.result(a.plane_len(), Scope::PerChip);
        case.section(vec![Op::from(CollapsePlanes {
            g,
            w_step,
            correct,
            out,
            spec,
        })]);
        let mut limit = Vec::new();
        let want = case.each(Scope::PerChip, |chip, _| {
            let (g, step) = (case.at(g, chip, 0), case.at(w_step, 0, 0));
            let correct = correct.map(|t| case.at(t, chip, 0));
            let weight = |i: usize| {
                let (o, k) = (i / a.rows, i % a.rows);
                let (mut sum, mut size) = (0.0, f64::from(a.digital_base()));
                for p in 0..a.read_planes() {
                    let i = (a.row_tile(k) * a.read_planes() + p) * a.cols + o;
                    let pair = correct.as_ref().map(|c| (c[2 * i], c[2 * i + 1]));
                    let (gain, offset) = pair.unwrap_or((1.0, 0.0));
                    let v = gain * g[(p * a.cols + o) * a.rows + k] - offset;
                    sum += f64::from(a.place(p)) * v;
                    size += 2.0 * f64::from(a.place(p).abs());
                }
                limit.push(SUM_TOLERANCE * size);
                step[o] * (sum - f64::from(a.digital_base()))
            };
            (0..a.plane_len()).map(weight).collect()
        });
        // The backends round the same sums.
        case.apart[0] = 2.0 * limit.iter().copied().fold(0.0, f64::max);
        case.want_within(out, want, |i| limit[i]);
        case
    });
    cases.collect()
}

/// Every encoding; what is subtracted digitally depends on the table of levels.
pub fn encodings() -> Vec<Case> {
    let geo = ConvGeometry::linear(9, 6);
    let table: [f32; 4] = [0.25, 0.375, 0.75, 1.0];
    let digital = (Encoding::Offset { reference: 0 }, Some(table.into()));
    let encodings = ENCODINGS.map(|encoding| (encoding, None));
    let cases = encodings.into_iter().chain([digital]);
    let cases = cases.map(|(encoding, levels)| {
        let mut case = wave(1);
        case.name = format!("{encoding:?}");
        let mut spec = layers::reading(&geo, encoding, layers::dac(8, 1, None), None);
        spec.arrays.levels = levels;
        let n = spec.arrays.plane_len();
        let layer = Layer::new(&mut case, geo, spec, |n, seed| {
            values(n, seed).iter().map(|v| 4.0 * v).collect()
        });
        let steps = case.exact(geo.c_out, Scope::Shared);
        let pairs = layer.pairs(&mut case, 1.0, 0.0, 0.25);
        let mut ops = Vec::new();
        for (w_step, correct) in [(layer.w_step, None), (steps, Some(pairs))] {
            ops.push(Op::from(CollapsePlanes {
                g: layer.g,
                w_step,
                correct,
                out: case.output(n, Scope::PerChip),
                spec: layer.spec.clone(),
            }));
        }
        case.section(ops);
        // Roundings of sums of four planes of at most 4 times their place of at most 4.
        case.apart[0] = 64.0 * 8.0 * ULP;
        case
    });
    cases.collect()
}
