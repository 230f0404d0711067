//! Wires of arrays: that every array's cells go through [`pimento::chip::ir_drop`] and come back where
//! they belong; what it computes is tested there.

use pimento::chip::ir_drop;
use pimento::program::*;

use super::arrays;
use super::case::*;
use super::layers::{self, ENCODINGS};

/// Wires of either kind, with few sweeps or solved directly.
pub fn any_wires(rng: &mut Rng, arrays: Arrays) -> Wires {
    Wires {
        arrays,
        topology: [Topology::InputSource, Topology::SeparateSource][rng.pick(0, 1)],
        row: 0.01,
        col: 0.02,
        row_terminal: 0.03,
        col_terminal: 0.0,
        sweeps: rng.pick(0, 3) as u32,
        activity: 0.4,
    }
}

/// A chip's read planes in level units, array by array.
fn planes(spec: &Wires, g: &[f64]) -> Vec<f64> {
    let a = &spec.arrays;
    let poles = a.cell_planes() / a.read_planes();
    let mut planes = Vec::new();
    for p in 0..a.read_planes() {
        let units = f64::from(a.level_units(a.slice_of(p)));
        let mut plane = vec![0.0; a.plane_len()];
        for r in a.tile_rows.windows(2) {
            for c in a.tile_cols.windows(2) {
                for (pole, sign) in (0..poles).zip([1.0, -1.0]) {
                    let at = |o: u32, k: u32| o as usize * a.rows + k as usize;
                    let places = (c[0]..c[1]).flat_map(|o| (r[0]..r[1]).map(move |k| (o, k)));
                    let places: Vec<usize> = places.map(|(o, k)| at(o, k)).collect();
                    let first = (p * poles + pole) * a.plane_len();
                    let mut cells: Vec<f64> = places.iter().map(|i| g[first + i]).collect();
                    let (outputs, inputs) = (c[1] - c[0], r[1] - r[0]);
                    ir_drop::array(spec, outputs as usize, inputs as usize, &mut cells);
                    for (i, v) in places.iter().zip(cells) {
                        plane[*i] += sign * v;
                    }
                }
            }
        }
        planes.extend(plane.iter().map(|v| units * v));
    }
    planes
}

/// Arrays are cut and put together.
pub fn cut() -> Vec<Case> {
    let cases = (0..12).map(|seed| {
        let mut rng = Rng(seed);
        let geo = arrays::geometry(&mut rng);
        let a = arrays::arrays(&mut rng, &geo);
        let spec = any_wires(&mut rng, a.clone());
        let mut case = Case::new(seed, 2, 1);
        let g = case.drawn(a.cells(), Scope::PerChip, |rng| rng.signed().abs());
        let out = case.result(a.read_planes() * a.plane_len(), Scope::PerChip);
        case.section(vec![Op::from(IrDrop {
            g,
            out,
            spec: spec.clone(),
        })]);
        let want = case.each(Scope::PerChip, |chip, _| {
            planes(&spec, &case.at(g, chip, 0))
        });
        let n = a.plane_len();
        // Rounded once, to `f32`.
        let units = |i: usize| f64::from(a.level_units(a.slice_of(i / n % a.read_planes())));
        case.want_within(out, want, |i| units(i) * EPS);
        let largest = (0..a.read_planes())
            .map(|p| units(p * n))
            .fold(0.0, f64::max);
        case.apart[0] = TOLERANCE * largest;
        case
    });
    cases.collect()
}

/// Roundings of a current of 1: the dividers of a line of up to 90 nodes and back are rounded three times
/// a node, and each sweep solves from rounded voltages anew, which is a contraction and adds no more than
/// a few of these.
const TOLERANCE: f64 = 90.0 * 6.0 * ULP;

/// Roundings of a current in units of the largest (level units of at most 3 / (1 - 1/8)), as above, of
/// lines of 40 nodes.
const LEVEL_TOLERANCE: f64 = 3.5 * 40.0 * 6.0 * ULP;

/// Wires of a strength.
pub fn wires(arrays: Arrays, topology: Topology, sweeps: u32, strength: f32) -> Wires {
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
pub fn sweeps_of(a: &Arrays, sweeps: &[u32], topology: Topology, strength: f32) -> Case {
    let mut case = Case::new(1, 2, 16);
    case.name = format!("{topology:?} {strength}");
    let g = case.made(a.cells(), Scope::PerChip, |n, seed| {
        values(n, seed).iter().map(|v| v.abs()).collect()
    });
    let n = a.read_planes() * a.plane_len();
    let ops = sweeps.iter().map(|&sweeps| {
        Op::from(IrDrop {
            g,
            out: case.output(n, Scope::PerChip),
            spec: wires(a.clone(), topology, sweeps, strength),
        })
    });
    let ops = ops.collect();
    case.section(ops);
    case.apart[0] = LEVEL_TOLERANCE * f64::from(a.level_units(0) / 3.0);
    case
}

/// One array of `rows` x `cols`.
pub fn one_array(rows: u32, cols: u32, encoding: Encoding) -> Arrays {
    Arrays {
        tile_rows: [0, rows].into(),
        tile_cols: [0, cols].into(),
        slice_bits: [3].into(),
        equal_slices: 1,
        ..layers::arrays(cols as usize, rows as usize, encoding)
    }
}

const TOPOLOGIES: [Topology; 2] = [Topology::InputSource, Topology::SeparateSource];

/// The iteration sweep by sweep, and, settled, the direct solution; arrays of more lines than a workgroup
/// has threads, ideal wires, and wires that take most of the voltage.
pub fn sweeps() -> Vec<Case> {
    let mut cases = Vec::new();
    for topology in TOPOLOGIES {
        for (i, strength) in [0.0, 1e-3, 0.02].into_iter().enumerate() {
            let encoding = ENCODINGS[[0, 2, 4][i]];
            let a = match i {
                1 => one_array(40, 70, encoding),
                _ => layers::arrays(7, 11, encoding),
            };
            cases.push(sweeps_of(&a, &[0, 1, 3], topology, strength));
        }
    }
    cases
}

/// As large as arrays commonly are: more rounds for a thread than lavapipe goes in one call.
pub fn large_arrays() -> Vec<Case> {
    let cases = TOPOLOGIES.map(|topology| {
        let a = one_array(128, 128, ENCODINGS[0]);
        let mut case = sweeps_of(&a, &[0, 2], topology, 1e-4);
        case.apart[0] *= 128.0 / 40.0;
        case
    });
    cases.into()
}

/// A large resistance at the end of the output lines leaves nearly no voltage to the cells.
pub fn large_ends() -> Vec<Case> {
    let mut cases = Vec::new();
    for topology in TOPOLOGIES {
        for end in [1e-2, 1e2, 1e7] {
            let a = one_array(16, 12, ENCODINGS[2]);
            let mut case = Case::new(1, 1, 16);
            case.name = format!("{topology:?} with an end of {end}");
            let g = case.made(a.cells(), Scope::PerChip, |n, seed| {
                values(n, seed).iter().map(|v| 0.1 + v.abs()).collect()
            });
            let out = case.output(a.read_planes() * a.plane_len(), Scope::PerChip);
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
            case.apart[0] = LEVEL_TOLERANCE * f64::from(most);
            cases.push(case);
        }
    }
    cases
}
