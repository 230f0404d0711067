//! Wires of arrays: that every array's cells go through [`pimento::chip::ir_drop`] and come back where
//! they belong; what it computes is tested there.

use pimento::chip::ir_drop;
use pimento::program::*;

use crate::arrays::{arrays, geometry};
use crate::case::{Case, EPS, Rng, backends, close};

/// Wires of either kind, with few sweeps or solved directly.
pub fn wires(rng: &mut Rng, arrays: Arrays) -> Wires {
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

#[test]
fn arrays_are_cut_and_put_together() {
    for seed in 0..12 {
        let mut rng = Rng(seed);
        let geo = geometry(&mut rng);
        let a = arrays(&mut rng, &geo);
        let spec = wires(&mut rng, a.clone());
        let mut case = Case::new(seed, 2, 1);
        let cells: Vec<f32> = (0..2 * a.cells()).map(|_| rng.signed().abs()).collect();
        let g = case.given(Shape::Flat(a.cells()), Scope::PerChip, cells);
        let n = a.read_planes() * a.plane_len();
        let out = case.result(Shape::Flat(n), Scope::PerChip);
        let poles = a.cell_planes() / a.read_planes();
        let (mut want, mut limit) = (Vec::new(), Vec::new());
        for chip in 0..2 {
            let g = case.at(g, chip, 0);
            for p in 0..a.read_planes() {
                let units = f64::from(a.level_units(a.slice_of(p)));
                let mut plane = vec![0.0; a.plane_len()];
                for r in a.tile_rows.windows(2) {
                    for c in a.tile_cols.windows(2) {
                        for (pole, sign) in (0..poles).zip([1.0, -1.0]) {
                            let at = |o: u32, k: u32| o as usize * a.rows + k as usize;
                            let places =
                                (c[0]..c[1]).flat_map(|o| (r[0]..r[1]).map(move |k| (o, k)));
                            let places: Vec<usize> = places.map(|(o, k)| at(o, k)).collect();
                            let first = (p * poles + pole) * a.plane_len();
                            let mut cells: Vec<f64> = places.iter().map(|i| g[first + i]).collect();
                            let (outputs, inputs) = (c[1] - c[0], r[1] - r[0]);
                            ir_drop::array(&spec, outputs as usize, inputs as usize, &mut cells);
                            for (i, v) in places.iter().zip(cells) {
                                plane[*i] += sign * v;
                            }
                        }
                    }
                }
                want.extend(plane.iter().map(|v| units * v));
                // Rounded once, to `f32`.
                limit.extend(plane.iter().map(|_| units * EPS));
            }
        }
        for (isa, backend) in backends() {
            let op = Op::from(IrDrop {
                g,
                out,
                spec: spec.clone(),
            });
            let [got] = case.run(&backend, vec![op], [out]);
            close(isa, &got, &want, |i| limit[i]);
        }
    }
}
