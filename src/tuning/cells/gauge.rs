//! What test cells, or columns at a known level, show, and what is concluded from it.
//!
//! # Theory
//! A test cell is programmed to a known conductance `t` with its array and read when the array is
//! used. It is a cell like any other ([`crate::effects`]): it deviates by the same law, may be stuck, drifts, has the same
//! limits and the same read noise. Deviations are relative to `t` under the proportional law, to the range
//! of conductances under the fixed one. With `U` the target in that unit (1, or `t/(1 - g_min)`) and as
//! long as nothing limits it, cell `i` shows
//!
//! ```text
//! m_i = (U + e + s z_i) d_i - U + r_i,    d_i = (t/t0)^-nu_i,    E[m | e] = (U + e) f - U,   f = E[d]
//! ```
//! (lognormal under the proportional law: `(1 + e)(1 + s z)`). How cells behave on average is known of a
//! technology before any chip is measured; `e` has the mean 0 and the variance `S^2`. The mean `m` of `N`
//! cells, read exactly, has
//!
//! ```text
//! v = E Var(m | e) = ((U^2 + S^2)(E[d^2] - f^2) + s^2 E[d^2] + sigma_r^2) / N
//! ```
//! and the linear estimate of least mean squared error is
//!
//! ```text
//! e_hat = k ((m + U)/f - U),    k = f^2 S^2 / (f^2 S^2 + v);    k = 1 for the mean
//! ```
//! It shrinks to what a nominal chip of that age shows, `(f - 1) U`, and not to a chip that has not
//! drifted. Limits, stuck cells and the resolution of a read bend that line; the moments are then sums
//! over the distribution of a cell, over chips by [`crate::tuning::reads`].
//! `S^2` is the variance of what the test cells have in common: of a chip the chip's own and wafer's
//! parts (what a layer or an array has of its own is not seen by them, and its mean is 0), of an array
//! those of its layer and its own too. Estimates of arrays are made one by one.
//!
//! A column at a known level is read with all its rows driven alike: a read is the mean of its `R` cells.
//! Driven by `x` it would show `e` with the variance `s^2 |x|^2/(S_x^2 K)` over `K` columns, `S_x` the sum of
//! the inputs, which is least, `s^2/(R K)`, where all inputs are equal. For given numbers of stuck cells and open rows
//! the mean of a column is taken as normal. Columns of an array share its open rows, which the sums do not know.

use crate::config;
use crate::effects::{Deviate, Draw, Draws, Effect, Stuck};
use crate::program::{Curve, Law, Programming};
use crate::random::{Purpose, REFERENCE, Stream};
use crate::tuning::estimate::{PIECES, fill_deviations, own_deviations, rounded};
use crate::tuning::reads::{self, Line, Moments, Part, Reads};

/// The test cells of a chip or an array, or the columns of an array at a known level.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gauge<'a> {
    pub tuning: &'a config::Tuning,
    pub cells: &'a Programming,
    /// Reads.
    pub reads: usize,
    /// Cells of a read; `None`: test cells, one each. Columns share their array's rows.
    pub column: Option<usize>,
}

/// Where what is read stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Layer's address; 0 for the test cells of a chip.
    pub layer: u32,
    /// Index among the cell arrays.
    pub array: usize,
    /// First row and rows between the starts of two columns, for columns.
    pub rows: (usize, usize),
    /// Columns in front of the array's, for columns.
    pub first_column: usize,
}

impl Place {
    /// Test cells of a chip.
    pub const CHIP: Place = Place {
        layer: 0,
        array: 0,
        rows: (0, 0),
        first_column: 0,
    };
}

impl Gauge<'_> {
    fn per_read(&self) -> usize {
        self.column.unwrap_or(1)
    }

    /// Conductance that is aimed at.
    fn target(&self) -> f64 {
        self.tuning.level.max(f64::from(self.cells.arrays.g_min))
    }

    /// Unit of deviations, relative to `G_max`.
    fn unit(&self) -> f64 {
        match self.cells.effects.variation.law {
            Law::WeightProportional => self.target(),
            Law::LayerFixed => 1.0 - f64::from(self.cells.arrays.g_min),
        }
    }

    /// What the estimator makes of the reads, `m`, of a chip or of an array with common deviation `e`.
    pub fn measure(&self, seed: u64, chip: u32, place: Place, e: f64) -> f64 {
        let purpose = match self.column {
            None => Purpose::TestCell,
            Some(_) => Purpose::CellProgram,
        };
        let stream = |purpose| Stream::new(seed, purpose, REFERENCE, place.layer, chip);
        let mut noise = vec![0.0f32; self.reads];
        let noisy = self.tuning.read_noise > 0.0 || self.is_noisy();
        if noisy {
            let first = place.array * self.reads;
            stream(Purpose::TestRead).fill_normals(first as u32, &mut noise);
        }
        let (target, unit) = (self.target(), self.unit());
        let mut draws = Lists::new(self.per_read());
        let read = |(i, noise): (usize, &f32)| {
            let first = match self.column {
                None => place.array * self.reads + i,
                Some(_) => (place.first_column + i) * place.rows.1 + place.rows.0,
            };
            draws.fill(self.cells, stream, purpose, first as u32);
            let (mut mean, mut variance) = (0.0, 0.0);
            for (row, d) in draws.each().enumerate() {
                if self.column.is_some() && self.is_open(seed, chip, place, row) {
                    continue;
                }
                let (g, noise) = self.cell(e, &d);
                mean += g;
                variance += noise;
            }
            let n = self.per_read() as f64;
            let shown = (mean / n - target) / unit;
            let sigma = (variance.sqrt() / (n * unit)).hypot(self.tuning.read_noise);
            rounded(shown + sigma * f64::from(*noise), self.tuning.read_lsb)
        };
        let mut reads: Vec<f64> = noise.iter().enumerate().map(read).collect();
        self.tuning.estimator.combine(&mut reads)
    }

    /// Whether a row of the array is open, for its columns too.
    fn is_open(&self, seed: u64, chip: u32, place: Place, row: usize) -> bool {
        let open = self.cells.effects.open_lines.row;
        open > 0.0 && {
            let address = place.array * place.rows.1 + place.rows.0 + row;
            let stream = Stream::new(seed, Purpose::OpenRow, 0, place.layer, chip);
            stream.uniform(address as u32) < open
        }
    }

    /// Conductance of a cell in an array with a common deviation, and the variance of a read.
    fn cell(&self, e: f64, draws: &CellDraws) -> (f64, f64) {
        let p = self.cells;
        let cell = p.effects.exact(&p.target(self.target(), e), draws);
        (cell.g, p.read_noise.exact(p.arrays.g_min, cell))
    }

    fn is_noisy(&self) -> bool {
        !self.cells.read_noise.is_quiet()
    }

    /// Moments of `m` over chips on which what the reads have in common has the variance `prior`.
    pub fn moments(&self, prior: f64) -> Moments {
        let reads = Reads {
            n: self.reads,
            resolution: self.tuning.read_lsb,
            estimator: self.tuning.estimator,
        };
        reads::moments(prior, &reads, |e, parts| self.given(e, parts))
    }

    /// The estimate.
    pub fn line(&self, prior: f64) -> Line {
        self.moments(prior).line(self.tuning.estimator)
    }

    /// Distribution of a read.
    fn given(&self, e: f64, parts: &mut Vec<Part>) {
        self.one_cell(e, parts);
        let Some(rows) = self.column else { return };
        // Open rows conduct nothing.
        let open = f64::from(self.cells.effects.open_lines.row);
        let dark = Kind {
            weight: open,
            mean: -self.target() / self.unit(),
            variance: 0.0,
        };
        let of = |p: &Part| Kind {
            weight: (1.0 - open) * p.weight,
            mean: 0.5 * (p.from + p.to),
            variance: (p.to - p.from).powi(2) / 12.0 + p.noise * p.noise,
        };
        let fixed = parts.iter().filter(|p| !p.moves).map(of);
        let fixed: Vec<Kind> = fixed.chain([dark]).collect();
        let well: Vec<Kind> = parts.iter().filter(|p| p.moves).map(of).collect();
        parts.clear();
        column(rows, fixed, well, self.tuning.read_noise, parts);
    }

    /// Distribution of a read of one cell; of columns without the noise that a read as a whole has.
    fn one_cell(&self, e: f64, parts: &mut Vec<Part>) {
        let p = self.cells;
        let (target, unit) = (self.target(), self.unit());
        let whole = match self.column {
            None => self.tuning.read_noise,
            Some(_) => 0.0,
        };
        let mut add = |weight: f64, ends: [f64; 2], draws: CellDraws, moves: bool| {
            if weight <= 0.0 {
                return;
            }
            let [a, b] = ends.map(|own| self.cell(e, &CellDraws { own, ..draws }));
            let noise = 0.5 * (a.1 + b.1);
            parts.push(Part {
                weight,
                from: (a.0 - target) / unit,
                to: (b.0 - target) / unit,
                noise: (noise.sqrt() / unit).hypot(whole),
                moves,
            });
        };
        let Stuck { off, on } = p.effects.stuck;
        let [low, high] = [0.0, 1.0].map(|stuck| CellDraws {
            stuck,
            ..CellDraws::default()
        });
        add(f64::from(off), [0.0; 2], low, false);
        add(f64::from(on), [0.0; 2], high, false);
        let well = 1.0 - f64::from(off) - f64::from(on);
        // Between the two.
        let stuck = off + 0.5 * (1.0 - off - on);
        let own = &p.effects.variation;
        let drifts = self.drifts();
        // Fewer pieces of each distribution where there are two.
        let pieces = if drifts.len() > 1 { 17 } else { PIECES };
        for (share, drift) in drifts {
            for (weight, ends) in own_deviations(own.own_deviate(), own.own_sigma(), pieces) {
                let draws = CellDraws {
                    stuck,
                    drift,
                    own: 0.0,
                };
                add(well * share * weight, ends, draws, true);
            }
        }
    }

    /// Weights and values of the deviate of the drift exponent.
    fn drifts(&self) -> Vec<(f64, f64)> {
        let spread = |c: &Curve| c.iter().any(|s| *s != 0.0);
        match &self.cells.effects.drift.exponent {
            Some(d) if spread(&d.sigma) => {
                let nodes = reads::nodes(0.5).into_iter();
                nodes.map(|(z, weight)| (weight, z)).collect()
            }
            _ => vec![(1.0, 0.0)],
        }
    }
}

/// Random numbers of a cell that is read alone, or of a column whose lines are looked at apart.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct CellDraws {
    /// Its deviation `s z`; with a table of deviations the deviate `z` alone.
    own: f64,
    /// Uniform in `[0, 1)`: whether it is stuck.
    stuck: f32,
    /// Normal deviate of its drift exponent.
    drift: f64,
}

impl Draws for CellDraws {
    fn deviation(&self, purpose: Purpose, _: Deviate, _: f64) -> f64 {
        match purpose {
            Purpose::CellDrift => self.drift,
            _ => self.own,
        }
    }

    fn uniform(&self, _: Purpose) -> f32 {
        self.stuck
    }

    fn line(&self, _: Draw, _: Purpose) -> Option<f32> {
        None
    }
}

/// Cells of one kind: probability that a cell is such, mean and variance of what it shows.
#[derive(Debug, Clone, Copy)]
struct Kind {
    weight: f64,
    mean: f64,
    variance: f64,
}

/// Most parts of a column's distribution.
const MOST_PARTS: f64 = 2_000.0;
/// Numbers of stuck cells less probable than this are left out.
const RARE: f64 = 1e-9;

/// Distribution of the mean of `rows` cells and a read's own noise. A few stuck cells leave it far from normal where
/// it is read coarsely: it is a sum over how many there are of each kind in `fixed`, normal for given numbers. Where that would
/// be more than [`MOST_PARTS`] parts the most frequent kind is common enough for the normal of all other cells.
fn column(
    rows: usize,
    mut fixed: Vec<Kind>,
    mut others: Vec<Kind>,
    read_noise: f64,
    parts: &mut Vec<Part>,
) {
    fixed.retain(|k| k.weight > 0.0);
    fixed.sort_by(|a, b| a.weight.total_cmp(&b.weight));
    // Numbers within six standard deviations.
    let numbers = |k: &Kind| (1.0 + 12.0 * (rows as f64 * k.weight).sqrt()).min(rows as f64 + 1.0);
    while fixed.iter().map(numbers).product::<f64>() > MOST_PARTS {
        others.extend(fixed.pop());
    }
    let mut left: f64 = others.iter().map(|k| k.weight).sum();
    let share = |of: fn(&Kind) -> f64| {
        let sum: f64 = others.iter().map(|k| k.weight * of(k)).sum();
        sum / left.max(f64::MIN_POSITIVE)
    };
    let mean = share(|k| k.mean);
    let variance = share(|k| k.mean * k.mean + k.variance) - mean * mean;
    left += fixed.iter().map(|k| k.weight).sum::<f64>();
    // Probability, cells without a kind yet, sums of means and variances.
    let mut sums = vec![(1.0, rows, 0.0, 0.0)];
    for k in &fixed {
        let p = (k.weight / left).min(1.0);
        left -= k.weight;
        let mut next = vec![];
        for &(weight, cells, m, v) in &sums {
            next.extend((0..=cells).filter_map(|n| {
                let weight = weight * probability(cells, n, p);
                let of_kind = n as f64;
                let sums = (m + of_kind * k.mean, v + of_kind * k.variance);
                (weight >= RARE).then_some((weight, cells - n, sums.0, sums.1))
            }));
        }
        sums = next;
    }
    let all: f64 = sums.iter().map(|s| s.0).sum();
    parts.extend(sums.iter().map(|&(weight, cells, m, v)| {
        let n = rows as f64;
        let mean = (m + cells as f64 * mean) / n;
        let variance = (v + cells as f64 * variance.max(0.0)) / (n * n);
        Part {
            weight: weight / all,
            from: mean,
            to: mean,
            noise: variance.sqrt().hypot(read_noise),
            moves: cells == rows,
        }
    }));
}

/// Probability of `n` of `cells` where each is one with the probability `p`.
fn probability(cells: usize, n: usize, p: f64) -> f64 {
    let (k, others) = (n as f64, (cells - n) as f64);
    // 0 ln 0 = 0.
    let power = |count: f64, ln: f64| if count > 0.0 { count * ln } else { 0.0 };
    let ways = statrs::function::factorial::ln_binomial(cells as u64, n as u64);
    (ways + power(k, p.ln()) + power(others, (-p).ln_1p())).exp()
}

/// What is drawn for the cells of a read.
struct Lists {
    own: Vec<f32>,
    stuck: Vec<f32>,
    drift: Vec<f32>,
}

impl Lists {
    fn new(n: usize) -> Self {
        Self {
            own: vec![0.0; n],
            // Between stuck off and stuck on: neither.
            stuck: vec![0.5; n],
            drift: vec![0.0; n],
        }
    }

    fn fill(
        &mut self,
        p: &Programming,
        stream: impl Fn(Purpose) -> Stream,
        program: Purpose,
        first: u32,
    ) {
        let own = &p.effects.variation;
        fill_deviations(
            &stream(program),
            first,
            own.own_deviate(),
            own.own_sigma(),
            &mut self.own,
        );
        if !p.effects.stuck.is_off() {
            stream(Purpose::CellStuck).fill_uniforms(first, &mut self.stuck);
        }
        if !p.effects.drift.is_off() {
            stream(Purpose::CellDrift).fill_normals(first, &mut self.drift);
        }
    }

    fn each(&self) -> impl Iterator<Item = CellDraws> + '_ {
        let lists = self.own.iter().zip(&self.stuck).zip(&self.drift);
        lists.map(|((own, stuck), drift)| CellDraws {
            own: f64::from(*own),
            stuck: *stuck,
            drift: f64::from(*drift),
        })
    }
}
