use pimento::backend::program::*;

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
                1 => Arrays {
                    tile_rows: [0, 40].into(),
                    tile_cols: [0, 70].into(),
                    slice_bits: [3].into(),
                    ..arrays(70, 40, encoding)
                },
                _ => arrays(7, 11, encoding),
            };
            let mut case = Case::sized(2, 16);
            let g = case.state_of(a.cells(), Scope::PerChip, |n, seed| {
                values(n, seed).iter().map(|v| v.abs()).collect()
            });
            let n = a.read_planes() * a.plane_len();
            let ops = [0, 1, 3].map(|sweeps| Op::IrDrop {
                g,
                out: case.result(n, Scope::PerChip),
                spec: wires(a.clone(), topology, sweeps, strength),
            });
            case.section(ops.to_vec());
            let units = a.level_units(0) / 3.0;
            case.compare(&format!("{topology:?} {strength}"), TOLERANCE * units);
        }
    }
}
