//! Conductances that inputs drive, chip by chip.

use super::memory::Memory;
use super::step::{WholeOp, scheduled};
use crate::program::{Arrays, ConvGeometry, InputLoad, RunArgs};

scheduled!(InputLoad: whole);

impl WholeOp for InputLoad {
    fn run(&self, memory: &mut Memory, _: &RunArgs) {
        memory.each_chip([self.out], |m, chip, [out]| {
            let rows = row_sums(&self.arrays, self.geo.groups, m.flat(self.g, chip));
            spread(&self.geo, &rows, out);
        });
    }
}

/// Sums over planes and columns of `[group][row]`.
fn row_sums(a: &Arrays, groups: usize, g: &[f32]) -> Vec<f64> {
    let mut sums = vec![0.0; groups * a.rows];
    for plane in g.chunks_exact(a.plane_len()) {
        let groups = plane.chunks_exact(a.plane_len() / groups);
        for (columns, sums) in groups.zip(sums.chunks_exact_mut(a.rows)) {
            for column in columns.chunks_exact(a.rows) {
                for (sum, g) in sums.iter_mut().zip(column) {
                    *sum += f64::from(*g);
                }
            }
        }
    }
    sums
}

/// Whether an output pixel along one axis looks at `at` through place `k` of its kernel.
fn looks(at: usize, k: usize, [stride, dilation, pad, outputs]: [usize; 4]) -> bool {
    let from = (at + pad).checked_sub(k * dilation);
    from.is_some_and(|from| from % stride == 0 && from / stride < outputs)
}

/// Every place of the input map with the rows that it drives.
fn spread(geo: &ConvGeometry, rows: &[f64], out: &mut [f32]) {
    let kernel = geo.kh * geo.kw;
    let vertical = [geo.stride[0], geo.dilation[0], geo.pad[0], geo.h_out()];
    let across = [geo.stride[1], geo.dilation[1], geo.pad[1], geo.w_out()];
    let maps = out.chunks_exact_mut(geo.h_in * geo.w_in);
    for (rows, map) in rows.chunks_exact(kernel).zip(maps) {
        for (at, out) in map.iter_mut().enumerate() {
            let (y, x) = (at / geo.w_in, at % geo.w_in);
            let places = (0..kernel)
                .filter(|k| looks(y, k / geo.kw, vertical) && looks(x, k % geo.kw, across));
            *out = places.map(|k| rows[k]).sum::<f64>() as f32;
        }
    }
}
