//! Cells at other places.

use super::memory::Memory;
use super::step::{WholeOp, scheduled};
use crate::program::{NO_SOURCE, PlaceCells, RunArgs};

scheduled!(PlaceCells: whole);

impl WholeOp for PlaceCells {
    fn run(&self, memory: &mut Memory, _: &RunArgs) {
        memory.each_chip([self.y], |m, chip, [y]| {
            let step = self.step.map(|t| m.flat(t, 0));
            forward(self, m.flat(self.x, chip), step, y)
        });
    }
}

/// All planes of one chip.
fn forward(op: &PlaceCells, x: &[f32], step: Option<&[f32]>, y: &mut [f32]) {
    let value = |x: &[f32], source: u32| {
        let i = source as usize;
        match step {
            _ if source == NO_SOURCE => op.fill,
            None => x[i],
            Some(steps) => {
                let step = match steps {
                    [only] => *only,
                    steps => steps[i / op.rows],
                };
                match step > 0.0 {
                    true => (x[i] / step).round_ties_even(),
                    false => 0.0,
                }
            }
        }
    };
    let planes = x.chunks_exact(op.len);
    for (x, y) in planes.zip(y.chunks_exact_mut(op.table.len())) {
        for (y, &source) in y.iter_mut().zip(&op.table[..]) {
            *y = value(x, source);
        }
    }
}
