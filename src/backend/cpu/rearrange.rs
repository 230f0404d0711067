//! Copies of values to other places of a map.

use crate::program::{LANES, NO_SOURCE};

/// Where values come from and go to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rearrange<'a> {
    /// Source of every place written.
    pub table: &'a [u32],
    /// First place written.
    pub first: usize,
    /// Value of places without a source.
    pub fill: f32,
    /// Values of an image of the source.
    pub from: usize,
    /// Values of an image of the target.
    pub to: usize,
}

impl Rearrange<'_> {
    /// Copies on all blocks. Places that follow each other in both maps are one copy.
    pub fn copy(self, x: &[f32], y: &mut [f32]) {
        let mut at = 0;
        while at < self.table.len() {
            let source = self.table[at];
            let rest = &self.table[at..];
            let follows = |(i, &s): (usize, &u32)| match source {
                NO_SOURCE => s == NO_SOURCE,
                _ => s != NO_SOURCE && s as usize == source as usize + i,
            };
            let run = rest.iter().enumerate().take_while(|&e| follows(e)).count();
            let target = (self.first + at) * LANES;
            let blocks = x.chunks_exact(self.from * LANES);
            for (x, y) in blocks.zip(y.chunks_exact_mut(self.to * LANES)) {
                let y = &mut y[target..][..run * LANES];
                match source {
                    NO_SOURCE => y.fill(self.fill),
                    _ => y.copy_from_slice(&x[source as usize * LANES..][..run * LANES]),
                }
            }
            at += run;
        }
    }
}
