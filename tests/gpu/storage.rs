//! Read planes kept in halves: the kernels that write and read them. That a value is rounded as on the
//! host is tested case by case beside the shaders (src/backend/wgpu/tests/half.rs).

use pimento::backend::storage;
use pimento::program::*;

use super::arrays::*;
use super::harness::*;
use super::program_cells::programming;

/// The nearest halves, as floats.
fn rounded(values: &[f32]) -> Vec<f32> {
    let mut halves = vec![0; values.len()];
    storage::round(values, &mut halves);
    let mut back = vec![0.0; values.len()];
    storage::expand(&halves, &mut back);
    back
}

/// A flat tensor that is compared, in floats and in halves.
fn both(case: &mut Case, n: usize) -> [TensorId; 2] {
    [Storage::F32, Storage::F16].map(|storage| {
        let t = case.output(n, Scope::PerChip);
        case.program.keep(t, storage);
        t
    })
}

/// What a kernel writes in halves is what it writes in floats, rounded: with every encoding, numbers of
/// values that are no multiple of four or two, and wires of both kinds.
#[test]
fn halves_are_rounded_floats() {
    let Some(gpu) = gpu_or_skip("halves_are_rounded_floats") else {
        return;
    };
    for (i, encoding) in ENCODINGS.into_iter().enumerate() {
        let a = arrays([5, 6, 3][i % 3], [7, 8, 11][i % 3], encoding);
        let n = a.read_planes() * a.plane_len();
        let mut case = wave(1);
        let w = case.made(a.plane_len(), Scope::Shared, integers(-7, 7));
        let step = case.made(1, Scope::Shared, |_, _| vec![1.0]);
        let array = case.made(a.cell_arrays(), Scope::PerChip, |n, seed| {
            values(n, seed).iter().map(|v| 0.2 * v).collect()
        });
        let cells = case.exact(a.cells(), Scope::PerChip);
        let mut ops = Vec::new();
        for out in both(&mut case, n) {
            ops.push(Op::from(ProgramCells {
                w,
                step,
                array,
                out,
                variance: None,
                spec: programming(a.clone()),
            }));
        }
        let topology = [Topology::InputSource, Topology::SeparateSource][i % 2];
        for out in both(&mut case, n) {
            ops.push(Op::from(IrDrop {
                g: cells,
                out,
                spec: Wires {
                    arrays: a.clone(),
                    topology,
                    row: 0.01,
                    col: 0.02,
                    row_terminal: 0.0,
                    col_terminal: 0.0,
                    sweeps: 2,
                    activity: 0.5,
                },
            }));
        }
        case.section(ops);
        let results = case.results(gpu);
        for pair in results.chunks(2) {
            assert!(pair[0].iter().any(|v| rounded(&[*v]) != [*v]));
            assert_eq!(pair[1], rounded(&pair[0]), "{encoding:?}");
        }
    }
}

/// A layer of conductances, some below the smallest normal half, and the same in halves.
fn layers(case: &mut Case, geo: ConvGeometry, spec: Reading) -> [Layer; 2] {
    let wide = |n: usize, seed: u64| -> Vec<f32> {
        let scale = |i: usize| [1.0, 3.0, 1.0 / 30_000.0][i % 3];
        let values = values(n, seed);
        values
            .iter()
            .enumerate()
            .map(|(i, v)| v * scale(i))
            .collect()
    };
    let floats = Layer::new(case, geo, spec.clone(), |n, seed| rounded(&wide(n, seed)));
    let written = case.values[&floats.g].clone();
    let halves = Layer {
        g: case.made(
            spec.arrays.read_planes() * spec.arrays.plane_len(),
            Scope::PerChip,
            |_, _| written,
        ),
        spec,
        ..floats
    };
    case.program.keep(halves.g, Storage::F16);
    [floats, halves]
}

/// Everything that reads planes gives the same bits of halves and of the same values in floats: with
/// read noise of both kinds and without, groups, columns on both sides of the kernels' fours.
#[test]
fn halves_are_read_as_their_values() {
    let Some(gpu) = gpu_or_skip("halves_are_read_as_their_values") else {
        return;
    };
    let noises = [(false, false), (true, false), (true, true), (true, false)];
    for (i, (geo, (noisy, per_cell))) in geometries().into_iter().zip(noises).enumerate() {
        let mut case = Case::new(1, 2, 21);
        let adc = Adc::with_codes(-31, 31).noisy(0.5);
        let spec = Reading {
            noise_per_cell: per_cell,
            ..reading(&geo, ENCODINGS[i], dac(5, 1, None), Some(adc))
        };
        let layers = layers(&mut case, geo, spec);
        let variance = noisy.then(|| layers[0].variances(&mut case));
        let constants = layers[0].pairs(&mut case, 1.0, 0.0, 0.1);
        let range = layers[0].range(&mut case, 1.0, 0.0);
        let mut ops = Vec::new();
        for layer in &layers {
            ops.push(layer.crossbar(&mut case, |_, extra| {
                extra.variance = variance;
                extra.adc = Some(constants);
                extra.range = Some(range);
            }));
            let plain = layer.spec.without_converter();
            let c = plain.arrays.converters() * plain.dac.conversions();
            ops.push(Op::from(PartialSums {
                x: layer.x,
                x_step: layer.x_step,
                g: layer.g,
                variance,
                y: case.output([c, geo.h_out(), geo.w_out()], Scope::PerChip),
                geo,
                spec: plain.clone(),
            }));
            ops.push(Op::from(CollapsePlanes {
                g: layer.g,
                w_step: layer.w_step,
                correct: None,
                out: case.output(plain.arrays.plane_len(), Scope::PerChip),
                spec: plain,
            }));
        }
        case.section(ops);
        let results = case.results(gpu);
        let (floats, halves) = results.split_at(3);
        for (name, (a, b)) in ["codes", "sums", "weights"]
            .iter()
            .zip(floats.iter().zip(halves))
        {
            assert!(a.iter().any(|v| *v != a[0]), "{name}");
            let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(a), bits(b), "{name} of {geo:?} {noisy} {per_cell}");
        }
    }
}

/// Program, round, read: every number exact, so that both backends agree on every bit.
#[test]
fn integers_match_cpu_exactly() {
    for (geo, encoding) in geometries().into_iter().zip(ENCODINGS) {
        let mut case = wave(1);
        let spec = reading(&geo, encoding, dac(5, 1, None), Some(lossless()));
        // 11 bits and more: what is no half is rounded by the host's writes.
        let layer = Layer::new(&mut case, geo, spec, integers(-2_500, 2_500));
        case.program.keep(layer.g, Storage::F16);
        let op = layer.crossbar(&mut case, |case, extra| {
            extra.adc = Some(layer.pairs(case, 1.0 / 64.0, 0.0, 0.0));
            extra.range = Some(layer.range(case, 64.0, 0.0));
        });
        case.section(vec![op]);
        case.matches_cpu(&format!("halves {geo:?} {encoding:?}"), 0.0);
    }
}
