//! Sums by multiply-adds: gathered products of every conversion's map.

use std::ops::Range;

use super::CrossbarPlan;
use crate::backend::cpu::gather::{Job, NEAR_BYTES};
use crate::backend::cpu::simd::Simd;
use crate::backend::cpu::tiles::pixels_at_once;
use crate::program::LANES;

/// Most terms of a sum before the accumulators are stored.
const K_CUT: usize = 256;

/// The sums of one row tile and plane over a span of pixels, of all columns of a group.
pub(super) struct Product<'a> {
    pub plan: &'a CrossbarPlan,
    /// Packed weights.
    pub w: &'a [f32],
    pub rows: Range<usize>,
    pub pixels: Range<usize>,
    pub group: usize,
}

impl Product<'_> {
    #[inline(always)]
    pub fn run<S: Simd>(&self, s: S, drives: &[f32], sums: &mut [f32]) {
        let plan = self.plan;
        let conversions = plan.spec.dac.conversions();
        let tiles = plan.col_tiles(S::ROWS);
        let k = self.rows.len();
        let cuts = k.div_ceil(K_CUT);
        let at_once = pixels_at_once::<S>(tiles.rows(0).len());
        let near = NEAR_BYTES / (k.div_ceil(cuts) * LANES * size_of::<f32>());
        let chunk = (near / at_once).max(1) * at_once;
        let row_out = plan.span * conversions * LANES;
        assert!(sums.len() >= plan.cols * row_out && drives.len() >= conversions * plan.x_len);
        assert!(self.w.len() >= k * plan.cols);
        for t in 0..conversions {
            let x = &drives[t * plan.x_len..][..plan.x_len][self.group * plan.group_in..];
            for cut in 0..cuts {
                let terms = k * cut / cuts..k * (cut + 1) / cuts;
                let offsets = &plan.offsets[self.rows.clone()][terms.clone()];
                for pixels in plan.pixels[self.pixels.clone()].chunks(chunk) {
                    for tile in 0..tiles.count {
                        let cols = tiles.rows(tile);
                        let w = &self.w[cols.start * k + terms.start * cols.len()..];
                        let job = Job {
                            w: &w[..terms.len() * cols.len()],
                            offsets,
                            first_row: cols.start,
                            row_out,
                            fresh: cut == 0,
                        };
                        // SAFETY: `CrossbarPlan::new` checked that every pixel and offset of the
                        // last group stays inside a block; `x` begins at this group's part of a
                        // whole block. A pixel's place is inside its span, whose sums are counted
                        // above.
                        unsafe { job.tile(s, cols.len(), pixels, x, &mut sums[t * LANES..]) };
                    }
                }
            }
        }
    }
}
