//! Small layers on chips, every law with every mapping and distribution, compared between backends.

use pimento::program::*;
use pimento::random::TRAINING;

use super::case::*;

/// A deviate's 8 ulp (see the tests of the generator) times sigma, the mapping's factor of at most
/// 2.5 and up to four such terms, and a dozen roundings of values up to 8.
const TOLERANCE: f64 = 128.0 * ULP;

/// Rows and columns such that Philox blocks straddle columns and the last one is not full.
pub const ROWS: usize = 7;
pub const COLS: usize = 5;

pub fn spec(law: Law, mapping: Mapping, deviate: Deviate, reference_columns: u32) -> Fabrication {
    Fabrication {
        law,
        mapping,
        deviate,
        sigma_w: 0.3,
        profile: None,
        reference_columns,
        layer: 4,
        cols: COLS,
        rows: ROWS,
    }
}

pub const MAPPINGS: [Mapping; 4] = [
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
pub struct Inputs {
    pub w: TensorId,
    pub full_scale: TensorId,
    pub chip: TensorId,
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

pub fn inputs(case: &mut Case, per_column: bool) -> Inputs {
    let groups = if per_column { COLS } else { 1 };
    Inputs {
        w: case.exact(ROWS * COLS, Scope::Shared),
        full_scale: case.made(groups, Scope::Shared, |n, _| {
            (0..n).map(|i| 1.0 + 0.125 * i as f32).collect()
        }),
        chip: case.made(CHIP_FIELDS, Scope::PerChip, chips),
    }
}

pub fn fabricate(case: &mut Case, from: &Inputs, spec: Fabrication) -> Op {
    Op::from(Fabricate {
        w: from.w,
        full_scale: from.full_scale,
        chip: from.chip,
        out: case.output(ROWS * COLS, Scope::PerChip),
        spec,
    })
}

pub fn parts() -> Vec<Case> {
    let mut cases = Vec::new();
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
            case.apart[0] = TOLERANCE;
            cases.push(case);
        }
    }
    cases
}

pub fn reference_columns() -> Vec<Case> {
    let mut cases = Vec::new();
    for law in LAWS {
        let mut case = wave(1);
        let from = inputs(&mut case, true);
        let ops = MAPPINGS
            .map(|mapping| fabricate(&mut case, &from, spec(law, mapping, Deviate::Gaussian, 3)));
        case.section(ops.to_vec());
        case.apart[0] = TOLERANCE;
        cases.push(case);
    }
    cases
}

pub fn no_weights() -> Vec<Case> {
    let mut cases = Vec::new();
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
    case.apart[0] = 0.0;
    cases.push(case);
    cases
}

pub fn gradients() -> Vec<Case> {
    let mut cases = Vec::new();
    for law in LAWS {
        for (i, mapping) in MAPPINGS[..3].iter().copied().enumerate() {
            let mut case = wave(1);
            let from = inputs(&mut case, false);
            let dout = case.exact(ROWS * COLS, Scope::PerChip);
            let dw = case.output(ROWS * COLS, Scope::Shared);
            case.section(vec![Op::from(FabricateGrad {
                w: from.w,
                full_scale: None,
                chip: from.chip,
                dout,
                dw,
                spec: spec(law, mapping, DEVIATES[i], 0),
            })]);
            case.runs[0].1.purpose = TRAINING;
            case.apart[0] = TOLERANCE;
            cases.push(case);
        }
    }
    cases
}
