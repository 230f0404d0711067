//! Programming of cells: from a quantized weight to conductances. The equations are at
//! [`ProgramCells`](crate::program::ProgramCells) and [`Programming`].
//!
//! As in `fabricate`, a plane is cut into parts of [`PART`] cells that are made
//! independently: deviates first (vectorised streams), then passes over the cells. Cells are kept as
//! their digit, exact in level units, and the deviation of their conductance from (C1).

mod references;

use std::ops::Range;

use rayon::prelude::*;

use super::math::exp_negative;
use super::memory::Memory;
use super::planes::{Kept, halves_mut};
use super::step::{WholeOp, scheduled};
use crate::program::{
    Arrays, CellReadNoise, Deviate, Encoding, Law, ProgramCells, Programming, RunArgs, Storage,
};
use crate::random::{Purpose, Stream, lognormal_shape, squeeze};
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
    let cells = Cells::new(layer);
    if layer.spec.raw {
        let planes = out.par_chunks_mut(n).enumerate();
        return planes.for_each(|(plane, out)| {
            let parts = out.par_chunks_mut(PART).enumerate();
            parts.for_each_init(Part::default, |part, (i, out)| {
                let range = i * PART..i * PART + out.len();
                cells.digits(plane, &range, &mut part.digits);
                cells.program(plane, &range, part);
                T::keep(&part.g, out);
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
    /// Conductances.
    g: Vec<f32>,
    /// The same as programmed, before drift; empty where no noise goes by them.
    programmed: Vec<f32>,
    /// Common deviations.
    e: Vec<f32>,
    z: Vec<f32>,
    u: Vec<f32>,
    sum: Vec<f32>,
    /// What is rounded to be kept.
    kept: Vec<f32>,
    /// 0 where a line is open, else 1; empty where none can be.
    closed: Vec<f32>,
}

struct Cells<'a> {
    layer: Layer<'a>,
    /// Open rows, `[cell plane][column tile][row]`, if any can be.
    open_rows: Vec<bool>,
    /// Open columns, `[cell plane][row tile][column]`.
    open_cols: Vec<bool>,
}

impl<'a> Cells<'a> {
    fn new(layer: Layer<'a>) -> Self {
        let a = &layer.spec.arrays;
        let stuck = &layer.spec.stuck;
        let mut cells = Cells {
            layer,
            open_rows: Vec::new(),
            open_cols: Vec::new(),
        };
        let (planes, tiles) = (a.cell_planes(), a.col_tiles());
        let array = |plane, r, c| (r * tiles + c) * planes + plane;
        if stuck.row > 0.0 {
            let stream = cells.stream(Purpose::OpenRow, 0);
            for plane in 0..planes {
                for c in 0..tiles {
                    for row in 0..a.rows {
                        let address = array(plane, a.row_tile(row), c) * a.rows + row;
                        let open = stream.uniform(address as u32) < stuck.row;
                        cells.open_rows.push(open);
                    }
                }
            }
        }
        if stuck.col > 0.0 {
            let stream = cells.stream(Purpose::OpenColumn, 0);
            for plane in 0..planes {
                for r in 0..a.row_tiles() {
                    for col in 0..a.cols {
                        let address = array(plane, r, a.col_tile(col)) * a.cols + col;
                        let open = stream.uniform(address as u32) < stuck.col;
                        cells.open_cols.push(open);
                    }
                }
            }
        }
        cells
    }

    fn stream(&self, purpose: Purpose, flags: u32) -> Stream {
        let args = self.layer.args;
        Stream::new(
            args.seed,
            purpose,
            args.purpose | flags,
            self.layer.spec.layer,
            args.first_chip.wrapping_add(self.layer.chip as u32),
        )
    }

    /// Conductance (C1) of a digit of a cell plane.
    fn ideal(&self, plane: usize) -> impl Fn(f32) -> f32 + use<> {
        let a = &self.layer.spec.arrays;
        let top = a.top_digit(slice_of(a, plane)) as f32;
        let (g_min, span) = (a.g_min, (1.0 - a.g_min) / top);
        move |v| g_min + span * v
    }

    /// Digits of a code on a cell plane.
    fn digit(&self, plane: usize, code: i32) -> f32 {
        let a = &self.layer.spec.arrays;
        let s = slice_of(a, plane);
        let (shift, top) = (a.shift(s), a.top_digit(s) as i32);
        let positive = plane.is_multiple_of(2);
        match a.encoding {
            Encoding::Offset { .. } => ((code + a.offset_code() as i32) >> shift & top) as f32,
            Encoding::Differential { two_sided, .. } => {
                let digit = code.abs() >> shift & top;
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

    /// Digits of the layer's cells on a plane.
    fn digits(&self, plane: usize, range: &Range<usize>, out: &mut Vec<f32>) {
        let a = &self.layer.spec.arrays;
        let bits = a.shift(a.slices());
        let (lo, hi) = match a.encoding {
            Encoding::Offset { .. } => {
                let zero = a.offset_code() as f32;
                (-zero, ((1u32 << bits) - 1) as f32 - zero)
            }
            Encoding::Differential { .. } => {
                let most = ((1u32 << bits) - 1) as f32;
                (-most, most)
            }
        };
        out.resize(range.len(), 0.0);
        for (col, at) in columns(range, a.rows) {
            let step = match self.layer.step {
                [only] => *only,
                steps => steps[col],
            };
            let part = &mut out[at.start - range.start..at.end - range.start];
            if step <= 0.0 {
                part.fill(self.digit(plane, 0));
                continue;
            }
            let w = &self.layer.w[at];
            wide(|| {
                for (o, w) in part.iter_mut().zip(w) {
                    let code = (w / step).round_ties_even().max(lo).min(hi);
                    *o = self.digit(plane, code as i32);
                }
            });
        }
    }

    /// Common deviations of the layer's cells on a plane.
    fn common(&self, plane: usize, range: &Range<usize>, out: &mut [f32]) {
        let a = &self.layer.spec.arrays;
        for (col, at) in columns(range, a.rows) {
            let c = a.col_tile(col);
            let rows = at.start - col * a.rows..at.end - col * a.rows;
            for (r, rows) in tiles(a, rows) {
                let start = col * a.rows + rows.start - range.start;
                out[start..start + rows.len()].fill(self.deviation(plane, r, c));
            }
        }
    }

    fn deviation(&self, plane: usize, r: usize, c: usize) -> f32 {
        let a = &self.layer.spec.arrays;
        self.layer.array[(r * a.col_tiles() + c) * a.cell_planes() + plane]
    }

    /// Conductances `part.g` of the layer's cells from their digits.
    fn program(&self, plane: usize, range: &Range<usize>, part: &mut Part) {
        let a = &self.layer.spec.arrays;
        part.e.resize(range.len(), 0.0);
        self.common(plane, range, &mut part.e);
        self.write(plane, 0, plane * a.plane_len() + range.start, part);
        part.closed.clear();
        if self.open_rows.is_empty() && self.open_cols.is_empty() {
            return;
        }
        for i in range.clone() {
            let (col, row) = (i / a.rows, i % a.rows);
            let at = (plane * a.row_tiles() + a.row_tile(row)) * a.cols + col;
            let open = self.row_is_open(plane, a.col_tile(col), row)
                || self.open_cols.get(at).is_some_and(|open| *open);
            part.closed.push(if open { 0.0 } else { 1.0 });
        }
        for (g, closed) in part.g.iter_mut().zip(&part.closed) {
            *g *= closed;
        }
    }

    fn row_is_open(&self, plane: usize, c: usize, row: usize) -> bool {
        let a = &self.layer.spec.arrays;
        let at = (plane * a.col_tiles() + c) * a.rows + row;
        self.open_rows.get(at).is_some_and(|open| *open)
    }

    /// Conductances `part.g` of cells with digits `part.digits` and common deviations `part.e`, at
    /// addresses from `first` on.
    fn write(&self, plane: usize, flags: u32, first: usize, part: &mut Part) {
        let spec = self.layer.spec;
        let n = part.digits.len();
        let Part {
            digits,
            g,
            programmed,
            e,
            z,
            u,
            ..
        } = part;
        for buffer in [&mut *g, &mut *z, &mut *u] {
            buffer.resize(n, 0.0);
        }
        let ideal = self.ideal(plane);
        let levels = spec.arrays.levels.as_deref();
        for (g, &v) in g.iter_mut().zip(&*digits) {
            *g = match levels {
                None => ideal(v),
                Some(levels) => {
                    let below = v as usize;
                    0.5 * (levels[below] + levels[below + usize::from(v.fract() > 0.0)])
                }
            };
        }
        let stream = self.stream(Purpose::CellProgram, flags);
        self.deviates(&stream, first as u32, g, z);
        self.vary(e, z, g);
        programmed.clear();
        if spec.read_noise.one_over_f.is_some() {
            programmed.extend_from_slice(g);
        }
        if let Some(drift) = &spec.drift {
            self.stream(Purpose::CellDrift, flags)
                .fill_normals(first as u32, z);
            for (g, z) in g.iter_mut().zip(&*z) {
                let nu = (curve(&drift.mean, *g) + curve(&drift.sigma, *g) * z).max(0.0);
                *g *= exp_negative(-nu * drift.log_time);
            }
        }
        let stuck = &spec.stuck;
        if stuck.off > 0.0 || stuck.on > 0.0 {
            self.stream(Purpose::CellStuck, flags)
                .fill_uniforms(first as u32, u);
            for cells in [&mut *g, &mut *programmed] {
                for (g, &u) in cells.iter_mut().zip(&*u) {
                    if u < stuck.off {
                        *g = spec.arrays.g_min;
                    } else if u >= 1.0 - stuck.on {
                        *g = 1.0;
                    }
                }
            }
        }
        let low = if spec.clip_low {
            0.0
        } else {
            f32::NEG_INFINITY
        };
        for cells in [g, programmed] {
            wide(|| {
                cells
                    .iter_mut()
                    .for_each(|g| *g = g.max(low).min(spec.clip))
            });
        }
    }

    /// `s z` of cells, or `sigma(g) z`.
    fn deviates(&self, stream: &Stream, first: u32, g: &[f32], out: &mut [f32]) {
        let spec = self.layer.spec;
        if let Some(sigma) = &spec.sigma_curve {
            stream.fill_normals(first, out);
            for (z, g) in out.iter_mut().zip(g) {
                *z *= curve(sigma, *g);
            }
            return;
        }
        if spec.sigma == 0.0 {
            return out.fill(0.0);
        }
        match spec.deviate {
            Deviate::Gaussian => stream.fill_normals(first, out),
            Deviate::Truncated { at } => stream.fill_truncated(first, squeeze(at), out),
            Deviate::Lognormal => {
                return stream.fill_lognormal(first, lognormal_shape(spec.sigma), out);
            }
        }
        wide(|| out.iter_mut().for_each(|z| *z *= spec.sigma));
    }

    /// Applies the programming error.
    fn vary(&self, e: &[f32], z: &[f32], g: &mut [f32]) {
        let spec = self.layer.spec;
        let span = 1.0 - spec.arrays.g_min;
        let table = spec.sigma_curve.is_some();
        let cells = g.iter_mut().zip(e).zip(z);
        let cells = cells.map(|((g, &e), &z)| (g, e, z));
        wide(|| match (spec.law, spec.deviate) {
            (Law::WeightProportional, _) if table => {
                cells.for_each(|(g, e, z)| *g = *g * (1.0 + e) + z)
            }
            (Law::LayerFixed, _) if table => cells.for_each(|(g, e, z)| *g += span * e + z),
            (Law::WeightProportional, Deviate::Lognormal) => {
                cells.for_each(|(g, e, z)| *g = *g * (1.0 + e) * (1.0 + z))
            }
            (Law::WeightProportional, _) => cells.for_each(|(g, e, z)| *g *= 1.0 + (e + z)),
            (Law::LayerFixed, _) => cells.for_each(|(g, e, z)| *g += span * (e + z)),
        });
    }

    /// Variance of a read of cell `i` of a part on closed lines, relative to `G_max`.
    fn variance(&self, part: &Part, i: usize) -> f32 {
        let (a, noise) = (&self.layer.spec.arrays, &self.layer.spec.read_noise);
        let g = part.g[i];
        let square = |v: f32| v * v;
        let spectral = |c: &[f32]| {
            let programmed = part.programmed[i].clamp(CellReadNoise::LEAST, 1.0);
            square(g * curve(c, programmed) / programmed)
        };
        square(noise.proportional * g)
            + square(noise.fixed * (1.0 - a.g_min))
            + noise.curve.as_ref().map_or(0.0, |c| square(curve(c, g)))
            + noise.one_over_f.as_deref().map_or(0.0, spectral)
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
            self.digits(plane, range, &mut part.digits);
            self.program(plane, range, part);
            let ideal = self.ideal(plane);
            let cells = part.digits.iter().zip(&part.g);
            wide(|| {
                for ((o, sum), (v, g)) in out.iter_mut().zip(&mut sum).zip(cells) {
                    *o += sign * v;
                    *sum += sign * (g - ideal(*v));
                }
            });
            if let Some(variance) = variance.as_deref_mut() {
                for (i, v) in variance.iter_mut().enumerate() {
                    let closed = part.closed.get(i).copied().unwrap_or(1.0);
                    *v += closed * self.variance(part, i);
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

/// Row tiles of a range of rows, with the rows of each.
fn tiles(a: &Arrays, rows: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> {
    let cut = move |(r, tile): (usize, &[u32])| {
        let part = (tile[0] as usize).max(rows.start)..(tile[1] as usize).min(rows.end);
        (!part.is_empty()).then_some((r, part))
    };
    a.tile_rows.windows(2).enumerate().filter_map(cut)
}

/// A [`Curve`](crate::program::Curve) at a conductance.
fn curve(values: &[f32], g: f32) -> f32 {
    let last = values.len() - 1;
    let place = g.clamp(0.0, 1.0) * last as f32;
    let below = (place as usize).min(last - 1);
    let rest = place - below as f32;
    values[below] + rest * (values[below + 1] - values[below])
}
