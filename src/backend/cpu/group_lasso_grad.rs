//! Gradient of the sum of the lengths of groups of weights.

use super::memory::Memory;
use super::step::{WholeOp, scheduled};
use crate::program::{GroupLassoGrad, RunArgs};

scheduled!(GroupLassoGrad: whole);

impl WholeOp for GroupLassoGrad {
    fn run(&self, memory: &mut Memory, _: &RunArgs) {
        memory.each_chip([self.dw], |m, chip, [dw]| {
            add(self, m.flat(self.w, chip), dw)
        });
    }
}

/// Adds the gradient, group by group.
fn add(op: &GroupLassoGrad, w: &[f32], dw: &mut [f32]) {
    if op.tile == (1, 1) {
        for (dw, &w) in dw.iter_mut().zip(w) {
            *dw += if w == 0.0 { 0.0 } else { op.factor.copysign(w) };
        }
        return;
    }
    let (cols, rows) = (w.len() / op.rows, op.rows);
    for o in (0..cols).step_by(op.tile.0) {
        for k in (0..rows).step_by(op.tile.1) {
            let pieces = o..(o + op.tile.0).min(cols);
            let pieces = pieces.map(|o| o * rows + k..o * rows + (k + op.tile.1).min(rows));
            let squares = pieces.clone().flat_map(|piece| &w[piece]);
            let norm = squares.map(|&w| f64::from(w).powi(2)).sum::<f64>().sqrt();
            if norm == 0.0 {
                continue;
            }
            let times = f64::from(op.factor) / norm;
            for piece in pieces {
                for (dw, &w) in dw[piece.clone()].iter_mut().zip(&w[piece]) {
                    *dw += (times * f64::from(w)) as f32;
                }
            }
        }
    }
}
