//! Programming of cells: from a quantized weight to conductances. The equations are at
//! [`ProgramCells`] and [`Programming`].
//!
//! As in `fabricate`, a plane is cut into parts of [`PART`] cells that are made independently, effect
//! after effect ([`crate::effects`]). Cells are kept as their digit, exact in level units, and the
//! deviation of their conductance from (C1).

mod references;

use std::ops::Range;

use rayon::prelude::*;

use super::memory::Memory;
use super::planes::{Kept, halves_mut};
use super::step::{WholeOp, scheduled};
use crate::effects::{Batch, Buffers, Columns, Keys, Step, levels, tiles};
use crate::program::{Arrays, Encoding, ProgramCells, Programming, RunArgs, Storage};
use crate::vector::wide;
use references::Subtracted;

scheduled!(ProgramCells: whole);

impl WholeOp for ProgramCells {
    fn run(&self, memory: &mut Memory, args: &RunArgs) {
        match self.variance {
            Some(variance) => memory.each_chip([self.out, variance], |m, chip, [out, variance]| {
                program(self, m, args, chip, out, Some(variance))
            }),
            None => memory.each_chip([self.out], |m, chip, [out]| {
                program(self, m, args, chip, out, None)
            }),
        }
    }
}

/// Programs the chip at a position of the wave.
fn program(
    op: &ProgramCells,
    memory: &Memory,
    args: &RunArgs,
    chip: usize,
    out: &mut [f32],
    variance: Option<&mut [f32]>,
) {
    let layer = Layer {
        w: memory.flat(op.w, 0),
        step: memory.flat(op.step, 0),
        array: memory.flat(op.array, chip),
        spec: &op.spec,
        args,
        chip,
    };
    match memory.desc(op.out).storage {
        Storage::F32 => forward(layer, out, variance),
        Storage::F16 => {
            let n = memory.shape(op.out).len();
            forward(layer, halves_mut(out, n), variance)
        }
    }
}

/// Signs of the cells of a pair.
const SIGNS: [f32; 2] = [1.0, -1.0];

/// Cells of a part: their deviates fit the first-level cache.
const PART: usize = 2048;

/// Operands of one chip.
#[derive(Debug, Clone, Copy)]
struct Layer<'a> {
    /// Quantized weight.
    w: &'a [f32],
    /// Its step, one or one a column.
    step: &'a [f32],
    /// Common deviation of every cell array.
    array: &'a [f32],
    /// How.
    spec: &'a Programming,
    /// Keys of the random numbers.
    args: &'a RunArgs,
    /// Position in the wave.
    chip: usize,
}

/// Programs a chip: read planes in level units and variances, or raw cells.
fn forward<T: Kept>(layer: Layer, out: &mut [T], variance: Option<&mut [f32]>) {
    let a = &layer.spec.arrays;
    let n = a.plane_len();
    let place = layer.place();
    let cells = Cells::new(layer, &place);
    if layer.spec.raw {
        let planes = out.par_chunks_mut(n).enumerate();
        return planes.for_each(|(plane, out)| {
            let parts = out.par_chunks_mut(PART).enumerate();
            parts.for_each_init(Part::default, |part, (i, out)| {
                let range = i * PART..i * PART + out.len();
                cells.aim(plane, &range, part);
                cells.program(plane, &range, part);
                T::keep(&part.cells.g, out);
            });
        });
    }
    let none = &mut [][..];
    let variance = variance.unwrap_or(none);
    let mut variances: Vec<Option<&mut [f32]>> = match variance.is_empty() {
        true => (0..a.read_planes()).map(|_| None).collect(),
        false => variance.chunks_mut(n).map(Some).collect(),
    };
    let planes = out.par_chunks_mut(n).zip(variances.par_iter_mut());
    planes.enumerate().for_each(|(p, (out, variance))| {
        let poles = poles(a, p);
        let subtracted = cells.subtracted(p, &poles);
        let mut pieces: Vec<Option<&mut [f32]>> = match variance {
            None => (0..n.div_ceil(PART)).map(|_| None).collect(),
            Some(v) => v.chunks_mut(PART).map(Some).collect(),
        };
        let parts = out.par_chunks_mut(PART).zip(pieces.par_iter_mut());
        let parts = parts.enumerate();
        parts.for_each_init(Part::default, |part, (i, (out, variance))| {
            let range = i * PART..i * PART + out.len();
            let variance = variance.as_deref_mut();
            let mut space = std::mem::take(&mut part.kept);
            T::fill(out, &mut space, |out| {
                cells.read(&poles, &subtracted, &range, part, out, variance);
            });
            part.kept = space;
        });
    });
}

/// Cell planes of a read plane, with their signs.
fn poles(a: &Arrays, p: usize) -> Vec<(usize, f32)> {
    match a.encoding {
        Encoding::Differential { digital: false, .. } => vec![(2 * p, 1.0), (2 * p + 1, -1.0)],
        _ => vec![(p, 1.0)],
    }
}

/// Slice of a cell plane.
fn slice_of(a: &Arrays, plane: usize) -> usize {
    plane / a.polarities()
}

/// Buffers of a part, one value per cell.
#[derive(Debug, Default)]
struct Part {
    /// Digits.
    digits: Vec<f32>,
    /// Common deviations.
    common: Vec<f32>,
    /// Conductances.
    cells: Buffers,
    sum: Vec<f32>,
    /// What slices from one on down have to hold.
    residuals: Vec<f32>,
    /// What the cells of a pair hold.
    pair: [Vec<f32>; 2],
    /// What is rounded to be kept.
    kept: Vec<f32>,
}

impl Part {
    /// 0 where a line of cell `i` is open, else 1.
    fn closed(&self, i: usize) -> f32 {
        self.cells.closed.get(i).copied().unwrap_or(1.0)
    }
}

struct Cells<'a> {
    layer: Layer<'a>,
    /// Effects that make the conductance as programmed, in order.
    write: Vec<Box<dyn Step + 'a>>,
    /// Effects between programming and the read, in order.
    age: Vec<Box<dyn Step + 'a>>,
}

impl<'a> Layer<'a> {
    /// Where the cells are, and their random numbers.
    fn place(&self) -> crate::effects::Layer<'a> {
        crate::effects::Layer {
            lines: self.spec.arrays.lines(),
            keys: Keys {
                seed: self.args.seed,
                flags: self.args.purpose,
                layer: self.spec.layer,
                chip: self.args.first_chip.wrapping_add(self.chip as u32),
            },
        }
    }
}

impl<'a> Cells<'a> {
    fn new(layer: Layer<'a>, place: &'a crate::effects::Layer<'a>) -> Self {
        let effects = &layer.spec.effects;
        let write = effects.write().into_iter();
        let age = effects.age().into_iter();
        Cells {
            layer,
            write: write.filter_map(|e| e.on_cpu(place)).collect(),
            age: age.filter_map(|e| e.on_cpu(place)).collect(),
        }
    }

    /// Conductance (C1) of a digit of a cell plane.
    fn ideal(&self, plane: usize) -> impl Fn(f32) -> f32 + use<> {
        let a = &self.layer.spec.arrays;
        levels::even(a.g_min, a.top_digit(slice_of(a, plane)))
    }

    /// Digits of a code on a cell plane.
    fn digit(&self, plane: usize, code: i32) -> f32 {
        let a = &self.layer.spec.arrays;
        let s = slice_of(a, plane);
        let top = a.top_digit(s) as i32;
        let positive = plane.is_multiple_of(2);
        match a.encoding {
            Encoding::Offset { .. } => a.digit((code + a.offset_code() as i32) as u32, s) as f32,
            Encoding::Differential { two_sided, .. } => {
                let digit = a.digit(code.unsigned_abs(), s) as i32;
                let signed = if (code < 0) == positive {
                    -digit
                } else {
                    digit
                };
                match two_sided {
                    true => (top + signed) as f32 * 0.5,
                    false => signed.max(0) as f32,
                }
            }
        }
    }

    /// What the layer's cells on a plane aim at, in levels.
    fn aim(&self, plane: usize, range: &Range<usize>, part: &mut Part) {
        match self.layer.spec.effects.fill.is_digits() {
            true => self.of_codes(range, &mut part.digits, |code| self.digit(plane, code)),
            false => self.fill(plane, range, part),
        }
    }

    /// A number of the code of every weight.
    fn of_codes(&self, range: &Range<usize>, out: &mut Vec<f32>, number: impl Fn(i32) -> f32) {
        let a = &self.layer.spec.arrays;
        let most = a.most_code() as f32;
        let (lo, hi) = match a.encoding {
            Encoding::Offset { .. } => {
                let zero = a.offset_code() as f32;
                (-zero, most - zero)
            }
            Encoding::Differential { .. } => (-most, most),
        };
        out.resize(range.len(), 0.0);
        for (col, at) in columns(range, a.rows) {
            let step = match self.layer.step {
                [only] => *only,
                steps => steps[col],
            };
            let part = &mut out[at.start - range.start..at.end - range.start];
            if step <= 0.0 {
                part.fill(number(0));
                continue;
            }
            let w = &self.layer.w[at];
            wide(|| {
                for (o, w) in part.iter_mut().zip(w) {
                    let code = (w / step).round_ties_even().max(lo).min(hi);
                    *o = number(code as i32);
                }
            });
        }
    }

    /// Aims by a rule, slice after slice from the highest down to that of the plane; the pairs above it are
    /// written where the rule reads what they hold.
    fn fill(&self, plane: usize, range: &Range<usize>, part: &mut Part) {
        let spec = self.layer.spec;
        let fill = spec.effects.fill;
        let slices = spec.arrays.slice_ranges();
        let own = slice_of(&spec.arrays, plane);
        let mut residuals = std::mem::take(&mut part.residuals);
        self.of_codes(range, &mut residuals, |code| code as f32);
        let mut pair = std::mem::take(&mut part.pair);
        for (s, &slice) in slices.iter().enumerate().skip(own + 1).rev() {
            for (pole, held) in pair.iter_mut().enumerate() {
                part.digits.resize(range.len(), 0.0);
                fill.aims(slice, SIGNS[pole], &residuals, &mut part.digits);
                if fill.reads_programmed() {
                    self.with_batch(2 * s + pole, range, part, Self::written);
                    held.clone_from(&part.cells.g);
                } else {
                    held.clone_from(&part.digits);
                }
            }
            let unit = match fill.reads_programmed() {
                true => spec.arrays.level_units(s),
                false => 1.0,
            };
            let [plus, minus] = &pair;
            fill.step(slice, unit, [plus, minus], &mut residuals);
        }
        part.digits.resize(range.len(), 0.0);
        let sign = SIGNS[plane % 2];
        fill.aims(slices[own], sign, &residuals, &mut part.digits);
        (part.residuals, part.pair) = (residuals, pair);
    }

    /// Common deviations of the layer's cells on a plane.
    fn common(&self, plane: usize, range: &Range<usize>, out: &mut [f32]) {
        let a = &self.layer.spec.arrays;
        for (col, at) in columns(range, a.rows) {
            let c = a.col_tile(col);
            let rows = at.start - col * a.rows..at.end - col * a.rows;
            for (r, rows) in tiles(&a.tile_rows, rows) {
                let start = col * a.rows + rows.start - range.start;
                out[start..start + rows.len()].fill(self.deviation(plane, r, c));
            }
        }
    }

    fn deviation(&self, plane: usize, r: usize, c: usize) -> f32 {
        let a = &self.layer.spec.arrays;
        self.layer.array[(r * a.col_tiles() + c) * a.cell_planes() + plane]
    }

    /// Conductances of the layer's cells from their digits.
    fn program(&self, plane: usize, range: &Range<usize>, part: &mut Part) {
        self.with_batch(plane, range, part, Self::write);
    }

    /// Does something to the layer's cells on a plane.
    fn with_batch(
        &self,
        plane: usize,
        range: &Range<usize>,
        part: &mut Part,
        work: impl Fn(&Self, &Batch, &mut Part),
    ) {
        let a = &self.layer.spec.arrays;
        let mut common = std::mem::take(&mut part.common);
        common.resize(range.len(), 0.0);
        self.common(plane, range, &mut common);
        let batch = Batch {
            plane,
            columns: Columns::Own(range.clone()),
            first: (plane * a.plane_len() + range.start) as u32,
            flags: 0,
            common: &common,
        };
        work(self, &batch, part);
        part.common = common;
    }

    /// Conductances as written of cells with digits `part.digits`.
    fn written(&self, batch: &Batch, part: &mut Part) {
        let n = part.digits.len();
        let cells = &mut part.cells;
        cells.g.resize(n, 0.0);
        cells.draws.resize(n, 0.0);
        cells.closed.clear();
        cells.programmed.clear();
        let ideal = self.ideal(batch.plane);
        let table = self.layer.spec.arrays.levels.as_deref();
        for (g, &v) in cells.g.iter_mut().zip(&part.digits) {
            *g = match table {
                None => ideal(v),
                Some(table) => levels::by_table(table, v),
            };
        }
        self.write.iter().for_each(|step| step.apply(batch, cells));
    }

    /// Conductances at a read of cells with digits `part.digits`.
    fn write(&self, batch: &Batch, part: &mut Part) {
        self.written(batch, part);
        let cells = &mut part.cells;
        if self.layer.spec.read_noise.one_over_f.is_some() {
            cells.programmed.extend_from_slice(&cells.g);
        }
        self.age.iter().for_each(|step| step.apply(batch, cells));
    }

    /// Variance of a read of cell `i` of a part on closed lines, relative to `G_max`.
    fn variance(&self, part: &Part, i: usize) -> f32 {
        let (a, noise) = (&self.layer.spec.arrays, &self.layer.spec.read_noise);
        noise.variance(a.g_min, part.cells.g[i], || part.cells.programmed[i])
    }

    /// One part of a read plane.
    fn read(
        &self,
        poles: &[(usize, f32)],
        subtracted: &Subtracted,
        range: &Range<usize>,
        part: &mut Part,
        out: &mut [f32],
        mut variance: Option<&mut [f32]>,
    ) {
        let a = &self.layer.spec.arrays;
        let units = a.level_units(slice_of(a, poles[0].0));
        let mut sum = std::mem::take(&mut part.sum);
        sum.clear();
        sum.resize(range.len(), 0.0);
        out.fill(-subtracted.digit);
        if let Some(v) = variance.as_deref_mut() {
            v.fill(0.0);
        }
        for &(plane, sign) in poles {
            self.aim(plane, range, part);
            self.program(plane, range, part);
            let ideal = self.ideal(plane);
            let cells = part.digits.iter().zip(&part.cells.g);
            wide(|| {
                for ((o, sum), (v, g)) in out.iter_mut().zip(&mut sum).zip(cells) {
                    *o += sign * v;
                    *sum += sign * (g - ideal(*v));
                }
            });
            if let Some(variance) = variance.as_deref_mut() {
                for (i, v) in variance.iter_mut().enumerate() {
                    *v += part.closed(i) * self.variance(part, i);
                }
            }
        }
        if let Some(mean) = &subtracted.mean {
            for (col, at) in columns(range, a.rows) {
                let first = a.col_tile(col) * a.rows + at.start - col * a.rows;
                let own = at.start - range.start..at.end - range.start;
                for (sum, mean) in sum[own.clone()].iter_mut().zip(&mean[first..]) {
                    *sum -= mean;
                }
                if let Some(variance) = variance.as_deref_mut() {
                    let references = &subtracted.variance[first..];
                    for (v, reference) in variance[own].iter_mut().zip(references) {
                        *v += reference;
                    }
                }
            }
        }
        wide(|| {
            for (o, sum) in out.iter_mut().zip(&sum) {
                *o += units * sum;
            }
        });
        if let Some(variance) = variance {
            let units = units * units;
            wide(|| variance.iter_mut().for_each(|v| *v *= units));
        }
        part.sum = sum;
    }
}

/// Columns of a range of cells `[column][row]`, with the cells of each.
fn columns(range: &Range<usize>, rows: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
    let range = range.clone();
    (range.start / rows..range.end.div_ceil(rows)).map(move |col| {
        let cells = col * rows..(col + 1) * rows;
        (col, cells.start.max(range.start)..cells.end.min(range.end))
    })
}
