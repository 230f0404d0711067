//! What the wires of every array make of its cells, see [`crate::chip::ir_drop`].

use rayon::prelude::*;

use super::memory::Memory;
use super::planes::{Kept, halves_mut};
use super::step::{WholeOp, scheduled};
use crate::chip::ir_drop;
use crate::program::{Arrays, Encoding, IrDrop, RunArgs, Storage, Wires};

scheduled!(IrDrop: whole);

impl WholeOp for IrDrop {
    fn run(&self, memory: &mut Memory, _: &RunArgs) {
        let (kept, n) = (memory.desc(self.out).storage, memory.shape(self.out).len());
        memory.each_chip([self.out], |m, chip, [out]| {
            let g = m.flat(self.g, chip);
            match kept {
                Storage::F32 => forward(&self.spec, g, out),
                Storage::F16 => forward(&self.spec, g, halves_mut(out, n)),
            }
        });
    }
}

/// Cell planes of a read plane, with their signs.
fn poles(a: &Arrays, p: usize) -> Vec<(usize, f64)> {
    match a.encoding {
        Encoding::Differential { digital: false, .. } => vec![(2 * p, 1.0), (2 * p + 1, -1.0)],
        _ => vec![(p, 1.0)],
    }
}

/// Read planes of one chip in level units from its raw cells.
fn forward<T: Kept>(spec: &Wires, g: &[f32], out: &mut [T]) {
    let a = &spec.arrays;
    let n = a.plane_len();
    let tiles = a.tile_cols.windows(2).map(|c| c[0] as usize..c[1] as usize);
    let tiles: Vec<_> = tiles.collect();
    out.par_chunks_mut(n).enumerate().for_each(|(p, out)| {
        let units = f64::from(a.level_units(a.slice_of(p)));
        for rows in a.tile_rows.windows(2) {
            let rows = rows[0] as usize..rows[1] as usize;
            for cols in &tiles {
                let cells = |plane: usize| -> Vec<f64> {
                    let columns = cols.clone().map(|o| plane * n + o * a.rows);
                    let cells = columns.flat_map(|at| &g[at + rows.start..at + rows.end]);
                    cells.map(|&g| f64::from(g)).collect()
                };
                let mut sum = vec![0.0; cols.len() * rows.len()];
                for (plane, sign) in poles(a, p) {
                    let mut matrix = cells(plane);
                    ir_drop::array(spec, cols.len(), rows.len(), &mut matrix);
                    sum.iter_mut()
                        .zip(&matrix)
                        .for_each(|(s, m)| *s += sign * m);
                }
                for (o, sum) in cols.clone().zip(sum.chunks_exact(rows.len())) {
                    let line: Vec<f32> = sum.iter().map(|s| (units * s) as f32).collect();
                    T::keep(&line, &mut out[o * a.rows..][rows.clone()]);
                }
            }
        }
    });
}
