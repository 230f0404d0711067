//! Gradient of a range of inputs that is learned by what it cuts off.

use super::block::BlockRun;
use super::memory::Memory;
use super::step::{BlockSum, scheduled};
use super::sums::Parts;
use crate::program::{LANES, RangeGrad};

scheduled!(RangeGrad: sum);

/// Sums of a part: the gradient of what is beyond the range, values below it, all values.
const SUMS: usize = 3;

impl BlockSum for RangeGrad {
    fn width(&self, _: &Memory) -> usize {
        SUMS
    }

    fn parts(&self, run: &BlockRun<'_>, parts: &mut [f64]) {
        let range = self.quant.hi as f32 * run.flat(self.quant.scale)[0];
        let signed = self.quant.lo < 0;
        let maps = run.blocks(self.x).zip(run.blocks(self.dy));
        for (((lanes, x), (_, dy)), sums) in maps.zip(parts.chunks_exact_mut(SUMS)) {
            sums.copy_from_slice(&part(x, dy, lanes, range, signed));
        }
    }

    fn finish(&self, memory: &mut Memory, parts: Parts<'_>) {
        memory.each_chip([self.dscale], |m, _, [dscale]| {
            let sums = parts.total();
            let hi = self.quant.hi as f32;
            let range = hi * m.flat(self.quant.scale, 0)[0];
            let shrinks = sums[1] > f64::from(self.inside) * sums[2];
            let decay = if shrinks { self.decay * range } else { 0.0 };
            dscale[0] = hi * (sums[0] as f32 + decay);
        });
    }
}

/// The sums of a block in its first `lanes` lanes.
fn part(x: &[f32], dy: &[f32], lanes: usize, range: f32, signed: bool) -> [f64; SUMS] {
    let (mut gradient, mut inside, mut all) = (0.0, 0usize, 0);
    let rows = x.chunks_exact(LANES).zip(dy.chunks_exact(LANES));
    for (x, dy) in rows.flat_map(|(x, dy)| x.iter().zip(dy).take(lanes)) {
        if *x >= range {
            gradient += f64::from(dy.min(0.0));
        }
        if signed && *x <= -range {
            gradient -= f64::from(dy.max(0.0));
        }
        inside += usize::from(x.abs() < range);
        all += 1;
    }
    [gradient, inside as f64, f64::from(all)]
}
