//! Read planes added up to effective weights.

use rayon::prelude::*;

use super::memory::Memory;
use super::planes::Planes;
use super::step::{WholeOp, scheduled};
use crate::program::{CollapsePlanes, Reading, RunArgs};

scheduled!(CollapsePlanes: whole);

impl WholeOp for CollapsePlanes {
    fn run(&self, memory: &mut Memory, _: &RunArgs) {
        memory.each_chip([self.out], |m, chip, [out]| {
            let correct = self.correct.map(|t| m.flat(t, chip));
            let (g, w_step) = (m.planes(self.g, chip), m.flat(self.w_step, 0));
            forward(&self.spec, g, w_step, correct, out)
        });
    }
}

/// Effective weights `[column][row]` of one chip.
fn forward(spec: &Reading, g: Planes, w_step: &[f32], correct: Option<&[f32]>, out: &mut [f32]) {
    let a = &spec.arrays;
    let base = a.digital_base();
    let columns = out.par_chunks_mut(a.rows).enumerate();
    columns.for_each_init(Vec::new, |space, (o, out)| {
        let step = match w_step {
            [only] => *only,
            steps => steps[o],
        };
        out.fill(-base);
        for p in 0..a.read_planes() {
            let place = a.place(p) as f32;
            for (r, tile) in a.tile_rows.windows(2).enumerate() {
                let [gain, offset] = correct.map_or([1.0, 0.0], |c| {
                    let at = 2 * ((r * a.read_planes() + p) * a.cols + o);
                    [c[at], c[at + 1]]
                });
                let rows = tile[0] as usize..tile[1] as usize;
                let first = (p * a.cols + o) * a.rows;
                let cells = g.part(first + rows.start..first + rows.end, space);
                for (w, g) in out[rows].iter_mut().zip(cells) {
                    *w += place * (gain * g - offset);
                }
            }
        }
        out.iter_mut().for_each(|w| *w *= step);
    });
}
