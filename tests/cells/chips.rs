//! Chips with every effect at once: the operators of both backends against the closed form in `f64`.

use std::sync::Arc;

use pimento::backend::cpu::CpuBackend;
use pimento::backend::{Backend, Capacity};
use pimento::chip::cell_form::{self, Key, Place, Reader};
use pimento::effects::{Drift, Effects, Limits, OpenLines, Stuck, Variation};
use pimento::program::*;
use pimento::random::{Purpose, Stream, uniform};

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
struct Layer {
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

fn layer(seed: u64) -> Layer {
    let d = &mut Draw::new(seed);
    let (rows, cols) = (4 + d.below(40), 2 + d.below(12));
    let encoding = match d.below(4) {
        0 => Encoding::Offset { reference: 0 },
        1 => Encoding::Offset { reference: 2 },
        n => Encoding::Differential {
            two_sided: d.is(),
            digital: n == 2,
        },
    };
    let mut arrays = Arrays {
        cols,
        rows,
        tile_rows: d.cuts(rows),
        tile_cols: d.cuts(cols),
        slice_bits: [3, 3].into(),
        weight_bits: 5,
        encoding,
        g_min: if d.is() { 0.05 } else { 0.0 },
        levels: None,
    };
    let lognormal = d.is();
    arrays.levels = d.is().then(|| {
        (0..8)
            .map(|v| 0.05 + v as f32 * 0.11 + 0.03 * d.share())
            .collect()
    });
    let effects = Effects {
        variation: Variation {
            law: match d.is() {
                true => Law::WeightProportional,
                false => Law::LayerFixed,
            },
            deviate: match lognormal {
                true => Deviate::Lognormal,
                false => Deviate::Truncated { at: 2.5 },
            },
            sigma: 0.1,
            curve: d.is().then(|| d.curve(0.1)),
        },
        stuck: Stuck {
            off: 0.05,
            on: 0.04,
        },
        open_lines: OpenLines {
            row: 0.03,
            col: 0.06,
        },
        drift: match d.is() {
            true => Drift::new(3.0, d.curve(0.1), d.curve(0.05)),
            false => Drift::default(),
        },
        limits: Limits {
            clip: 1.1,
            clip_low: d.is(),
        },
    };
    let programming = Programming {
        effects,
        read_noise: CellReadNoise {
            proportional: 0.02,
            fixed: 0.01,
            curve: d.is().then(|| d.curve(0.03)),
            one_over_f: d.is().then(|| d.curve(0.03)),
        },
        reference_columns: if d.is() { 3 } else { 0 },
        layer: 2,
        raw: false,
        arrays: arrays.clone(),
    };
    let signs = [
        None,
        Some(InputSigns::SignMagnitude),
        Some(InputSigns::TwosComplement),
    ][d.below(3)];
    let dac = Dac {
        input_bits: 5,
        dac_bits: if signs == Some(InputSigns::TwosComplement) {
            2
        } else {
            1 + d.below(5) as u32
        },
        signs,
        table: None,
        analog_sum: d.is(),
    };
    let uniform = d.is();
    let (lo, hi) = if uniform { (0, 63) } else { (-31, 31) };
    let most = if dac.analog_sum {
        31.0
    } else {
        ((1 << dac.dac_bits) - 1) as f32
    };
    let ranges = (0..arrays.read_planes() * cols)
        .map(|_| {
            let limit = rows as f32 * 7.0 * most * (0.1 + 0.2 * d.share());
            match uniform {
                true => [2.0 * limit / 63.0, -limit],
                false => [limit / 31.0, 0.0],
            }
        })
        .collect();
    let reading = Reading {
        adc: Some(Adc {
            lo,
            hi,
            noise: 0.2,
            inl: d
                .is()
                .then(|| (lo..=hi).map(|_| 0.3 * d.share() - 0.15).collect()),
        }),
        noise_per_cell: d.is(),
        integer: false,
        exact: false,
        layer: 2,
        dac,
        arrays: arrays.clone(),
    };
    let input = |d: &mut Draw| match signs {
        None => d.below(32) as i32,
        Some(InputSigns::SignMagnitude) => d.below(63) as i32 - 31,
        Some(InputSigns::TwosComplement) => d.below(31) as i32 - 15,
    };
    Layer {
        errors: ConverterErrors {
            sharing: 1 + d.below(3),
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

const CHIPS: usize = 2;
const SEED: u64 = 11;
const FIRST: u32 = 5;

/// What the operators make of a layer.
struct Made {
    g: Vec<f32>,
    variance: Vec<f32>,
    adc: Vec<f32>,
    y: Vec<f32>,
    clipped: Vec<f32>,
}

fn by_operators(backend: &dyn Backend, l: &Layer) -> Made {
    let mut program = Program::default();
    let a = &l.reading.arrays;
    let mut values: Vec<(TensorId, Vec<f32>)> = Vec::new();
    let mut flat = |program: &mut Program, name: &str, n: usize, v: Vec<f32>, scope| {
        let t = program.tensor(name, Shape::Flat(n), scope, Role::State);
        values.push((t, v));
        t
    };
    // Steps of 1: values are codes.
    let weights: Vec<f32> = l.weights.iter().map(|c| *c as f32).collect();
    let w = flat(&mut program, "w", weights.len(), weights, Scope::Shared);
    let one = flat(&mut program, "one", 1, vec![1.0], Scope::Shared);
    let (shared, per_chip) = (Scope::Shared, Scope::PerChip);
    let array = flat(
        &mut program,
        "array",
        a.cell_arrays(),
        l.array.clone(),
        per_chip,
    );
    let range = flat(
        &mut program,
        "range",
        2 * l.ranges.len(),
        l.ranges.concat(),
        shared,
    );
    let n = 2 * a.converters();
    let correct = flat(&mut program, "correct", n, l.correct.concat(), per_chip);
    let cells = Shape::Flat(a.read_planes() * a.plane_len());
    let g = program.tensor("g", cells, per_chip, Role::State);
    let variance = program.tensor("variance", cells, per_chip, Role::State);
    let adc = program.tensor("adc", Shape::Flat(n), per_chip, Role::State);
    let image = |c| Shape::Image { c, h: 1, w: 1 };
    let x = program.tensor("x", image(a.rows), shared, Role::Input);
    values.push((x, l.inputs.iter().map(|c| *c as f32).collect()));
    let y = program.tensor("y", image(a.cols), per_chip, Role::Output);
    let clipped = program.tensor("clipped", image(a.cols), per_chip, Role::Output);
    let make = vec![
        Op::from(ProgramCells {
            w,
            step: one,
            array,
            out: g,
            variance: Some(variance),
            spec: l.programming.clone(),
        }),
        Op::from(ConverterFold {
            range,
            scale: None,
            out: adc,
            spec: l.errors.clone(),
        }),
    ];
    let make = program.section("make", make);
    let read = vec![Op::from(Crossbar {
        x,
        x_step: one,
        g,
        variance: Some(variance),
        w_step: one,
        adc: Some(adc),
        range: Some(range),
        correct: Some(correct),
        y,
        clipped: Some(clipped),
        geo: ConvGeometry::linear(a.rows, a.cols),
        post: Post::NONE,
        spec: l.reading.clone(),
    })];
    let read = program.section("read", read);
    let capacity = Capacity {
        chips: CHIPS,
        images: IMAGES,
        chunk: IMAGES,
    };
    let mut session = backend.prepare(&program, capacity).unwrap();
    for (t, v) in &values {
        session.write(*t, v).unwrap();
    }
    let args = |images| RunArgs::wave(SEED, FIRST, CHIPS, images);
    session.run(make, &args(0..0)).unwrap();
    session.run(read, &args(0..IMAGES)).unwrap();
    let mut get = |t| session.read(t).unwrap();
    Made {
        g: get(g),
        variance: get(variance),
        adc: get(adc),
        y: get(y),
        clipped: get(clipped),
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
    let l = layer(seed);
    let made = by_operators(backend, &l);
    let a = &l.reading.arrays;
    let planes = a.read_planes() * a.plane_len();
    let mut near = 0;
    for chip in 0..CHIPS {
        let who = |what: &str| format!("layer {seed}, chip {chip}: {what}");
        let key = Key {
            seed: SEED,
            flags: 0,
            chip: FIRST + chip as u32,
        };
        let array = &l.array[chip * a.cell_arrays()..][..a.cell_arrays()];
        let own = cell_form::program(&l.weights, array, &l.programming, key);
        let of = |all: &[f32], n: usize| all[chip * n..][..n].to_vec();
        close(&who("cells"), &of(&made.g, planes), &own.g, CELL);
        close(
            &who("variances"),
            &of(&made.variance, planes),
            &own.variance,
            1e-5,
        );
        let converters = cell_form::converters(&l.ranges, None, &l.errors, key);
        close(
            &who("converters"),
            &of(&made.adc, 2 * a.converters()),
            &converters.concat(),
            CELL,
        );
        let reader = Reader {
            spec: &l.reading,
            g: &own.g,
            variance: Some(&own.variance),
            converters: &converters,
            ranges: &l.ranges,
            correct: Some(&l.correct[chip * a.converters()..][..a.converters()]),
            key,
        };
        for image in 0..IMAGES {
            let input = |_, row| l.inputs[image * a.rows + row];
            let place = Place {
                image: image as u32,
                pixel: 0,
                pixels: 1,
            };
            let pixel = reader.pixel(input, place);
            let at = (chip * IMAGES + image) * a.cols;
            let full = pixel.u.iter().fold(0.0f64, |m, u| m.max(u.abs()));
            let per_column = a.row_tiles() * l.reading.dac.conversions();
            for col in 0..a.cols {
                let seen = (0..a.read_planes()).flat_map(|p| {
                    let first = (p * a.cols + col) * per_column;
                    &pixel.conversions[first..first + per_column]
                });
                let seen: Vec<_> = seen.collect();
                let is_near = |c: &&&cell_form::Conversion| {
                    // Before rounding, or before the choice of the non-linearity's code.
                    let from_half = |x: f64| (x - x.floor() - 0.5).abs();
                    from_half(c.scaled) < NEAR || from_half(c.nearest) < NEAR
                };
                if seen.iter().any(|c| is_near(&c)) {
                    near += 1;
                    continue;
                }
                let (y, want) = (f64::from(made.y[at + col]), pixel.u[col]);
                assert!(
                    (y - want).abs() <= 1e-5 * full,
                    "{}: {y} for {want}",
                    who("output")
                );
                let clips = seen.iter().filter(|c| c.clipped).count();
                assert_eq!(made.clipped[at + col] as usize, clips, "{}", who("clips"));
            }
        }
    }
    // About 2 NEAR of all conversions are near by chance, twice with a non-linearity.
    let all = CHIPS * IMAGES * a.cols;
    let conversions = (a.read_planes() * a.row_tiles() * l.reading.dac.conversions()) as f64;
    let expected = all as f64 * (1.0 - (1.0 - 4.0 * NEAR).powf(conversions));
    let bound = expected + 6.0 * expected.max(1.0).sqrt();
    assert!(
        (near as f64) < bound.min(0.9 * all as f64 + 1.0),
        "{near} of {all} near a threshold"
    );
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
