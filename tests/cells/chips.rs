//! Chips with every effect at once: the operators of both backends against the closed form in `f64`.

use std::sync::Arc;

use pimento::backend::Backend;
use pimento::backend::cpu::CpuBackend;
use pimento::chip::cell_form::{self, Key, Pixel, Place, Reader};
use pimento::effects::{Drift, Limits, OpenLines, Sampled, Samples, Stuck, Variation};
use pimento::program::*;
use pimento::random::{Purpose, Stream, uniform};

use crate::operators::{self, Chips, Layer, Made};

/// Whole numbers of a seed.
struct Draw(Stream, u32);

impl Draw {
    fn new(seed: u64) -> Self {
        Self(Stream::new(seed, Purpose::Init, 0, 0, 0), 0)
    }

    /// From 0 to 1.
    fn share(&mut self) -> f32 {
        self.1 += 1;
        uniform(self.0.word(self.1))
    }

    fn below(&mut self, n: usize) -> usize {
        (self.share() * n as f32) as usize
    }

    fn is(&mut self) -> bool {
        self.below(2) == 1
    }

    fn curve(&mut self, most: f32) -> Curve {
        let n = 2 + self.below(5);
        (0..n).map(|_| most * self.share()).collect()
    }

    fn cuts(&mut self, n: usize) -> Arc<[u32]> {
        let middle = 1 + self.below(n - 1);
        [0, middle as u32, n as u32].into()
    }
}

/// A layer with everything that can be wrong with it.
struct Case {
    programming: Programming,
    errors: ConverterErrors,
    reading: Reading,
    ranges: Vec<[f32; 2]>,
    weights: Vec<i32>,
    inputs: Vec<i32>,
    array: Vec<f32>,
    correct: Vec<[f32; 2]>,
}

const IMAGES: usize = 3;
const CHIPS: usize = 2;
const SEED: u64 = 11;
const FIRST: u32 = 5;

impl Case {
    fn new(seed: u64) -> Self {
        let d = &mut Draw::new(seed);
        let mut arrays = arrays(d);
        let deviate = match d.is() {
            true => Deviate::Lognormal,
            false => Deviate::Truncated { at: 2.5 },
        };
        let level = |d: &mut Draw, v| 0.05 + v as f32 * 0.11 + 0.03 * d.share();
        arrays.levels = d.is().then(|| (0..8).map(|v| level(d, v)).collect());
        let programming = programming(d, &arrays, deviate);
        let dac = dac(d);
        let uniform = d.is();
        let ranges = ranges(d, &arrays, &dac, uniform);
        let signs = dac.signs;
        let reading = reading(d, &arrays, dac, uniform);
        let input = |d: &mut Draw| match signs {
            None => d.below(32) as i32,
            Some(InputSigns::SignMagnitude) => d.below(63) as i32 - 31,
            Some(InputSigns::TwosComplement) => d.below(31) as i32 - 15,
        };
        let (rows, cols) = (arrays.rows, arrays.cols);
        Self {
            errors: ConverterErrors {
                sharing: 1 + d.below(3),
                columns: None,
                gain: 0.05,
                offset: 0.3,
                layer: 2,
                arrays: arrays.clone(),
            },
            ranges,
            weights: (0..rows * cols).map(|_| d.below(31) as i32 - 15).collect(),
            inputs: (0..rows * IMAGES).map(|_| input(d)).collect(),
            array: (0..CHIPS * arrays.cell_arrays())
                .map(|_| 0.2 * d.share() - 0.1)
                .collect(),
            correct: (0..CHIPS * arrays.converters())
                .map(|_| [0.9 + 0.2 * d.share(), 0.02 * d.share()])
                .collect(),
            programming,
            reading,
        }
    }

    /// The same by the operators of a backend. Steps of 1: values are codes.
    fn by_operators(&self, backend: &dyn Backend) -> Made {
        let layer = Layer {
            programming: &self.programming,
            errors: &self.errors,
            reading: &self.reading,
            ranges: &self.ranges,
            weights: self.weights.iter().map(|c| *c as f32).collect(),
            w_step: 1.0,
            inputs: self.inputs.iter().map(|c| *c as f32).collect(),
            x_step: 1.0,
            array: self.array.clone(),
            correct: Some(self.correct.concat()),
        };
        let chips = Chips {
            seed: SEED,
            first: FIRST,
        };
        operators::run(backend, &layer, chips)
    }
}

/// Arrays with even levels.
fn arrays(d: &mut Draw) -> Arrays {
    let (rows, cols) = (4 + d.below(40), 2 + d.below(12));
    let encoding = match d.below(4) {
        0 => Encoding::Offset { reference: 0 },
        1 => Encoding::Offset { reference: 2 },
        n => Encoding::Differential {
            two_sided: d.is(),
            digital: n == 2,
        },
    };
    Arrays {
        cols,
        rows,
        tile_rows: d.cuts(rows),
        tile_cols: d.cuts(cols),
        slice_bits: [3, 3].into(),
        equal_slices: 1,
        weight_bits: 5,
        encoding,
        g_min: if d.is() { 0.05 } else { 0.0 },
        levels: None,
    }
}

fn programming(d: &mut Draw, arrays: &Arrays, deviate: Deviate) -> Programming {
    let mut programming = Programming::ideal(arrays.clone(), 2);
    let effects = &mut programming.effects;
    effects.variation = Variation {
        law: match d.is() {
            true => Law::WeightProportional,
            false => Law::LayerFixed,
        },
        deviate,
        sigma: 0.1,
        curve: d.is().then(|| d.curve(0.1)),
    };
    effects.stuck = Stuck {
        off: 0.05,
        on: 0.04,
    };
    effects.open_lines = OpenLines {
        row: 0.03,
        col: 0.06,
    };
    if d.is() {
        effects.drift = Drift::new(3.0, d.curve(0.1), d.curve(0.05));
    }
    effects.limits = Limits {
        clip: 1.1,
        clip_low: d.is(),
    };
    programming.read_noise = CellReadNoise {
        proportional: 0.02,
        fixed: 0.01,
        curve: d.is().then(|| d.curve(0.03)),
        one_over_f: d.is().then(|| d.curve(0.03)),
    };
    programming.reference_columns = if d.is() { 3 } else { 0 };
    if d.is() {
        let cells =
            |d: &mut Draw, n: usize| (0..n).map(|_| f64::from(0.3 * d.share() - 0.15)).collect();
        let levels = [0.05, 0.2, 0.7, 0.95]
            .map(|target| (target, cells(d, 1 + (100.0 * target) as usize % 7)));
        let table = Some(Samples::new(&levels));
        programming.effects.sampled = Sampled { table };
    }
    programming
}

fn dac(d: &mut Draw) -> Dac {
    let signs = [
        None,
        Some(InputSigns::SignMagnitude),
        Some(InputSigns::TwosComplement),
    ][d.below(3)];
    Dac {
        input_bits: 5,
        dac_bits: match signs {
            Some(InputSigns::TwosComplement) => 2,
            None | Some(InputSigns::SignMagnitude) => 1 + d.below(5) as u32,
        },
        signs,
        table: None,
        analog_sum: d.is(),
    }
}

/// Ranges of converters with codes of one sign (`uniform`) or of both.
fn ranges(d: &mut Draw, arrays: &Arrays, dac: &Dac, uniform: bool) -> Vec<[f32; 2]> {
    let most = if dac.analog_sum {
        31.0
    } else {
        ((1 << dac.dac_bits) - 1) as f32
    };
    (0..arrays.read_planes() * arrays.cols)
        .map(|_| {
            let limit = arrays.rows as f32 * 7.0 * most * (0.1 + 0.2 * d.share());
            match uniform {
                true => [2.0 * limit / 63.0, -limit],
                false => [limit / 31.0, 0.0],
            }
        })
        .collect()
}

fn reading(d: &mut Draw, arrays: &Arrays, dac: Dac, uniform: bool) -> Reading {
    let (lo, hi) = if uniform { (0, 63) } else { (-31, 31) };
    let inl = |d: &mut Draw| (lo..=hi).map(|_| 0.3 * d.share() - 0.15).collect();
    let inl = d.is().then(|| inl(d));
    // A non-linearity belongs to the same codes in all slices.
    let own = i32::from(inl.is_none());
    let codes = (0..arrays.slices() as i32).map(|s| (lo, hi - 7 * own * s));
    let mut adc = Adc {
        codes: codes.map(|(lo, hi)| CodeRange { lo, hi }).collect(),
        ..Adc::with_codes(lo, hi).noisy(0.2)
    };
    adc.effects.inl.by_code = inl;
    Reading {
        adc: Some(adc),
        noise_per_cell: d.is(),
        integer: false,
        exact: false,
        layer: 2,
        dac,
        arrays: arrays.clone(),
    }
}

/// Relative to the largest: normals in `f32` (4.5e-7 of up to 6 sigma), exponentials, differences of
/// two cells, sums of some.
const CELL: f64 = 3e-6;
/// A sum of up to 44 terms and noise, in codes: closer to a threshold `f32` may round the other way.
const NEAR: f64 = 2e-3;

fn close(who: &str, found: &[f32], want: &[f64], tolerance: f64) {
    assert_eq!(found.len(), want.len(), "{who}");
    let most = want.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    for (i, (f, w)) in found.iter().zip(want).enumerate() {
        assert!(
            (f64::from(*f) - w).abs() <= tolerance * most,
            "{who} {i}: {f} for {w}, most {most}"
        );
    }
}

fn compare(backend: &dyn Backend, seed: u64) {
    let case = Case::new(seed);
    let made = case.by_operators(backend);
    let near: usize = (0..CHIPS)
        .map(|chip| compare_chip(&case, &made, chip, &format!("layer {seed}, chip {chip}")))
        .sum();
    // About 2 NEAR of all conversions are near by chance, twice with a non-linearity.
    let a = &case.reading.arrays;
    let all = CHIPS * IMAGES * a.cols;
    let conversions = (a.read_planes() * a.row_tiles() * case.reading.dac.conversions()) as f64;
    let expected = all as f64 * (1.0 - (1.0 - 4.0 * NEAR).powf(conversions));
    let bound = expected + 6.0 * expected.max(1.0).sqrt();
    assert!(
        (near as f64) < bound.min(0.9 * all as f64 + 1.0),
        "{near} of {all} near a threshold"
    );
}

/// Compares a chip; gives the number of outputs that are left out, near a threshold.
fn compare_chip(case: &Case, made: &Made, chip: usize, who: &str) -> usize {
    let key = Key {
        seed: SEED,
        flags: 0,
        chip: FIRST + chip as u32,
    };
    let a = &case.reading.arrays;
    let planes = a.read_planes() * a.plane_len();
    let array = &case.array[chip * a.cell_arrays()..][..a.cell_arrays()];
    let own = cell_form::program(&case.weights, array, &case.programming, key);
    let of = |all: &[f32], n: usize| all[chip * n..][..n].to_vec();
    let cells = of(&made.g, planes);
    close(&format!("{who}: cells"), &cells, &own.g, CELL);
    let variances = of(&made.variance, planes);
    close(
        &format!("{who}: variances"),
        &variances,
        &own.variance,
        1e-5,
    );
    let converters = cell_form::converters(&case.ranges, None, &case.errors, key);
    close(
        &format!("{who}: converters"),
        &of(&made.adc, 2 * a.converters()),
        &converters.concat(),
        CELL,
    );
    let reader = Reader {
        spec: &case.reading,
        g: &own.g,
        variance: Some(&own.variance),
        converters: &converters,
        ranges: &case.ranges,
        correct: Some(&case.correct[chip * a.converters()..][..a.converters()]),
        key,
        near: NEAR,
    };
    let compared = (0..IMAGES).map(|image| {
        let input = |_, row| case.inputs[image * a.rows + row];
        let place = Place {
            image: image as u32,
            pixel: 0,
            pixels: 1,
        };
        let at = (chip * IMAGES + image) * a.cols;
        let y = &made.y[at..][..a.cols];
        let clipped = &made.clipped[at..][..a.cols];
        compare_image(&case.reading, &reader.pixel(input, place), y, clipped, who)
    });
    compared.sum()
}

/// Compares the outputs of an image but those near a threshold, whose number it gives.
fn compare_image(spec: &Reading, pixel: &Pixel, y: &[f32], clipped: &[f32], who: &str) -> usize {
    let a = &spec.arrays;
    let full = pixel.u.iter().fold(0.0f64, |m, u| m.max(u.abs()));
    let per_column = a.row_tiles() * spec.dac.conversions();
    let mut near = 0;
    for col in 0..a.cols {
        let seen = || {
            (0..a.read_planes()).flat_map(|p| {
                let first = (p * a.cols + col) * per_column;
                &pixel.conversions[first..first + per_column]
            })
        };
        if seen().any(|c| !c.sure) {
            near += 1;
            continue;
        }
        let (y, want) = (f64::from(y[col]), pixel.u[col]);
        assert!(
            (y - want).abs() <= 1e-5 * full,
            "{who}: output {y} for {want}"
        );
        let clips = seen().filter(|c| c.clipped).count();
        assert_eq!(clipped[col] as usize, clips, "{who}: clips");
    }
    near
}

#[test]
fn the_cpu_operators_are_the_closed_form() {
    for seed in 0..40 {
        compare(&CpuBackend::new(), seed);
    }
}

#[cfg(feature = "gpu")]
#[test]
fn the_shaders_are_the_closed_form() {
    if let Some(gpu) = crate::wires::adapter("the_shaders_are_the_closed_form") {
        for seed in 0..6 {
            compare(&gpu, seed);
        }
    }
}
