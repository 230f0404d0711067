//! Programming of cells, against its equations one cell at a time.

use pimento::effects::{Drift, Limits, OpenLines, Stuck, Variation};
use pimento::program::*;
use pimento::random::{OFFSET_REFERENCE, Purpose, REFERENCE, Stream, lognormal_shape, squeeze};

use crate::arrays::{arrays, geometry};
use crate::case::{Case, Rng, backends, close};

/// Cells without any error.
pub fn ideal(arrays: Arrays) -> Programming {
    Programming::ideal(arrays, 1)
}

fn curve(values: &[f32], g: f64) -> f64 {
    let place = g.clamp(0.0, 1.0) * (values.len() - 1) as f64;
    let below = (place.floor() as usize).min(values.len() - 2);
    let (a, b) = (f64::from(values[below]), f64::from(values[below + 1]));
    a + (b - a) * (place - below as f64)
}

/// One chip in `f64`.
struct Chip<'a> {
    spec: &'a Programming,
    array: Vec<f64>,
    chip: u32,
}

impl Chip<'_> {
    fn stream(&self, purpose: Purpose, flags: u32) -> Stream {
        Stream {
            seed: 1,
            purpose: purpose as u32 | flags,
            layer: self.spec.layer,
            chip: self.chip,
        }
    }

    fn slice(&self, plane: usize) -> usize {
        plane / self.spec.arrays.polarities()
    }

    /// Conductance that a code asks of a cell, and what (C1) says.
    fn target(&self, plane: usize, code: i32) -> (f64, f64) {
        let a = &self.spec.arrays;
        let s = self.slice(plane);
        let bits = i32::from(a.slice_bits[s]);
        let below: i32 = a.slice_bits[..s].iter().map(|&b| i32::from(b)).sum();
        let digit = |v: i32| f64::from(v / (1 << below) % (1 << bits));
        let top = f64::from((1 << bits) - 1);
        let v = match a.encoding {
            Encoding::Offset { .. } => digit(code + (1 << (a.weight_bits - 1))),
            Encoding::Differential { two_sided, .. } => {
                let sign = if plane.is_multiple_of(2) { 1.0 } else { -1.0 };
                let v = sign * f64::from(code.signum()) * digit(code.abs());
                if two_sided {
                    (top + v) / 2.0
                } else {
                    v.max(0.0)
                }
            }
        };
        let g_min = f64::from(a.g_min);
        let line = g_min + (1.0 - g_min) * v / top;
        let level = self.spec.arrays.levels.as_ref().map_or(line, |levels| {
            let at = |v: f64| f64::from(levels[v as usize]);
            (at(v.floor()) + at(v.ceil())) / 2.0
        });
        (level, line)
    }

    /// Conductance of a cell after everything but open lines, and the same before drift.
    fn write(
        &self,
        plane: usize,
        target: f64,
        flags: u32,
        address: u32,
        array: usize,
    ) -> (f64, f64) {
        let spec = self.spec;
        let g_min = f64::from(spec.arrays.g_min);
        let e = self.array[array];
        let stream = self.stream(Purpose::CellProgram, flags);
        let _ = plane;
        let normal = f64::from(stream.normal(address));
        let span = 1.0 - g_min;
        let v = &spec.effects.variation;
        let mut g = match (&v.curve, v.law) {
            (Some(sigma), Law::WeightProportional) => {
                target * (1.0 + e) + curve(sigma, target) * normal
            }
            (Some(sigma), Law::LayerFixed) => target + span * e + curve(sigma, target) * normal,
            (None, law) => {
                let sigma = f64::from(v.sigma);
                let sz = match v.deviate {
                    Deviate::Gaussian => sigma * normal,
                    Deviate::Truncated { at } => {
                        let mut z = [0.0];
                        stream.fill_truncated(address, squeeze(at), &mut z);
                        sigma * f64::from(z[0])
                    }
                    Deviate::Lognormal => {
                        let [t, half] = lognormal_shape(v.sigma).map(f64::from);
                        (t * normal - half).exp() - 1.0
                    }
                };
                match (law, v.deviate) {
                    (Law::WeightProportional, Deviate::Lognormal) => {
                        target * (1.0 + e) * (1.0 + sz)
                    }
                    (Law::WeightProportional, _) => target * (1.0 + e + sz),
                    (Law::LayerFixed, _) => target + span * (e + sz),
                }
            }
        };
        let mut kept = 1.0;
        let u = self.stream(Purpose::CellStuck, flags).word(address) >> 8;
        let u = f64::from(u) / f64::from(1 << 24);
        if u < f64::from(spec.effects.stuck.off) {
            g = g_min;
        } else if u >= f64::from(1.0 - spec.effects.stuck.on) {
            g = 1.0;
        } else if let Some(drift) = &spec.effects.drift.exponent {
            let z = f64::from(self.stream(Purpose::CellDrift, flags).normal(address));
            let nu = (curve(&drift.mean, g) + curve(&drift.sigma, g) * z).max(0.0);
            kept = (-nu * f64::from(spec.effects.drift.log_time)).exp();
        }
        let limited = |g: f64| {
            let low = if spec.effects.limits.clip_low {
                0.0
            } else {
                f64::NEG_INFINITY
            };
            g.max(low).min(f64::from(spec.effects.limits.clip))
        };
        (limited(g * kept), limited(g))
    }

    fn open(&self, purpose: Purpose, probability: f32, address: usize) -> bool {
        let u = self.stream(purpose, 0).word(address as u32) >> 8;
        f64::from(u) / f64::from(1 << 24) < f64::from(probability)
    }

    fn array_of(&self, plane: usize, col: usize, row: usize) -> usize {
        let a = &self.spec.arrays;
        let tile = |cuts: &[u32], i: usize| cuts.iter().filter(|&&c| c as usize <= i).count() - 1;
        let (r, c) = (tile(&a.tile_rows, row), tile(&a.tile_cols, col));
        (r * a.col_tiles() + c) * a.cell_planes() + plane
    }

    /// Conductance and variance of a cell; an open line conducts nothing, without noise.
    fn cell(&self, plane: usize, col: usize, row: usize, code: i32) -> (f64, f64) {
        let a = &self.spec.arrays;
        let array = self.array_of(plane, col, row);
        if self.open(
            Purpose::OpenRow,
            self.spec.effects.open_lines.row,
            array * a.rows + row,
        ) || self.open(
            Purpose::OpenColumn,
            self.spec.effects.open_lines.col,
            array * a.cols + col,
        ) {
            return (0.0, 0.0);
        }
        let address = (plane * a.cols + col) * a.rows + row;
        let target = self.target(plane, code).0;
        let g = self.write(plane, target, 0, address as u32, array);
        (g.0, self.variance(g))
    }

    fn variance(&self, (g, programmed): (f64, f64)) -> f64 {
        let noise = &self.spec.read_noise;
        let fixed = f64::from(noise.fixed) * (1.0 - f64::from(self.spec.arrays.g_min));
        let table = noise.curve.as_ref().map_or(0.0, |c| curve(c, g));
        let spectral = noise.one_over_f.as_ref().map_or(0.0, |c| {
            let x = programmed.clamp(1e-6, 1.0);
            g * curve(c, x) / x
        });
        (f64::from(noise.proportional) * g).powi(2)
            + fixed.powi(2)
            + table.powi(2)
            + spectral.powi(2)
    }

    /// Mean conductance of the reference cells of a row, with the variance of the mean.
    fn reference(&self, plane: usize, col: usize, row: usize, n: u32, flag: u32) -> (f64, f64) {
        let a = &self.spec.arrays;
        let array = self.array_of(plane, col, row);
        if self.open(
            Purpose::OpenRow,
            self.spec.effects.open_lines.row,
            array * a.rows + row,
        ) {
            return (0.0, 0.0);
        }
        let c = array / a.cell_planes() % a.col_tiles();
        let (mut mean, mut variance) = (0.0, 0.0);
        for j in 0..n as usize {
            let address = ((plane * a.col_tiles() + c) * n as usize + j) * a.rows + row;
            let target = self.target(plane, 0).0;
            let g = self.write(plane, target, flag, address as u32, array);
            mean += g.0 / f64::from(n);
            variance += self.variance(g) / f64::from(n * n);
        }
        (mean, variance)
    }

    /// Value and variance of a read in level units.
    fn read(&self, p: usize, col: usize, row: usize, code: i32) -> (f64, f64) {
        let a = &self.spec.arrays;
        let poles = match a.encoding {
            Encoding::Differential { digital: false, .. } => vec![(2 * p, 1.0), (2 * p + 1, -1.0)],
            _ => vec![(p, 1.0)],
        };
        let (mut g, mut variance) = (0.0, 0.0);
        let n = self.spec.reference_columns;
        for (plane, sign) in poles {
            let (cell, noise) = self.cell(plane, col, row, code);
            g += sign * cell;
            variance += noise;
            if n > 0 {
                let (mean, noise) = self.reference(plane, col, row, n, REFERENCE);
                let nominal = match a.encoding {
                    // A real reference column is in both reads, and cancels.
                    Encoding::Offset { reference: 1.. } => 0.0,
                    _ => self.target(plane, 0).0,
                };
                g -= sign * (mean - nominal);
                variance += noise;
            } else if let Encoding::Offset { reference: n @ 1.. } = a.encoding {
                let (mean, noise) = self.reference(plane, col, row, n, OFFSET_REFERENCE);
                g -= mean;
                variance += noise;
            }
        }
        let s = if poles_are_two(a) { p } else { a.slice_of(p) };
        let units = f64::from(a.top_digit(s)) / (1.0 - f64::from(a.g_min));
        (g * units, variance * units * units)
    }
}

fn poles_are_two(a: &Arrays) -> bool {
    matches!(a.encoding, Encoding::Differential { digital: false, .. })
}

/// Any combination of effects.
pub fn programming(rng: &mut Rng, mut a: Arrays) -> Programming {
    a.g_min = [0.0, 0.01, 0.2][rng.pick(0, 2)];
    // Levels are for slices of one size.
    let equal = a.slice_bits.iter().all(|&b| b == a.slice_bits[0]);
    let n = 1usize << a.slice_bits[0];
    a.levels = (equal && rng.coin()).then(|| {
        (0..n)
            .map(|v| a.g_min + (1.0 - a.g_min) * (v as f32 / (n - 1) as f32).powf(1.3))
            .collect()
    });
    let mut curve = |scale: f32| -> Curve {
        let n = rng.pick(2, 5);
        (0..n)
            .map(|_| scale * (1.5 + rng.signed()))
            .collect::<Vec<_>>()
            .into()
    };
    let (sigma_curve, mean, sigma, noise) = (curve(0.02), curve(0.02), curve(0.005), curve(0.01));
    let stuck = Stuck {
        off: 0.05,
        on: 0.03,
    };
    let open = OpenLines { row: 0.1, col: 0.1 };
    let read_noise = CellReadNoise {
        proportional: 0.03,
        fixed: 0.01,
        curve: rng.coin().then(|| noise.clone()),
        // A part relative to the conductance that falls as it grows.
        one_over_f: rng.coin().then(|| [0.0, 0.01, 0.015, 0.018].into()),
    };
    let variation = Variation {
        law: [Law::WeightProportional, Law::LayerFixed][rng.pick(0, 1)],
        deviate: [
            Deviate::Gaussian,
            Deviate::Truncated { at: 2.0 },
            Deviate::Lognormal,
        ][rng.pick(0, 2)],
        sigma: 0.1,
        curve: (rng.pick(0, 2) == 0).then_some(sigma_curve),
    };
    let broken = rng.coin();
    let drift = match rng.coin() {
        true => Drift::new(8.0, mean, sigma),
        false => Drift::default(),
    };
    let limits = Limits {
        clip: [f32::INFINITY, 1.05][rng.pick(0, 1)],
        clip_low: rng.coin(),
    };
    let mut spec = Programming::ideal(a, 7);
    let effects = &mut spec.effects;
    (effects.variation, effects.drift, effects.limits) = (variation, drift, limits);
    if broken {
        (effects.stuck, effects.open_lines) = (stuck, open);
    }
    if rng.coin() {
        spec.read_noise = read_noise;
    }
    spec.reference_columns = [0, 0, 3][rng.pick(0, 2)];
    spec
}

/// Deviates are the generator's own; what follows is a few `f32` operations on values below about 2,
/// in level units of up to 31.
const TOLERANCE: f64 = 1e-6;

#[test]
fn cells_match_the_equations() {
    for seed in 0..120 {
        let mut rng = Rng(seed);
        let geo = geometry(&mut rng);
        let a = arrays(&mut rng, &geo);
        let mut spec = programming(&mut rng, a);
        spec.raw = spec.reference_columns == 0
            && !matches!(spec.arrays.encoding, Encoding::Offset { reference: 1.. })
            && rng.pick(0, 3) == 0;
        let a = spec.arrays.clone();
        let mut case = Case::new(seed, rng.pick(1, 3), 1);
        let most = if a.weight_bits == 1 {
            1
        } else {
            (1i32 << (a.weight_bits - 1)) - 1
        };
        let codes: Vec<i32> = (0..a.plane_len())
            .map(|_| rng.pick(0, 2 * most as usize) as i32 - most)
            .collect();
        let step: Vec<f32> = match rng.coin() {
            true => vec![0.3],
            false => (0..a.cols).map(|_| 0.3 + 0.2 * rng.signed()).collect(),
        };
        let of = |col: usize| step[if step.len() > 1 { col } else { 0 }];
        let weights = codes
            .iter()
            .enumerate()
            .map(|(i, &q)| q as f32 * of(i / a.rows));
        let w = case.given(Shape::Flat(a.plane_len()), Scope::Shared, weights.collect());
        let deviations: Vec<f32> = (0..case.chips * a.cell_arrays())
            .map(|_| 0.1 * rng.signed())
            .collect();
        let array = case.given(Shape::Flat(a.cell_arrays()), Scope::PerChip, deviations);
        let step = case.given(Shape::Flat(step.len()), Scope::Shared, step);
        let planes = if spec.raw {
            a.cell_planes()
        } else {
            a.read_planes()
        };
        let n = planes * a.plane_len();
        let out = case.result(Shape::Flat(n), Scope::PerChip);
        let variance = case.result(Shape::Flat(n), Scope::PerChip);
        let has_variance = !spec.raw && rng.coin();
        let op = Op::from(ProgramCells {
            w,
            step,
            array,
            out,
            variance: has_variance.then_some(variance),
            spec: spec.clone(),
        });
        let (mut want, mut want_variance) = (Vec::new(), Vec::new());
        for chip in 0..case.chips {
            let model = Chip {
                spec: &spec,
                array: case.at(array, chip, 0),
                chip: chip as u32,
            };
            for p in 0..planes {
                for col in 0..a.cols {
                    for row in 0..a.rows {
                        let code = codes[col * a.rows + row];
                        let (g, v) = match spec.raw {
                            true => model.cell(p, col, row, code),
                            false => model.read(p, col, row, code),
                        };
                        want.push(g);
                        want_variance.push(v);
                    }
                }
            }
        }
        for (isa, backend) in backends() {
            let [got, got_variance] = case.run(&backend, vec![op.clone()], [out, variance]);
            let what = format!("{isa} seed {seed} {spec:?}");
            close(&what, &got, &want, |i| {
                TOLERANCE * (2.0 + 32.0f64.min(8.0 + want[i].abs()))
            });
            if has_variance {
                close(&what, &got_variance, &want_variance, |i| {
                    1e-5 * want_variance[i] + 1e-9
                });
            }
        }
    }
}

/// Cells of ideal arrays differ by whole levels, exactly, whatever digit 0 conducts.
#[test]
fn ideal_pairs_are_digits() {
    let a = Arrays {
        cols: 2,
        rows: 64,
        tile_rows: vec![0, 64].into(),
        tile_cols: vec![0, 2].into(),
        slice_bits: vec![4, 3].into(),
        weight_bits: 8,
        encoding: Encoding::Differential {
            two_sided: false,
            digital: false,
        },
        g_min: 0.013,
        levels: None,
    };
    let mut case = Case::new(1, 1, 1);
    let codes: Vec<f32> = (0..128).map(|i| (i - 64) as f32).collect();
    let w = case.given(Shape::Flat(128), Scope::Shared, codes.clone());
    let step = case.given(Shape::Flat(1), Scope::Shared, vec![1.0]);
    let array = case.given(Shape::Flat(4), Scope::PerChip, vec![0.0; 4]);
    let out = case.result(Shape::Flat(256), Scope::PerChip);
    let op = Op::from(ProgramCells {
        w,
        step,
        array,
        out,
        variance: None,
        spec: ideal(a),
    });
    for (isa, backend) in backends() {
        let [got] = case.run(&backend, vec![op.clone()], [out]);
        for (i, &q) in codes.iter().enumerate() {
            assert_eq!(got[i] + 16.0 * got[128 + i], q, "{isa}");
            assert_eq!(got[i].fract(), 0.0, "{isa}");
        }
    }
}

/// A layer longer than the parts it is cut into is that of its addresses.
#[test]
fn long_layers_are_those_of_their_addresses() {
    let a = Arrays {
        cols: 11,
        rows: 700,
        tile_rows: vec![0, 350, 700].into(),
        tile_cols: vec![0, 11].into(),
        slice_bits: vec![3].into(),
        weight_bits: 3,
        encoding: Encoding::Offset { reference: 0 },
        g_min: 0.1,
        levels: None,
    };
    let spec = ideal(a.clone()).varied(0.1);
    let mut case = Case::new(1, 1, 1);
    let w = case.given(Shape::Flat(7700), Scope::Shared, vec![2.0; 7700]);
    let step = case.given(Shape::Flat(1), Scope::Shared, vec![1.0]);
    let array = case.given(Shape::Flat(2), Scope::PerChip, vec![0.0; 2]);
    let out = case.result(Shape::Flat(7700), Scope::PerChip);
    let model = Chip {
        spec: &spec,
        array: vec![0.0; 2],
        chip: 0,
    };
    let want: Vec<f64> = (0..7700)
        .map(|i| model.read(0, i / 700, i % 700, 2).0)
        .collect();
    let op = Op::from(ProgramCells {
        w,
        step,
        array,
        out,
        variance: None,
        spec: spec.clone(),
    });
    for (isa, backend) in backends() {
        let [got] = case.run(&backend, vec![op.clone()], [out]);
        close(isa, &got, &want, |_| TOLERANCE * 10.0);
    }
}
