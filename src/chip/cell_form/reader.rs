//! Programmed arrays read conversion by conversion.

use super::{Key, level_units};
use crate::chip::closed_form::deviation;
use crate::effects::sum_noise;
use crate::program::{Deviate, Encoding, Reading};
use crate::random::{Purpose, philox, repeated};

/// A layer's arrays ready to be read on one chip.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// How.
    pub spec: &'a Reading,
    /// Read planes in level units.
    pub g: &'a [f64],
    /// Their variances, where reads are noisy.
    pub variance: Option<&'a [f64]>,
    /// From [`super::converters()`]; without effect where there are none.
    pub converters: &'a [[f64; 2]],
    /// Pairs `(lsb, lo)`, `[read plane][column]`.
    pub ranges: &'a [[f32; 2]],
    /// Pairs `(gain, offset)`, `[row tile][read plane][column]`.
    pub correct: Option<&'a [[f32; 2]]>,
    /// Random numbers.
    pub key: Key,
    /// How far the sums of another implementation may be off, in codes ([`Conversion::sure`]).
    pub near: f64,
}

/// Which output pixel is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Image.
    pub image: u32,
    /// Pixel of the output map.
    pub pixel: usize,
    /// Pixels of the output map.
    pub pixels: usize,
}

/// One conversion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conversion {
    /// What the converter sees, level units times drive.
    pub sum: f64,
    /// What is rounded: the sum in codes, with the converter's errors and effects; the sum itself where there
    /// is no converter.
    pub scaled: f64,
    /// Whether a sum that is off by [`Reader::near`] codes has the same code.
    pub sure: bool,
    /// The code; 0 where there is no converter.
    pub code: i32,
    /// Whether it lies more than half a code outside the range.
    pub clipped: bool,
}

/// One output pixel.
#[derive(Debug, Clone, PartialEq)]
pub struct Pixel {
    /// Conversions `[read plane][column][row tile][conversion]`.
    pub conversions: Vec<Conversion>,
    /// Output of every column in units of weight step times input step.
    pub u: Vec<f64>,
}

impl Reader<'_> {
    /// Reads a pixel; `input` gives the code that a column sees at a row.
    pub fn pixel(&self, input: impl Fn(usize, usize) -> i32, place: Place) -> Pixel {
        let (a, dac) = (&self.spec.arrays, &self.spec.dac);
        let (planes, tiles, n) = (a.read_planes(), a.row_tiles(), dac.conversions());
        let mut conversions = Vec::with_capacity(planes * a.cols * tiles * n);
        for p in 0..planes {
            for col in 0..a.cols {
                for r in 0..tiles {
                    for t in 0..n {
                        conversions.push(self.convert((p, col, r, t), &input, place));
                    }
                }
            }
        }
        let u = (0..a.cols)
            .map(|col| self.output(col, &conversions, &input))
            .collect();
        Pixel { conversions, u }
    }

    fn rows(&self, r: usize) -> std::ops::Range<usize> {
        let cut = &self.spec.arrays.tile_rows;
        cut[r] as usize..cut[r + 1] as usize
    }

    /// Normal deviate of a conversion.
    fn noise(
        &self,
        purpose: u32,
        (p, col, r, t): (usize, usize, usize, usize),
        place: Place,
    ) -> f64 {
        let a = &self.spec.arrays;
        let conversion = (p * a.row_tiles() + r) * self.spec.dac.conversions() + t;
        let event = (conversion * place.pixels + place.pixel) * a.cols.div_ceil(4) + col / 4;
        let key = [self.key.seed as u32, (self.key.seed >> 32) as u32];
        let layer = repeated(self.spec.layer, place.image);
        let counter = [event as u32, layer, self.key.chip, purpose | self.key.flags];
        deviation(philox::block(key, counter)[col % 4], Deviate::Gaussian, 1.0)
    }

    fn convert(
        &self,
        at: (usize, usize, usize, usize),
        input: &impl Fn(usize, usize) -> i32,
        place: Place,
    ) -> Conversion {
        let a = &self.spec.arrays;
        let (p, col, r, t) = at;
        let (mut sum, mut noisy) = (0.0, Vec::new());
        for row in self.rows(r) {
            let i = (p * a.cols + col) * a.rows + row;
            let drives = self.spec.dac.exact(input(col, row), t);
            sum += self.g[i] * drives.iter().sum::<f64>();
            let Some(v) = self.variance else { continue };
            if self.spec.noise_per_cell {
                let z = self.noise(sum_noise::purpose_of_row(row), at, place);
                sum += sum_noise::exact_of_cell(v[i], &drives, z);
            } else {
                noisy.push((v[i], drives.iter().map(|d| d * d).sum()));
            }
        }
        let (quiet, mut noise) = (sum, None);
        if self.variance.is_some() && !self.spec.noise_per_cell {
            let z = self.noise(Purpose::ReadNoise as u32, at, place);
            let deviation = sum_noise::exact(noisy.into_iter(), 1.0);
            sum += deviation * z;
            noise = Some((deviation, z));
        }
        let Some(adc) = &self.spec.adc else {
            return Conversion {
                sum,
                scaled: sum,
                sure: true,
                code: 0,
                clipped: false,
            };
        };
        let [scale, offset] = self.converters[(r * a.read_planes() + p) * a.cols + col];
        let codes = adc.codes_of(a.slice_of(p));
        let joined = self.spec.noise_with_reads(self.variance.is_some());
        let (linear, joined) = match (noise, joined) {
            (Some((deviation, z)), Some(sigma)) => {
                let both = sum_noise::exact_with_converter(deviation, scale, sigma.into(), z);
                (scale * quiet + offset + both, true)
            }
            _ => (scale * sum + offset, false),
        };
        let draw = |purpose| match (joined, purpose) {
            // Part of the noise of the sum.
            (true, Purpose::AdcNoise) => 0.0,
            _ => self.noise(purpose as u32, at, place),
        };
        let scaled = |by: f64| adc.effects.exact(codes, linear + by, draw);
        let code = |by: f64| codes.nearest(scaled(by));
        let nearest = code(0.0);
        let [lo, hi] = codes.ends();
        Conversion {
            sum,
            scaled: scaled(0.0),
            sure: self.near == 0.0 || [code(-self.near), code(self.near)] == [nearest; 2],
            code: codes.lo + nearest as i32,
            clipped: scaled(0.0) > hi + 0.5 || scaled(0.0) < lo - 0.5,
        }
    }

    /// Shift-and-add over steps, planes and row tiles.
    fn output(
        &self,
        col: usize,
        conversions: &[Conversion],
        input: &impl Fn(usize, usize) -> i32,
    ) -> f64 {
        let (a, dac) = (&self.spec.arrays, &self.spec.dac);
        let (planes, tiles, n) = (a.read_planes(), a.row_tiles(), dac.conversions());
        let place = |t: usize| {
            if dac.analog_sum {
                1.0
            } else {
                f64::from(dac.place(t))
            }
        };
        let mut u = 0.0;
        let mut total = 0.0;
        for r in 0..tiles {
            let inputs: f64 = self.rows(r).map(|row| f64::from(input(col, row))).sum();
            total += inputs;
            for p in 0..planes {
                let first = ((p * a.cols + col) * tiles + r) * n;
                let seen = &conversions[first..first + n];
                let value = |c: &Conversion| match &self.spec.adc {
                    None => c.sum,
                    Some(adc) => {
                        let [lsb, lo] = self.ranges[p * a.cols + col].map(f64::from);
                        let codes = adc.codes_of(a.slice_of(p));
                        lsb * adc.effects.exact_value(codes, c.code) + lo
                    }
                };
                let sum: f64 = seen
                    .iter()
                    .enumerate()
                    .map(|(t, c)| place(t) * value(c))
                    .sum();
                let [gain, offset] = self.correct.map_or([1.0, 0.0], |c| {
                    c[(r * planes + p) * a.cols + col].map(f64::from)
                });
                u += f64::from(a.place(p)) * (gain * sum - offset * inputs);
            }
        }
        let base = match (a.encoding, &a.levels) {
            (Encoding::Offset { reference: 0 }, None) => {
                let zero =
                    |s| f64::from(1u32 << a.shift(s)) * f64::from(a.g_min) * level_units(a, s);
                f64::from(a.offset_code()) + (0..a.slices()).map(zero).sum::<f64>()
            }
            (Encoding::Offset { reference: 0 }, Some(levels)) => {
                let held = |s: usize| {
                    let digit = a.digit(a.offset_code(), s);
                    f64::from(1u32 << a.shift(s))
                        * f64::from(levels[digit as usize])
                        * level_units(a, s)
                };
                (0..a.slices()).map(held).sum::<f64>()
            }
            _ => 0.0,
        };
        u - base * total
    }
}
