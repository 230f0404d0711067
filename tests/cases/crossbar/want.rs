//! The equations of a crossbar, word for word.

use pimento::effects::ConverterEffects;
use pimento::program::*;
use pimento::random::{Purpose, Stream};

use super::super::arrays::{self, SUM_TOLERANCE};
use super::super::case::*;

/// Wants the outputs of a crossbar and, where it counts them, the conversions that are clipped.
///
/// A scaled sum may lie too close to a threshold to be sure of its code: its output may be off by that
/// code, and such conversions are few.
pub fn outputs(case: &mut Case, op: &Crossbar) {
    case.sides = true;
    let (mut sums, pixels) = (Vec::new(), op.geo.h_out() * op.geo.w_out());
    for chip in 0..case.chips {
        let on = Chip::new(case, op, chip);
        for image in 0..case.images {
            let step = case.at(op.x_step, chip, 0)[0];
            let x: Vec<f64> = case
                .at(op.x, chip, image)
                .iter()
                .map(|v| v / step)
                .collect();
            for (o, pixel) in (0..op.geo.c_out).flat_map(|o| (0..pixels).map(move |p| (o, p))) {
                let codes = arrays::window(&op.geo, &x, o, pixel);
                sums.push(on.output(image, [o, pixel], &codes, step));
            }
        }
    }
    let unsure: usize = sums.iter().map(|sum| sum.unsure).sum();
    let conversions: usize = sums.iter().map(|sum| sum.conversions).sum();
    // Thresholds are hit by chance only.
    assert!(unsure <= conversions / 50 + 3, "{unsure} of {conversions}");
    case.want_within(op.y, sums.iter().map(|sum| sum.u).collect(), |i| {
        sums[i].limit
    });
    if let Some(slope) = op.slope {
        let slopes = sums.iter().map(|sum| sum.slope).collect();
        case.want_within(slope, slopes, |i| sums[i].slope_limit);
    }
    if let (Some(clipped), Some(_)) = (op.clipped, op.adc) {
        let counts = sums.iter().map(|sum| sum.clipped).collect();
        case.want_within(clipped, counts, |i| sums[i].clipped_limit);
    }
}

/// An output or a part of it: its value, how far it may be off, the sum of its magnitudes.
#[derive(Default)]
struct Sum {
    u: f64,
    limit: f64,
    size: f64,
    clipped: f64,
    /// Of the sums by the logarithm of the range, in level units, and how far it may be off.
    slope: f64,
    slope_limit: f64,
    /// Conversions whose clipping is unsure.
    clipped_limit: f64,
    /// Conversions whose code is unsure.
    unsure: usize,
    conversions: usize,
}

/// A conversion: plane, row tile, step, column, pixel.
type Place = [usize; 5];

/// The operands on one chip.
struct Chip<'a> {
    op: &'a Crossbar,
    chip: usize,
    g: Vec<f64>,
    variance: Option<Vec<f64>>,
    adc: Option<Vec<f64>>,
    range: Option<Vec<f64>>,
    correct: Option<Vec<f64>>,
    w_step: Vec<f64>,
}

/// Pair `i`; 1 and 0 where there are none.
fn pair(pairs: &Option<Vec<f64>>, i: usize) -> [f64; 2] {
    let own = pairs.as_ref().map(|v| [v[2 * i], v[2 * i + 1]]);
    own.unwrap_or([1.0, 0.0])
}

impl<'a> Chip<'a> {
    fn new(case: &Case, op: &'a Crossbar, chip: usize) -> Self {
        let at = |t: TensorId| case.at(t, chip, 0);
        Self {
            op,
            chip,
            g: at(op.g),
            variance: op.variance.map(at),
            adc: op.adc.map(at),
            range: op.range.map(at),
            correct: op.correct.map(at),
            w_step: at(op.w_step),
        }
    }

    fn output(&self, image: usize, [o, pixel]: [usize; 2], codes: &[i32], x_step: f64) -> Sum {
        let spec = &self.op.spec;
        let a = &spec.arrays;
        let scale = self.w_step[if self.w_step.len() > 1 { o } else { 0 }] * x_step;
        let mut sum = Sum::default();
        for (r, p) in (0..a.row_tiles()).flat_map(|r| (0..a.read_planes()).map(move |p| (r, p))) {
            let converter = (r * a.read_planes() + p) * a.cols + o;
            let [gain, offset] = pair(&self.correct, converter);
            for (t, place) in arrays::places(&spec.dac).into_iter().enumerate() {
                let at = [p, r, t, o, pixel];
                let (v, error) = self.column(image, at, codes);
                let weight = f64::from(a.place(p)) * gain * place;
                match &spec.adc {
                    None => {
                        sum.u += weight * v;
                        sum.limit += weight.abs() * error;
                        sum.size += (weight * v).abs();
                    }
                    Some(adc) => {
                        let [slope, shift] = pair(&self.adc, converter);
                        let own = self.with_converter(image, at, codes, slope);
                        let s = slope * v + shift + own;
                        let error = slope.abs() * error + 4.0 * EPS * (s.abs() + shift.abs());
                        // Deviates are good to 4e-6.
                        let error = error + 4e-6 * adc.effects.deviates() as f64;
                        let levels = pair(&self.range, p * a.cols + o);
                        let draw = |purpose| match (own != 0.0, purpose) {
                            (true, Purpose::AdcNoise) => 0.0,
                            _ => self.deviate(purpose as u32, image, at),
                        };
                        let own = Inside {
                            codes: adc.codes_of(a.slice_of(p)),
                            effects: &adc.effects,
                            draw: &draw,
                        };
                        sum.convert(&own, s, error, levels, weight);
                        if self.op.slope.is_some() {
                            let seen = match self.joins() {
                                true => self.without_noise(at, codes),
                                false => v,
                            };
                            sum.slope(&own, (s, slope * seen), error, levels, weight);
                        }
                    }
                }
            }
            let tile = a.tile_rows[r] as usize..a.tile_rows[r + 1] as usize;
            let inputs: i32 = codes[tile].iter().sum();
            let corrected = f64::from(a.place(p)) * offset * f64::from(inputs);
            sum.u -= corrected;
            sum.size += corrected.abs();
        }
        let all: i32 = codes.iter().sum();
        let base = f64::from(a.digital_base()) * f64::from(all);
        sum.limit = scale.abs() * (sum.limit + SUM_TOLERANCE * (sum.size + base.abs()));
        sum.u = scale * (sum.u - base);
        sum
    }

    /// Current of a column with its read noise, and how far it may be off.
    fn column(&self, image: usize, place: Place, codes: &[i32]) -> (f64, f64) {
        let ([p, r, t, o, _], spec) = (place, &self.op.spec);
        let a = &spec.arrays;
        let cells = (p * a.cols + o) * a.rows..(p * a.cols + o + 1) * a.rows;
        let (v, size) = arrays::sum(spec, &self.g[cells.clone()], codes, r, t);
        let noise = self.variance.as_ref().map(|variance| {
            let (z, error) = self.read_noise(&variance[cells], codes, image, place);
            (v + z, SUM_TOLERANCE * size + error)
        });
        noise.unwrap_or((v, SUM_TOLERANCE * size))
    }

    /// What a converter of this slope adds to the scaled sum where its noise and the read noise of the sum
    /// have one deviate: what both together are more than the read noise, which is in the sum.
    fn with_converter(&self, image: usize, place: Place, codes: &[i32], slope: f64) -> f64 {
        let ([p, r, t, o, _], spec) = (place, &self.op.spec);
        let sigma = spec.adc.as_ref().map(|adc| adc.effects.adc_noise.sigma);
        let (Some(variance), Some(sigma)) = (&self.variance, sigma) else {
            return 0.0;
        };
        if spec.noise_per_cell || sigma == 0.0 {
            return 0.0;
        }
        let a = &spec.arrays;
        let column = (p * a.cols + o) * a.rows;
        let rows = a.tile_rows[r] as usize..a.tile_rows[r + 1] as usize;
        let squares = rows.map(|k| {
            let drive = arrays::amplitude(&spec.dac, codes[k], t);
            variance[column + k] * drive * drive
        });
        let variance = slope * slope * squares.sum::<f64>();
        let both = (variance + f64::from(sigma).powi(2)).sqrt() - slope.signum() * variance.sqrt();
        both * self.deviate(Purpose::ReadNoise as u32, image, place)
    }

    /// Whether the read noise of a sum has one deviate with that of its converter.
    fn joins(&self) -> bool {
        let spec = &self.op.spec;
        let sigma = spec.adc.as_ref().map(|adc| adc.effects.adc_noise.sigma);
        self.variance.is_some() && !spec.noise_per_cell && sigma.is_some_and(|sigma| sigma != 0.0)
    }

    /// Current of a column without read noise.
    fn without_noise(&self, [p, r, t, o, _]: Place, codes: &[i32]) -> f64 {
        let a = &self.op.spec.arrays;
        let cells = (p * a.cols + o) * a.rows..(p * a.cols + o + 1) * a.rows;
        arrays::sum(&self.op.spec, &self.g[cells], codes, r, t).0
    }

    /// Read noise of a conversion and how far it may be off.
    fn read_noise(
        &self,
        variance: &[f64],
        codes: &[i32],
        image: usize,
        place: Place,
    ) -> (f64, f64) {
        let ([_, r, t, ..], spec) = (place, &self.op.spec);
        let tiles = &spec.arrays.tile_rows;
        let rows = tiles[r] as usize..tiles[r + 1] as usize;
        let drive = |k: usize| arrays::amplitude(&spec.dac, codes[k], t);
        if spec.noise_per_cell {
            let noise = rows.map(|k| {
                let purpose = Purpose::ReadCell as u32 | (k as u32 * 4096);
                variance[k].sqrt() * self.deviate(purpose, image, place) * drive(k)
            });
            return noise.fold((0.0, 0.0), |(s, e), v| (s + v, e + 2e-6 * v.abs()));
        }
        let sum: f64 = rows.map(|k| variance[k] * drive(k) * drive(k)).sum();
        let z = sum.sqrt() * self.deviate(Purpose::ReadNoise as u32, image, place);
        (z, 4e-6 * z.abs())
    }

    fn deviate(&self, purpose: u32, image: usize, place: Place) -> f64 {
        let pixels = self.op.geo.h_out() * self.op.geo.w_out();
        let (block, word) = arrays::event(&self.op.spec, pixels, place);
        let stream = Stream {
            seed: 1,
            purpose,
            layer: self.op.spec.layer + image as u32 * 4096,
            chip: self.chip as u32,
        };
        stream.normal(block * 4 + word as u32).into()
    }
}

/// A converter, and its deviates at a conversion.
struct Inside<'a> {
    codes: CodeRange,
    effects: &'a ConverterEffects,
    draw: &'a dyn Fn(Purpose) -> f64,
}

impl Inside<'_> {
    /// Value of the code of a scaled sum, and whether it is clipped.
    fn value(&self, scaled: f64) -> (f64, bool) {
        let s = self.effects.exact(self.codes, scaled, self.draw);
        let [least, most] = self.codes.ends();
        let code = self.codes.lo + self.codes.nearest(s) as i32;
        let value = self.effects.exact_value(self.codes, code);
        (value, s > most + 0.5 || s < least - 0.5)
    }
}

impl Sum {
    /// Adds the value of the code of a scaled sum `s`, which may be off by `error`.
    fn convert(&mut self, inside: &Inside, s: f64, error: f64, [lsb, low]: [f64; 2], weight: f64) {
        let error = error + 2.0 * EPS * s.abs();
        let (value, clipped) = inside.value(s);
        let others = [s - error, s + error].map(|s| inside.value(s));
        let off = others.map(|(other, _)| (other - value).abs());
        let off = off[0].max(off[1]);
        self.conversions += 1;
        self.unsure += usize::from(off > 0.0);
        self.clipped += f64::from(clipped);
        self.clipped_limit += f64::from(others.iter().any(|(_, is)| *is != clipped));
        self.u += weight * (lsb * value + low);
        self.size += weight.abs() * ((lsb * value).abs() + low.abs());
        self.limit += (weight * lsb).abs() * off;
    }
    /// Adds the slope of a conversion: of a scaled sum `s` and the same before noise and without its offset, `own`.
    fn slope(
        &mut self,
        inside: &Inside,
        (s, own): (f64, f64),
        error: f64,
        [lsb, low]: [f64; 2],
        weight: f64,
    ) {
        let error = error + 2.0 * EPS * s.abs();
        let of = |s: f64| {
            let (value, clipped) = inside.value(s);
            value - if clipped { 0.0 } else { own }
        };
        let slope = of(s);
        let off = [s - error, s + error].map(|s| (of(s) - slope).abs());
        // The difference of a code and a sum near it is as good as the sum; all are added up in f32.
        let rounded = error + 64.0 * EPS * (inside.value(s).0.abs() + own.abs());
        self.slope += weight * (lsb * slope + low);
        self.slope_limit +=
            weight.abs() * (lsb.abs() * (off[0].max(off[1]) + rounded) + 64.0 * EPS * low.abs());
    }
}
