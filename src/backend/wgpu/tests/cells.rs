//! Kernels of the cell level: every variant that a program can ask for, and the layouts of their
//! parameters.

use super::{posts, validate_program};
use crate::effects::{Drift, Stuck};
use crate::program::*;

pub(super) const COLS: usize = 6;
const ROWS: usize = 12;

pub(super) fn arrays(encoding: Encoding) -> Arrays {
    Arrays {
        cols: COLS,
        rows: ROWS,
        tile_rows: [0, 5, ROWS as u32].into(),
        tile_cols: [0, 4, COLS as u32].into(),
        slice_bits: [2, 2].into(),
        equal_slices: 1,
        weight_bits: 4,
        encoding,
        g_min: 0.1,
        levels: None,
    }
}

pub(super) const DIFFERENTIAL: Encoding = Encoding::Differential {
    two_sided: false,
    digital: false,
};

pub(super) const ENCODINGS: [Encoding; 5] = [
    DIFFERENTIAL,
    Encoding::Differential {
        two_sided: true,
        digital: false,
    },
    Encoding::Differential {
        two_sided: false,
        digital: true,
    },
    Encoding::Offset { reference: 0 },
    Encoding::Offset { reference: 3 },
];

fn programming(encoding: Encoding) -> Programming {
    Programming::ideal(arrays(encoding), 3).varied(0.1)
}

fn curve() -> Curve {
    [0.1, 0.2, 0.3].into()
}

/// The plain pipeline with one effect after the other, then all of them.
fn effects(encoding: Encoding) -> Vec<Programming> {
    let plain = programming(encoding);
    let mut all = vec![plain.clone()];
    let mut whole = plain.clone();
    whole.effects.variation.law = Law::LayerFixed;
    type Change = fn(&mut Programming);
    let changes: [Change; 9] = [
        |p| p.arrays.levels = Some([0.1, 0.2, 0.6, 1.0].into()),
        |p| p.effects.variation.deviate = Deviate::Lognormal,
        |p| p.effects.variation.curve = Some(curve()),
        |p| p.effects.stuck = Stuck { off: 0.1, on: 0.1 },
        |p| p.effects.open_lines.row = 0.1,
        |p| p.effects.drift = Drift::new(3.0, curve(), curve()),
        |p| p.read_noise.curve = Some(curve()),
        |p| p.read_noise.one_over_f = Some(curve()),
        |p| p.reference_columns = 2,
    ];
    for change in changes {
        let mut one = plain.clone();
        change(&mut one);
        change(&mut whole);
        all.push(one);
    }
    all.push(whole);
    if encoding != ENCODINGS[4] {
        all.push(Programming { raw: true, ..plain });
    }
    all
}

#[test]
fn programming_kernels_are_valid() {
    let mut p = Program::default();
    let state = |p: &mut Program, n, scope| {
        let name = format!("t{}", p.tensors.len());
        p.tensor(name, Shape::Flat(n), scope, Role::State)
    };
    let w = state(&mut p, COLS * ROWS, Scope::Shared);
    let step = state(&mut p, 1, Scope::Shared);
    let mut ops = Vec::new();
    for encoding in ENCODINGS {
        let a = arrays(encoding);
        let array = state(&mut p, a.cell_arrays(), Scope::PerChip);
        for spec in effects(encoding) {
            let planes = match spec.raw {
                true => a.cell_planes(),
                false => a.read_planes(),
            };
            let n = planes * a.plane_len();
            let out = state(&mut p, n, Scope::PerChip);
            let second = state(&mut p, n, Scope::PerChip);
            let halves = state(&mut p, n, Scope::PerChip);
            p.keep(halves, Storage::F16);
            let outs = [(out, None), (out, Some(second)), (halves, Some(second))];
            for (out, variance) in outs {
                ops.push(Op::from(ProgramCells {
                    w,
                    step,
                    array,
                    out,
                    variance,
                    spec: spec.clone(),
                }));
            }
        }
    }
    let a = arrays(DIFFERENTIAL);
    let range = state(&mut p, 2 * a.read_planes() * COLS, Scope::Shared);
    let factors = a.row_tiles() * a.col_tiles() * a.read_planes();
    let factor = state(&mut p, factors, Scope::PerChip);
    let out = state(&mut p, 2 * a.converters(), Scope::PerChip);
    for scale in [None, Some(factor)] {
        ops.push(Op::from(ConverterFold {
            range,
            scale,
            out,
            spec: ConverterErrors {
                arrays: a.clone(),
                sharing: 2,
                columns: None,
                gain: 0.1,
                offset: 0.2,
                layer: 3,
            },
        }));
    }
    for (topology, storage) in [
        (Topology::InputSource, Storage::F32),
        (Topology::SeparateSource, Storage::F16),
    ] {
        let out = state(&mut p, a.read_planes() * a.plane_len(), Scope::PerChip);
        p.keep(out, storage);
        ops.push(Op::from(IrDrop {
            g: state(&mut p, a.cells(), Scope::PerChip),
            out,
            spec: Wires {
                arrays: a.clone(),
                topology,
                row: 1e-4,
                col: 1e-4,
                row_terminal: 0.0,
                col_terminal: 0.0,
                sweeps: 2,
                activity: 0.5,
            },
        }));
    }
    p.section("run", ops);
    validate_program(&p);
}

/// Every way to drive rows.
pub(super) fn dacs() -> Vec<Dac> {
    let mut all = Vec::new();
    for signs in [
        None,
        Some(InputSigns::SignMagnitude),
        Some(InputSigns::TwosComplement),
    ] {
        for (input_bits, dac_bits) in [(8, 1), (4, 1), (7, 3), (1, 1)] {
            for analog_sum in [false, true] {
                let dac = Dac {
                    input_bits,
                    dac_bits,
                    signs,
                    table: None,
                    analog_sum,
                };
                if dac.is_possible() {
                    all.push(dac);
                }
            }
        }
    }
    let table = Some([0.0, 0.9].into());
    all.push(Dac {
        table,
        ..all[0].clone()
    });
    all
}

/// Every way to convert.
fn adcs() -> Vec<Option<Adc>> {
    let plain = Adc::with_codes(-3, 3);
    vec![
        None,
        Some(plain.clone()),
        Some(plain.noisy(0.5).bent([0.1; 7])),
        Some(Adc {
            codes: [(-3, 3), (-3, 2)]
                .map(|(lo, hi)| CodeRange { lo, hi })
                .into(),
            ..Adc::with_codes(-3, 3)
        }),
    ]
}

/// Tensors that readings share.
struct Shared {
    x: TensorId,
    y: TensorId,
    counts: TensorId,
    x_step: TensorId,
    w_step: TensorId,
    /// Errors of converters, or corrections, and ranges.
    pairs: TensorId,
    ranges: TensorId,
    weights: TensorId,
    post: Post,
}

impl Shared {
    /// Every operator that takes a reading of `g`.
    fn operators(
        &self,
        p: &mut Program,
        spec: &Reading,
        (g, variance): (TensorId, Option<TensorId>),
        [corrects, counts]: [bool; 2],
    ) -> Vec<Op> {
        let (x, x_step, w_step) = (self.x, self.x_step, self.w_step);
        let geo = ConvGeometry::linear(ROWS, COLS);
        let converts = spec.adc.is_some();
        let crossbar = Crossbar {
            x,
            x_step,
            g,
            variance,
            w_step,
            adc: converts.then_some(self.pairs),
            range: converts.then_some(self.ranges),
            correct: corrects.then_some(self.pairs),
            y: self.y,
            clipped: counts.then_some(self.counts),
            slope: None,
            geo,
            post: self.post,
            spec: spec.clone(),
        };
        let c = spec.arrays.converters() * spec.dac.conversions();
        let shape = Shape::Image { c, h: 1, w: 1 };
        let name = format!("sums{}", p.tensors.len());
        let sums = PartialSums {
            x,
            x_step,
            g,
            variance,
            y: p.tensor(name, shape, Scope::PerChip, Role::Output),
            geo,
            spec: spec.clone(),
        };
        let mut ops = vec![Op::from(crossbar), Op::from(sums)];
        if !converts && spec.dac.table.is_none() {
            ops.extend([None, Some(self.pairs)].map(|correct| {
                Op::from(CollapsePlanes {
                    g,
                    w_step,
                    correct,
                    out: self.weights,
                    spec: spec.clone(),
                })
            }));
        }
        ops
    }
}

#[test]
fn reading_kernels_are_valid() {
    let mut p = Program::default();
    let state = |p: &mut Program, n, scope| {
        let name = format!("t{}", p.tensors.len());
        p.tensor(name, Shape::Flat(n), scope, Role::State)
    };
    let map = |c| Shape::Image { c, h: 1, w: 1 };
    let x = p.tensor("x", map(ROWS), Scope::Shared, Role::Input);
    let y = p.tensor("y", map(COLS), Scope::PerChip, Role::Output);
    let counts = p.tensor("counts", map(COLS), Scope::PerChip, Role::Output);
    let x_step = state(&mut p, 1, Scope::Shared);
    let w_step = state(&mut p, 1, Scope::Shared);
    let post = posts(&mut p, map(COLS)).pop().expect("an epilogue");
    let mut ops = Vec::new();
    for (i, encoding) in [DIFFERENTIAL, ENCODINGS[3]].into_iter().enumerate() {
        let a = arrays(encoding);
        let n = a.read_planes() * a.plane_len();
        let floats = state(&mut p, n, Scope::PerChip);
        let halves = state(&mut p, n, Scope::PerChip);
        p.keep(halves, Storage::F16);
        let noise = state(&mut p, n, Scope::PerChip);
        let shared = Shared {
            x,
            y,
            counts,
            x_step,
            w_step,
            pairs: state(&mut p, 2 * a.converters(), Scope::PerChip),
            ranges: state(&mut p, 2 * a.read_planes() * COLS, Scope::Shared),
            weights: state(&mut p, a.plane_len(), Scope::PerChip),
            post,
        };
        let converters = || adcs().into_iter().enumerate();
        let drives = dacs().into_iter().enumerate();
        for ((j, dac), (k, adc)) in drives.flat_map(|d| converters().map(move |c| (d.clone(), c))) {
            let integer = adc.is_some() && (i + j) % 2 == 0;
            for (exact, noise_per_cell, variance, g) in [
                (true, false, None, floats),
                (false, false, None, floats),
                (false, false, None, halves),
                (false, false, Some(noise), floats),
                (false, false, Some(noise), halves),
                (false, true, Some(noise), [floats, halves][j % 2]),
            ] {
                let spec = Reading {
                    arrays: a.clone(),
                    dac: dac.clone(),
                    adc: adc.clone(),
                    noise_per_cell,
                    integer,
                    exact,
                    layer: 3,
                };
                let options = [!integer && k != 1, j % 2 == 0];
                ops.extend(shared.operators(&mut p, &spec, (g, variance), options));
            }
        }
    }
    for scope in [Scope::Shared, Scope::PerChip] {
        let limit = state(&mut p, 3, Scope::Shared);
        ops.push(Op::from(Histogram {
            x: y,
            limit,
            out: state(&mut p, 3 * 5000, scope),
            bins: 5000,
        }));
    }
    p.section("run", ops);
    validate_program(&p);
}
