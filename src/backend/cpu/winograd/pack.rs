//! The kernels `U = G g G^T` of a layer, as its products read them: rows of a register tile are lanes.

use super::WinogradPlan;
use crate::backend::cpu::simd::{Kernel, Simd};
use crate::backend::cpu::tiles::Tiles;
use crate::program::LANES;

/// Makes them of the weights of one chip.
pub struct Pack<'a> {
    /// The layer.
    pub plan: &'a WinogradPlan,
    /// Weights.
    pub w: &'a [f32],
    /// Written.
    pub packed: &'a mut [f32],
}

impl Kernel for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (l, slab) = (&self.plan.layer, self.plan.slab());
        let tiles = Tiles::new(l.written, S::ROWS);
        let half = s.splat(0.5);
        let mut taps = [[0.0; LANES]; 9];
        for t in 0..tiles.count {
            let rows = tiles.rows(t);
            for c in 0..l.read {
                for (i, o) in rows.clone().enumerate() {
                    let kernel = &self.w[l.weight(o, c, 0, 0).min(l.weight(o, c, 2, 2))..][..9];
                    for (k, taps) in taps.iter_mut().enumerate() {
                        taps[i] = kernel[if l.turned { 8 - k } else { k }];
                    }
                }
                // G g, row by row, then its columns.
                let mut half_way = [[half; 3]; 4];
                for x in 0..3 {
                    let (a, b, c) = (s.load(&taps[x]), s.load(&taps[3 + x]), s.load(&taps[6 + x]));
                    let column = spread_kernel(s, half, [a, b, c]);
                    for (row, v) in half_way.iter_mut().zip(column) {
                        row[x] = v;
                    }
                }
                let at = rows.start * l.read + c * rows.len();
                for (i, row) in half_way.into_iter().enumerate() {
                    for (j, v) in spread_kernel(s, half, row).into_iter().enumerate() {
                        // Reaches into what is written next, at the end into the slab's spare vector.
                        s.store(v, &mut self.packed[(4 * i + j) * slab + at..]);
                    }
                }
            }
        }
    }
}

/// `G` times a column.
#[inline(always)]
fn spread_kernel<S: Simd>(s: S, half: S::V, [a, b, c]: [S::V; 3]) -> [S::V; 4] {
    let ends = s.mul(half, s.add(a, c));
    let middle = s.mul(half, b);
    [a, s.add(ends, middle), s.sub(ends, middle), c]
}
