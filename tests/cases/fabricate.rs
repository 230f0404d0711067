//! Fabricated weights, and their gradient, by the closed form.

use pimento::chip::closed_form;
use pimento::effects::Profile;
use pimento::program::*;
use pimento::random::{NORMAL_TOLERANCE, TRAINING};

use super::case::*;

pub const COLS: usize = 7;
pub const ROWS: usize = 45;

pub const LAWS: [Law; 2] = [Law::WeightProportional, Law::LayerFixed];
pub const MAPPINGS: [Mapping; 7] = [
    Mapping::Ideal,
    Mapping::Differential { g_min: 0.0 },
    Mapping::Differential { g_min: 0.1 },
    Mapping::Offset {
        g_min: 0.0,
        copies: 0,
    },
    Mapping::Offset {
        g_min: 0.1,
        copies: 0,
    },
    Mapping::Offset {
        g_min: 0.1,
        copies: 1,
    },
    Mapping::Offset {
        g_min: 0.05,
        copies: 4,
    },
];
pub const DEVIATES: [Deviate; 3] = [
    Deviate::Gaussian,
    Deviate::Truncated { at: 2.0 },
    Deviate::Lognormal,
];

pub fn spec(law: Law, mapping: Mapping, deviate: Deviate) -> Fabrication {
    Fabrication {
        law,
        mapping,
        deviate,
        sigma_w: 0.2,
        profile: None,
        reference_columns: 0,
        layer: 3,
        cols: COLS,
        rows: ROWS,
    }
}

/// Pieces that rise, fall and do not meet; none ends at a conductance of the mappings' zeros or of weights of `+-1`.
fn profile() -> Profile {
    let starts = [0.0, 1.5, 1.5, 0.2, 2.0, 0.7, 1.0];
    let rises = [0.5, 0.0, -0.8, 0.3, -1.0, 0.1, 0.9];
    Profile::new(starts.into_iter().zip(rises).map(|(a, b)| [a, b]).collect())
}

/// Weights with zeros, both signs and the full scale among them.
pub fn weights() -> Vec<f32> {
    let mut w: Vec<f32> = normals(1, COLS * ROWS)
        .iter()
        .map(|v| (0.3 * v).clamp(-1.0, 1.0))
        .collect();
    (w[0], w[1], w[2]) = (0.0, 1.0, -1.0);
    w
}

/// Laws and mappings.
fn kinds() -> Vec<(Law, Mapping)> {
    let all = LAWS.into_iter();
    all.flat_map(|law| MAPPINGS.map(|mapping| (law, mapping)))
        .collect()
}

/// Values that all chips of a case have: common deviation, gain, offset.
fn chip(case: &mut Case, [e, gain, offset]: [f32; 3]) -> TensorId {
    let values = [e, gain, offset, 0.0].repeat(case.chips);
    case.given(CHIP_FIELDS, Scope::PerChip, values)
}

/// Chips `first..` of one seed.
fn args(case: &mut Case, first: u32, purpose: u32) {
    let args = RunArgs::wave(0x1234_5678_9abc, first, case.chips, 0..0);
    case.runs[0].1 = RunArgs { purpose, ..args };
}

/// A chip of the closed form.
fn model(index: u32, flags: u32, [e, gain, offset]: [f32; 3]) -> closed_form::Chip {
    closed_form::Chip {
        seed: 0x1234_5678_9abc,
        flags,
        index,
        e: e.into(),
        gain: gain.into(),
        offset: offset.into(),
    }
}

/// Every distribution, with and without reference columns, with a full scale for the layer and for every
/// column.
pub fn closed_forms() -> Vec<Case> {
    const FIELDS: [f32; 3] = [-0.2, 1.1, 0.05];
    let weights = weights();
    let per_column: Vec<f32> = (0..COLS).map(|c| 1.0 + 0.1 * c as f32).collect();
    let cases = kinds().into_iter().map(|(law, mapping)| {
        let mut case = Case::new(1, 2, 0);
        case.name = format!("{law:?} {mapping:?}");
        let w = case.shared(&weights);
        let chip = chip(&mut case, FIELDS);
        let (mut ops, mut wants) = (Vec::new(), Vec::new());
        for full in [&[1.25f32][..], &per_column] {
            let full_scale = case.shared(full);
            let kinds = DEVIATES.map(|deviate| (deviate, None));
            let own = [(Deviate::Gaussian, Some(profile()))];
            for (deviate, profile) in kinds.into_iter().chain(own) {
                for reference_columns in [0, 3] {
                    let spec = Fabrication {
                        reference_columns,
                        profile: profile.clone(),
                        ..spec(law, mapping, deviate)
                    };
                    let out = case.result(weights.len(), Scope::PerChip);
                    ops.push(Op::from(Fabricate {
                        w,
                        full_scale,
                        chip,
                        out,
                        spec: spec.clone(),
                    }));
                    let chips = [5, 6].map(|index| {
                        let model = model(index, TRAINING, FIELDS);
                        closed_form::fabricate(&weights, full, &spec, model)
                    });
                    wants.push((out, chips.concat()));
                }
            }
        }
        case.section(ops);
        args(&mut case, 5, TRAINING);
        // Deviates below 5 sigma of 0.2, times a profile of 2 at most, on conductances of size 1, times 2 full/(1 - g_min) < 5 and the
        // gain; a dozen roundings.
        let size = 5.0 * 1.1;
        let bar = size * 0.4 * 5.0 * NORMAL_TOLERANCE * 3.0 + 12.0 * size * 2.0 * EPS;
        for (out, want) in wants {
            let limits: Vec<f64> = want.iter().map(|w| 4.0 * EPS * w.abs() + bar).collect();
            case.want_within(out, want, |i| limits[i]);
        }
        // The deviate's 8 ulp on another backend, and a dozen roundings of values up to 8.
        case.apart[0] = 128.0 * ULP;
        case
    });
    cases.collect()
}

/// Without variation a chip is exactly the nominal weights. A layer of zeros, whose full scale is 0, stays
/// zero on every chip.
pub fn nominal() -> Vec<Case> {
    let cases = kinds().into_iter().map(|(law, mapping)| {
        let mut case = Case::new(1, 1, 0);
        case.name = format!("{law:?} {mapping:?}");
        let n = COLS * ROWS;
        let (w, one) = (case.shared(&weights()), case.shared(&[1.0]));
        let (zeros, zero) = (case.shared(&vec![0.0; n]), case.shared(&[0.0]));
        let perfect = chip(&mut case, [0.0, 1.0, 0.0]);
        let shifted = chip(&mut case, [0.3, 1.0, 0.0]);
        let out = case.result(n, Scope::PerChip);
        let mut ops = vec![Op::from(Fabricate {
            w: zeros,
            full_scale: zero,
            chip: shifted,
            out,
            spec: spec(law, mapping, Deviate::Gaussian),
        })];
        case.want(out, vec![0.0; n], 0.0);
        let kinds = DEVIATES.map(|deviate| (deviate, None));
        for (deviate, profile) in kinds
            .into_iter()
            .chain([(Deviate::Gaussian, Some(profile()))])
        {
            for reference_columns in [0, 2] {
                let out = case.result(n, Scope::PerChip);
                ops.push(Op::from(Fabricate {
                    w,
                    full_scale: one,
                    chip: perfect,
                    out,
                    spec: Fabrication {
                        sigma_w: 0.0,
                        profile: profile.clone(),
                        reference_columns,
                        ..spec(law, mapping, deviate)
                    },
                }));
                case.want(out, case.at(w, 0, 0), 0.0);
            }
        }
        case.section(ops);
        args(&mut case, 0, 0);
        // A dozen roundings of values up to 8.
        case.apart[0] = 128.0 * ULP;
        case
    });
    cases.collect()
}

/// `dw` of `sum dout out(w)`, the chip held: finite differences in the nominal weight.
pub fn gradients() -> Vec<Case> {
    let all = kinds().into_iter();
    let plain = all
        .flat_map(|(law, mapping)| DEVIATES.map(|deviate| gradient(spec(law, mapping, deviate))));
    let profiled = kinds().into_iter().map(|(law, mapping)| {
        gradient(Fabrication {
            profile: Some(Profile::new(PIECES.to_vec())),
            ..spec(law, mapping, Deviate::Gaussian)
        })
    });
    plain.chain(profiled).collect()
}

/// Ten pieces, so that a difference of weights stays within one.
const PIECES: [[f32; 2]; 10] = [
    [0.3, 0.2],
    [0.5, -0.4],
    [1.5, 0.3],
    [0.1, 0.8],
    [0.9, -0.1],
    [0.8, 0.0],
    [0.2, 0.6],
    [0.8, -0.7],
    [1.1, 0.4],
    [1.5, -0.5],
];

/// Weights of both signs in the middle of a tenth of a full scale of 2.5.
fn in_the_middle() -> Vec<f32> {
    let middle = |i: usize| {
        let v = (i % 10) as f32 / 10.0 + 0.05;
        if (i / 10).is_multiple_of(2) {
            2.5 * v
        } else {
            -2.5 * v
        }
    };
    (0..COLS * ROWS).map(middle).collect()
}

fn gradient(spec: Fabrication) -> Case {
    const FIELDS: [f32; 3] = [-0.15, 1.2, 0.03];
    // w' is linear in w on either side of zero, so a large step is exact; the closed form is in f64, its
    // argument an exact f32.
    const H: f32 = 1.0 / 256.0;
    let mut case = Case::new(1, 3, 0);
    case.name = format!("{spec:?}");
    let n = COLS * ROWS;
    let weights = match spec.profile {
        Some(_) => in_the_middle(),
        None => weights(),
    };
    let w = case.shared(&weights);
    let full_scale = spec.profile.is_some().then(|| case.shared(&[2.5]));
    let dout = case.given(n, Scope::PerChip, normals(9, 3 * n));
    let chip = chip(&mut case, FIELDS);
    let dw = case.result(n, Scope::Shared);
    case.section(vec![Op::from(FabricateGrad {
        w,
        full_scale,
        chip,
        dout,
        dw,
        spec: spec.clone(),
    })]);
    args(&mut case, 4, 0);
    let away = if spec.profile.is_some() { 0.0 } else { 1.0 };
    let shifted = |h: f32| -> Vec<f32> {
        let shift = |w: &f32| {
            if *w >= 0.0 {
                w + away + h
            } else {
                w - away + h
            }
        };
        weights.iter().map(shift).collect()
    };
    let mut want = vec![0.0; n];
    for c in 0..3 {
        let at = model(4 + c as u32, 0, FIELDS);
        let [low, high] = [-H, H].map(|h| closed_form::fabricate(&shifted(h), &[2.5], &spec, at));
        for (i, dout) in case.at(dout, c, 0).into_iter().enumerate() {
            want[i] += dout * (high[i] - low[i]) / f64::from(2.0 * H);
        }
    }
    // Argument roundings 2^-23/h of a step; normals as above.
    case.want(dw, want, 3.0 * 5.0 * (8.0 * EPS / f64::from(H)));
    // Three chips' sums with factors up to 4 of what is 128 roundings apart.
    case.apart[0] = 4.0 * 128.0 * ULP;
    case
}
