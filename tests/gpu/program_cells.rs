//! Ideal cells of every kind of encoding on an adapter.

use pimento::program::*;

use super::arrays::*;
use super::harness::*;
pub(super) use crate::cases::program_cells::varied as programming;

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
