use pimento::program::*;

use super::arrays::*;
use super::harness::*;

/// Roundings of a current in units of the largest (level units of at most 3 / (1 - 1/8)): the
/// dividers of a line of 40 nodes and back are rounded three times a node, and each sweep solves
/// from rounded voltages anew, which is a contraction and adds no more than a few of these.
const TOLERANCE: f32 = 3.5 * 40.0 * 6.0 * EPS;

fn wires(arrays: Arrays, topology: Topology, sweeps: u32, strength: f32) -> Wires {
    Wires {
        arrays,
        topology,
        row: strength,
        col: 2.0 * strength,
        row_terminal: 3.0 * strength,
        col_terminal: 0.0,
        sweeps,
        activity: 0.5,
    }
}

/// Wires of `a` for each number of sweeps, with random cells.
fn case(a: &Arrays, sweeps: &[u32], topology: Topology, strength: f32) -> Case {
    let mut case = Case::sized(2, 16);
    let g = case.state_of(a.cells(), Scope::PerChip, |n, seed| {
        values(n, seed).iter().map(|v| v.abs()).collect()
    });
    let n = a.read_planes() * a.plane_len();
    let ops = sweeps.iter().map(|&sweeps| {
        Op::from(IrDrop {
            g,
            out: case.result(n, Scope::PerChip),
            spec: wires(a.clone(), topology, sweeps, strength),
        })
    });
    let ops = ops.collect();
    case.section(ops);
    case
}

/// One array of `rows` x `cols`.
fn one_array(rows: u32, cols: u32, encoding: Encoding) -> Arrays {
    Arrays {
        tile_rows: [0, rows].into(),
        tile_cols: [0, cols].into(),
        slice_bits: [3].into(),
        ..arrays(cols as usize, rows as usize, encoding)
    }
}

/// The iteration sweep by sweep, and, settled, the direct solution of the CPU in `f64`; arrays of
/// more lines than a workgroup has threads, ideal wires, and wires that take most of the voltage.
#[test]
fn wires_match_cpu() {
    for (topology, strengths) in [
        (Topology::InputSource, [0.0, 1e-3, 0.02]),
        (Topology::SeparateSource, [0.0, 1e-3, 0.02]),
    ] {
        for (i, strength) in strengths.into_iter().enumerate() {
            let encoding = ENCODINGS[[0, 2, 4][i]];
            let a = match i {
                1 => one_array(40, 70, encoding),
                _ => arrays(7, 11, encoding),
            };
            let case = case(&a, &[0, 1, 3], topology, strength);
            let units = a.level_units(0) / 3.0;
            case.compare(&format!("{topology:?} {strength}"), TOLERANCE * units);
        }
    }
}

/// Adapters that count a thread's rounds get the work in several calls: several inputs of an array a
/// call, one input, or some sweeps of one.
#[test]
fn wires_in_several_calls_match_cpu() {
    for topology in [Topology::InputSource, Topology::SeparateSource] {
        let a = one_array(40, 70, ENCODINGS[0]);
        let case = case(&a, &[0, 3], topology, 1e-3);
        let units = a.level_units(0) / 3.0;
        for rounds in [60_000, 2_000, 300] {
            let test = format!("{topology:?} in calls of {rounds} rounds");
            case.compare_with_rounds(&test, TOLERANCE * units, rounds);
        }
    }
}

/// As large as arrays commonly are: more rounds for a thread than lavapipe goes in one call.
#[test]
fn wires_of_large_arrays_match_cpu() {
    for topology in [Topology::InputSource, Topology::SeparateSource] {
        let a = one_array(128, 128, ENCODINGS[0]);
        let case = case(&a, &[0, 2], topology, 1e-4);
        let units = a.level_units(0) / 3.0;
        let tolerance = TOLERANCE * 128.0 / 40.0 * units;
        case.compare(&format!("{topology:?}, 128 x 128"), tolerance);
    }
}

/// A large resistance at the end of the output lines leaves nearly no voltage to the cells.
#[test]
fn currents_through_a_large_end_match_cpu() {
    for topology in [Topology::InputSource, Topology::SeparateSource] {
        for end in [1e-2, 1e2, 1e7] {
            let a = one_array(16, 12, ENCODINGS[2]);
            let mut case = Case::sized(1, 16);
            let g = case.state_of(a.cells(), Scope::PerChip, |n, seed| {
                values(n, seed).iter().map(|v| 0.1 + v.abs()).collect()
            });
            let out = case.result(a.read_planes() * a.plane_len(), Scope::PerChip);
            case.section(vec![Op::from(IrDrop {
                g,
                out,
                spec: Wires {
                    col_terminal: end,
                    ..wires(a.clone(), topology, 0, 1e-4)
                },
            })]);
            // What a line conducts is at most that of its 16 cells, and of its end.
            let most = a.level_units(0) / (1.0 / 16.0 + end);
            let test = format!("{topology:?} with an end of {end}");
            case.compare(&test, TOLERANCE * most);
        }
    }
}
