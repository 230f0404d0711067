//! Constants of the converters of a chip.

use super::memory::Memory;
use super::step::{WholeOp, scheduled};
use crate::program::{ConverterErrors, ConverterFold, RunArgs};
use crate::random::{Purpose, Stream};

scheduled!(ConverterFold: whole);

impl WholeOp for ConverterFold {
    fn run(&self, memory: &mut Memory, args: &RunArgs) {
        memory.each_chip([self.out], |m, chip, [out]| {
            let scale = self.scale.map(|t| m.flat(t, chip));
            forward(&self.spec, m.flat(self.range, 0), scale, args, chip, out)
        });
    }
}

/// Pairs `(a, b)` by row tile, read plane and column; `chip` is the position in the wave. A converter
/// without a range gives code 0.
fn forward(
    spec: &ConverterErrors,
    range: &[f32],
    scale: Option<&[f32]>,
    args: &RunArgs,
    chip: usize,
    out: &mut [f32],
) {
    let a = &spec.arrays;
    let chip = args.first_chip.wrapping_add(chip as u32);
    let stream = |purpose| Stream::new(args.seed, purpose, args.purpose, spec.layer, chip);
    let (gains, offsets) = (stream(Purpose::AdcGain), stream(Purpose::AdcOffset));
    let deviation = |sigma: f32, stream: &Stream, address| match sigma {
        0.0 => 0.0,
        sigma => sigma * stream.normal(address),
    };
    let (planes, groups, group) = (a.read_planes(), spec.groups(), spec.group());
    for (i, pair) in out.chunks_exact_mut(2).enumerate() {
        let (tile, o) = (i / a.cols, i % a.cols);
        let (r, p) = (tile / planes, tile % planes);
        let Some(place) = spec.column(r, o) else {
            pair.copy_from_slice(&[0.0, 0.0]);
            continue;
        };
        let address = (tile * groups) as u32 + group[place];
        let at = 2 * (p * a.cols + o);
        let (lsb, lo) = (range[at], range[at + 1]);
        let scale = scale.map_or(1.0, |s| {
            s[(r * a.col_tiles() + a.col_tile(place)) * planes + p]
        });
        let gain = 1.0 + deviation(spec.gain, &gains, address);
        let offset = deviation(spec.offset, &offsets, address);
        let (slope, shift) = match lsb * scale > 0.0 {
            true => (gain / (lsb * scale), offset - gain * (lo / lsb)),
            false => (0.0, 0.0),
        };
        pair.copy_from_slice(&[slope, shift]);
    }
}
