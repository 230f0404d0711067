//! Convolutions and linear layers on crossbar arrays:
//! [`Op::Crossbar`](crate::backend::program::Op::Crossbar) and, without the converters,
//! [`Op::PartialSums`](crate::backend::program::Op::PartialSums).
//!
//! # Theory
//! A conversion is a row of a matrix product cut at a row tile. With 16 images innermost, as in
//! [`super::gather`], the drives of every conversion are a map of their own, made once from the
//! input, and the sums of a row tile are gathered products of that map.
//!
//! # Practice
//! A few pixels at a time, for every row tile and read plane: the sums of all columns and conversions
//! of the pixels (`Job` of `gather`), read noise where there is any, then what the sums are
//! for ([`Sink`]). The sums of so few pixels stay in the nearest caches.
//!
//! * `drive`: codes and drives of the input.
//! * `convert`: converters, sums over steps, planes and row tiles.
//! * `noise`: deviates.

mod convert;
mod drive;
mod noise;

use std::ops::Range;

use super::conv2d::ConvPlan;
use super::gather::{Job, NEAR_BYTES, Tables, Tiles, pixels_at_once};
use super::partial_sums::Store;
use super::post::Epilogue;
use super::simd::{Isa, Kernel, Simd};
use crate::backend::program::{ConvGeometry, LANES, Reading};
use crate::error::Result;
use crate::random::Purpose;
pub(super) use convert::Converters;
use convert::{Convert, Deviates, Total, places};
use drive::Drive;
use noise::Batch;
pub(super) use noise::Events;

/// Bytes of sums between two conversions: a part of the second-level cache.
const SUM_BYTES: usize = 128 << 10;
/// Most pixels between two conversions.
const MOST_PIXELS: usize = 48;
/// Most terms of a sum before the accumulators are stored.
const K_CUT: usize = 256;

/// Tables of a layer.
#[derive(Debug, Clone)]
pub(super) struct CrossbarPlan {
    spec: Reading,
    conv: ConvPlan,
    drive: Drive,
    /// Pixels at once.
    span: usize,
    /// Input place of every pixel, and its place among the sums of its span.
    pixels: Vec<(u32, u32)>,
}

/// Working space; nothing is kept from one run to the next.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    padded: Vec<f32>,
    codes: Vec<f32>,
    /// Drives of every conversion, each a padded block.
    drives: Vec<f32>,
    /// Their squares.
    squares: Vec<f32>,
    span: Span,
}

/// What is computed for a span of pixels.
#[derive(Debug, Default)]
struct Span {
    /// Sums `[column][pixel][conversion][lane]`.
    sums: Vec<f32>,
    /// Variances of the same.
    variances: Vec<f32>,
    /// Columns `[column][pixel][lane]`.
    totals: Vec<f32>,
    /// The same as sums of codes.
    integers: Vec<i32>,
    /// Clipped conversions `[column][pixel][lane]`.
    clipped: Vec<f32>,
    /// Sums of the row tile's and all input codes `[pixel][lane]`.
    inputs: [Vec<f32>; 2],
    /// Deviates of the read and the converter, `[conversion][lane][pixel][column]`.
    deviates: [Vec<f32>; 2],
}

/// What is read: some blocks of images through one chip's cells.
pub(super) struct Operands<'a> {
    /// Input map.
    pub x: &'a [f32],
    /// Its step.
    pub x_step: f32,
    /// From [`CrossbarPlan::pack`].
    pub packed: &'a [f32],
    /// Variances of the cells' read noise, as they are.
    pub variance: Option<&'a [f32]>,
}

/// What becomes of the sums.
pub(super) enum Sink<'a> {
    /// They are converted.
    Convert(Output<'a>),
    /// They are the result.
    Store(&'a mut [f32]),
}

/// Output of a converted layer.
pub(super) struct Output<'a> {
    /// The converters.
    pub converters: Converters<'a>,
    /// Step of the weights, one or one a column.
    pub w_step: &'a [f32],
    /// Map, written.
    pub y: &'a mut [f32],
    /// Counts, written.
    pub clipped: Option<&'a mut [f32]>,
    /// Epilogue.
    pub epilogue: Epilogue<'a>,
}

impl Span {
    /// Clears what is added to.
    fn begin(&mut self, columns: usize) {
        let n = |len: usize| columns.min(len);
        self.totals[..columns].fill(0.0);
        let (integers, clipped) = (n(self.integers.len()), n(self.clipped.len()));
        self.integers[..integers].fill(0);
        self.clipped[..clipped].fill(0.0);
        self.inputs[1].fill(0.0);
    }
}

impl CrossbarPlan {
    /// Tables of a checked operator.
    pub fn new(geo: &ConvGeometry, spec: &Reading) -> Result<Self> {
        let conv = ConvPlan::forward(geo)?;
        let conversions = spec.dac.conversions();
        let of_pixel = geo.c_out / geo.groups * conversions * LANES * size_of::<f32>();
        let span = (SUM_BYTES / of_pixel / 4 * 4).clamp(4, MOST_PIXELS);
        let pixels = conv.gather().tables().pixels.iter().enumerate();
        let pixels = pixels
            .map(|(i, p)| (p.0, (i % span * conversions * LANES) as u32))
            .collect();
        Ok(Self {
            drive: Drive::new(&spec.dac),
            spec: spec.clone(),
            conv,
            span,
            pixels,
        })
    }

    /// First value of a part of the packed weights: group after group, row tile after row tile,
    /// plane after plane, then tiles of columns as `[row][column of the tile]`.
    fn packed_at(&self, group: usize, r: usize, p: usize) -> usize {
        let a = &self.spec.arrays;
        let t = self.conv.gather().tables();
        let (first, end) = (a.tile_rows[r] as usize, a.tile_rows[r + 1] as usize);
        let before = group * a.rows * a.read_planes();
        (before + first * a.read_planes() + p * (end - first)) * t.rows
    }

    /// Packs one chip's read planes, then the variances.
    pub fn pack(&self, isa: Isa, g: &[f32], variance: Option<&[f32]>, packed: &mut Vec<f32>) {
        let n = g.len();
        packed.resize(n * (1 + usize::from(variance.is_some())), 0.0);
        for (values, packed) in [Some(g), variance]
            .into_iter()
            .flatten()
            .zip(packed.chunks_exact_mut(n.max(1)))
        {
            self.pack_planes(isa, values, packed);
        }
    }

    fn pack_planes(&self, isa: Isa, g: &[f32], packed: &mut [f32]) {
        let a = &self.spec.arrays;
        let t = self.conv.gather().tables();
        let tiles = Tiles::new(t.rows, isa.rows());
        for group in 0..t.groups {
            for r in 0..a.row_tiles() {
                let rows = a.tile_rows[r] as usize..a.tile_rows[r + 1] as usize;
                for p in 0..a.read_planes() {
                    let packed = &mut packed[self.packed_at(group, r, p)..];
                    for tile in 0..tiles.count {
                        let cols = tiles.rows(tile);
                        let to = &mut packed[cols.start * rows.len()..cols.end * rows.len()];
                        for (m, o) in cols.clone().enumerate() {
                            let column = (p * a.cols + group * t.rows + o) * a.rows;
                            let from = &g[column..][rows.clone()];
                            for (to, &g) in to.iter_mut().skip(m).step_by(cols.len()).zip(from) {
                                *to = g;
                            }
                        }
                    }
                }
            }
        }
    }

    /// Reads all blocks of `x`; `events` are the deviates of each.
    pub fn run(
        &self,
        isa: Isa,
        operands: &Operands,
        events: &[Events],
        sink: &mut Sink,
        space: &mut Workspace,
    ) {
        let pad = self.conv.pad();
        let t = self.conv.gather().tables();
        let conversions = self.spec.dac.conversions();
        let block = pad.block_len();
        let codes = room(&mut space.codes, pad.len());
        let all = room(&mut space.drives, conversions * pad.len());
        let aggregate = operands.variance.is_some() && !self.spec.noise_per_cell;
        let squares = match aggregate {
            true => room(&mut space.squares, conversions * pad.len()),
            false => &mut [],
        };
        self.reserve(&mut space.span, sink);
        for (i, (x, events)) in operands.x.chunks_exact(block).zip(events).enumerate() {
            let x = match pad.is_needed() {
                true => {
                    let padded = room(&mut space.padded, pad.len());
                    pad.copy(x, padded);
                    padded
                }
                false => x,
            };
            self.drive.codes(isa, operands.x_step, x, codes);
            for (step, drives) in all.chunks_exact_mut(pad.len()).enumerate() {
                self.drive.drives(isa, step, codes, drives);
            }
            for (s, d) in squares.iter_mut().zip(&*all) {
                *s = d * d;
            }
            isa.run(Block {
                plan: self,
                tables: &t,
                operands,
                codes,
                drives: all,
                squares,
                events,
                index: i,
                sink,
                span: &mut space.span,
            });
        }
    }

    fn reserve(&self, span: &mut Span, sink: &Sink) {
        let t = self.conv.gather().tables();
        let conversions = self.spec.dac.conversions();
        let columns = t.rows * self.span * LANES;
        room(&mut span.sums, columns * conversions);
        if let Sink::Convert(output) = sink {
            room(&mut span.totals, columns);
            if self.spec.integer {
                room(&mut span.integers, columns);
            }
            if output.clipped.is_some() {
                room(&mut span.clipped, columns);
            }
        }
        for inputs in &mut span.inputs {
            room(inputs, self.span * LANES);
        }
    }
}

/// The first `n` values of a buffer that only grows.
fn room<T: Clone + Default>(buffer: &mut Vec<T>, n: usize) -> &mut [T] {
    if buffer.len() < n {
        buffer.resize(n, T::default());
    }
    &mut buffer[..n]
}

/// One block of images.
struct Block<'a, 'b> {
    plan: &'a CrossbarPlan,
    tables: &'a Tables<'a>,
    operands: &'a Operands<'a>,
    codes: &'a [f32],
    drives: &'a [f32],
    squares: &'a [f32],
    events: &'a Events<'a>,
    /// Which block.
    index: usize,
    sink: &'a mut Sink<'b>,
    span: &'a mut Span,
}

impl Kernel for Block<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let spec = &self.plan.spec;
        let a = &spec.arrays;
        let (converts, base) = match self.sink {
            Sink::Convert(output) => (true, output.converters.correct.is_some()),
            Sink::Store(_) => (false, false),
        };
        let base = converts && (base || a.digital_base() != 0.0);
        let total = self.plan.pixels.len();
        let columns = self.tables.rows * self.plan.span * LANES;
        for group in 0..self.tables.groups {
            for first in (0..total).step_by(self.plan.span) {
                let pixels = first..(first + self.plan.span).min(total);
                if converts {
                    self.span.begin(columns);
                }
                for r in 0..a.row_tiles() {
                    if base {
                        self.sum_inputs(group, r, &pixels);
                    }
                    for p in 0..a.read_planes() {
                        self.sums(s, group, r, p, &pixels);
                        if self.operands.variance.is_some() {
                            self.read_noise(s, group, r, p, &pixels);
                        }
                        match converts {
                            true => self.convert(s, group, r, p, &pixels),
                            false => self.store(group, r, p, &pixels),
                        }
                    }
                }
                if converts {
                    self.finish(s, group, &pixels);
                }
            }
        }
    }
}

impl Block<'_, '_> {
    fn rows(&self, r: usize) -> Range<usize> {
        let tiles = &self.plan.spec.arrays.tile_rows;
        tiles[r] as usize..tiles[r + 1] as usize
    }

    fn cols(&self, group: usize) -> Range<usize> {
        group * self.tables.rows..(group + 1) * self.tables.rows
    }

    /// Sums of all columns and conversions.
    #[inline(always)]
    fn sums<S: Simd>(&mut self, s: S, group: usize, r: usize, p: usize, pixels: &Range<usize>) {
        let at = self.plan.packed_at(group, r, p);
        let w = &self.operands.packed[at..];
        let product = Product {
            plan: self.plan,
            tables: self.tables,
            w,
            rows: self.rows(r),
            pixels: pixels.clone(),
            group,
        };
        product.run(s, self.drives, &mut self.span.sums);
    }

    /// The input codes of a row tile, added up; and added to those of all.
    #[inline(always)]
    fn sum_inputs(&mut self, group: usize, r: usize, pixels: &Range<usize>) {
        let offsets = &self.tables.offsets[self.rows(r)];
        let codes = &self.codes[group * self.tables.group_in..];
        let [tile, all] = &mut self.span.inputs;
        let sums = tile
            .chunks_exact_mut(LANES)
            .zip(all.chunks_exact_mut(LANES));
        for (&(from, _), (tile, all)) in self.plan.pixels[pixels.clone()].iter().zip(sums) {
            let mut sum = [0.0; LANES];
            for &offset in offsets {
                let codes = &codes[(from + offset) as usize..][..LANES];
                for (sum, code) in sum.iter_mut().zip(codes) {
                    *sum += code;
                }
            }
            for ((tile, all), sum) in tile.iter_mut().zip(all).zip(sum) {
                *tile = sum;
                *all += sum;
            }
        }
    }

    /// Adds the cells' read noise to the sums.
    #[inline(always)]
    fn read_noise<S: Simd>(
        &mut self,
        s: S,
        group: usize,
        r: usize,
        p: usize,
        pixels: &Range<usize>,
    ) {
        let (events, Some(variance)) = (self.events, self.operands.variance) else {
            return;
        };
        let conversions = self.plan.spec.dac.conversions();
        let a = &self.plan.spec.arrays;
        let cols = self.cols(group);
        let batch = Batch {
            r,
            p,
            pixels: pixels.clone(),
            cols: cols.clone(),
        };
        let (width, first) = (Events::width(&cols), Events::first(&cols));
        let conversion = LANES * pixels.len() * width;
        let column = self.plan.span * conversions * LANES;
        let [values, _] = &mut self.span.deviates;
        if self.plan.spec.noise_per_cell {
            let values = room(values, conversion);
            let rows = self.plan.spec.arrays.tile_rows[r] as usize
                ..self.plan.spec.arrays.tile_rows[r + 1] as usize;
            for k in rows {
                let offset = self.tables.offsets[k] as usize + group * self.tables.group_in;
                for t in 0..conversions {
                    events.fill(Purpose::ReadCell, Some(k), &batch, t, values);
                    let drives = &self.drives[t * self.tables.x_len..][offset..];
                    let deviates = |o: usize| Deviates {
                        values,
                        conversion,
                        lane: pixels.len() * width,
                        width,
                        first: first + o,
                    };
                    let sums = self.span.sums[..cols.len() * column].chunks_exact_mut(column);
                    for (o, sums) in sums.enumerate() {
                        let sigma = variance[(p * a.cols + cols.start + o) * a.rows + k].sqrt();
                        let z = deviates(o);
                        for (i, &(from, _)) in self.plan.pixels[pixels.clone()].iter().enumerate() {
                            let sums = &mut sums[(i * conversions + t) * LANES..][..LANES];
                            let drives = &drives[from as usize..][..LANES];
                            for ((v, z), d) in sums.iter_mut().zip(z.lanes(0, i)).zip(drives) {
                                *v += sigma * z * d;
                            }
                        }
                    }
                }
            }
            return;
        }
        let values = room(values, conversions * conversion);
        for (t, values) in values.chunks_exact_mut(conversion).enumerate() {
            events.fill(Purpose::ReadNoise, None, &batch, t, values);
        }
        let packed = self.operands.packed.len() / 2;
        let product = Product {
            plan: self.plan,
            tables: self.tables,
            w: &self.operands.packed[packed + self.plan.packed_at(group, r, p)..],
            rows: a.tile_rows[r] as usize..a.tile_rows[r + 1] as usize,
            pixels: pixels.clone(),
            group,
        };
        let variances = &mut self.span.variances;
        let n = self.tables.rows * column;
        let variances = room(variances, n);
        product.run(s, self.squares, variances);
        let columns = self.span.sums[..n]
            .chunks_exact_mut(column)
            .zip(variances.chunks_exact(column));
        for (o, (sums, variances)) in columns.enumerate() {
            let z = Deviates {
                values,
                conversion,
                lane: pixels.len() * width,
                width,
                first: first + o,
            };
            let conversions_of = sums
                .chunks_exact_mut(LANES)
                .zip(variances.chunks_exact(LANES))
                .take(pixels.len() * conversions);
            for (i, (sums, variances)) in conversions_of.enumerate() {
                let z = z.lanes(i % conversions, i / conversions);
                for ((v, variance), z) in sums.iter_mut().zip(variances).zip(z) {
                    *v += variance.max(0.0).sqrt() * z;
                }
            }
        }
    }

    /// Converts the sums of one row tile and plane.
    #[inline(always)]
    fn convert<S: Simd>(&mut self, s: S, group: usize, r: usize, p: usize, pixels: &Range<usize>) {
        let Sink::Convert(output) = &mut *self.sink else {
            return;
        };
        let spec = &self.plan.spec;
        let cols = group * self.tables.rows..(group + 1) * self.tables.rows;
        let conversions = spec.dac.conversions();
        let mut place = [1.0; 8];
        for (to, from) in place.iter_mut().zip(places(spec)) {
            *to = from as f32;
        }
        let (width, first) = (Events::width(&cols), Events::first(&cols));
        let conversion = LANES * pixels.len() * width;
        let [_, values] = &mut self.span.deviates;
        let thermal = spec.adc.as_ref().is_some_and(|adc| adc.noise > 0.0);
        if thermal {
            let values = room(values, conversions * conversion);
            let batch = Batch {
                r,
                p,
                pixels: pixels.clone(),
                cols: cols.clone(),
            };
            for (t, values) in values.chunks_exact_mut(conversion).enumerate() {
                self.events.fill(Purpose::AdcNoise, None, &batch, t, values);
            }
        }
        let column = self.plan.span * LANES;
        for o in 0..cols.len() {
            let at = o * column..o * column + pixels.len() * LANES;
            let noise = thermal.then_some(Deviates {
                values,
                conversion,
                lane: pixels.len() * width,
                width,
                first: first + o,
            });
            let clipped = match output.clipped.is_some() {
                true => Some(&mut self.span.clipped[at.clone()]),
                false => None,
            };
            let convert = Convert {
                converter: output.converters.at(spec, r, p, cols.start + o),
                adc: spec.adc.as_ref(),
                places: &place[..conversions],
                sums: &self.span.sums[at.start * conversions..at.end * conversions],
                inputs: &self.span.inputs[0],
                noise,
                clipped,
            };
            let total = match spec.integer {
                true => Total::Integer(&mut self.span.integers[at]),
                false => Total::Float(&mut self.span.totals[at]),
            };
            convert.add_to(s, total);
        }
    }

    /// Writes the sums of one row tile and plane.
    #[inline(always)]
    fn store(&mut self, group: usize, r: usize, p: usize, pixels: &Range<usize>) {
        let cols = self.cols(group);
        let Sink::Store(y) = &mut *self.sink else {
            return;
        };
        let spec = &self.plan.spec;
        let map = self.plan.pixels.len() * LANES;
        let block = spec.arrays.converters() * spec.dac.conversions() * map;
        Store {
            spec,
            sums: &self.span.sums,
            span: self.plan.span,
            pixels: pixels.clone(),
            map,
        }
        .copy(r, p, cols, &mut y[self.index * block..][..block]);
    }

    /// Writes the outputs.
    #[inline(always)]
    fn finish<S: Simd>(&mut self, s: S, group: usize, pixels: &Range<usize>) {
        let Sink::Convert(output) = &mut *self.sink else {
            return;
        };
        let spec = &self.plan.spec;
        let base = spec.arrays.digital_base();
        let lsb = output.converters.range.map_or(1.0, |range| range[0]);
        let column = self.plan.span * LANES;
        let map = self.plan.pixels.len() * LANES;
        let n = pixels.len() * LANES;
        for o in 0..self.tables.rows {
            let at = o * column..o * column + n;
            let col = group * self.tables.rows + o;
            let w_step = match output.w_step {
                [only] => *only,
                steps => steps[col],
            };
            let scale = w_step * self.operands.x_step;
            let totals = &mut self.span.totals[at.clone()];
            if spec.integer {
                for (u, &i) in totals.iter_mut().zip(&self.span.integers[at.clone()]) {
                    *u = lsb * i as f32;
                }
            }
            if base != 0.0 {
                for (u, sum) in totals.iter_mut().zip(&self.span.inputs[1]) {
                    *u -= base * sum;
                }
            }
            let start = (self.index * spec.arrays.cols + col) * map + pixels.start * LANES;
            let y = &mut output.y[start..start + n];
            for (y, u) in y.iter_mut().zip(&*totals) {
                *y = scale * u;
            }
            output.epilogue.apply(s, col, start, y);
            if let Some(clipped) = &mut output.clipped {
                clipped[start..start + n].copy_from_slice(&self.span.clipped[at]);
            }
        }
    }
}

/// The sums of one row tile and plane over a span of pixels.
struct Product<'a> {
    plan: &'a CrossbarPlan,
    tables: &'a Tables<'a>,
    w: &'a [f32],
    rows: Range<usize>,
    pixels: Range<usize>,
    group: usize,
}

impl Product<'_> {
    /// Gathered products of every conversion's map.
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, drives: &[f32], sums: &mut [f32]) {
        let (plan, g) = (self.plan, self.tables);
        let conversions = plan.spec.dac.conversions();
        let tiles = Tiles::new(g.rows, S::ROWS);
        let k = self.rows.len();
        let cuts = k.div_ceil(K_CUT);
        let at_once = pixels_at_once::<S>(tiles.rows(0).len());
        let near = NEAR_BYTES / (k.div_ceil(cuts) * LANES * size_of::<f32>());
        let chunk = (near / at_once).max(1) * at_once;
        let row_out = plan.span * conversions * LANES;
        assert!(sums.len() >= g.rows * row_out && drives.len() >= conversions * g.x_len);
        assert!(self.w.len() >= k * g.rows);
        for t in 0..conversions {
            let x = &drives[t * g.x_len..][..g.x_len][self.group * g.group_in..];
            for cut in 0..cuts {
                let terms = k * cut / cuts..k * (cut + 1) / cuts;
                let offsets = &g.offsets[self.rows.clone()][terms.clone()];
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
                        // SAFETY: `Gather::new` checked that every pixel and offset of the last
                        // group stays inside a block; `x` begins at this group's part of a whole
                        // block. A pixel's place is inside its span, whose sums are counted above.
                        unsafe { job.tile(s, cols.len(), pixels, x, &mut sums[t * LANES..]) };
                    }
                }
            }
        }
    }
}
