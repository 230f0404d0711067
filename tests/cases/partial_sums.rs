//! Sums of every conversion, before converters.

use pimento::program::*;

use super::arrays::{self, SUM_TOLERANCE};
use super::case::*;
use super::layers;

/// A layer on arrays at random, with integer inputs.
pub struct Random {
    pub case: Case,
    pub x: TensorId,
    /// Steps of 1.
    pub one: TensorId,
    pub g: TensorId,
    pub geo: ConvGeometry,
    pub spec: Reading,
}

pub fn random(seed: u64) -> Random {
    let mut rng = Rng(seed);
    let geo = arrays::geometry(&mut rng);
    let a = arrays::arrays(&mut rng, &geo);
    let table = rng.pick(0, 3) == 0;
    let dac = arrays::dac(&mut rng, table);
    let mut case = Case::new(seed, rng.pick(1, 2), rng.pick(1, 18));
    let n = case.count(arrays::input(&geo), Scope::Shared);
    let values = arrays::inputs(&mut rng, &dac, n);
    let x = case.given(arrays::input(&geo), Scope::Shared, values);
    let one = case.shared(&[1.0]);
    let g = case.random(a.read_planes() * a.plane_len(), rng.scope());
    let spec = Reading {
        arrays: a,
        dac,
        adc: None,
        noise_per_cell: false,
        integer: false,
        exact: false,
        layer: 2,
    };
    Random {
        case,
        x,
        one,
        g,
        geo,
        spec,
    }
}

/// Wants the sums of all conversions by plain loops.
fn want(case: &mut Case, layer: [TensorId; 2], y: TensorId, geo: &ConvGeometry, spec: &Reading) {
    let [x, g] = layer;
    let a = &spec.arrays;
    let mut limit = Vec::new();
    let want = case.each(Scope::PerChip, |chip, image| {
        let (x, g) = (case.at(x, 0, image), case.at(g, chip, 0));
        let pixels = geo.h_out() * geo.w_out();
        let places = (0..a.cols).flat_map(|o| (0..pixels).map(move |pixel| (o, pixel)));
        let windows: Vec<Vec<i32>> = places
            .map(|(o, pixel)| arrays::window(geo, &x, o, pixel))
            .collect();
        let mut sums = Vec::new();
        for column in 0..a.read_planes() * a.cols {
            let cells = &g[column * a.rows..][..a.rows];
            let windows = &windows[column % a.cols * pixels..][..pixels];
            for r in 0..a.row_tiles() {
                for t in 0..spec.dac.conversions() {
                    for codes in windows {
                        let (v, size) = arrays::sum(spec, cells, codes, r, t);
                        sums.push(v);
                        limit.push(SUM_TOLERANCE * size);
                    }
                }
            }
        }
        sums
    });
    case.want_within(y, want, |i| limit[i]);
}

/// The map of all conversions.
fn map_of(geo: &ConvGeometry, spec: &Reading) -> [usize; 3] {
    let channels = spec.arrays.converters() * spec.dac.conversions();
    [channels, geo.h_out(), geo.w_out()]
}

pub fn sums() -> Vec<Case> {
    let cases = (0..40).map(|seed| {
        let Random {
            mut case,
            x,
            one,
            g,
            geo,
            spec,
        } = random(seed);
        let y = case.result(map_of(&geo, &spec), Scope::PerChip);
        case.section(vec![Op::from(PartialSums {
            x,
            x_step: one,
            g,
            variance: None,
            y,
            geo,
            spec: spec.clone(),
        })]);
        want(&mut case, [x, g], y, &geo, &spec);
        // Roundings of sums of at most all rows at the largest input.
        case.apart[0] = 2.0 * SUM_TOLERANCE * 255.0 * spec.arrays.rows as f64;
        case
    });
    cases.collect()
}

/// Noise: none, of the sum, of every cell.
pub fn noisy_sums() -> Vec<Case> {
    let signs = [
        Some(InputSigns::SignMagnitude),
        Some(InputSigns::TwosComplement),
        None,
        None,
    ];
    let noises = [(false, false), (true, false), (true, true), (true, false)];
    let layers = layers::geometries()
        .into_iter()
        .zip(signs)
        .zip([3, 1, 2, 1]);
    let cases = layers
        .zip(noises)
        .map(|(((geo, signs), bits), (noisy, per_cell))| {
            let mut case = Case::new(1, 2, 21);
            case.name = format!("{geo:?} {noisy} {per_cell}");
            let dac = layers::dac(4, bits, signs);
            let spec = Reading {
                noise_per_cell: per_cell,
                ..layers::reading(&geo, layers::DIFFERENTIAL, dac, None)
            };
            let layer = layers::Layer::new(&mut case, geo, spec, |n, seed| {
                values(n, seed).iter().map(|v| 3.0 * v).collect()
            });
            let variance = noisy.then(|| layer.variances(&mut case));
            let op = Op::from(PartialSums {
                x: layer.x,
                x_step: layer.x_step,
                g: layer.g,
                variance,
                y: case.output(map_of(&geo, &layer.spec), Scope::PerChip),
                geo: layer.geo,
                spec: layer.spec,
            });
            case.section(vec![op]);
            case.runs[0].1.first_chip = 9;
            case.runs[0].1.first_image = 320;
            // Deviates of 8 ulp and standard deviations of a few ulp, of noise of at most 64 (sums of 37
            // rows at a drive of at most 15, variances of at most 0.02), and the roundings of such sums.
            case.apart[0] = 64.0 * 64.0 * ULP;
            case
        });
    cases.collect()
}
