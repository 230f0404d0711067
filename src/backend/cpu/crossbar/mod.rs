//! Convolutions and linear layers on crossbar arrays:
//! [`Crossbar`](crate::program::Crossbar) and, without the converters,
//! [`PartialSums`](crate::program::PartialSums).
//!
//! # Theory
//! A conversion is a row of a matrix product cut at a row tile. With 16 images innermost, as in
//! [`super::gather`], the drives of every conversion are a map of their own, made once from the
//! input, and the sums of a row tile are gathered products of that map.
//!
//! # Practice
//! A few pixels at a time, for every row tile and read plane: the sums of some columns for all
//! conversions, read noise where there is any, then what the sums are for ([`Sink`]). So few
//! sums stay in the nearest caches.
//!
//! * `layer`: the operators, with their tables.
//! * `drive`: codes and drives of the input.
//! * `product`: sums by multiply-adds; `lookup`: by tables, where rows have few drives.
//! * `block`: the walk over one block of images.
//! * `convert`: converters, sums over steps, planes and row tiles.
//! * `noise`: deviates.

mod block;
mod convert;
mod drive;
mod layer;
mod lookup;
mod noise;
mod product;

use std::ops::Range;

use super::planes::Planes;
use super::post::Epilogue;
use super::simd::Isa;
use super::strip::Strip;
use super::tiles::Tiles;
use crate::error::{Error, Result};
use crate::program::{ConvGeometry, LANES, Reading};
use block::{Block, Span};
use convert::Converter;
use convert::Converters;
use drive::Drive;
pub(super) use layer::ArrayLayer;
use lookup::Lookup;
use noise::Events;

/// Bytes of sums between two conversions: a part of the second-level cache.
const SUM_BYTES: usize = 128 << 10;
/// Most pixels between two conversions.
const MOST_PIXELS: usize = 48;

/// Tables of a layer.
#[derive(Debug, Clone)]
pub(super) struct CrossbarPlan {
    spec: Reading,
    drive: Drive,
    lookup: Option<Lookup>,
    /// Whether there are variances of read noise.
    noisy: bool,
    /// Noise of the converters that is part of the sums' deviates, in codes.
    joined: Option<f32>,
    /// The padded map.
    strip: Strip,
    /// Rows of zeros above it.
    top: usize,
    /// Values of a block of the map and of its padded copy.
    block_len: usize,
    x_len: usize,
    groups: usize,
    /// Columns of a group.
    cols: usize,
    /// Distance of a group's inputs from the last one's.
    group_in: usize,
    /// Place of every row's input relative to a pixel's.
    offsets: Vec<u32>,
    /// Input place of every pixel, and its place among the sums of its span.
    pixels: Vec<(u32, u32)>,
    /// Pixels at once.
    span: usize,
    /// Columns whose sums are there at once: a tile of `lookup`, else all of a group.
    cols_at_once: usize,
}

/// Working space; nothing is kept from one run to the next.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    padded: Vec<f32>,
    codes: Vec<f32>,
    /// Drives of every conversion, each a padded block.
    drives: Vec<f32>,
    /// What read noise is multiplied by: squares of the drives, or cell by cell their magnitudes.
    noise: Vec<f32>,
    converters: Vec<Converter>,
    span: Span,
}

/// What is read: some blocks of images through one chip's cells.
pub(super) struct Operands<'a> {
    /// Input map.
    pub x: &'a [f32],
    /// Its step.
    pub x_step: f32,
    /// From [`CrossbarPlan::pack`], and what may lie behind it.
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
    /// Counts of clipped conversions, or slopes, written.
    pub told: Option<&'a mut [f32]>,
    /// Whether these are slopes.
    pub slopes: bool,
    /// Epilogue.
    pub epilogue: Epilogue<'a>,
}

impl CrossbarPlan {
    /// Tables of a checked operator; `noisy`: with variances of read noise.
    ///
    /// # Errors
    /// [`Error::Internal`] when a block has 2^32 values or more.
    pub fn new(isa: Isa, g: &ConvGeometry, spec: &Reading, noisy: bool) -> Result<Self> {
        let [top, left, bottom, right] = g.pad;
        let strip = Strip::new((g.h_in, g.w_in), [left, right], top + g.h_in + bottom);
        let (plane, row) = (strip.plane(), strip.cols * LANES);
        let channels = g.c_in / g.groups;
        let mut offsets = Vec::with_capacity(g.rows());
        for c in 0..channels {
            for ky in 0..g.kh {
                for kx in 0..g.kw {
                    let line = ky * g.dilation[0] * row + kx * g.dilation[1] * LANES;
                    offsets.push((c * plane + line) as u32);
                }
            }
        }
        let conversions = spec.dac.conversions();
        let cols = g.c_out / g.groups;
        let lookup = Lookup::new(isa, spec, cols);
        let draws = spec.draws_by_image(noisy);
        let cols_at_once = match lookup.is_some() && !draws {
            true => cols.min(lookup::COLUMNS),
            // Deviates are made for whole blocks of columns.
            false => cols,
        };
        let of_pixel = cols_at_once * conversions * LANES * size_of::<f32>();
        let span = (SUM_BYTES / of_pixel / 4 * 4).clamp(4, MOST_PIXELS);
        let mut pixels = Vec::with_capacity(g.h_out() * g.w_out());
        for y in 0..g.h_out() {
            for x in 0..g.w_out() {
                let from = y * g.stride[0] * row + x * g.stride[1] * LANES;
                let to = pixels.len() % span * conversions * LANES;
                pixels.push((from as u32, to as u32));
            }
        }
        let x_len = g.c_in * plane;
        let group_in = channels * plane;
        let most = |it: &mut dyn Iterator<Item = u32>| it.max().map_or(0, |v| v as usize);
        let far = most(&mut pixels.iter().map(|p| p.0))
            + most(&mut offsets.iter().copied())
            + (g.groups - 1) * group_in;
        if far + LANES > x_len || x_len > u32::MAX as usize {
            return Err(Error::Internal(format!(
                "a crossbar reaches {far} of {x_len} inputs"
            )));
        }
        Ok(Self {
            drive: Drive::new(&spec.dac),
            spec: spec.clone(),
            lookup,
            noisy,
            joined: spec.noise_with_reads(noisy),
            strip,
            top,
            block_len: g.c_in * g.h_in * g.w_in * LANES,
            x_len,
            groups: g.groups,
            cols,
            group_in,
            offsets,
            pixels,
            span,
            cols_at_once,
        })
    }

    /// Packed values of so many rows of one column.
    fn rows_len(&self, rows: usize) -> usize {
        self.lookup.as_ref().map_or(rows, |l| l.table_len(rows))
    }

    /// Rows of row tile `r`.
    fn rows(&self, r: usize) -> Range<usize> {
        let cuts = &self.spec.arrays.tile_rows;
        cuts[r] as usize..cuts[r + 1] as usize
    }

    /// First value of a part of the packed weights: group after group, row tile after row tile,
    /// plane after plane, then tiles of columns as `[row][column of the tile]` (with tables: a group
    /// of rows in place of a row).
    fn packed_at(&self, group: usize, r: usize, p: usize) -> usize {
        let a = &self.spec.arrays;
        let len = |r: usize| self.rows_len(self.rows(r).len());
        let before: usize = (0..r).map(len).sum();
        let all: usize = (0..a.row_tiles()).map(len).sum();
        let own = if p > 0 { p * len(r) } else { 0 };
        (a.read_planes() * (group * all + before) + own) * self.cols
    }

    /// Tiles of a group's columns whose weights are packed together.
    fn col_tiles(&self, isa_rows: usize) -> Tiles {
        let most = match self.lookup {
            Some(_) => lookup::COLUMNS,
            None => isa_rows,
        };
        Tiles::new(self.cols, most)
    }

    /// Values of the packed read planes.
    fn planes_len(&self) -> usize {
        self.packed_at(self.groups, 0, 0)
    }

    /// Values of the packed weights.
    pub fn packed_len(&self) -> usize {
        self.planes_len() * (1 + usize::from(self.noisy))
    }

    /// Packs one chip's read planes, then the variances, into a buffer of
    /// [`CrossbarPlan::packed_len`] values or more.
    pub fn pack(&self, isa: Isa, g: Planes, variance: Option<&[f32]>, packed: &mut [f32]) {
        let both = [Some(g), variance.map(Planes::F32)].into_iter().flatten();
        let parts = packed.chunks_exact_mut(self.planes_len().max(1));
        for (i, (values, packed)) in both.zip(parts).enumerate() {
            self.pack_planes(isa, values, i == 1, packed);
        }
    }

    fn pack_planes(&self, isa: Isa, g: Planes, square: bool, packed: &mut [f32]) {
        let a = &self.spec.arrays;
        let mut space = Vec::new();
        let tiles = self.col_tiles(isa.rows());
        let parts = (0..self.groups)
            .flat_map(|group| (0..a.row_tiles()).map(move |r| (group, r)))
            .flat_map(|(group, r)| (0..a.read_planes()).map(move |p| (group, r, p)));
        for (group, r, p) in parts {
            let rows = self.rows(r);
            let n = self.rows_len(rows.len());
            let packed = &mut packed[self.packed_at(group, r, p)..];
            for tile in 0..tiles.count {
                let cols = tiles.rows(tile);
                let to = &mut packed[cols.start * n..cols.end * n];
                for (m, o) in cols.clone().enumerate() {
                    let column = (p * a.cols + group * self.cols + o) * a.rows;
                    let from = g.part(column + rows.start..column + rows.end, &mut space);
                    match &self.lookup {
                        Some(lookup) => {
                            let to = &mut to[lookup.table_len(1) * m..];
                            lookup.tabulate(from, square, cols.len(), to);
                        }
                        None => {
                            let to = to.iter_mut().skip(m).step_by(cols.len());
                            to.zip(from).for_each(|(to, &g)| *to = g);
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
        let padded = room(&mut space.padded, self.x_len);
        let codes = room(&mut space.codes, self.x_len);
        // With tables the drives are bits, those of all conversions in one map.
        let maps = match self.lookup {
            Some(_) => 1,
            None => self.spec.dac.conversions(),
        };
        let drives = room(&mut space.drives, maps * self.x_len);
        // Tables hold squares themselves.
        let driven = self.noisy && self.lookup.is_none();
        let noise = match driven {
            true => room(&mut space.noise, maps * self.x_len),
            false => &mut [],
        };
        space.span.reserve(self, sink);
        if let Sink::Convert(output) = sink {
            output.converters.all(&self.spec, &mut space.converters);
        }
        let blocks = operands.x.chunks_exact(self.block_len).zip(events);
        for (index, (x, events)) in blocks.enumerate() {
            self.strip.copy(x, -(self.top as isize), padded);
            self.drive.codes(isa, operands.x_step, padded, codes);
            match &self.lookup {
                Some(lookup) => lookup.spread(isa, codes, drives),
                None => {
                    for (t, drives) in drives.chunks_exact_mut(self.x_len).enumerate() {
                        self.drive.drives(isa, t, codes, drives);
                    }
                }
            }
            if driven {
                let maps = noise.chunks_exact_mut(self.x_len);
                for (noise, drives) in maps.zip(drives.chunks_exact(self.x_len)) {
                    match self.spec.noise_per_cell {
                        true => self.drive.amplitudes(codes, drives, noise),
                        false => self.drive.squares(codes, drives, noise),
                    }
                }
            }
            isa.run(Block {
                plan: self,
                operands,
                codes,
                drives,
                noise,
                converters: &space.converters,
                events,
                index,
                sink,
                span: &mut space.span,
            });
        }
    }
}

/// Most values that a thread needs: packed weights of a chip, and working space.
fn thread_values(geo: &ConvGeometry, spec: &Reading, noisy: bool) -> (usize, usize) {
    let a = &spec.arrays;
    let noisy = usize::from(noisy);
    let planes = a.read_planes() * a.plane_len();
    // Groups of rows are cut at row tiles, and each has a table of four times its rows.
    let tables = a.read_planes() * a.cols * (a.rows + 3 * a.row_tiles()) * 4;
    let packed = if tables <= lookup::MOST {
        tables
    } else {
        planes
    };
    let [top, left, bottom, right] = geo.pad;
    let strip = Strip::new((geo.h_in, geo.w_in), [left, right], top + geo.h_in + bottom);
    let maps = 2 + spec.dac.conversions() * (1 + noisy);
    let map = geo.c_in.saturating_mul(strip.plane());
    (packed * (1 + noisy), map.saturating_mul(maps))
}

/// The first `n` values of a buffer that only grows.
fn room<T: Clone + Default>(buffer: &mut Vec<T>, n: usize) -> &mut [T] {
    if buffer.len() < n {
        buffer.resize(n, T::default());
    }
    &mut buffer[..n]
}
