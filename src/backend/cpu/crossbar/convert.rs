//! The converters and the digital sums behind them.

use super::noise::Batch;
use crate::backend::cpu::simd::Simd;
use crate::program::{Adc, LANES, Reading};

/// Constants of all converters of one chip.
#[derive(Debug, Clone, Copy)]
pub(in crate::backend::cpu) struct Converters<'a> {
    /// Pairs `(a, b)` by row tile, read plane and column.
    pub adc: Option<&'a [f32]>,
    /// Pairs `(lsb, lo)` by read plane and column.
    pub range: Option<&'a [f32]>,
    /// Pairs `(gain, offset)` by row tile, read plane and column.
    pub correct: Option<&'a [f32]>,
}

/// One converter and the weight of its results.
#[derive(Debug, Clone, Copy)]
pub(super) struct Converter {
    /// A sum `v` is `a v + b` codes.
    a: f32,
    b: f32,
    /// What a unit of the sum of codes over steps adds to the column.
    factor: f32,
    /// What every input adds to the column.
    constant: f32,
    /// What a unit of the row tile's input sum takes from the column.
    pub offset: f32,
    /// The plane's place value.
    place: i32,
    /// Lowest and highest code; 0 where there is no converter.
    lo: f32,
    hi: f32,
}

impl Converters<'_> {
    /// All converters by row tile, read plane and column.
    pub(super) fn all(&self, spec: &Reading, out: &mut Vec<Converter>) {
        let a = &spec.arrays;
        let steps: i32 = places(spec).iter().sum();
        out.clear();
        for r in 0..a.row_tiles() {
            for p in 0..a.read_planes() {
                out.extend((0..a.cols).map(|o| self.at(spec, steps, r, p, o)));
            }
        }
    }

    /// The converter of row tile `r`, read plane `p`, column `o`; `steps` are all places added up.
    fn at(&self, spec: &Reading, steps: i32, r: usize, p: usize, o: usize) -> Converter {
        let a = &spec.arrays;
        let pair = |values: Option<&[f32]>, i: usize, none: [f32; 2]| {
            values.map_or(none, |v| [v[2 * i], v[2 * i + 1]])
        };
        let converter = (r * a.read_planes() + p) * a.cols + o;
        let [slope, shift] = pair(self.adc, converter, [1.0, 0.0]);
        let [lsb, lo] = pair(self.range, p * a.cols + o, [1.0, 0.0]);
        let [gain, offset] = pair(self.correct, converter, [1.0, 0.0]);
        let place = a.place(p);
        let weight = place as f32 * gain;
        let codes = spec.adc.as_ref().map(|adc| adc.codes_of(a.slice_of(p)));
        let (low, high) = codes.map_or((0.0, 0.0), |c| (c.lo as f32, c.hi as f32));
        Converter {
            a: slope,
            b: shift,
            factor: weight * lsb,
            constant: weight * (lo * steps as f32),
            offset: place as f32 * offset,
            place,
            lo: low,
            hi: high,
        }
    }
}

/// Place value of every conversion.
pub(super) fn places(spec: &Reading) -> Vec<i32> {
    match spec.dac.analog_sum {
        true => vec![1],
        false => (0..spec.dac.steps()).map(|t| spec.dac.place(t)).collect(),
    }
}

/// Deviates of one column from [`Events::fill`](super::Events), one conversion after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deviates<'a> {
    values: &'a [f32],
    /// Values per conversion, lane and pixel.
    conversion: usize,
    lane: usize,
    width: usize,
    /// Place of the column.
    first: usize,
}

impl<'a> Deviates<'a> {
    /// Of the `o`-th column of a batch.
    pub fn new(values: &'a [f32], batch: &Batch, o: usize) -> Self {
        let width = batch.width();
        Self {
            values,
            conversion: batch.len(),
            lane: batch.pixels.len() * width,
            width,
            first: batch.first() + o,
        }
    }
}

impl Deviates<'_> {
    /// 16 lanes of conversion `t` at pixel `i`.
    #[inline(always)]
    pub fn lanes(&self, t: usize, i: usize) -> [f32; LANES] {
        let start = t * self.conversion + i * self.width + self.first;
        std::array::from_fn(|lane| self.values[start + lane * self.lane])
    }
}

/// Where a column's results go, one value per pixel and lane.
pub(super) enum Total<'a> {
    /// Sums in level units.
    Float(&'a mut [f32]),
    /// Sums of codes ([`Reading::integer`]).
    Integer(&'a mut [i32]),
}

/// What happens to the sums of one converter over some pixels.
pub(super) struct Convert<'a> {
    /// The converter.
    pub converter: Converter,
    /// Noise and non-linearity.
    pub adc: Option<&'a Adc>,
    /// Place of every conversion.
    pub places: &'a [f32],
    /// Sums `[pixel][conversion][lane]`, read noise included.
    pub sums: &'a [f32],
    /// Sums of the inputs' codes `[pixel][lane]`, where the converter's offset is not 0.
    pub inputs: &'a [f32],
    /// Thermal noise.
    pub noise: Option<Deviates<'a>>,
    /// Counts `[pixel][lane]` of clipped conversions.
    pub clipped: Option<&'a mut [f32]>,
}

/// Makes every positive difference of a scaled input and an end of its range more than 1.
const HUGE: f32 = 1e30;

impl Convert<'_> {
    /// Adds the results to the column's.
    #[inline(always)]
    pub fn add_to<S: Simd>(self, s: S, total: Total) {
        let plain = self.noise.is_none() && self.adc.is_some_and(|adc| adc.inl.is_none());
        match (plain, self.clipped.is_some(), self.places.len()) {
            // The number of steps as a constant where it matters.
            (true, false, 1) => self.run::<S, true, false, 1>(s, total),
            (true, false, 8) => self.run::<S, true, false, 8>(s, total),
            (true, false, _) => self.run::<S, true, false, 0>(s, total),
            (true, true, 8) => self.run::<S, true, true, 8>(s, total),
            (true, true, _) => self.run::<S, true, true, 0>(s, total),
            (false, _, _) => self.run::<S, false, true, 0>(s, total),
        }
    }

    /// `CLIPS`: clipped conversions may have to be counted.
    #[inline(always)]
    fn run<S: Simd, const PLAIN: bool, const CLIPS: bool, const STEPS: usize>(
        mut self,
        s: S,
        mut total: Total,
    ) {
        let steps = if STEPS > 0 { STEPS } else { self.places.len() };
        let places = &self.places[..steps];
        let c = self.converter;
        let (a, b) = (s.splat(c.a), s.splat(c.b));
        let (factor, constant) = (s.splat(c.factor), s.splat(c.constant));
        let (lo, hi) = (c.lo, c.hi);
        // Half a code beyond the ends.
        let (below, above) = (s.splat(lo - 0.5), s.splat(-(hi + 0.5)));
        let (lo, hi) = (s.splat(lo), s.splat(hi));
        let (zero, one, minus) = (s.splat(0.0), s.splat(1.0), s.splat(-1.0));
        for (i, sums) in self.sums.chunks_exact(steps * LANES).enumerate() {
            // Codes are below 2^14 and places add up to less than 2^8: exact in `f32`.
            let (mut sum, mut clipped) = (zero, zero);
            for (t, (v, &place)) in sums.chunks_exact(LANES).zip(places).enumerate() {
                let mut code = s.load(v);
                if let Some(adc) = self.adc {
                    let mut scaled = s.fma(a, code, b);
                    if !PLAIN {
                        scaled = self.disturbed(s, adc, scaled, t, i);
                    }
                    if CLIPS {
                        let beyond = s.max(s.add(scaled, above), s.fma(scaled, minus, below));
                        let one_each = s.min(one, s.max(zero, s.mul(beyond, s.splat(HUGE))));
                        clipped = s.add(clipped, one_each);
                    }
                    code = s.min(hi, s.max(lo, s.round(scaled)));
                }
                sum = s.fma(s.splat(place), code, sum);
            }
            let at = i * LANES..(i + 1) * LANES;
            if CLIPS && let Some(counts) = &mut self.clipped {
                let counts = &mut counts[at.clone()];
                s.store(s.add(s.load(counts), clipped), counts);
            }
            match &mut total {
                Total::Float(total) => {
                    let total = &mut total[at.clone()];
                    let mut u = s.add(s.load(total), s.fma(factor, sum, constant));
                    if c.offset != 0.0 {
                        let inputs = s.load(&self.inputs[at]);
                        u = s.fma(s.splat(-c.offset), inputs, u);
                    }
                    s.store(u, total);
                }
                Total::Integer(total) => {
                    let mut codes = [0.0; LANES];
                    s.store(sum, &mut codes);
                    for (t, code) in total[at].iter_mut().zip(codes) {
                        *t += c.place * code as i32;
                    }
                }
            }
        }
    }

    /// The scaled input of conversion `t` at pixel `i` with what disturbs it.
    #[inline(always)]
    fn disturbed<S: Simd>(&self, s: S, adc: &Adc, scaled: S::V, t: usize, i: usize) -> S::V {
        let noisy = match &self.noise {
            Some(noise) => {
                let noise = s.mul(s.splat(adc.noise), s.load(&noise.lanes(t, i)));
                s.add(scaled, noise)
            }
            None => scaled,
        };
        let Some(inl) = &adc.inl else { return noisy };
        let mut lanes = [0.0; LANES];
        s.store(noisy, &mut lanes);
        let Converter { lo, hi, .. } = self.converter;
        for v in &mut lanes {
            let nearest = v.round_ties_even().max(lo).min(hi);
            *v += inl[(nearest - lo) as usize];
        }
        s.load(&lanes)
    }
}
