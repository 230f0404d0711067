//! The matrix product under every convolution.
//!
//! # Theory
//! With 16 images innermost, one output pixel of a convolution is
//! `y[o][lane] = sum_k w[o,k] x[base + offset(k)][lane]`: a product of the weight matrix with 16
//! columns that are gathered from the input by a table of offsets, the same for every pixel up
//! to the pixel's base. No patch matrix is ever written. Stride and dilation are in the tables, and
//! so is the transposed convolution of the backward pass; padding is in the copy of a few rows that
//! is read (`strip`).
//!
//! # Practice
//! Weights are packed into tiles of `M` rows as `[k][M]`, `M` balanced (16 rows are 6 + 5 + 5).
//! A register tile keeps `M x P` accumulators of 16 lanes, `P` pixels at once where `M` alone
//! would not hide the latency of a multiply-add. `k` is cut so that a pixel's gathered inputs
//! stay in the first-level cache, rows so that their weights stay in the second-level cache while
//! all blocks pass by; partial sums rest in the output meanwhile.

use super::post::Epilogue;
use super::simd::{Isa, Kernel, Simd};
use super::tiles::{Tiles, pixels_at_once};
use crate::error::{Error, Result};
use crate::program::LANES;

/// Most terms of a sum before the accumulators are stored.
pub(super) const K_CUT: usize = 256;
/// Most rows whose weights pass before the next block.
const ROW_CUT: usize = 256;
/// Bytes of gathered inputs that stay in the first-level cache.
pub(super) const NEAR_BYTES: usize = 16 << 10;
/// Most pixels between two applications of the epilogue.
const SPAN: usize = 48;

/// Tables of one gathered product: for each of `groups` groups,
/// `y[pixel.1 + o*row_out] = sum_k w[o,k] x[pixel.0 + offsets[k]]`, 16 lanes each.
#[derive(Debug, Clone)]
pub(super) struct Gather {
    offsets: Vec<u32>,
    /// Pixels of the rows of a strip; those of later strips are further on in `y`.
    pixels: Vec<(u32, u32)>,
    lines: usize,
    held: usize,
    line_pixels: usize,
    line_out: usize,
    rows: usize,
    groups: usize,
    group_in: usize,
    group_out: usize,
    row_out: usize,
    x_len: usize,
    y_len: usize,
    source: Source,
}

/// The pixels of a product: lines of equal length.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    /// Input and output place of the first line's pixels.
    pub first: Vec<(u32, u32)>,
    /// Distance of lines in the input.
    pub line_in: usize,
    /// Distance of lines in the output.
    pub line_out: usize,
    /// Lines of a strip: of what is in the input at once.
    pub strip: usize,
    /// All lines of the output.
    pub count: usize,
    /// Lines that the written blocks hold: all, or as many as are taken away before the next ones
    /// ([`Gather::run_held`]).
    pub held: usize,
}

/// Where the weight of row `o`, term `k` of group `g` is: `g*group + o*row + terms[k]`.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Distance of groups.
    pub group: usize,
    /// Distance of rows.
    pub row: usize,
    /// Place of the terms.
    pub terms: Vec<u32>,
}

/// Sizes of a [`Gather`], all in `f32` values.
#[derive(Debug, Clone, Copy)]
pub(super) struct GatherShape {
    /// Rows (outputs) per group.
    pub rows: usize,
    /// Groups.
    pub groups: usize,
    /// Distance of a group's inputs from the last one's.
    pub group_in: usize,
    /// Distance of a group's outputs from the last one's.
    pub group_out: usize,
    /// Distance of outputs.
    pub row_out: usize,
    /// Values of a block of inputs.
    pub x_len: usize,
    /// Values of a block of outputs.
    pub y_len: usize,
}

impl Gather {
    /// Checks that no index leaves its block.
    ///
    /// # Errors
    /// [`Error::Internal`] when one does, or when a block has 2^32 values or more.
    pub fn new(
        shape: GatherShape,
        offsets: Vec<u32>,
        lines: Lines,
        source: Source,
    ) -> Result<Self> {
        let most = |it: &mut dyn Iterator<Item = u32>| it.max().map_or(0, |v| v as usize);
        let last_group = shape.groups.saturating_sub(1);
        let strip = lines.strip.min(lines.count);
        let far_in = most(&mut lines.first.iter().map(|p| p.0))
            + strip.saturating_sub(1) * lines.line_in
            + most(&mut offsets.iter().copied())
            + last_group * shape.group_in;
        let far_out = most(&mut lines.first.iter().map(|p| p.1))
            + lines.held.saturating_sub(1) * lines.line_out
            + shape.rows.saturating_sub(1) * shape.row_out
            + last_group * shape.group_out;
        let empty = lines.first.is_empty() || lines.count == 0;
        let held = lines.held.max(1);
        let reads = !offsets.is_empty() && !empty;
        let fits = (!reads || far_in + LANES <= shape.x_len)
            && (empty || far_out + LANES <= shape.y_len)
            && offsets.len() == source.terms.len();
        if !fits || shape.x_len.max(shape.y_len) > u32::MAX as usize {
            return Err(Error::Internal(format!(
                "a convolution reaches {far_in} of {} inputs and {far_out} of {} outputs",
                shape.x_len, shape.y_len
            )));
        }
        let pixel = |i: usize, &(from, to): &(u32, u32)| {
            let (from, to) = (from as usize, to as usize);
            (
                (from + i * lines.line_in) as u32,
                (to + i % held * lines.line_out) as u32,
            )
        };
        let pixels = (0..strip).flat_map(|i| lines.first.iter().map(move |p| pixel(i, p)));
        Ok(Self {
            offsets,
            pixels: pixels.collect(),
            lines: lines.count,
            held,
            line_pixels: lines.first.len(),
            line_out: lines.line_out,
            rows: shape.rows,
            groups: shape.groups,
            group_in: shape.group_in,
            group_out: shape.group_out,
            row_out: shape.row_out,
            x_len: shape.x_len,
            y_len: shape.y_len,
            source,
        })
    }

    /// Products of a pair of channels, over all strips.
    #[cfg(test)]
    pub fn products(&self) -> usize {
        self.lines * self.line_pixels * self.offsets.len()
    }

    /// Lines that written blocks hold.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Values of the packed weights.
    pub fn packed_len(&self) -> usize {
        self.groups * self.rows * self.offsets.len()
    }

    /// Packs weights for `isa`: group after group, tile after tile, `[k][row of the tile]`.
    pub fn pack(&self, isa: Isa, w: &[f32], packed: &mut [f32]) {
        let k = self.offsets.len();
        if k == 0 {
            return;
        }
        let tiles = Tiles::new(self.rows, isa.rows());
        let mut rest = packed;
        for g in 0..self.groups {
            for t in 0..tiles.count {
                let rows = tiles.rows(t);
                let m = rows.len();
                let (tile, tail) = std::mem::take(&mut rest).split_at_mut(k * m);
                rest = tail;
                for (i, o) in rows.enumerate() {
                    let row = &w[g * self.source.group + o * self.source.row..];
                    let to = tile.iter_mut().skip(i).step_by(m);
                    for (to, &term) in to.zip(&self.source.terms) {
                        *to = row[term as usize];
                    }
                }
            }
        }
    }

    /// Computes the lines `lines` of the output, which fill at most a strip, for all blocks: `x` are
    /// blocks of `x_len` that hold the strip, `y` whole blocks of `y_len`.
    pub fn run(
        &self,
        isa: Isa,
        packed: &[f32],
        x: &[f32],
        y: &mut [f32],
        epilogue: &Epilogue,
        lines: std::ops::Range<usize>,
    ) {
        let end = lines.end.min(self.lines);
        let Some(count) = end.checked_sub(lines.start).filter(|&n| n > 0) else {
            return;
        };
        assert_eq!(self.held, self.lines.max(1), "blocks of whole maps");
        // Slicing asserts that the lines fill no more than a strip.
        let pixels = &self.pixels[..count * self.line_pixels];
        let skipped = lines.start * self.line_out;
        self.over(isa, packed, (x, y), epilogue, (pixels, skipped));
    }

    /// Computes lines of the strip in `x`, counted from its first one, for all blocks: `y` are blocks of `y_len`
    /// that hold these lines only. `lines` begins at a multiple of as many as blocks hold.
    pub fn run_held(
        &self,
        isa: Isa,
        packed: &[f32],
        x: &[f32],
        y: &mut [f32],
        epilogue: &Epilogue,
        lines: std::ops::Range<usize>,
    ) {
        assert!(lines.start.is_multiple_of(self.held) && lines.len() <= self.held);
        let pixels = &self.pixels[lines.start * self.line_pixels..lines.end * self.line_pixels];
        self.over(isa, packed, (x, y), epilogue, (pixels, 0));
    }

    /// Computes pixels for all blocks; `skipped` values of the output lie in front of them.
    fn over(
        &self,
        isa: Isa,
        packed: &[f32],
        (x, y): (&[f32], &mut [f32]),
        epilogue: &Epilogue,
        (pixels, skipped): (&[(u32, u32)], usize),
    ) {
        let blocks = y.len() / self.y_len;
        assert!(packed.len() >= self.packed_len());
        assert!(x.len() >= blocks * self.x_len);
        isa.run(Run {
            gather: self,
            packed,
            x,
            y,
            blocks,
            epilogue,
            pixels,
            skipped,
        });
    }
}

struct Run<'a> {
    gather: &'a Gather,
    packed: &'a [f32],
    x: &'a [f32],
    y: &'a mut [f32],
    blocks: usize,
    epilogue: &'a Epilogue<'a>,
    /// Pixels of the strip.
    pixels: &'a [(u32, u32)],
    /// Values of the output in front of the strip's.
    skipped: usize,
}

impl Kernel for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let g = self.gather;
        let k = g.offsets.len();
        let tiles = Tiles::new(g.rows, S::ROWS);
        let cuts = k.div_ceil(K_CUT).max(1);
        let row_cuts = g.rows.div_ceil(ROW_CUT);
        let at_once = pixels_at_once::<S>(tiles.rows(0).len());
        let near = NEAR_BYTES / (k.div_ceil(cuts).max(1) * LANES * size_of::<f32>());
        let chunk = (near / at_once).max(1) * at_once;
        let span = SPAN.div_ceil(chunk) * chunk;
        let plain = self.epilogue.is_none();
        for group in 0..g.groups {
            let packed = &self.packed[group * g.rows * k..];
            for cut in 0..cuts {
                let terms = k * cut / cuts..k * (cut + 1) / cuts;
                for row_cut in 0..row_cuts {
                    let tile_range =
                        tiles.count * row_cut / row_cuts..tiles.count * (row_cut + 1) / row_cuts;
                    if tile_range.is_empty() {
                        continue;
                    }
                    for block in 0..self.blocks {
                        let x = &self.x[block * g.x_len..][..g.x_len][group * g.group_in..];
                        let y = &mut self.y[block * g.y_len..][..g.y_len];
                        let y = &mut y[group * g.group_out + self.skipped..];
                        for pixels in self.pixels.chunks(span) {
                            for near in pixels.chunks(chunk) {
                                for t in tile_range.clone() {
                                    let rows = tiles.rows(t);
                                    let w = &packed[rows.start * k + terms.start * rows.len()..];
                                    let job = Job {
                                        w: &w[..terms.len() * rows.len()],
                                        offsets: &g.offsets[terms.clone()],
                                        first_row: rows.start,
                                        row_out: g.row_out,
                                        fresh: cut == 0,
                                    };
                                    // SAFETY: `Gather::new` checked that every pixel, offset and
                                    // row of the last group and line stays inside a block; `x` and
                                    // `y` begin at this group's part of a whole block, `y` at the
                                    // first of at most `lines` lines.
                                    unsafe { job.tile(s, rows.len(), near, x, y) };
                                }
                            }
                            if cut + 1 < cuts || plain {
                                continue;
                            }
                            let rows = tiles.rows(tile_range.start).start
                                ..tiles.rows(tile_range.end - 1).end;
                            for o in rows {
                                // Pixels of an output with an epilogue are consecutive.
                                let start = pixels[0].1 as usize + o * g.row_out;
                                let values = &mut y[start..][..pixels.len() * LANES];
                                let skipped = group * g.group_out + self.skipped;
                                let place = block * g.y_len + skipped + start;
                                self.epilogue.apply(s, group * g.rows + o, place, values);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A tile of `M` rows over pixels; only made by [`Job::tile`], whose caller keeps its promise.
struct Tile<'a, const M: usize> {
    job: &'a Job<'a>,
    pixels: &'a [(u32, u32)],
    x: &'a [f32],
    y: &'a mut [f32],
}

impl<const M: usize> Kernel for Tile<'_, M> {
    type Output = ();

    /// As many pixels at once as fill the registers. The conditions are constants, so that only the
    /// sizes of `S` are compiled.
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        macro_rules! at_once {
            ($($p:literal),+) => {
                $(if const { pixels_at_once::<S>(M) == $p } {
                    let mut groups = self.pixels.chunks_exact($p);
                    for group in &mut groups {
                        // SAFETY: as `Job::tile`, of which these are the arguments.
                        unsafe { self.job.registers::<S, M, $p>(s, group, self.x, self.y) }
                    }
                    for pixel in groups.remainder().chunks_exact(1) {
                        // SAFETY: as above.
                        unsafe { self.job.registers::<S, M, 1>(s, pixel, self.x, self.y) }
                    }
                })+
            };
        }
        at_once!(1, 2, 3, 4, 6, 8);
    }
}

/// A tile of rows over some terms of the sum.
pub(super) struct Job<'a> {
    /// Weights `[term][row of the tile]`.
    pub w: &'a [f32],
    /// Place of each term's input relative to a pixel's.
    pub offsets: &'a [u32],
    /// First row of the tile.
    pub first_row: usize,
    /// Distance of outputs.
    pub row_out: usize,
    /// Whether the sum begins here, else it goes on from what is in the output.
    pub fresh: bool,
}

impl Job<'_> {
    /// Runs the tile over pixels.
    ///
    /// # Safety
    /// For all pixels `p`, offsets `k` and rows `o` of the tile, 16 values must exist at
    /// `x[p.0 + k]` and `y[p.1 + o*row_out]`; `w` must have `offsets.len() * m` values.
    #[inline(always)]
    pub unsafe fn tile<S: Simd>(
        &self,
        s: S,
        m: usize,
        pixels: &[(u32, u32)],
        x: &[f32],
        y: &mut [f32],
    ) {
        macro_rules! sizes {
            ($($m:literal),+) => {
                match m {
                    $($m => {
                        if const { $m <= S::ROWS } {
                            s.call(Tile::<$m> { job: self, pixels, x, y });
                        }
                    })+
                    m => unreachable!("no register tile of {m} rows"),
                }
            };
        }
        sizes!(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
    }

    /// `M x P` accumulators of 16 lanes.
    ///
    /// # Safety
    /// As [`Job::tile`], with `pixels.len() == P` and `M` the tile's rows.
    #[inline(always)]
    unsafe fn registers<S: Simd, const M: usize, const P: usize>(
        &self,
        s: S,
        pixels: &[(u32, u32)],
        x: &[f32],
        y: &mut [f32],
    ) {
        assert!(pixels.len() == P && self.w.len() == self.offsets.len() * M);
        let x: [*const f32; P] =
            std::array::from_fn(|p| x.as_ptr().wrapping_add(pixels[p].0 as usize));
        let y_at = |m: usize, p: usize| {
            let row = (self.first_row + m) * self.row_out;
            row + pixels[p].1 as usize
        };
        let y = y.as_mut_ptr();
        // SAFETY (all below): places are inside `x` and `y` as the caller guarantees, weights are
        // counted by the assertion above.
        unsafe {
            let mut acc = [[s.splat(0.0); P]; M];
            if !self.fresh {
                for (m, acc) in acc.iter_mut().enumerate() {
                    for (p, acc) in acc.iter_mut().enumerate() {
                        *acc = s.load_at(y.add(y_at(m, p)));
                    }
                }
            }
            let mut w = self.w.as_ptr();
            for &offset in self.offsets {
                let mut v = [s.splat(0.0); P];
                for p in 0..P {
                    v[p] = s.load_at(x[p].add(offset as usize));
                }
                for (m, acc) in acc.iter_mut().enumerate() {
                    let weight = s.splat(*w.add(m));
                    for p in 0..P {
                        acc[p] = s.fma(weight, v[p], acc[p]);
                    }
                }
                w = w.add(M);
            }
            for (m, acc) in acc.iter().enumerate() {
                for (p, &acc) in acc.iter().enumerate() {
                    s.store_at(acc, y.add(y_at(m, p)));
                }
            }
        }
    }
}
