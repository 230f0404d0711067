//! The converters and the digital sums behind them.

use super::noise::Deviates;
use super::room;
use crate::backend::cpu::simd::Simd;
use crate::effects::{CodeRange, ConverterEffect, sum_noise};
use crate::program::{LANES, Reading};

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
    /// Its codes; `None` where there is no converter.
    codes: Option<CodeRange>,
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
        Converter {
            a: slope,
            b: shift,
            factor: weight * lsb,
            constant: weight * (lo * steps as f32),
            offset: place as f32 * offset,
            place,
            codes: spec.adc.as_ref().map(|adc| adc.codes_of(a.slice_of(p))),
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

/// Where a column's results go, one value per pixel and lane.
pub(super) enum Total<'a> {
    /// Sums in level units.
    Float(&'a mut [f32]),
    /// Sums of codes ([`Reading::integer`]).
    Integer(&'a mut [i32]),
}

/// An effect inside a converter, and its deviates.
pub(super) type Disturbing<'a> = (&'a dyn ConverterEffect, Option<Deviates<'a>>);

/// Noise of sums that is drawn together with the converter's.
pub(super) struct Joined<'a> {
    /// Variances of the sums, as [`Convert::sums`].
    pub variances: &'a [f32],
    /// The converter's noise, in codes.
    pub sigma: f32,
    /// Deviates.
    pub z: Deviates<'a>,
}

/// What happens to the sums of one converter over some pixels.
pub(super) struct Convert<'a> {
    /// The converter.
    pub converter: Converter,
    /// Noise before anything else.
    pub joined: Option<Joined<'a>>,
    /// What happens inside it, in order.
    pub effects: &'a [Disturbing<'a>],
    /// Place of every conversion.
    pub places: &'a [f32],
    /// Sums `[pixel][conversion][lane]`, with read noise that is not `joined`. Working space where anything is
    /// between them and the codes.
    pub sums: &'a mut [f32],
    /// Working space for deviates.
    pub space: &'a mut Vec<f32>,
    /// Sums of the inputs' codes `[pixel][lane]`, where the converter's offset is not 0.
    pub inputs: &'a [f32],
    /// Counts `[pixel][lane]` of clipped conversions, or slopes.
    pub told: Option<&'a mut [f32]>,
    /// Whether these are slopes.
    pub slopes: bool,
}

/// Makes every positive difference of a scaled input and an end of its range more than 1.
const HUGE: f32 = 1e30;

/// What [`Convert::sums`] holds: sums,
const SUMS: u8 = 0;
/// scaled sums as they are rounded,
const SCALED: u8 = 1;
/// or values of codes. Sums without a converter are such values.
const VALUES: u8 = 2;

impl Convert<'_> {
    /// Adds the results to the column's.
    #[inline(always)]
    pub fn add_to<S: Simd>(mut self, s: S, total: Total) {
        let Some(codes) = self.converter.codes else {
            return self.run::<S, VALUES, false, 0>(s, total);
        };
        if self.slopes {
            return self.with_slopes(s, codes, total);
        }
        if !self.effects.is_empty() || self.joined.is_some() {
            self.disturb(s, codes);
            if self.effects.iter().any(|(e, _)| !e.keeps_codes()) {
                self.round(s, codes);
                return self.run::<S, VALUES, false, 0>(s, total);
            }
            return self.run::<S, SCALED, true, 0>(s, total);
        }
        match (self.told.is_some(), self.places.len()) {
            // The number of steps as a constant where it matters.
            (false, 1) => self.run::<S, SUMS, false, 1>(s, total),
            (false, 8) => self.run::<S, SUMS, false, 8>(s, total),
            (false, _) => self.run::<S, SUMS, false, 0>(s, total),
            (true, 8) => self.run::<S, SUMS, true, 8>(s, total),
            (true, _) => self.run::<S, SUMS, true, 0>(s, total),
        }
    }

    /// Adds the results to the column's, and their slopes by the logarithm of the range.
    #[inline(always)]
    fn with_slopes<S: Simd>(mut self, s: S, codes: CodeRange, total: Total) {
        let c = self.converter;
        let (a, b) = (s.splat(c.a), s.splat(c.b));
        let mut before = vec![0.0; self.sums.len()];
        for (to, v) in before
            .chunks_exact_mut(LANES)
            .zip(self.sums.chunks_exact(LANES))
        {
            s.store(s.fma(a, s.load(v), b), to);
        }
        self.disturb(s, codes);
        let seen = self.sums.to_vec();
        let slopes = self.told.take();
        self.round(s, codes);
        let steps = self.places.len();
        let ends = [codes.lo, codes.hi].map(|code| code as f32);
        let inside = ends[0] - 0.5..=ends[1] + 0.5;
        let of_pixels = steps * LANES;
        let values = self
            .sums
            .chunks_exact(of_pixels)
            .zip(seen.chunks_exact(of_pixels));
        let values = values.zip(before.chunks_exact(of_pixels));
        let slopes = slopes
            .into_iter()
            .flat_map(|all| all.chunks_exact_mut(LANES));
        for (slopes, ((values, seen), before)) in slopes.zip(values) {
            for (lane, slope) in slopes.iter_mut().enumerate() {
                let mut sum = 0.0;
                for (t, place) in self.places.iter().enumerate() {
                    let at = t * LANES + lane;
                    let own = match inside.contains(&seen[at]) {
                        true => before[at] - c.b,
                        false => 0.0,
                    };
                    sum += place * (values[at] - own);
                }
                *slope += c.factor * sum + c.constant;
            }
        }
        self.run::<S, VALUES, false, 0>(s, total);
    }

    /// Makes scaled sums as they are rounded of the sums.
    #[inline(always)]
    fn disturb<S: Simd>(&mut self, s: S, codes: CodeRange) {
        let c = self.converter;
        let (a, b) = (s.splat(c.a), s.splat(c.b));
        for v in self.sums.chunks_exact_mut(LANES) {
            s.store(s.fma(a, s.load(v), b), v);
        }
        if let Some(Joined {
            variances,
            sigma,
            z,
        }) = &self.joined
        {
            let conversions = self.places.len();
            let sums = self.sums.chunks_exact_mut(LANES);
            for (i, (v, variances)) in sums.zip(variances.chunks_exact(LANES)).enumerate() {
                let z = z.lanes(i % conversions, i / conversions);
                sum_noise::add_with_converter(v, variances, [c.a, *sigma], z);
            }
        }
        for (effect, deviates) in self.effects {
            let z = match deviates {
                Some(deviates) => {
                    let z = room(self.space, self.sums.len());
                    let conversions = self.places.len();
                    for (i, z) in z.chunks_exact_mut(LANES).enumerate() {
                        z.copy_from_slice(deviates.lanes(i % conversions, i / conversions));
                    }
                    &*z
                }
                None => &[],
            };
            effect.on_cpu(codes, self.sums, z);
        }
    }

    /// Makes the values of codes of scaled sums, and counts what is clipped.
    #[inline(always)]
    fn round<S: Simd>(&mut self, s: S, codes: CodeRange) {
        let ends = Ends::new(s, codes);
        for (i, v) in self.sums.chunks_exact_mut(LANES).enumerate() {
            let scaled = s.load(v);
            if let Some(counts) = &mut self.told {
                let counts = &mut counts[i / self.places.len() * LANES..][..LANES];
                s.store(s.add(s.load(counts), ends.clipped(s, scaled)), counts);
            }
            s.store(ends.code(s, scaled), v);
        }
        for (effect, _) in self.effects.iter().rev() {
            effect.values_on_cpu(codes, self.sums);
        }
    }

    /// `FROM`: what the sums are; `CLIPS`: clipped conversions may have to be counted.
    #[inline(always)]
    fn run<S: Simd, const FROM: u8, const CLIPS: bool, const STEPS: usize>(
        mut self,
        s: S,
        mut total: Total,
    ) {
        let steps = if STEPS > 0 { STEPS } else { self.places.len() };
        let places = &self.places[..steps];
        let c = self.converter;
        let (a, b) = (s.splat(c.a), s.splat(c.b));
        let (factor, constant) = (s.splat(c.factor), s.splat(c.constant));
        let ends = Ends::new(s, c.codes.unwrap_or(CodeRange { lo: 0, hi: 0 }));
        let zero = s.splat(0.0);
        for (i, sums) in self.sums.chunks_exact(steps * LANES).enumerate() {
            // Codes are below 2^14 and places add up to less than 2^8: exact in `f32`.
            let (mut sum, mut clipped) = (zero, zero);
            for (v, &place) in sums.chunks_exact(LANES).zip(places) {
                let mut code = s.load(v);
                if FROM == SUMS {
                    code = s.fma(a, code, b);
                }
                if CLIPS {
                    clipped = s.add(clipped, ends.clipped(s, code));
                }
                if FROM != VALUES {
                    code = ends.code(s, code);
                }
                sum = s.fma(s.splat(place), code, sum);
            }
            let at = i * LANES..(i + 1) * LANES;
            if CLIPS && let Some(counts) = &mut self.told {
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
}

/// The ends of a range of codes.
struct Ends<S: Simd> {
    lo: S::V,
    hi: S::V,
    /// Half a code beyond them; the upper one negative.
    below: S::V,
    above: S::V,
}

impl<S: Simd> Ends<S> {
    #[inline(always)]
    fn new(s: S, codes: CodeRange) -> Self {
        let [lo, hi] = [codes.lo, codes.hi].map(|code| code as f32);
        Self {
            lo: s.splat(lo),
            hi: s.splat(hi),
            below: s.splat(lo - 0.5),
            above: s.splat(-(hi + 0.5)),
        }
    }

    /// 1 where a scaled sum is clipped, else 0.
    #[inline(always)]
    fn clipped(&self, s: S, scaled: S::V) -> S::V {
        let beyond = s.max(
            s.add(scaled, self.above),
            s.fma(scaled, s.splat(-1.0), self.below),
        );
        s.min(
            s.splat(1.0),
            s.max(s.splat(0.0), s.mul(beyond, s.splat(HUGE))),
        )
    }

    /// The code nearest to a scaled sum.
    #[inline(always)]
    fn code(&self, s: S, scaled: S::V) -> S::V {
        s.min(self.hi, s.max(self.lo, s.round(scaled)))
    }
}
