//! Read planes kept in halves: what is written is what would be, rounded; what is read is what would be
//! of the rounded values; what half precision costs.

use pimento::backend::cpu::CpuBackend;
use pimento::backend::{Backend, storage};
use pimento::program::*;

use crate::case::{Case, Rng, backends};
use crate::cases::arrays::{arrays, dac, geometry, input, inputs, output};
use crate::cases::ir_drop::any_wires as wires;
use crate::cases::program_cells::any::programming;

/// The nearest halves, as floats.
fn rounded(values: &[f32]) -> Vec<f32> {
    let mut halves = vec![0; values.len()];
    storage::round(values, &mut halves);
    let mut back = vec![0.0; values.len()];
    storage::expand(&halves, &mut back);
    back
}

/// A result that is kept in halves.
fn halves(case: &mut Case, n: usize) -> TensorId {
    let t = case.result(Shape::Flat(n), Scope::PerChip);
    case.program.keep(t, Storage::F16);
    t
}

/// A layer without converters, all steps `one`.
fn crossbar(
    (x, y): (TensorId, TensorId),
    (g, variance): (TensorId, Option<TensorId>),
    one: TensorId,
    geo: ConvGeometry,
    spec: &Reading,
) -> Op {
    Op::from(Crossbar {
        x,
        x_step: one,
        g,
        variance,
        w_step: one,
        adc: None,
        range: None,
        correct: None,
        y,
        clipped: None,
        slope: None,
        geo,
        post: Post::NONE,
        spec: spec.clone(),
    })
}

#[test]
fn programmed_cells_are_rounded() {
    for seed in 0..60 {
        let mut rng = Rng(seed);
        let geo = geometry(&mut rng);
        let a = arrays(&mut rng, &geo);
        let spec = programming(&mut rng, a.clone());
        let mut case = Case::new(seed, rng.pick(1, 3), 1);
        let w = case.random(Shape::Flat(a.plane_len()), Scope::Shared);
        let step = case.given(Shape::Flat(1), Scope::Shared, vec![0.02]);
        let array = case.random(Shape::Flat(a.cell_arrays()), Scope::PerChip);
        let n = a.read_planes() * a.plane_len();
        let mut outs = [(); 4].map(|()| case.result(Shape::Flat(n), Scope::PerChip));
        outs[1] = halves(&mut case, n);
        let op = |out, variance| {
            Op::from(ProgramCells {
                w,
                step,
                array,
                out,
                variance,
                spec: spec.clone(),
            })
        };
        let variance = |t| rng.clone().coin().then_some(t);
        let ops = vec![
            op(outs[0], variance(outs[2])),
            op(outs[1], variance(outs[3])),
        ];
        for (isa, backend) in backends() {
            let [floats, halves, v, v_halves] = case.run(&backend, ops.clone(), outs);
            assert_eq!(halves, rounded(&floats), "{isa} seed {seed}");
            assert_eq!(v, v_halves, "{isa} seed {seed}: variances are floats");
        }
    }
}

#[test]
fn currents_behind_wires_are_rounded() {
    for seed in 0..12 {
        let mut rng = Rng(seed);
        let geo = geometry(&mut rng);
        let a = arrays(&mut rng, &geo);
        let spec = wires(&mut rng, a.clone());
        let mut case = Case::new(seed, 2, 1);
        let cells: Vec<f32> = (0..2 * a.cells()).map(|_| rng.signed().abs()).collect();
        let g = case.given(Shape::Flat(a.cells()), Scope::PerChip, cells);
        let n = a.read_planes() * a.plane_len();
        let outs = [
            case.result(Shape::Flat(n), Scope::PerChip),
            halves(&mut case, n),
        ];
        let ops = outs.map(|out| {
            Op::from(IrDrop {
                g,
                out,
                spec: spec.clone(),
            })
        });
        for (isa, backend) in backends() {
            let [floats, halves] = case.run(&backend, ops.to_vec(), outs);
            assert_eq!(halves, rounded(&floats), "{isa} seed {seed}");
        }
    }
}

/// Everything that reads planes, of halves and of the same values in floats: the same bits.
#[test]
fn halves_are_read_as_their_values() {
    for seed in 0..60 {
        let mut rng = Rng(seed);
        let geo = geometry(&mut rng);
        let a = arrays(&mut rng, &geo);
        let drive = dac(&mut rng, false);
        let spec = Reading {
            arrays: a.clone(),
            dac: drive.clone(),
            adc: None,
            noise_per_cell: rng.coin(),
            integer: false,
            exact: false,
            layer: 5,
        };
        let mut case = Case::new(seed, rng.pick(1, 3), rng.pick(1, 20));
        let images = input(&geo).len() * case.images;
        let x = case.given(input(&geo), Scope::Shared, inputs(&mut rng, &drive, images));
        let one = case.given(Shape::Flat(1), Scope::Shared, vec![1.0]);
        let (planes, scope) = (Shape::Flat(a.read_planes() * a.plane_len()), rng.scope());
        let slabs = if scope == Scope::Shared {
            1
        } else {
            case.chips
        };
        // Small ones and large ones, so that some halves are below 2^-14 and some beyond the largest.
        let cells: Vec<f32> = (0..slabs * planes.len())
            .map(|_| rng.signed() * (rng.pick(0, 34) as f32 - 17.0).exp2())
            .collect();
        let floats = case.given(planes, scope, rounded(&cells));
        let halves = case.given(planes, scope, cells);
        case.program.keep(halves, Storage::F16);
        let variance = rng.coin().then(|| {
            let values = (0..slabs * planes.len()).map(|_| 0.05 * (1.0 + rng.signed()));
            let values = values.collect();
            case.given(planes, scope, values)
        });
        let sums = Shape::Image {
            c: a.converters() * drive.conversions(),
            h: geo.h_out(),
            w: geo.w_out(),
        };
        let weights = Shape::Flat(a.plane_len());
        let mut results = Vec::new();
        let mut ops = Vec::new();
        for g in [floats, halves] {
            let [y, s, w] =
                [output(&geo), sums, weights].map(|shape| case.result(shape, Scope::PerChip));
            ops.extend([
                crossbar((x, y), (g, variance), one, geo, &spec),
                Op::from(PartialSums {
                    x,
                    x_step: one,
                    g,
                    variance,
                    y: s,
                    geo,
                    spec: spec.clone(),
                }),
                Op::from(CollapsePlanes {
                    g,
                    w_step: one,
                    correct: None,
                    out: w,
                    spec: spec.clone(),
                }),
            ]);
            results.extend([y, s, w, g]);
        }
        let results: [TensorId; 8] = results.try_into().expect("four of each");
        for (isa, backend) in backends() {
            let all = case.run(&backend, ops.clone(), results);
            let bits = |v: &Vec<f32>| v.iter().map(|v| v.to_bits()).collect::<Vec<u32>>();
            for (of_floats, of_halves) in all[..4].iter().zip(&all[4..]) {
                assert_eq!(bits(of_floats), bits(of_halves), "{isa} seed {seed}");
            }
        }
    }
}

/// Rows of the columns.
const N: usize = 512;

/// Columns of many rows in two slices, driven at once.
fn long_columns(geo: &ConvGeometry) -> Reading {
    let arrays = Arrays {
        cols: geo.c_out,
        rows: N,
        tile_rows: [0, 128, 256, 384, 512].into(),
        tile_cols: [0, 64].into(),
        slice_bits: [4, 3].into(),
        equal_slices: 1,
        weight_bits: 8,
        encoding: Encoding::Differential {
            two_sided: false,
            digital: false,
        },
        g_min: 0.01,
        levels: None,
    };
    let dac = Dac {
        input_bits: 8,
        dac_bits: 8,
        signs: None,
        table: None,
        analog_sum: false,
    };
    Reading {
        arrays,
        dac,
        adc: None,
        noise_per_cell: false,
        integer: false,
        exact: false,
        layer: 5,
    }
}

/// Digits are halves, so that ideal cells give the same integers; of cells with errors the product
/// moves by what the documents say.
#[test]
fn what_halves_cost_a_product() {
    let geo = ConvGeometry::linear(N, 64);
    let spec = long_columns(&geo);
    let (a, drive) = (&spec.arrays, &spec.dac);
    for sigma in [0.0, 0.05] {
        let mut case = Case::new(7, 2, 16);
        let mut rng = Rng(7);
        let codes = (0..a.plane_len()).map(|_| rng.pick(0, 254) as f32 - 127.0);
        let codes: Vec<f32> = codes.collect();
        let w = case.given(Shape::Flat(codes.len()), Scope::Shared, codes);
        let one = case.given(Shape::Flat(1), Scope::Shared, vec![1.0]);
        let zeros = vec![0.0; 2 * a.cell_arrays()];
        let array = case.given(Shape::Flat(a.cell_arrays()), Scope::PerChip, zeros);
        let images = inputs(&mut rng, drive, 16 * N);
        let x = case.given(input(&geo), Scope::Shared, images);
        let planes = Shape::Flat(2 * a.plane_len());
        let mut ops = Vec::new();
        let maps = [Storage::F32, Storage::F16].map(|storage| {
            let g = case.result(planes, Scope::PerChip);
            case.program.keep(g, storage);
            let y = case.result(output(&geo), Scope::PerChip);
            ops.push(Op::from(ProgramCells {
                w,
                step: one,
                array,
                out: g,
                variance: None,
                spec: Programming::ideal(a.clone(), 1).varied(sigma),
            }));
            ops.push(crossbar((x, y), (g, None), one, geo, &spec));
            y
        });
        let [floats, halves] = case.run(&CpuBackend::new(), ops, maps);
        if sigma == 0.0 {
            assert_eq!(floats, halves);
            continue;
        }
        // Highest weight code times highest input code times rows.
        let full = 127.0 * 255.0 * N as f64;
        let errors = floats.iter().zip(&halves);
        let errors: Vec<f64> = errors.map(|(a, b)| f64::from(a - b).abs() / full).collect();
        let largest = errors.iter().fold(0.0, |a: f64, &b| a.max(b));
        let square = errors.iter().map(|e| e * e).sum::<f64>() / errors.len() as f64;
        // What the cells' errors do to the same product: sigma of every term.
        let spread = 127.0 * 255.0 * f64::from(sigma) * (N as f64).sqrt() / full;
        println!(
            "largest difference {largest:.2e}, root mean square {:.2e} of full scale; programming errors \
             at most {spread:.2e}",
            square.sqrt()
        );
        // Every term is off by 2^-11 of its cell at most, so the sum by 2^-11 of full scale; independent
        // errors come nowhere near.
        assert!(largest > 0.0 && largest < 2e-5, "{largest:e}");
    }
}

#[test]
fn halves_take_half_the_memory() {
    let mut program = Program::default();
    let n = 3 * 1_001;
    let t = program.tensor("planes", Shape::Flat(n), Scope::PerChip, Role::State);
    let capacity = Capacity {
        chips: 64,
        images: 16,
        chunk: 16,
    };
    let bytes = |p: &Program| CpuBackend::new().bytes(p, capacity).unwrap();
    let floats = bytes(&program);
    program.keep(t, Storage::F16);
    assert_eq!(floats, 64 * 4 * n as u64);
    assert_eq!(bytes(&program), 64 * 4 * n.div_ceil(2) as u64);
}

#[test]
fn only_read_planes_are_halves() {
    let mut rng = Rng(1);
    let geo = ConvGeometry::linear(8, 6);
    let a = arrays(&mut rng, &geo);
    let mut case = Case::new(1, 1, 1);
    let w = case.random(Shape::Flat(a.plane_len()), Scope::Shared);
    let step = case.random(Shape::Flat(1), Scope::Shared);
    let array = case.random(Shape::Flat(a.cell_arrays()), Scope::PerChip);
    let out = case.result(Shape::Flat(a.cells()), Scope::PerChip);
    case.program.keep(out, Storage::F16);
    let arrays = Arrays {
        encoding: Encoding::Differential {
            two_sided: false,
            digital: false,
        },
        slice_bits: [4, 4].into(),
        equal_slices: 1,
        weight_bits: 4,
        ..a
    };
    let spec = Programming {
        raw: true,
        ..Programming::ideal(arrays, 1)
    };
    let out_of = |out, w| {
        Op::from(ProgramCells {
            w,
            step,
            array,
            out,
            variance: None,
            spec: spec.clone(),
        })
    };
    let message = case.refusal(vec![out_of(out, w)]);
    assert!(message.contains("takes no halves"), "{message}");
    case.program.keep(out, Storage::F32);
    case.program.keep(w, Storage::F16);
    let message = case.refusal(vec![out_of(out, w)]);
    assert!(message.contains("takes no halves"), "{message}");
}
