use pimento::effects::{Drift, Limits, OpenLines, Stuck};
use pimento::program::*;
use pimento::random::TRAINING;

use super::arrays::*;
use super::harness::*;

/// A dozen roundings and the deviates' 8 ulp (see the tests of the generator) of conductances of at
/// most 4, in level units of at most `3 / (1 - 1/8)`.
const TOLERANCE: f64 = 256.0 * ULP;

/// Cells of which fours straddle columns and planes, and such of which none do.
const SIZES: [(usize, usize); 2] = [(5, 7), (6, 8)];

pub(super) fn programming(arrays: Arrays) -> Programming {
    Programming::ideal(arrays, 3).varied(0.1)
}

/// Effects that are tested alone; the first is none.
const EFFECTS: usize = 11;

/// Effects one by one, then all of them together.
fn effects(arrays: &Arrays) -> Vec<Programming> {
    let plain = programming(arrays.clone());
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

/// Programs a layer by every specification.
fn program(case: &mut Case, specs: &[Programming], per_column: bool) {
    let a = &specs[0].arrays;
    let w = case.made(a.plane_len(), Scope::Shared, |n, seed| {
        integers(-7, 7)(n, seed).iter().map(|q| 0.5 * q).collect()
    });
    let steps = if per_column { a.cols } else { 1 };
    let step = case.made(steps, Scope::Shared, |n, _| vec![0.5; n]);
    let array = case.made(a.cell_arrays(), Scope::PerChip, |n, seed| {
        values(n, seed).iter().map(|v| 0.2 * v).collect()
    });
    let mut ops = Vec::new();
    for spec in specs {
        let planes = match spec.raw {
            true => a.cell_planes(),
            false => a.read_planes(),
        };
        let n = planes * a.plane_len();
        ops.push(Op::from(ProgramCells {
            w,
            step,
            array,
            out: case.output(n, Scope::PerChip),
            variance: (!spec.raw).then(|| case.output(n, Scope::PerChip)),
            spec: spec.clone(),
        }));
    }
    case.section(ops);
    case.runs[0].1.first_chip = 1000;
}

#[test]
fn cells_match_cpu() {
    for (i, encoding) in ENCODINGS.into_iter().enumerate() {
        let (cols, rows) = SIZES[i % 2];
        let mut case = wave(1);
        let mut specs = effects(&arrays(cols, rows, encoding));
        if i > 0 {
            // Kernels are compiled one by one: plain, with everything, and what follows.
            specs.drain(1..EFFECTS - 1);
        }
        program(&mut case, &specs, i % 2 == 0);
        case.runs[0].1.purpose = if i % 2 == 0 { 0 } else { TRAINING };
        case.matches_cpu(&format!("program_cells {encoding:?}"), TOLERANCE);
    }
}

/// Without errors a read is its digit, exactly: what converters count on.
#[test]
fn ideal_cells_are_integers() {
    for encoding in [ENCODINGS[0], ENCODINGS[1], ENCODINGS[5]] {
        let mut case = wave(1);
        let spec = programming(arrays(5, 7, encoding)).varied(0.0);
        program(&mut case, &[spec], false);
        for data in case.values.values_mut() {
            // No common deviations either.
            if data.iter().all(|v| v.abs() <= 0.2) {
                data.fill(0.0);
            }
        }
        let Some(gpu) = gpu_or_skip("ideal cells") else {
            return;
        };
        let values = &case.results(gpu)[0];
        assert!(values.iter().any(|v| *v != 0.0));
        assert!(values.iter().all(|v| *v == v.round()), "{encoding:?}");
        case.matches_cpu(&format!("ideal {encoding:?}"), 0.0);
    }
}
