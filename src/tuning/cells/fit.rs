//! From what is known of the arrays of a tile to a gain and an offset for each.
//!
//! # Theory
//! The cell planes of a row tile and a column tile are arrays, each with a common deviation `e`. A cell
//! with target `g` conducts `c(g, e)` there ([`crate::effects::Effects::expected`]), so a weight with code `q`, whose
//! read planes should hold `u_p(q)`, shows `u'_p(q)`. Corrected and added up it is wrong by
//!
//! ```text
//! r(q) = sum_p place_p (gain_p u'_p(q) - offset_p - u_p(q))
//! ```
//! and an output by `sum_k r(q_k) x_k` with `k` the rows of the tile: for white inputs (uncorrelated,
//! mean square `v`) the mean squared error of all columns together is `v sum_(o,k) step_o^2 r(q_ok)^2`. That
//! is a sum over the codes which the tile holds, quadratic in gains and offsets, and here they are its
//! minimum within the bounds of gains: no allowed gain and offset of an array does better. Where the law allows they are exact,
//!
//! ```text
//! proportional  gain_p = 1/((1 + e) f),   offset_p = 0                             one cell
//!               e = (e_+ + e_-)/2,        offset_p = gain_p f k (e_+ - e_-)        a pair, both sides move
//!                                         k = L/2 + L g_min/(1 - g_min)
//! fixed         gain_p = 1/f,             offset_p = gain_p f L e                  one cell
//!                                         offset_p = gain_p f L (e_+ - e_-)        a pair
//! ```
//! and independent of the weights: these are tried first. In a pair with one moving side `k` is
//! `L g_min/(1 - g_min)`, and `|v| (e_+ - e_-)/2` remains of a digit `v`, which no gain removes; limits,
//! level tables of pairs and drift that depends on the conductance leave something too. Then the
//! minimum depends on the codes (docs/cells.md 7). Where cells have deviations of their own, what a gain would
//! amplify of them by leaving the law's is added to the sum: planes that show nearly the same would
//! else be played against each other.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use crate::effects::Law;
use crate::mapping::digits;
use crate::program::{Arrays, Encoding, Programming};

/// What the tiles of a layer hold.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// Half digits of every code, `[cell plane][code]`.
    digits: Vec<Vec<u16>>,
    /// Weight of every code in a tile, `[row tile][column tile][code]`: cells, times the squared step of
    /// their columns.
    weights: Vec<Vec<f64>>,
}

impl Held {
    /// From quantized weights `[column][row]` and their steps, one or one a column.
    pub fn new(a: &Arrays, q: &[f32], steps: &[f32]) -> Self {
        let largest = steps.iter().fold(0.0f32, |m, s| m.max(s.abs()));
        let step = |o: usize| steps[o % steps.len()];
        let code = |i: usize| match step(i / a.rows) > 0.0 {
            true => (q[i] / step(i / a.rows)).round_ties_even() as i32,
            false => 0,
        };
        let mut codes: Vec<i32> = (0..q.len()).map(code).collect();
        codes.sort_unstable();
        codes.dedup();
        let planes = a.cell_planes();
        let mut digits = vec![Vec::with_capacity(codes.len()); planes];
        for &code in &codes {
            for (plane, digit) in digits.iter_mut().zip(digits::of_code(a, code)) {
                plane.push((2.0 * digit) as u16);
            }
        }
        let mut weights = vec![vec![0.0; codes.len()]; a.row_tiles() * a.col_tiles()];
        for o in 0..a.cols {
            let weight = match largest > 0.0 {
                true => f64::from(step(o) / largest).powi(2),
                false => 1.0,
            };
            for k in 0..a.rows {
                let tile = a.row_tile(k) * a.col_tiles() + a.col_tile(o);
                if let Ok(at) = codes.binary_search(&code(o * a.rows + k)) {
                    weights[tile][at] += weight;
                }
            }
        }
        Self { digits, weights }
    }
}

/// Correction of an array's results.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pair {
    pub gain: f64,
    pub offset: f64,
}

/// How a layer is corrected.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fit<'a> {
    pub cells: &'a Programming,
    pub held: &'a Held,
    /// Smallest `1/gain`.
    pub floor: f64,
    /// Whether offsets can be subtracted.
    pub offsets: bool,
}

/// Errors below this part of full scale are rounding in `f64`.
const EXACT: f64 = 1e-11;
/// Smallest gain.
const LEAST_GAIN: f64 = 1e-3;
/// Directions of the normal equations, scaled to a diagonal of ones, below this part of the largest change
/// nothing that is seen.
const SEEN: f64 = 1e-13;

/// The codes of a tile: what its read planes show and should show.
struct Tile {
    /// Shown, level units, `[read plane][code]`.
    shown: Vec<Vec<f64>>,
    /// The sum of the planes that there should be.
    wanted: Vec<f64>,
    weight: Vec<f64>,
    place: Vec<f64>,
    /// Squared deviation of the cells' own in the sum of all codes, by read plane.
    own: Vec<f64>,
    /// What a sum of the planes can be.
    full: f64,
}

impl Tile {
    /// What is wrong with every code.
    fn errors(&self, pairs: &[Pair]) -> DVector<f64> {
        let error = |q: usize| {
            let planes = pairs.iter().zip(&self.shown).zip(&self.place);
            let sum: f64 = planes
                .map(|((pair, shown), place)| place * (pair.gain * shown[q] - pair.offset))
                .sum();
            sum - self.wanted[q]
        };
        DVector::from_iterator(self.wanted.len(), (0..self.wanted.len()).map(error))
    }

    /// The sum that is minimised.
    fn error(&self, start: &[f64], pairs: &[Pair]) -> f64 {
        let errors = self.errors(pairs);
        let common = self.weight.iter().zip(&errors).map(|(w, e)| w * e * e);
        let own = self.own.iter().zip(pairs).zip(start);
        let own = own.map(|((own, pair), start)| own * (pair.gain - start).powi(2));
        common.sum::<f64>() + own.sum::<f64>()
    }

    /// The plane whose gain is at a bound and would lessen the error most by leaving it inwards.
    fn held_back(
        &self,
        [low, high]: [f64; 2],
        free: &[usize],
        start: &[f64],
        pairs: &[Pair],
    ) -> Option<usize> {
        let errors = self.errors(pairs);
        let of_plane = |p: usize| {
            let own = self.own[p];
            let (mut slope, mut square) = (own * (pairs[p].gain - start[p]), own);
            for ((w, e), shown) in self.weight.iter().zip(&errors).zip(&self.shown[p]) {
                let shown = self.place[p] * shown;
                slope += w * e * shown;
                square += w * shown * shown;
            }
            let inwards = match (pairs[p].gain <= low, pairs[p].gain >= high) {
                (true, false) => -slope,
                (false, true) => slope,
                _ => 0.0,
            };
            (p, inwards / square.sqrt().max(f64::MIN_POSITIVE))
        };
        let held = (0..pairs.len()).filter(|p| !free.contains(p)).map(of_plane);
        let best = held.max_by(|a, b| a.1.total_cmp(&b.1))?;
        (best.1 > 0.0).then_some(best.0)
    }
}

impl Fit<'_> {
    fn arrays(&self) -> &Arrays {
        &self.cells.arrays
    }

    /// Corrections of all read planes of row tile `r` and column tile `c` from the deviations of all cell
    /// arrays.
    pub fn tile(&self, (r, c): (usize, usize), e: &[f64]) -> Vec<Pair> {
        let a = self.arrays();
        let first = (r * a.col_tiles() + c) * a.cell_planes();
        let e = &e[first..first + a.cell_planes()];
        let mut pairs: Vec<Pair> = (0..a.read_planes()).map(|p| self.exact(p, e)).collect();
        let Some(weights) = self.held.weights.get(r * a.col_tiles() + c) else {
            return pairs;
        };
        let tile = self.seen(weights, e);
        if tile.errors(&pairs).amax() > EXACT * tile.full {
            self.minimise(&tile, &mut pairs);
        }
        pairs
    }

    /// The correction of a plane as the law says it.
    fn exact(&self, p: usize, e: &[f64]) -> Pair {
        let (spec, a) = (self.cells, self.arrays());
        let top = f64::from(a.top_digit(a.slice_of(p)));
        let g_min = f64::from(a.g_min);
        let (plus, minus) = match a.encoding {
            Encoding::Differential { digital: false, .. } => (e[2 * p], Some(e[2 * p + 1])),
            Encoding::Differential { digital: true, .. } | Encoding::Offset { .. } => (e[p], None),
        };
        let drift = &spec.effects.drift;
        let (factor, offset) = match spec.effects.variation.law {
            Law::WeightProportional => {
                let mean = minus.map_or(plus, |m| 0.5 * (plus + m));
                let moving = match a.encoding {
                    Encoding::Differential {
                        two_sided: true, ..
                    } => 0.5 * top,
                    Encoding::Differential { .. } | Encoding::Offset { .. } => 0.0,
                };
                let both = moving + top * g_min / (1.0 - g_min);
                let f = drift.kept(1.0 + mean);
                (
                    (1.0 + mean) * f,
                    minus.map_or(0.0, |m| f * both * (plus - m)),
                )
            }
            Law::LayerFixed => {
                let f = drift.kept(1.0);
                let cancels = matches!(a.encoding, Encoding::Offset { reference: 1.. });
                let e = if cancels {
                    0.0
                } else {
                    plus - minus.unwrap_or(0.0)
                };
                (f, f * top * e)
            }
        };
        let gain = 1.0 / factor.max(self.floor);
        Pair {
            gain,
            offset: if self.offsets { gain * offset } else { 0.0 },
        }
    }

    /// What the read planes of a tile show of the codes that it holds.
    fn seen(&self, weights: &[f64], e: &[f64]) -> Tile {
        let (spec, a) = (self.cells, self.arrays());
        let codes: Vec<usize> = (0..weights.len()).filter(|&q| weights[q] > 0.0).collect();
        let zero = digits::of_code(a, 0);
        let reads = a.read_planes();
        let mut tile = Tile {
            shown: vec![vec![0.0; codes.len()]; reads],
            wanted: vec![0.0; codes.len()],
            weight: codes.iter().map(|&q| weights[q]).collect(),
            place: (0..reads).map(|p| f64::from(a.place(p))).collect(),
            own: vec![0.0; reads],
            full: 0.0,
        };
        for (p, shown) in tile.shown.iter_mut().enumerate() {
            let units = f64::from(a.top_digit(a.slice_of(p))) / (1.0 - f64::from(a.g_min));
            let place = tile.place[p];
            tile.full += place.abs() * units;
            let poles: &[(usize, f64)] = match a.encoding {
                Encoding::Differential { digital: false, .. } => &[(2 * p, 1.0), (2 * p + 1, -1.0)],
                Encoding::Differential { digital: true, .. } | Encoding::Offset { .. } => {
                    &[(p, 1.0)]
                }
            };
            for &(plane, sign) in poles {
                let slice = a.slice_of(p);
                let of_digit = |half: u16| {
                    let target = a.target(slice, 0.5 * f64::from(half));
                    [
                        spec.effects.expected(&spec.target(target, e[plane])),
                        target,
                    ]
                    .map(|g| sign * units * g)
                };
                // A reference column of the array is subtracted.
                let [taken, nominal] = match a.encoding {
                    Encoding::Offset { reference: 1.. } => of_digit((2.0 * zero[plane]) as u16),
                    Encoding::Offset { reference: 0 } | Encoding::Differential { .. } => [0.0; 2],
                };
                let own_of = |half: u16| {
                    let target = a.target(slice, 0.5 * f64::from(half));
                    let own = spec.effects.variation.sigma_at(target, a.g_min.into());
                    (place * units * own).powi(2)
                };
                let mut known: Vec<Option<[f64; 2]>> = vec![];
                for (at, &q) in codes.iter().enumerate() {
                    let half = self.held.digits[plane][q];
                    let i = usize::from(half);
                    known.resize(known.len().max(i + 1), None);
                    let [now, ideal] = *known[i].get_or_insert_with(|| of_digit(half));
                    shown[at] += now - taken;
                    tile.own[p] += tile.weight[at] * own_of(half);
                    tile.wanted[at] += place * (ideal - nominal);
                }
            }
        }
        tile
    }

    /// Moves corrections to the minimum of the squared error with gains inside their bounds.
    ///
    /// The error is convex. Gains that a step would take out of their bounds stay at them; at the minimum of the others
    /// those whose bound no longer holds them back are set free, one at a time, while the error falls (an active set;
    /// Stark, Parker, Computational Statistics 10, 1995).
    fn minimise(&self, tile: &Tile, pairs: &mut [Pair]) {
        let bounds = [LEAST_GAIN, 1.0 / self.floor];
        for pair in pairs.iter_mut() {
            pair.gain = pair.gain.clamp(bounds[0], bounds[1]);
        }
        let start: Vec<f64> = pairs.iter().map(|p| p.gain).collect();
        let mut free: Vec<usize> = (0..pairs.len()).collect();
        self.settle(tile, &mut free, &start, pairs);
        let mut error = tile.error(&start, pairs);
        while let Some(p) = tile.held_back(bounds, &free, &start, pairs) {
            let mut moved = pairs.to_vec();
            free.push(p);
            free.sort_unstable();
            self.settle(tile, &mut free, &start, &mut moved);
            let now = tile.error(&start, &moved);
            // What is not less is rounding.
            if now >= error * (1.0 - EXACT) {
                break;
            }
            pairs.copy_from_slice(&moved);
            error = now;
        }
    }

    /// Minimum in the gains of the planes `free` and the offset; gains that reach a bound on the way are no longer
    /// free.
    fn settle(&self, tile: &Tile, free: &mut Vec<usize>, start: &[f64], pairs: &mut [Pair]) {
        let bounds = [LEAST_GAIN, 1.0 / self.floor];
        loop {
            let before = pairs.to_vec();
            // Again for what rounding left.
            for _ in 0..3 {
                self.step(tile, free, start, pairs);
            }
            // Part of the way to where a gain leaves its bounds.
            let part = |p: usize| {
                let (from, to) = (before[p].gain, pairs[p].gain);
                let bound = to.clamp(bounds[0], bounds[1]);
                (bound != to).then(|| (bound, (bound - from) / (to - from)))
            };
            let reached: Vec<(usize, (f64, f64))> =
                free.iter().filter_map(|&p| Some((p, part(p)?))).collect();
            if reached.is_empty() {
                return;
            }
            let way = reached.iter().fold(1.0f64, |w, r| w.min(r.1.1));
            for (pair, from) in pairs.iter_mut().zip(&before) {
                pair.gain = from.gain + way * (pair.gain - from.gain);
                pair.offset = from.offset + way * (pair.offset - from.offset);
            }
            for (p, (bound, _)) in reached.into_iter().filter(|r| r.1.1 <= way) {
                pairs[p].gain = bound;
                free.retain(|&f| f != p);
            }
        }
    }

    /// One solution of the normal equations in the gains of the planes `free` and in the offset. A row for
    /// every gain is what it would amplify of the cells' own deviations where it leaves `start`.
    fn step(&self, tile: &Tile, free: &[usize], start: &[f64], pairs: &mut [Pair]) {
        let n = free.len() + usize::from(self.offsets);
        if n == 0 {
            return;
        }
        let root: Vec<f64> = tile.weight.iter().map(|w| w.sqrt()).collect();
        let codes = root.len();
        let mut a = DMatrix::from_fn(codes + free.len(), n, |q, i| match free.get(i) {
            Some(&p) if q < codes => root[q] * tile.place[p] * tile.shown[p][q],
            Some(&p) if q - codes == i => tile.own[p].sqrt(),
            Some(_) => 0.0,
            None => root.get(q).copied().unwrap_or(0.0),
        });
        let scale: Vec<f64> = a.column_iter().map(|c| c.norm()).collect();
        for (mut column, s) in a.column_iter_mut().zip(&scale) {
            if *s > 0.0 {
                column /= *s;
            }
        }
        let mut errors = tile
            .errors(pairs)
            .resize_vertically(codes + free.len(), 0.0);
        for (error, root) in errors.iter_mut().zip(&root) {
            *error *= root;
        }
        for (i, &p) in free.iter().enumerate() {
            errors[codes + i] = tile.own[p].sqrt() * (pairs[p].gain - start[p]);
        }
        let eigen = SymmetricEigen::new(a.transpose() * &a);
        let towards = eigen.eigenvectors.transpose() * (a.transpose() * errors);
        let largest = eigen.eigenvalues.amax();
        let along = towards.zip_map(&eigen.eigenvalues, |t, l| match l > SEEN * largest {
            true => t / l,
            false => 0.0,
        });
        let change = eigen.eigenvectors * along;
        for (i, s) in scale.iter().enumerate().filter(|(_, s)| **s > 0.0) {
            let by = change[i] / s;
            match free.get(i) {
                Some(&p) => pairs[p].gain -= by,
                // All offsets of a tile are one number: the first plane's takes it.
                None => pairs[0].offset += by / tile.place[0],
            }
        }
    }
}

#[cfg(test)]
mod tests;
