//! Programming of cells, against its equations one cell at a time.

pub mod any;
pub mod measured;

use pimento::effects::{Drift, Limits, OpenLines, Stuck};
use pimento::program::*;
use pimento::random::{
    OFFSET_REFERENCE, Purpose, REFERENCE, Stream, TRAINING, lognormal_shape, squeeze,
};

use super::case::*;
use super::layers::{ENCODINGS, arrays, integers};

pub use any::combinations;
use measured::curve;

/// One chip in `f64`.
pub struct Chip<'a> {
    pub spec: &'a Programming,
    /// Common deviation of every array.
    pub array: Vec<f64>,
    pub chip: u32,
    /// Purpose of the run, [`RunArgs::purpose`].
    pub purpose: u32,
}

impl Chip<'_> {
    fn stream(&self, purpose: Purpose, flags: u32) -> Stream {
        Stream {
            seed: 1,
            purpose: purpose as u32 | flags | self.purpose,
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
        let m = a.equal_slices;
        let place = s / m;
        let below: i32 = (0..place).map(|p| i32::from(a.slice_bits[p * m])).sum();
        let digit = |v: i32| f64::from(v / m as i32 / (1 << below) % (1 << bits));
        let top = f64::from((1 << bits) - 1);
        let v = match a.encoding {
            Encoding::Offset { .. } => digit(code + ((m as i32) << (a.weight_bits - 1))),
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
        let u = self.stream(Purpose::CellSample, flags).word(address) >> 8;
        let target = measured::reached(&spec.effects.sampled, target, u);
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
    pub fn cell(&self, plane: usize, col: usize, row: usize, code: i32) -> (f64, f64) {
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
    pub fn read(&self, p: usize, col: usize, row: usize, code: i32) -> (f64, f64) {
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

/// Deviates are the generator's own; what follows is a few `f32` operations on values below about 2,
/// in level units of up to 31.
pub const TOLERANCE: f64 = 1e-6;

/// A dozen roundings and the deviates' 8 ulp (see the tests of the generator) of conductances of at
/// most 4, in level units of at most `3 / (1 - 1/8)`.
const APART: f64 = 256.0 * ULP;

/// Cells of which fours straddle columns and planes, and such of which none do.
const SIZES: [(usize, usize); 2] = [(5, 7), (6, 8)];

pub fn varied(arrays: Arrays) -> Programming {
    Programming::ideal(arrays, 3).varied(0.1)
}

/// Effects that are tested alone; the first is none.
const EFFECTS: usize = 11;

/// Effects one by one, then all of them together.
fn effects(arrays: &Arrays) -> Vec<Programming> {
    let plain = varied(arrays.clone());
    let mut whole = plain.clone();
    type Change = fn(&mut Programming);
    let changes: [Change; EFFECTS] = [
        |_| (),
        |p| p.effects.variation.law = Law::LayerFixed,
        |p| p.effects.variation.deviate = Deviate::Truncated { at: 2.0 },
        |p| p.effects.variation.deviate = Deviate::Lognormal,
        |p| p.arrays.levels = Some([0.125, 0.25, 0.75, 1.0].into()),
        |p| p.effects.stuck = Stuck { off: 0.2, on: 0.2 },
        |p| p.effects.open_lines = OpenLines { row: 0.2, col: 0.2 },
        |p| p.effects.drift = Drift::new(5.0, [0.1, 0.05, 0.06].into(), [0.02, 0.05].into()),
        |p| {
            p.effects.limits = Limits {
                clip: 0.9,
                clip_low: true,
            }
        },
        |p| {
            p.read_noise = CellReadNoise {
                proportional: 0.1,
                fixed: 0.05,
                curve: Some([0.02, 0.05].into()),
                one_over_f: Some([0.0, 0.03, 0.04].into()),
            }
        },
        |p| p.reference_columns = 2,
    ];
    let mut all = Vec::new();
    for change in changes {
        let mut one = plain.clone();
        change(&mut one);
        change(&mut whole);
        all.push(one);
    }
    all.push(whole.clone());
    let v = &mut whole.effects.variation;
    (v.curve, v.deviate) = (Some([0.1, 0.05, 0.0].into()), Deviate::Gaussian);
    all.push(whole);
    if !matches!(arrays.encoding, Encoding::Offset { reference: 1.. }) {
        all.push(Programming { raw: true, ..plain });
    }
    all
}

/// Reads, or cells where `raw`, and their variances of a chip whose weights have these codes.
pub fn expected(model: &Chip, codes: &[i32]) -> [Vec<f64>; 2] {
    let spec = model.spec;
    let a = &spec.arrays;
    let planes = match spec.raw {
        true => a.cell_planes(),
        false => a.read_planes(),
    };
    let (mut values, mut variances) = (Vec::new(), Vec::new());
    for p in 0..planes {
        for (i, &code) in codes.iter().enumerate() {
            let (col, row) = (i / a.rows, i % a.rows);
            let (g, v) = match spec.raw {
                true => model.cell(p, col, row, code),
                false => model.read(p, col, row, code),
            };
            values.push(g);
            variances.push(v);
        }
    }
    [values, variances]
}

/// Operands of programming.
pub struct Weights {
    pub w: TensorId,
    pub step: TensorId,
    pub array: TensorId,
    pub codes: Vec<i32>,
}

/// Programs the weights by a specification, for chips from `first` on, and wants what the equations give.
/// Returns the operator.
pub fn program(
    case: &mut Case,
    from: &Weights,
    spec: &Programming,
    first: u32,
    purpose: u32,
) -> Op {
    let a = &spec.arrays;
    let planes = match spec.raw {
        true => a.cell_planes(),
        false => a.read_planes(),
    };
    let n = planes * a.plane_len();
    let out = case.result(n, Scope::PerChip);
    let variance = (!spec.raw).then(|| case.result(n, Scope::PerChip));
    let chips = (0..case.chips).map(|chip| {
        let model = Chip {
            spec,
            array: case.at(from.array, chip, 0),
            chip: first + chip as u32,
            purpose,
        };
        expected(&model, &from.codes)
    });
    let (values, variances): (Vec<_>, Vec<_>) = chips.map(|[g, v]| (g, v)).unzip();
    let (values, variances) = (values.concat(), variances.concat());
    let limits: Vec<f64> = values
        .iter()
        .map(|v| TOLERANCE * (2.0 + 32.0f64.min(8.0 + v.abs())))
        .collect();
    case.want_within(out, values, |i| limits[i]);
    if let Some(variance) = variance {
        let limits: Vec<f64> = variances.iter().map(|v| 1e-5 * v + 1e-9).collect();
        case.want_within(variance, variances, |i| limits[i]);
    }
    Op::from(ProgramCells {
        w: from.w,
        step: from.step,
        array: from.array,
        out,
        variance,
        spec: spec.clone(),
    })
}

/// Every encoding with effects one by one and all together.
pub fn encodings() -> Vec<Case> {
    let cases = ENCODINGS.into_iter().enumerate().map(|(i, encoding)| {
        let (cols, rows) = SIZES[i % 2];
        let mut case = wave(1);
        case.name = format!("{encoding:?}");
        let a = arrays(cols, rows, encoding);
        let mut specs = effects(&a);
        if i > 0 {
            // Kernels are compiled one by one: plain, with everything, and what follows.
            specs.drain(1..EFFECTS - 1);
        }
        let codes = integers(-7, 7)(a.plane_len(), 2);
        let steps = if i % 2 == 0 { a.cols } else { 1 };
        let from = Weights {
            w: case.shared(&codes.iter().map(|q| 0.5 * q).collect::<Vec<f32>>()),
            step: case.shared(&vec![0.5; steps]),
            array: case.made(a.cell_arrays(), Scope::PerChip, |n, seed| {
                values(n, seed).iter().map(|v| 0.2 * v).collect()
            }),
            codes: codes.iter().map(|&q| q as i32).collect(),
        };
        let purpose = if i % 2 == 0 { 0 } else { TRAINING };
        let ops = specs
            .iter()
            .map(|spec| program(&mut case, &from, spec, 1000, purpose))
            .collect();
        case.section(ops);
        case.runs[0].1.first_chip = 1000;
        case.runs[0].1.purpose = purpose;
        case.apart[0] = APART;
        case
    });
    cases.collect()
}

/// Without errors a read is its digit, exactly, whatever digit 0 conducts: what converters count on.
pub fn digits() -> Vec<Case> {
    let a = Arrays {
        cols: 2,
        rows: 64,
        tile_rows: vec![0, 64].into(),
        tile_cols: vec![0, 2].into(),
        slice_bits: vec![4, 3].into(),
        equal_slices: 1,
        weight_bits: 8,
        encoding: Encoding::Differential {
            two_sided: false,
            digital: false,
        },
        g_min: 0.013,
        levels: None,
    };
    let mut case = Case::new(1, 1, 1);
    let codes: Vec<i32> = (-64..64).collect();
    let w = case.shared(&codes.iter().map(|&q| q as f32).collect::<Vec<_>>());
    let step = case.shared(&[1.0]);
    let array = case.given(4, Scope::PerChip, vec![0.0; 4]);
    let out = case.result(256, Scope::PerChip);
    case.section(vec![Op::from(ProgramCells {
        w,
        step,
        array,
        out,
        variance: None,
        spec: Programming::ideal(a, 1),
    })]);
    // The low slice has four bits of the magnitude, the high one the rest; both have its sign.
    let [low, high] = [|q: i32| q % 16, |q: i32| q / 16];
    let digits = codes
        .iter()
        .map(|&q| low(q))
        .chain(codes.iter().map(|&q| high(q)));
    case.want(out, digits.map(f64::from).collect(), 0.0);
    vec![case]
}

/// A layer longer than the parts it is cut into has the cells of its addresses.
pub fn long_layers() -> Vec<Case> {
    let a = Arrays {
        cols: 11,
        rows: 700,
        tile_rows: vec![0, 350, 700].into(),
        tile_cols: vec![0, 11].into(),
        slice_bits: vec![3].into(),
        equal_slices: 1,
        weight_bits: 3,
        encoding: Encoding::Offset { reference: 0 },
        g_min: 0.1,
        levels: None,
    };
    let spec = Programming::ideal(a, 1).varied(0.1);
    let mut case = Case::new(1, 1, 1);
    let from = Weights {
        w: case.shared(&vec![2.0; 7700]),
        step: case.shared(&[1.0]),
        array: case.given(2, Scope::PerChip, vec![0.0; 2]),
        codes: vec![2; 7700],
    };
    let op = program(&mut case, &from, &spec, 0, 0);
    case.section(vec![op]);
    case.apart[0] = APART;
    vec![case]
}
