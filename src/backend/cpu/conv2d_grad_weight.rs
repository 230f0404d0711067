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
//! order (chip, block, pixel): the result does not depend on the number of threads. Positions
//! are cut so that both operands of a tile stay in the near caches; the accumulators rest in a
//! small buffer meanwhile.

use std::borrow::Cow;

use rayon::prelude::*;

use super::Memory;
use super::conv2d::ConvPlan;
use super::gather::{Gather, Tiles};
use super::simd::{Isa, Kernel, Simd};
use crate::backend::program::{LANES, Scope, TensorId};

/// Most rows (outputs) and columns (terms) of a task's tile.
const TILE: (usize, usize) = (24, 96);
/// Positions between two visits of a register tile.
const NEAR: usize = 32;

/// Computes `dw`: of each chip when it is per chip, else summed over chips.
pub(super) fn run(m: &mut Memory, plan: &ConvPlan, x: TensorId, dy: TensorId, dw: TensorId) {
    let (pad, blocks) = (plan.pad(), m.blocks());
    let mut scratch = m.take_scratch();
    let padded = pad.is_needed().then(|| {
        let n = m.chips_of(x) * blocks * pad.len();
        scratch.resize(n.max(scratch.len()), 0.0);
        let copies = scratch[..n].par_chunks_exact_mut(pad.len()).enumerate();
        copies.for_each(|(i, to)| pad.copy(m.block(x, i / blocks, i % blocks), to));
        &scratch[..n]
    });
    let shared = m.desc(dw).scope == Scope::Shared;
    m.each_chip([dw], |m, chip, [dw]| {
        let chips = match shared {
            true => 0..m.chips_of(dy).max(m.chips_of(x)),
            false => chip..chip + 1,
        };
        let x_chips = m.chips_of(x);
        let blocks = chips.flat_map(|chip| (0..blocks).map(move |block| (chip, block)));
        let operands = blocks.map(|(chip, block)| Operands {
            x: match &padded {
                Some(p) => &p[(chip % x_chips * m.blocks() + block) * pad.len()..][..pad.len()],
                None => m.block(x, chip, block),
            },
            dy: real_lanes(m.block(dy, chip, block), m.lanes(block)),
        });
        let operands: Vec<_> = operands.collect();
        grad_weight(m.isa(), plan.gather(), &operands, dw);
    });
    m.give_scratch(scratch);
}

/// Both operands of a block.
struct Operands<'a> {
    /// Input, padded.
    x: &'a [f32],
    /// Gradient of the output.
    dy: Cow<'a, [f32]>,
}

/// The map with zeros in the lanes that hold no image.
fn real_lanes(map: &[f32], lanes: usize) -> Cow<'_, [f32]> {
    if lanes == LANES {
        return Cow::Borrowed(map);
    }
    let mut map = map.to_vec();
    for pixel in map.chunks_exact_mut(LANES) {
        pixel[lanes..].fill(0.0);
    }
    Cow::Owned(map)
}

/// Cuts the weights into tiles and computes them in parallel.
fn grad_weight(isa: Isa, gather: &Gather, operands: &[Operands], dw: &mut [f32]) {
    let t = gather.tables();
    let terms = t.offsets.len();
    for o in operands {
        assert!(o.x.len() == t.x_len && o.dy.len() == t.y_len);
    }
    let row_tiles = Tiles::new(t.rows, TILE.0);
    let term_tiles = Tiles::new(terms, TILE.1);
    let per_group = row_tiles.count * term_tiles.count;
    let tiles = (0..t.groups * per_group).into_par_iter().map(|i| {
        let tile = Tile {
            gather,
            operands,
            group: i / per_group,
            rows: row_tiles.rows(i % per_group / term_tiles.count),
            terms: term_tiles.rows(i % term_tiles.count),
        };
        let (group, rows, terms) = (tile.group, tile.rows.clone(), tile.terms.clone());
        (group, rows, terms, isa.run(tile))
    });
    for (group, rows, columns, sums) in tiles.collect::<Vec<_>>() {
        for (row, sums) in rows.zip(sums.chunks_exact(columns.len())) {
            dw[(group * t.rows + row) * terms..][columns.clone()].copy_from_slice(sums);
        }
    }
}

/// A tile of the weights of one group.
struct Tile<'a> {
    gather: &'a Gather,
    operands: &'a [Operands<'a>],
    group: usize,
    rows: std::ops::Range<usize>,
    terms: std::ops::Range<usize>,
}

/// A position: where the group's inputs and the group's first output begin.
type Position = (*const f32, *const f32);

impl Kernel for Tile<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Vec<f32> {
        let t = self.gather.tables();
        let (rows, terms) = (self.rows.len(), self.terms.len());
        // 16 partial sums a weight, whatever the registers: the same result on every processor.
        let mut sums = vec![0.0; rows * terms * LANES];
        let mut near: Vec<Position> = Vec::with_capacity(NEAR);
        for block in self.operands {
            let (x, dy) = (&block.x[self.group * t.group_in..], &block.dy);
            let dy = &dy[self.group * t.group_out..];
            for &(from, to) in t.pixels {
                near.push((x[from as usize..].as_ptr(), dy[to as usize..].as_ptr()));
                if near.len() == NEAR {
                    self.visit(s, &near, &mut sums);
                    near.clear();
                }
            }
        }
        self.visit(s, &near, &mut sums);
        sums.chunks_exact(LANES).map(sum_lanes).collect()
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

impl Tile<'_> {
    /// Adds some positions to all sums.
    #[inline(always)]
    fn visit<S: Simd>(&self, s: S, near: &[Position], sums: &mut [f32]) {
        let terms = self.terms.len();
        let row_tiles = Tiles::new(self.rows.len(), S::DOTS.0);
        let term_tiles = Tiles::new(terms, S::DOTS.1);
        for i in 0..row_tiles.count {
            let rows = row_tiles.rows(i);
            for j in 0..term_tiles.count {
                let columns = term_tiles.rows(j);
                let dots = Dots {
                    tile: self,
                    near,
                    row: rows.start,
                    term: columns.start,
                    sums: &mut sums[(rows.start * terms + columns.start) * LANES..],
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
                    (6: 1, 2, 3),
                    (7: 1, 2, 3),
                    (8: 1, 2, 3)
                );
            }
        }
    }
}

/// Some positions' products for the rows from `row` and the terms from `term` of a tile.
struct Dots<'a> {
    tile: &'a Tile<'a>,
    near: &'a [Position],
    row: usize,
    term: usize,
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
            tile,
            near,
            row,
            term,
            sums,
        } = self.0;
        let t = tile.gather.tables();
        let terms = tile.terms.len();
        let offset: [usize; K] =
            std::array::from_fn(|k| t.offsets[tile.terms.start + term + k] as usize);
        let output: [usize; O] = std::array::from_fn(|o| (tile.rows.start + row + o) * t.row_out);
        let place = |o: usize, k: usize| (o * terms + k) * LANES;
        let mut acc: [[S::V; K]; O] =
            std::array::from_fn(|o| std::array::from_fn(|k| s.load(&sums[place(o, k)..])));
        for &(x, dy) in near {
            // SAFETY: `grad_weight` asserted that the blocks have the lengths for which
            // `Gather::new` checked every pixel, offset and row of every group; a position begins
            // at a pixel of this group.
            unsafe {
                let x: [S::V; K] = std::array::from_fn(|k| s.load_at(x.add(offset[k])));
                for (o, acc) in acc.iter_mut().enumerate() {
                    let dy = s.load_at(dy.add(output[o]));
                    for k in 0..K {
                        acc[k] = s.fma(dy, x[k], acc[k]);
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
