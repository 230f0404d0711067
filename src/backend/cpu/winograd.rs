//! Convolutions of 3 x 3 with fewer products: [`Winograd`], where the equations are.
//!
//! # Practice
//! The four rows of `V` are independent until the results are put together: row `i` needs two rows of the map
//! only, is multiplied by row `i` of `U`, and adds its part to the two rows of results. So a *pass* makes a
//! row of `V` of some tiles for all channels, multiplies it ([`Job`], as every convolution), and adds what
//! becomes of it to the output; working space is a quarter of what all rows would need, and stays in the
//! second-level cache. Lanes are images, so that every step of a transform is one vector instruction;
//! neighbouring tiles share two columns, which stay in registers.

mod pack;

use super::buffer::Buffer;
use super::gather::{Job, K_CUT, NEAR_BYTES};
use super::post::Epilogue;
use super::simd::{Isa, Kernel, Simd};
use super::tiles::{Tiles, pixels_at_once};
use crate::program::{LANES, Winograd};

/// Bytes of a pass's `V` and `M`, and tiles that it has even where they are more: weights come from far away for
/// every pass.
const PASS_BYTES: usize = 128 << 10;
const PASS_TILES: usize = 8;

/// Order of the passes: the first two leave something in both rows of results, the other two add to both.
const PASSES: [usize; 4] = [0, 3, 1, 2];

/// A layer with its tables.
#[derive(Debug, Clone)]
pub(super) struct WinogradPlan {
    layer: Winograd,
    /// Most tiles of a pass.
    at_once: usize,
    /// Tiles of every pass over a block.
    groups: Vec<Vec<Piece>>,
    /// Place of every channel in a column of `V`.
    offsets: Vec<u32>,
    /// Place of every tile in `V` and in `M`.
    pixels: Vec<(u32, u32)>,
}

/// Neighbouring tiles of a row.
#[derive(Debug, Clone, Copy)]
struct Piece {
    row: usize,
    first: usize,
    count: usize,
    /// Place of the first one in the pass.
    at: usize,
}

impl WinogradPlan {
    /// Tables of a layer.
    pub fn new(layer: Winograd) -> Self {
        let tile = 4 * (layer.read + layer.written) * LANES * size_of::<f32>();
        let [rows, columns] = layer.tiles();
        Self::with(
            layer,
            (PASS_BYTES / tile).max(PASS_TILES).min(rows * columns),
        )
    }

    fn with(layer: Winograd, most: usize) -> Self {
        let [rows, columns] = layer.tiles();
        let mut groups: Vec<Vec<Piece>> = Vec::new();
        if columns > most {
            let parts = columns.div_ceil(most);
            for row in 0..rows {
                for part in 0..parts {
                    let first = columns * part / parts;
                    let count = columns * (part + 1) / parts - first;
                    let at = 0;
                    groups.push(vec![Piece {
                        row,
                        first,
                        count,
                        at,
                    }]);
                }
            }
        } else {
            let several = most / columns;
            for first in (0..rows).step_by(several) {
                let piece = |row| Piece {
                    row,
                    first: 0,
                    count: columns,
                    at: (row - first) * columns,
                };
                groups.push((first..rows.min(first + several)).map(piece).collect());
            }
        }
        let at_once = groups.iter().map(|g| tiles_of(g)).max().unwrap_or(0);
        let place = |i: usize| (i * LANES) as u32;
        Self {
            layer,
            at_once,
            groups,
            offsets: (0..layer.read).map(|c| place(c * at_once)).collect(),
            pixels: (0..at_once).map(|t| (place(t), place(t))).collect(),
        }
    }

    /// Values of a kernel value's weights, of all channels.
    fn slab(&self) -> usize {
        // The last channel is written as a whole vector.
        self.layer.read * self.layer.written + LANES
    }

    /// Values of the packed weights `U`.
    pub fn packed_len(&self) -> usize {
        16 * self.slab()
    }

    /// Makes `U` of the weights of one chip: for every of its 16 values tile after tile, `[channel read][row
    /// of the tile]`, as [`Job`] wants them.
    pub fn pack(&self, isa: Isa, w: &[f32], packed: &mut [f32]) {
        assert!(packed.len() >= self.packed_len());
        isa.run(pack::Pack {
            plan: self,
            w,
            packed,
        });
    }

    /// Computes all blocks of `x` into `y`; `space` is working space.
    pub fn run(
        &self,
        isa: Isa,
        packed: &[f32],
        x: &[f32],
        y: &mut [f32],
        epilogue: &Epilogue,
        space: &mut Buffer,
    ) {
        let l = &self.layer;
        let (v, m) = (
            self.at_once * l.read * LANES,
            self.at_once * l.written * LANES,
        );
        let zeros = l.from[1] * LANES;
        space.reserve(4 * (v + m) + zeros);
        let (v, rest) = space.split_at_mut(4 * v);
        let (m, rest) = rest.split_at_mut(4 * m);
        rest[..zeros].fill(0.0);
        isa.run(Run {
            plan: self,
            packed,
            x,
            y,
            epilogue,
            v,
            m,
            zeros: &rest[..zeros],
        });
    }
}

fn tiles_of(group: &[Piece]) -> usize {
    group.iter().map(|piece| piece.count).sum()
}

struct Run<'a> {
    plan: &'a WinogradPlan,
    packed: &'a [f32],
    x: &'a [f32],
    y: &'a mut [f32],
    epilogue: &'a Epilogue<'a>,
    /// `[column of V][channel][tile]`.
    v: &'a mut [f32],
    /// `[column of M][channel][tile]`.
    m: &'a mut [f32],
    /// A row of the map.
    zeros: &'a [f32],
}

impl Kernel for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let l = &self.plan.layer;
        let [x_len, y_len] = [
            l.read * l.from[0] * l.from[1] * LANES,
            l.written * l.to[0] * l.to[1] * LANES,
        ];
        let blocks = self
            .x
            .chunks_exact(x_len)
            .zip(self.y.chunks_exact_mut(y_len));
        for (block, (x, y)) in blocks.enumerate() {
            for group in &self.plan.groups {
                for pass in PASSES {
                    for &piece in group {
                        s.call(Spread {
                            plan: self.plan,
                            piece,
                            pass,
                            x,
                            zeros: self.zeros,
                            v: &mut *self.v,
                        });
                    }
                    let slab = self.plan.slab();
                    multiply(
                        s,
                        self.plan,
                        &self.packed[4 * pass * slab..][..4 * slab],
                        tiles_of(group),
                        self.v,
                        self.m,
                    );
                    for &piece in group {
                        let collect = Collect {
                            plan: self.plan,
                            piece,
                            epilogue: self.epilogue,
                            m: &*self.m,
                            y: &mut *y,
                            skipped: block * y_len,
                        };
                        match pass {
                            0 => s.call(Pass::<0>(collect)),
                            1 => s.call(Pass::<1>(collect)),
                            2 => s.call(Pass::<2>(collect)),
                            _ => s.call(Pass::<3>(collect)),
                        }
                    }
                }
            }
        }
    }
}

/// The columns of `M` of `count` tiles: for each a product of a column of `U` with one of `V`.
#[inline(always)]
fn multiply<S: Simd>(
    s: S,
    plan: &WinogradPlan,
    packed: &[f32],
    count: usize,
    v: &[f32],
    m: &mut [f32],
) {
    let l = &plan.layer;
    let (k, width) = (l.read, plan.at_once * LANES);
    let tiles = Tiles::new(l.written, S::ROWS);
    let cuts = k.div_ceil(K_CUT).max(1);
    let at_once = pixels_at_once::<S>(tiles.rows(0).len());
    let near = NEAR_BYTES / (k.div_ceil(cuts) * LANES * size_of::<f32>());
    let chunk = (near / at_once).max(1) * at_once;
    for j in 0..4 {
        let packed = &packed[j * plan.slab()..][..k * l.written];
        let v = &v[j * k * width..][..k * width];
        let m = &mut m[j * l.written * width..][..l.written * width];
        for cut in 0..cuts {
            let terms = k * cut / cuts..k * (cut + 1) / cuts;
            for near in plan.pixels[..count].chunks(chunk) {
                for t in 0..tiles.count {
                    let rows = tiles.rows(t);
                    let w = &packed[rows.start * k + terms.start * rows.len()..];
                    let job = Job {
                        w: &w[..terms.len() * rows.len()],
                        offsets: &plan.offsets[terms.clone()],
                        first_row: rows.start,
                        row_out: width,
                        fresh: cut == 0,
                    };
                    // SAFETY: a pixel is one of `at_once` vectors, offsets are those of the `k` channels that
                    // `v` has, rows of the tile those of the channels that `m` has.
                    unsafe { job.tile(s, rows.len(), near, v, m) };
                }
            }
        }
    }
}

/// A row of `V` of some tiles, for all channels.
struct Spread<'a> {
    plan: &'a WinogradPlan,
    piece: Piece,
    pass: usize,
    /// A block of the map.
    x: &'a [f32],
    zeros: &'a [f32],
    v: &'a mut [f32],
}

impl Kernel for Spread<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        match self.pass {
            0 => self.rows::<S, false>(s, 0, 2),
            1 => self.rows::<S, true>(s, 1, 2),
            2 => self.rows::<S, false>(s, 2, 1),
            _ => self.rows::<S, false>(s, 1, 3),
        }
    }
}

impl Spread<'_> {
    /// From rows `a` and `b` of every tile, added or subtracted.
    #[inline(always)]
    fn rows<S: Simd, const ADD: bool>(self, s: S, a: usize, b: usize) {
        let Piece {
            row,
            first,
            count,
            at,
            ..
        } = self.piece;
        let l = &self.plan.layer;
        let ([h, w], [top, left]) = (l.from, l.pad);
        // Rows and columns in front of the map wrap and are far behind it.
        let [a, b] = [a, b].map(|r| (2 * row + r).wrapping_sub(top));
        let width = self.plan.at_once * LANES;
        let mut columns = self.v.chunks_exact_mut(l.read * width);
        let mut next = || columns.next().unwrap_or_default();
        let [v0, v1, v2, v3] = [next(), next(), next(), next()];
        for c in 0..l.read {
            let map = &self.x[c * h * w * LANES..][..h * w * LANES];
            let mut p = self.zeros;
            if a < h {
                p = &map[a * w * LANES..][..w * LANES];
            }
            let mut q = self.zeros;
            if b < h {
                q = &map[b * w * LANES..][..w * LANES];
            }
            let start = (2 * first).wrapping_sub(left);
            let mut s0 = joined::<S, ADD>(s, p, q, start);
            let mut s1 = joined::<S, ADD>(s, p, q, start.wrapping_add(1));
            let to = c * width + at * LANES;
            let len = count * LANES;
            let to0 = v0[to..][..len].chunks_exact_mut(LANES);
            let to1 = v1[to..][..len].chunks_exact_mut(LANES);
            let to2 = v2[to..][..len].chunks_exact_mut(LANES);
            let to3 = v3[to..][..len].chunks_exact_mut(LANES);
            for (t, (((to0, to1), to2), to3)) in to0.zip(to1).zip(to2).zip(to3).enumerate() {
                let column = start.wrapping_add(2 * t + 2);
                let s2 = joined::<S, ADD>(s, p, q, column);
                let s3 = joined::<S, ADD>(s, p, q, column.wrapping_add(1));
                s.store(s.sub(s0, s2), to0);
                s.store(s.add(s1, s2), to1);
                s.store(s.sub(s2, s1), to2);
                s.store(s.sub(s1, s3), to3);
                (s0, s1) = (s2, s3);
            }
        }
    }
}

/// Column `x` of two rows together; zeros where there is none.
#[inline(always)]
fn joined<S: Simd, const ADD: bool>(s: S, p: &[f32], q: &[f32], x: usize) -> S::V {
    if x >= p.len() / LANES {
        return s.splat(0.0);
    }
    let (a, b) = (s.load(&p[x * LANES..]), s.load(&q[x * LANES..]));
    if ADD { s.add(a, b) } else { s.sub(a, b) }
}

/// A row of `M` of some tiles to what it adds to the results, for all channels.
struct Collect<'a> {
    plan: &'a WinogradPlan,
    piece: Piece,
    epilogue: &'a Epilogue<'a>,
    m: &'a [f32],
    /// A block of the output.
    y: &'a mut [f32],
    /// Values in front of the block.
    skipped: usize,
}

/// By the number of the pass.
struct Pass<'a, const PASS: usize>(Collect<'a>);

impl<const PASS: usize> Kernel for Pass<'_, PASS> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let it = self.0;
        let l = &it.plan.layer;
        let Piece {
            row,
            first,
            count,
            at,
            ..
        } = it.piece;
        let [h, w] = l.to;
        let width = it.plan.at_once * LANES;
        let slab = l.written * width;
        let columns = 2 * first..w.min(2 * (first + count));
        let (upper, lower) = (PASS != 3, PASS != 0 && 2 * row + 1 < h);
        for o in 0..l.written {
            let from = o * width + at * LANES;
            let len = count * LANES;
            let m0 = it.m[from..][..len].chunks_exact(LANES);
            let m1 = it.m[slab + from..][..len].chunks_exact(LANES);
            let m2 = it.m[2 * slab + from..][..len].chunks_exact(LANES);
            let m3 = it.m[3 * slab + from..][..len].chunks_exact(LANES);
            let place = (o * h + 2 * row) * w;
            let start = (place + columns.start) * LANES;
            let values = columns.len() * LANES;
            let (above, below) = it.y[place * LANES..].split_at_mut(w * LANES);
            let above = &mut above[columns.start * LANES..][..values];
            let mut none: [f32; 0] = [];
            let below = match lower {
                true => &mut below[columns.start * LANES..][..values],
                false => &mut none[..],
            };
            for (t, (((m0, m1), m2), m3)) in m0.zip(m1).zip(m2).zip(m3).enumerate() {
                let (m0, m1, m2, m3) = (s.load(m0), s.load(m1), s.load(m2), s.load(m3));
                let z0 = s.add(s.add(m0, m1), m2);
                let z1 = s.sub(s.sub(m1, m2), m3);
                let x = 2 * t * LANES;
                let both = x + LANES < values;
                if upper {
                    add_above::<S, PASS>(s, z0, &mut above[x..]);
                    if both {
                        add_above::<S, PASS>(s, z1, &mut above[x + LANES..]);
                    }
                }
                if lower {
                    add_below::<S, PASS>(s, z0, &mut below[x..]);
                    if both {
                        add_below::<S, PASS>(s, z1, &mut below[x + LANES..]);
                    }
                }
            }
            if PASS == 2 && !it.epilogue.is_none() {
                it.epilogue.apply(s, o, it.skipped + start, above);
                if lower {
                    let start = it.skipped + start + w * LANES;
                    it.epilogue.apply(s, o, start, below);
                }
            }
        }
    }
}

/// `y0 = z0 + z1 + z2`, a pass after the other.
#[inline(always)]
fn add_above<S: Simd, const PASS: usize>(s: S, z: S::V, y: &mut [f32]) {
    let sum = match PASS {
        0 => z,
        _ => s.add(s.load(y), z),
    };
    s.store(sum, y);
}

/// `y1 = z1 - z2 - z3`; the pass with `z3` comes first.
#[inline(always)]
fn add_below<S: Simd, const PASS: usize>(s: S, z: S::V, y: &mut [f32]) {
    let sum = match PASS {
        3 => z,
        1 => s.sub(z, s.load(y)),
        _ => s.sub(s.load(y), z),
    };
    s.store(sum, y);
}
