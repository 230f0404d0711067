//! Gradient of a convolution with respect to its weight.
//!
//! # Theory
//! `dw[o,k] = sum over positions of dy[o,position] x[k at position]`, a position being an image
//! lane of an output pixel of a block. It is a product of two matrices whose common axis is
//! innermost in both, so a register tile of `O x K` accumulates 16 partial sums a weight, and a
//! lane sum at the very end gives the weights.
//!
//! # Practice
//! The weights are cut into tiles of a few thousand, each a task that walks over all positions in
//! order (chip, block, pixel): the result does not depend on the number of threads. A task copies
//! the rows at hand of its own channels into strips, which stay in the second-level cache;
//! positions are cut so that a register tile's share of them stays in the first. The
//! accumulators rest in a small buffer meanwhile.

use std::ops::Range;

use rayon::prelude::*;

use super::conv2d::{rows_under, strip_lines};
use super::memory::Memory;
use super::simd::{Isa, Kernel, Simd};
use super::step::{WholeOp, scheduled};
use super::strip::Strip;
use super::tiles::Tiles;
use crate::program::{Conv2dGradWeight, ConvGeometry, LANES, RunArgs, Scope};

scheduled!(Conv2dGradWeight: whole);

/// Of each chip where `dw` is per chip, else summed over chips.
impl WholeOp for Conv2dGradWeight {
    fn run(&self, memory: &mut Memory, _: &RunArgs) {
        let &Self { x, dy, dw, .. } = self;
        let scope = memory.desc(dw).scope;
        memory.each_chip([dw], |m, chip, [dw]| {
            let chips = match scope {
                Scope::Shared => 0..m.chips_of(dy).max(m.chips_of(x)),
                Scope::PerChip => chip..chip + 1,
            };
            let blocks = chips.flat_map(|chip| (0..m.blocks()).map(move |block| (chip, block)));
            let operands = blocks.map(|(chip, block)| Operands {
                x: m.block(x, chip, block),
                dy: m.block(dy, chip, block),
                lanes: m.lanes(block),
            });
            let operands: Vec<_> = operands.collect();
            grad_weight(m, &self.geo, &operands, dw);
        });
    }
}

/// Most rows (outputs) and columns (terms) of a task's tile.
const TILE: (usize, usize) = (24, 96);
/// Positions between two visits of a register tile.
const NEAR: usize = 32;

/// Both operands of a block.
struct Operands<'a> {
    /// Input.
    x: &'a [f32],
    /// Gradient of the output.
    dy: &'a [f32],
    /// Lanes that hold an image.
    lanes: usize,
}

/// Cuts the weights into tiles and computes them in parallel.
fn grad_weight(m: &Memory, g: &ConvGeometry, operands: &[Operands], dw: &mut [f32]) {
    let (rows, terms) = (g.c_out / g.groups, g.rows());
    let row_tiles = Tiles::new(rows, TILE.0);
    let term_tiles = Tiles::new(terms, TILE.1);
    let per_group = row_tiles.count * term_tiles.count;
    let tiles = (0..g.groups * per_group).into_par_iter().map(|i| {
        let (group, i) = (i / per_group, i % per_group);
        let rows = row_tiles.rows(i / term_tiles.count);
        let terms = term_tiles.rows(i % term_tiles.count);
        let tile = Tile::new(g, group, rows.clone(), terms.clone());
        (group, rows, terms, tile.compute(m, operands))
    });
    for (group, some, columns, sums) in tiles.collect::<Vec<_>>() {
        for (row, sums) in some.zip(sums.chunks_exact(columns.len())) {
            dw[(group * rows + row) * terms..][columns.clone()].copy_from_slice(sums);
        }
    }
}

/// A tile of the weights of one group, and the strips that its operands are copied into: `slots`
/// of each, one after the other.
struct Tile<'a> {
    geo: &'a ConvGeometry,
    /// Rows of the tile.
    rows: usize,
    /// First channel of the inputs, in the whole map.
    channel: usize,
    /// Channels of inputs.
    channels: usize,
    /// First channel of the outputs, in the whole map.
    output: usize,
    /// Place of each term's input relative to a position's.
    offsets: Vec<usize>,
    /// Output lines of a strip.
    lines: usize,
    slots: usize,
    x: Strip,
    dy: Strip,
}

/// A position: where its inputs and its first output begin in the strips.
type Position = (u32, u32);

impl<'a> Tile<'a> {
    fn new(g: &'a ConvGeometry, group: usize, rows: Range<usize>, terms: Range<usize>) -> Self {
        let (ho, wo, taps) = (g.h_out(), g.w_out(), g.kh * g.kw);
        let first = terms.start / taps;
        let channels = (terms.end - 1) / taps + 1 - first;
        let inputs = |lines| {
            let padding = [g.pad[1], g.pad[3]];
            Strip::new((g.h_in, g.w_in), padding, rows_under(g, lines))
        };
        let outputs = |lines| Strip::new((ho, wo), [0, 0], lines);
        let values = |lines| channels * inputs(lines).plane() + rows.len() * outputs(lines).plane();
        let lines = strip_lines(ho, 0, |n| values(n) * size_of::<f32>());
        let (x, dy) = (inputs(lines), outputs(lines));
        let offset = |k: usize| {
            let (ky, kx) = (k % taps / g.kw, k % g.kw);
            let at = ky * g.dilation[0] * x.cols + kx * g.dilation[1];
            (k / taps - first) * x.plane() + at * LANES
        };
        Self {
            geo: g,
            rows: rows.len(),
            channel: group * (g.c_in / g.groups) + first,
            channels,
            output: group * (g.c_out / g.groups) + rows.start,
            offsets: terms.map(offset).collect(),
            lines,
            slots: NEAR.div_ceil(lines * wo),
            x,
            dy,
        }
    }

    /// Values of the strips of one slot.
    fn slot(&self) -> (usize, usize) {
        (self.channels * self.x.plane(), self.rows * self.dy.plane())
    }

    /// All positions of all slots.
    fn positions(&self) -> Vec<Position> {
        let (g, (x_slot, dy_slot)) = (self.geo, self.slot());
        let place = |slot: usize, y: usize, x: usize| {
            let from = (y * g.stride[0] * self.x.cols + x * g.stride[1]) * LANES;
            let to = (y * g.w_out() + x) * LANES;
            ((slot * x_slot + from) as u32, (slot * dy_slot + to) as u32)
        };
        let lines = (0..self.slots).flat_map(|slot| (0..self.lines).map(move |y| (slot, y)));
        lines
            .flat_map(|(slot, y)| (0..g.w_out()).map(move |x| place(slot, y, x)))
            .collect()
    }

    /// The weights `[row][term]`.
    fn compute(&self, m: &Memory, operands: &[Operands]) -> Vec<f32> {
        let (x_slot, dy_slot) = self.slot();
        let positions = self.positions();
        let per_slot = positions.len() / self.slots;
        let mut x = m.pool().take(self.slots * x_slot);
        let mut dy = m.pool().take(self.slots * dy_slot);
        // 16 partial sums a weight, whatever the registers: the same result on every processor.
        let mut sums = m.pool().take(self.rows * self.offsets.len() * LANES);
        let sums_here = &mut sums[..self.rows * self.offsets.len() * LANES];
        sums_here.fill(0.0);
        let mut used = 0;
        for block in operands {
            for strip in 0..self.geo.h_out().div_ceil(self.lines) {
                let to = (&mut x[used * x_slot..], &mut dy[used * dy_slot..]);
                self.fill(block, strip * self.lines, to.0, to.1);
                used += 1;
                if used == self.slots {
                    self.visit(m.isa(), &positions, (&x, &dy), sums_here);
                    used = 0;
                }
            }
        }
        self.visit(m.isa(), &positions[..used * per_slot], (&x, &dy), sums_here);
        let weights = sums_here.chunks_exact(LANES).map(sum_lanes).collect();
        for buffer in [x, dy, sums] {
            m.pool().give(buffer);
        }
        weights
    }

    /// Copies what the output lines from `line` on need; zeros of the gradient behind the last line
    /// and where there is no image.
    fn fill(&self, block: &Operands, line: usize, x: &mut [f32], dy: &mut [f32]) {
        let (g, (x_len, dy_len)) = (self.geo, self.slot());
        let plane = g.h_in * g.w_in * LANES;
        let first = (line * g.stride[0]) as isize - g.pad[0] as isize;
        self.x
            .copy(&block.x[self.channel * plane..], first, &mut x[..x_len]);
        let plane = g.h_out() * g.w_out() * LANES;
        let dy = &mut dy[..dy_len];
        self.dy
            .copy(&block.dy[self.output * plane..], line as isize, dy);
        if block.lanes < LANES {
            for pixel in dy.chunks_exact_mut(LANES) {
                pixel[block.lanes..].fill(0.0);
            }
        }
    }

    /// Adds positions to all sums.
    fn visit(&self, isa: Isa, positions: &[Position], strips: (&[f32], &[f32]), sums: &mut [f32]) {
        let far = |of: fn(&Position) -> u32| positions.iter().map(of).max().unwrap_or(0) as usize;
        let offset = self.offsets.iter().max().map_or(0, |&o| o);
        let row = (self.rows - 1) * self.dy.plane();
        assert!(positions.is_empty() || far(|p| p.0) + offset + LANES <= strips.0.len());
        assert!(positions.is_empty() || far(|p| p.1) + row + LANES <= strips.1.len());
        for near in positions.chunks(NEAR) {
            isa.run(Visit {
                tile: self,
                near,
                x: strips.0,
                dy: strips.1,
                sums,
            });
        }
    }
}

/// Sum of 16 lanes, by halves.
fn sum_lanes(v: &[f32]) -> f32 {
    let mut v: [f32; LANES] = std::array::from_fn(|i| v[i]);
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            v[i] += v[i + half];
        }
        half /= 2;
    }
    v[0]
}

/// Some positions' products with all weights of a tile; only made by [`Tile::visit`], which has
/// checked that all places are inside the strips.
struct Visit<'a> {
    tile: &'a Tile<'a>,
    near: &'a [Position],
    x: &'a [f32],
    dy: &'a [f32],
    sums: &'a mut [f32],
}

impl Kernel for Visit<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let terms = self.tile.offsets.len();
        let row_tiles = Tiles::new(self.tile.rows, S::DOTS.0);
        let term_tiles = Tiles::new(terms, S::DOTS.1);
        for i in 0..row_tiles.count {
            let rows = row_tiles.rows(i);
            for j in 0..term_tiles.count {
                let columns = term_tiles.rows(j);
                let dots = Dots {
                    near: self.near,
                    x: self.x.as_ptr(),
                    dy: self.dy[rows.start * self.tile.dy.plane()..].as_ptr(),
                    row_out: self.tile.dy.plane(),
                    offsets: &self.tile.offsets[columns.clone()],
                    terms,
                    sums: &mut self.sums[(rows.start * terms + columns.start) * LANES..],
                };
                macro_rules! sizes {
                    ($(($o:literal: $($k:literal),+)),+) => {
                        match (rows.len(), columns.len()) {
                            $($(($o, $k) => {
                                if const { $o <= S::DOTS.0 && $k <= S::DOTS.1 } {
                                    s.call(Fixed::<$o, $k>(dots));
                                }
                            })+)+
                            (o, k) => unreachable!("no register tile of {o} x {k}"),
                        }
                    };
                }
                sizes!(
                    (1: 1, 2, 3),
                    (2: 1, 2, 3),
                    (3: 1, 2, 3),
                    (4: 1, 2, 3),
                    (5: 1, 2, 3),
                    (6: 1, 2, 3)
                );
            }
        }
    }
}

/// Some positions' products for some rows and terms of a tile.
struct Dots<'a> {
    near: &'a [Position],
    x: *const f32,
    /// The first row's outputs.
    dy: *const f32,
    /// Distance of rows in `dy`.
    row_out: usize,
    offsets: &'a [usize],
    /// Terms of the tile.
    terms: usize,
    /// 16 partial sums a weight, rows as far apart as the tile has terms.
    sums: &'a mut [f32],
}

/// [`Dots`] of `O` rows and `K` terms, all in registers.
struct Fixed<'a, const O: usize, const K: usize>(Dots<'a>);

impl<const O: usize, const K: usize> Kernel for Fixed<'_, O, K> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Dots {
            near,
            x,
            dy,
            row_out,
            offsets,
            terms,
            sums,
        } = self.0;
        let offset: [usize; K] = std::array::from_fn(|k| offsets[k]);
        let place = |o: usize, k: usize| (o * terms + k) * LANES;
        // Loops, no `from_fn`: a closure that is not inlined has not the kernel's instruction set.
        let mut acc = [[s.splat(0.0); K]; O];
        for (o, acc) in acc.iter_mut().enumerate() {
            for (k, acc) in acc.iter_mut().enumerate() {
                *acc = s.load(&sums[place(o, k)..]);
            }
        }
        for &(from, to) in near {
            // SAFETY: `Tile::visit` asserted that the last position's last term and row are inside
            // the strips.
            unsafe {
                let (x, dy) = (x.add(from as usize), dy.add(to as usize));
                let mut xs = [s.splat(0.0); K];
                for k in 0..K {
                    xs[k] = s.load_at(x.add(offset[k]));
                }
                for (o, acc) in acc.iter_mut().enumerate() {
                    let dy = s.load_at(dy.add(o * row_out));
                    for k in 0..K {
                        acc[k] = s.fma(dy, xs[k], acc[k]);
                    }
                }
            }
        }
        for (o, acc) in acc.iter().enumerate() {
            for (k, &acc) in acc.iter().enumerate() {
                s.store(acc, &mut sums[place(o, k)..]);
            }
        }
    }
}
