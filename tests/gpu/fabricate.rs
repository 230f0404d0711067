use pimento::program::*;
use pimento::random::TRAINING;

use super::harness::*;

/// A deviate's 8 ulp (see the tests of the generator) times sigma, the mapping's factor of at most
/// 2.5 and up to four such terms, and a dozen roundings of values up to 8.
const TOLERANCE: f64 = 128.0 * ULP;

/// Rows and columns such that Philox blocks straddle columns and the last one is not full.
const ROWS: usize = 7;
const COLS: usize = 5;

fn spec(law: Law, mapping: Mapping, deviate: Deviate, reference_columns: u32) -> Fabrication {
    Fabrication {
        law,
        mapping,
        deviate,
        sigma_w: 0.3,
        reference_columns,
        layer: 4,
        cols: COLS,
        rows: ROWS,
    }
}

const MAPPINGS: [Mapping; 4] = [
    Mapping::Ideal,
    Mapping::Differential { g_min: 0.1 },
    Mapping::Offset {
        g_min: 0.1,
        copies: 0,
    },
    Mapping::Offset {
        g_min: 0.1,
        copies: 3,
    },
];

const DEVIATES: [Deviate; 3] = [
    Deviate::Gaussian,
    Deviate::Truncated { at: 2.0 },
    Deviate::Lognormal,
];

const LAWS: [Law; 2] = [Law::WeightProportional, Law::LayerFixed];

/// Nominal weights, full scales (of the layer or of every column) and chips of a case.
struct Inputs {
    w: TensorId,
    full_scale: TensorId,
    chip: TensorId,
}

/// Common deviation, gain, offset.
fn chips(n: usize, seed: u64) -> Vec<f32> {
    let v = values(n, seed);
    let field = |i: usize| match i % 4 {
        0 => 0.3 * v[i],
        1 => 1.0 + 0.2 * v[i],
        2 => 0.2 * v[i],
        _ => 0.0,
    };
    (0..n).map(field).collect()
}

fn inputs(case: &mut Case, per_column: bool) -> Inputs {
    let groups = if per_column { COLS } else { 1 };
    Inputs {
        w: case.exact(ROWS * COLS, Scope::Shared),
        full_scale: case.made(groups, Scope::Shared, |n, _| {
            (0..n).map(|i| 1.0 + 0.125 * i as f32).collect()
        }),
        chip: case.made(CHIP_FIELDS, Scope::PerChip, chips),
    }
}

fn fabricate(case: &mut Case, from: &Inputs, spec: Fabrication) -> Op {
    Op::from(Fabricate {
        w: from.w,
        full_scale: from.full_scale,
        chip: from.chip,
        out: case.output(ROWS * COLS, Scope::PerChip),
        spec,
    })
}

#[test]
fn chips_match_cpu() {
    for law in LAWS {
        for (i, mapping) in MAPPINGS.into_iter().enumerate() {
            let mut case = wave(1);
            let from = inputs(&mut case, i % 2 == 0);
            let mut ops = Vec::new();
            for (j, deviate) in DEVIATES.into_iter().enumerate() {
                let columns = if (i + j) % 2 == 0 { 0 } else { 2 };
                ops.push(fabricate(
                    &mut case,
                    &from,
                    spec(law, mapping, deviate, columns),
                ));
            }
            case.section(ops);
            case.runs[0].1.first_chip = 1000;
            case.matches_cpu("fabricate", TOLERANCE);
        }
    }
}

#[test]
fn reference_columns_match_cpu() {
    for law in LAWS {
        let mut case = wave(1);
        let from = inputs(&mut case, true);
        let ops = MAPPINGS
            .map(|mapping| fabricate(&mut case, &from, spec(law, mapping, Deviate::Gaussian, 3)));
        case.section(ops.to_vec());
        case.matches_cpu("reference columns", TOLERANCE);
    }
}

#[test]
fn layers_without_weights_stay_finite() {
    let mut case = wave(1);
    let w = case.made(ROWS * COLS, Scope::Shared, |n, _| vec![0.0; n]);
    let full_scale = case.made(1, Scope::Shared, |_, _| vec![0.0]);
    let chip = case.made(CHIP_FIELDS, Scope::PerChip, chips);
    let from = Inputs {
        w,
        full_scale,
        chip,
    };
    let law = Law::WeightProportional;
    let ops = MAPPINGS
        .map(|mapping| fabricate(&mut case, &from, spec(law, mapping, Deviate::Gaussian, 1)));
    case.section(ops.to_vec());
    case.matches_cpu("no weights", 0.0);
}

#[test]
fn gradients_match_cpu() {
    for law in LAWS {
        for (i, mapping) in MAPPINGS[..3].iter().copied().enumerate() {
            let mut case = wave(1);
            let from = inputs(&mut case, false);
            let dout = case.exact(ROWS * COLS, Scope::PerChip);
            let dw = case.output(ROWS * COLS, Scope::Shared);
            case.section(vec![Op::from(FabricateGrad {
                w: from.w,
                chip: from.chip,
                dout,
                dw,
                spec: spec(law, mapping, DEVIATES[i], 0),
            })]);
            case.runs[0].1.purpose = TRAINING;
            case.matches_cpu("fabricate_grad", TOLERANCE);
        }
    }
}

/// Weights of `chips` chips from `first` on, fabricated in waves of at most `wave`.
fn weights_of(spec: Fabrication, first: u32, chips: usize, capacity: usize) -> Option<Vec<f32>> {
    let gpu = gpu_or_skip("waves")?;
    let mut case = Case::new(1, capacity, 16);
    let from = inputs(&mut case, true);
    // The same constants for every chip, whatever its place in the wave.
    let constants = [0.125, 1.25, 0.0625, 0.0];
    case.values.insert(from.chip, constants.repeat(capacity));
    let op = fabricate(&mut case, &from, spec);
    case.section(vec![op]);
    let args = &mut case.runs[0].1;
    args.first_chip = first;
    args.chips = chips;
    let mut out = case.results(gpu).remove(0);
    out.truncate(chips * ROWS * COLS);
    Some(out)
}

#[test]
fn a_chip_is_the_same_alone_and_in_any_wave() {
    for mapping in MAPPINGS {
        let spec = spec(Law::WeightProportional, mapping, Deviate::Lognormal, 2);
        let Some(whole) = weights_of(spec, 10, 6, 6) else {
            return;
        };
        for (first, chips, capacity) in [(10, 1, 1), (13, 1, 5), (12, 3, 3), (14, 2, 4)] {
            let part = weights_of(spec, first, chips, capacity).expect("the adapter is there");
            let start = (first as usize - 10) * ROWS * COLS;
            assert_eq!(
                part,
                whole[start..start + part.len()],
                "{mapping:?} {first}"
            );
        }
    }
}

#[test]
fn seeds_layers_and_purposes_are_independent() {
    let Some(gpu) = gpu_or_skip("streams") else {
        return;
    };
    let mut all = Vec::new();
    for (seed, layer, purpose) in [
        (7, 4, 0),
        (8, 4, 0),
        (7 << 32, 4, 0),
        (7, 5, 0),
        (7, 4, TRAINING),
    ] {
        let mut case = Case::new(1, 1, 16);
        let from = inputs(&mut case, false);
        let mut spec = spec(Law::LayerFixed, Mapping::Ideal, Deviate::Gaussian, 0);
        spec.layer = layer;
        let op = fabricate(&mut case, &from, spec);
        case.section(vec![op]);
        case.runs[0].1.seed = seed;
        case.runs[0].1.purpose = purpose;
        all.push(case.results(gpu).remove(0));
    }
    for i in 0..all.len() {
        for j in 0..i {
            let equal = all[i].iter().zip(&all[j]).filter(|(a, b)| a == b).count();
            assert!(equal < 2, "{i} and {j} share {equal} weights");
        }
    }
}
