//! Crossbar arrays with converters.

use std::sync::Arc;

use pimento::backend::cpu::CpuBackend;
use pimento::program::*;
use pimento::random::{Purpose, Stream};

use crate::arrays::{self, SUM_TOLERANCE, codes, geometry, input, output};
use crate::case::{Case, EPS, Rng, backends};

/// A layer, its operands and the operator.
struct Layer {
    case: Case,
    geo: ConvGeometry,
    spec: Reading,
    x: TensorId,
    x_step: f32,
    g: TensorId,
    variance: Option<TensorId>,
    w_step: TensorId,
    adc: Option<TensorId>,
    range: Option<TensorId>,
    correct: Option<TensorId>,
    y: TensorId,
    clipped: Option<TensorId>,
    op: Op,
}

/// What a layer has.
#[derive(Clone, Copy, Default)]
struct With {
    table: bool,
    read: bool,
    per_cell: bool,
    thermal: bool,
    inl: bool,
}

/// Any layer with conductances near digits and converters of all kinds.
fn layer(seed: u64, with: With) -> Layer {
    let mut rng = Rng(seed);
    let geo = geometry(&mut rng);
    let a = arrays::arrays(&mut rng, &geo);
    let dac = arrays::dac(&mut rng, with.table);
    let bits = rng.pick(3, 9) as u32;
    let (lo, hi) = match rng.coin() {
        true => (0, (1 << bits) - 1),
        false => (1 - (1 << (bits - 1)), (1 << (bits - 1)) - 1),
    };
    let inl = with.inl.then(|| {
        let table: Vec<f32> = (lo..=hi).map(|_| 0.4 * rng.signed()).collect();
        Arc::from(table)
    });
    let adc = (rng.pick(0, 4) > 0 || with.inl || with.thermal).then_some(Adc {
        lo,
        hi,
        noise: if with.thermal { 0.7 } else { 0.0 },
        inl,
    });
    let spec = Reading {
        arrays: a.clone(),
        dac: dac.clone(),
        adc: adc.clone(),
        noise_per_cell: with.per_cell,
        integer: false,
        exact: false,
        layer: 5,
    };
    let mut case = Case::new(seed + 1000, rng.pick(1, 2), rng.pick(1, 20));
    let x_step = 0.25;
    let scope = rng.scope();
    let n = input(&geo).len()
        * case.images
        * if scope == Scope::PerChip {
            case.chips
        } else {
            1
        };
    let values = arrays::inputs(&mut rng, &dac, n);
    let x = case.given(
        input(&geo),
        scope,
        values.iter().map(|v| v * x_step).collect(),
    );
    let step = case.given(Shape::Flat(1), Scope::Shared, vec![x_step]);
    let planes = Shape::Flat(a.read_planes() * a.plane_len());
    let scope = rng.scope();
    let chips = if scope == Scope::PerChip {
        case.chips
    } else {
        1
    };
    let signed = matches!(a.encoding, Encoding::Differential { digital: false, .. });
    let cells = (0..chips * planes.len()).map(|_| {
        let digit = rng.pick(0, 7) as f32 * if signed && rng.coin() { -1.0 } else { 1.0 };
        digit + 0.3 * rng.signed()
    });
    let cells = cells.collect();
    let g = case.given(planes, scope, cells);
    let variance = with.read.then(|| {
        let values = (0..chips * planes.len()).map(|_| 0.05 * (1.0 + rng.signed()));
        let values = values.collect();
        case.given(planes, scope, values)
    });
    let cols = if rng.coin() { a.cols } else { 1 };
    let w_step = case.random(Shape::Flat(cols), Scope::Shared);
    // Ranges that about a third of the sums leave.
    let full = (a.rows as f32).sqrt() * 2.0 * dac.most();
    let n = a.read_planes() * a.cols;
    let pairs: Vec<f32> = (0..n)
        .flat_map(|_| {
            let lsb = full * (1.0 + 0.3 * rng.signed()) / (hi - lo) as f32;
            [lsb, if lo == 0 { -0.4 * full } else { 0.0 }]
        })
        .collect();
    let constants: Vec<f32> = (0..case.chips)
        .flat_map(|_| {
            let pairs = &pairs;
            let mut own = Vec::new();
            for _ in 0..a.row_tiles() {
                for pair in pairs.chunks(2) {
                    own.push((1.0 + 0.1 * rng.signed()) / pair[0]);
                    own.push(rng.signed() - pair[1] / pair[0]);
                }
            }
            own
        })
        .collect();
    let range = adc
        .as_ref()
        .map(|_| case.given(Shape::Flat(2 * n), Scope::Shared, pairs));
    let both = Shape::Flat(2 * a.converters());
    let adc_constants = adc
        .as_ref()
        .map(|_| case.given(both, Scope::PerChip, constants));
    let correct = rng.coin().then(|| {
        let values = (0..case.chips * a.converters())
            .flat_map(|_| [1.0 + 0.2 * rng.signed(), 0.2 * rng.signed()])
            .collect();
        case.given(both, Scope::PerChip, values)
    });
    let y = case.result(output(&geo), Scope::PerChip);
    let clipped = rng
        .coin()
        .then(|| case.result(output(&geo), Scope::PerChip));
    let op = Op::from(Crossbar {
        x,
        x_step: step,
        g,
        variance,
        w_step,
        adc: adc_constants,
        range,
        correct,
        y,
        clipped,
        geo,
        post: Post::NONE,
        spec: spec.clone(),
    });
    Layer {
        case,
        geo,
        spec,
        x,
        x_step,
        g,
        variance,
        w_step,
        adc: adc_constants,
        range,
        correct,
        y,
        clipped,
        op,
    }
}

/// An output with how far it may be off, and how many of its conversions are too close to a
/// threshold to be sure of their code.
struct Want {
    y: f64,
    limit: f64,
    clipped: f64,
    /// Conversions whose clipping is unsure.
    clipped_limit: f64,
    unsure: usize,
    conversions: usize,
}

impl Layer {
    fn at(&self, t: Option<TensorId>, chip: usize) -> Option<Vec<f64>> {
        t.map(|t| self.case.at(t, chip, 0))
    }

    fn deviate(&self, purpose: u32, chip: usize, image: usize, place: [usize; 5]) -> f64 {
        let pixels = self.geo.h_out() * self.geo.w_out();
        let (block, word) = arrays::event(&self.spec, pixels, place);
        let stream = Stream {
            seed: 1,
            purpose,
            layer: self.spec.layer + image as u32 * 4096,
            chip: chip as u32,
        };
        stream.normal(block * 4 + word as u32).into()
    }

    /// The equations of the operator, word for word.
    fn want(&self, chip: usize, image: usize) -> Vec<Want> {
        let (spec, geo) = (&self.spec, &self.geo);
        let a = &spec.arrays;
        let x: Vec<f64> = self
            .case
            .at(self.x, chip, image)
            .iter()
            .map(|v| v / f64::from(self.x_step))
            .collect();
        let g = self.case.at(self.g, chip, 0);
        let variance = self.at(self.variance, chip);
        let (adc, range) = (self.at(self.adc, chip), self.at(self.range, chip));
        let correct = self.at(self.correct, chip);
        let w_step = self.case.at(self.w_step, chip, 0);
        let pixels = geo.h_out() * geo.w_out();
        let places = arrays::places(&spec.dac);
        let mut wants = Vec::new();
        for o in 0..a.cols {
            for pixel in 0..pixels {
                let codes = arrays::window(geo, &x, o, pixel);
                let scale = w_step[if w_step.len() > 1 { o } else { 0 }] * f64::from(self.x_step);
                let (mut u, mut limit, mut size) = (0.0, 0.0, 0.0);
                let mut want = Want {
                    y: 0.0,
                    limit: 0.0,
                    clipped: 0.0,
                    clipped_limit: 0.0,
                    unsure: 0,
                    conversions: 0,
                };
                for r in 0..a.row_tiles() {
                    let tile = a.tile_rows[r] as usize..a.tile_rows[r + 1] as usize;
                    let inputs: i32 = codes[tile.clone()].iter().sum();
                    for p in 0..a.read_planes() {
                        let converter = (r * a.read_planes() + p) * a.cols + o;
                        let at = (p * a.cols + o) * a.rows;
                        let cells = &g[at..at + a.rows];
                        let pair = |v: &Option<Vec<f64>>, i: usize| {
                            v.as_ref().map_or([1.0, 0.0], |v| [v[2 * i], v[2 * i + 1]])
                        };
                        let [slope, shift] = pair(&adc, converter);
                        let [lsb, lo] = pair(&range, p * a.cols + o);
                        let [gain, offset] = pair(&correct, converter);
                        let weight = f64::from(a.place(p)) * gain;
                        for (t, place) in places.iter().enumerate() {
                            let (mut v, magnitude) = arrays::sum(spec, cells, &codes, r, t);
                            let mut error = SUM_TOLERANCE * magnitude;
                            if let Some(variance) = &variance {
                                let var = &variance[at..at + a.rows];
                                let here = [p, r, t, o, pixel];
                                let (z, e) = self.read_noise(var, &codes, chip, image, here);
                                v += z;
                                error += e;
                            }
                            let Some(converter) = &spec.adc else {
                                u += weight * place * v;
                                limit += (weight * place).abs() * error;
                                size += (weight * place * v).abs();
                                continue;
                            };
                            want.conversions += 1;
                            let mut s = slope * v + shift;
                            let mut error =
                                slope.abs() * error + 4.0 * EPS * (s.abs() + shift.abs());
                            if converter.noise > 0.0 {
                                let purpose = Purpose::AdcNoise as u32;
                                let z = self.deviate(purpose, chip, image, [p, r, t, o, pixel]);
                                s += f64::from(converter.noise) * z;
                                error += 4e-6;
                            }
                            let (low, high) = (f64::from(converter.lo), f64::from(converter.hi));
                            let near = |s: f64, error: f64| {
                                let fraction = (s - s.floor() - 0.5).abs();
                                fraction < error && s > low - 1.0 && s < high + 1.0
                            };
                            let mut codes_off = 1.0;
                            let mut unsure = false;
                            if let Some(inl) = &converter.inl {
                                unsure = near(s, error);
                                let nearest = s.round_ties_even().clamp(low, high);
                                s += f64::from(inl[(nearest - low) as usize]);
                                codes_off = 2.0;
                            }
                            unsure |= near(s, error + 2.0 * EPS * s.abs());
                            let code = s.round_ties_even().clamp(low, high);
                            want.clipped += f64::from(s > high + 0.5 || s < low - 0.5);
                            let edge = (s - high - 0.5).abs().min((s - low + 0.5).abs());
                            want.clipped_limit += f64::from(edge < 2.0 * error || unsure);
                            u += weight * place * (lsb * code + lo);
                            size += (weight * place).abs() * ((lsb * code).abs() + lo.abs());
                            if unsure {
                                want.unsure += 1;
                                limit += (weight * place * lsb).abs() * codes_off;
                            }
                        }
                        u -= f64::from(a.place(p)) * offset * f64::from(inputs);
                        size += (f64::from(a.place(p)) * offset * f64::from(inputs)).abs();
                    }
                }
                let all: i32 = codes.iter().sum();
                let base = f64::from(a.digital_base()) * f64::from(all);
                want.y = scale * (u - base);
                want.limit = scale.abs() * (limit + SUM_TOLERANCE * (size + base.abs()));
                wants.push(want);
            }
        }
        wants
    }

    /// Read noise of a conversion and how far it may be off.
    fn read_noise(
        &self,
        variance: &[f64],
        codes: &[i32],
        chip: usize,
        image: usize,
        place: [usize; 5],
    ) -> (f64, f64) {
        let [_, r, t, ..] = place;
        let tiles = &self.spec.arrays.tile_rows;
        let rows = tiles[r] as usize..tiles[r + 1] as usize;
        let drive = |k: usize| arrays::amplitude(&self.spec.dac, codes[k], t);
        if self.spec.noise_per_cell {
            let noise = rows.map(|k| {
                let purpose = Purpose::ReadCell as u32 | (k as u32 * 4096);
                variance[k].sqrt() * self.deviate(purpose, chip, image, place) * drive(k)
            });
            return noise.fold((0.0, 0.0), |(s, e), v| (s + v, e + 2e-6 * v.abs()));
        }
        let sum: f64 = rows.map(|k| variance[k] * drive(k) * drive(k)).sum();
        let z = sum.sqrt() * self.deviate(Purpose::ReadNoise as u32, chip, image, place);
        (z, 4e-6 * z.abs())
    }

    /// Compares all outputs on all instruction sets.
    fn check(&self, seed: u64) {
        for (isa, backend) in backends() {
            let results = [self.y, self.clipped.unwrap_or(self.y)];
            let [y, clipped] = self.case.run(&backend, vec![self.op.clone()], results);
            let n = output(&self.geo).len();
            let (mut unsure, mut conversions) = (0, 0);
            for chip in 0..self.case.chips {
                for image in 0..self.case.images {
                    for (i, want) in self.want(chip, image).into_iter().enumerate() {
                        let at = (chip * self.case.images + image) * n + i;
                        let error = (f64::from(y[at]) - want.y).abs();
                        assert!(
                            error <= want.limit,
                            "{isa} seed {seed} chip {chip} image {image} output {i}: {} instead of \
                             {}, off by {error:e}, allowed {:e}: {:?} {:?}",
                            y[at],
                            want.y,
                            want.limit,
                            self.geo,
                            self.spec
                        );
                        if self.clipped.is_some() && self.spec.adc.is_some() {
                            let error = (f64::from(clipped[at]) - want.clipped).abs();
                            assert!(error <= want.clipped_limit, "{isa} seed {seed} clipped {i}");
                        }
                        unsure += want.unsure;
                        conversions += want.conversions;
                    }
                }
            }
            // Thresholds are hit by chance only.
            assert!(unsure <= conversions / 50 + 3, "{unsure} of {conversions}");
        }
    }
}

#[test]
fn any_layer_matches_plain_loops() {
    for seed in 0..60 {
        layer(seed, With::default()).check(seed);
    }
}

#[test]
fn drives_from_a_table() {
    for seed in 100..120 {
        let with = With {
            table: true,
            ..With::default()
        };
        layer(seed, with).check(seed);
    }
}

#[test]
fn noise_is_that_of_its_address() {
    for seed in 200..240 {
        let mut rng = Rng(seed);
        let with = With {
            table: rng.coin(),
            read: rng.coin(),
            per_cell: rng.coin(),
            thermal: rng.coin(),
            inl: rng.coin(),
        };
        layer(seed, with).check(seed);
    }
}

/// Neither threads nor how images are cut into runs change a bit.
#[test]
fn the_same_however_it_is_cut() {
    for seed in 300..312 {
        let with = With {
            read: true,
            per_cell: seed % 2 == 0,
            thermal: true,
            ..With::default()
        };
        let mut layer = layer(seed, with);
        if layer.case.images < 17 {
            continue;
        }
        let isa = |threads| CpuBackend::new().with_threads(threads).unwrap();
        let [want] = layer.case.run(&isa(1), vec![layer.op.clone()], [layer.y]);
        let [other] = layer.case.run(&isa(3), vec![layer.op.clone()], [layer.y]);
        assert_eq!(want, other, "seed {seed}: threads");
        let (mut session, section) = layer.case.prepare(&isa(2), vec![layer.op.clone()]);
        let n = output(&layer.geo).len();
        for range in [0..16, 16..layer.case.images] {
            let args = RunArgs {
                images: range.clone(),
                ..layer.case.args()
            };
            session.run(section, &args).unwrap();
            let got = session.read(layer.y).unwrap();
            for (chip, got) in got.chunks(range.len() * n).enumerate() {
                let first = (chip * layer.case.images + range.start) * n;
                assert_eq!(got, &want[first..first + got.len()], "seed {seed}: images");
            }
        }
        layer.case.images = 0;
    }
}

/// Ideal cells and converters of one level give exactly the integer product, whatever the mapping.
#[test]
fn ideal_cells_multiply_exactly() {
    let mut offsets = 0;
    for seed in 400..520 {
        let mut rng = Rng(seed);
        let geo = geometry(&mut rng);
        let mut a = arrays::arrays(&mut rng, &geo);
        let dac = arrays::dac(&mut rng, false);
        let single = matches!(
            a.encoding,
            Encoding::Offset { reference: 0 } | Encoding::Differential { digital: true, .. }
        );
        // A pair cancels what digit 0 conducts exactly; else a sum of many is rounded.
        a.g_min = if single || rng.coin() { 0.0 } else { 0.01 };
        offsets += usize::from(matches!(a.encoding, Encoding::Offset { .. }));
        let top = (0..a.slices()).map(|s| a.top_digit(s)).max().unwrap_or(0);
        let most = (a.rows as u32 * top) as f32 * dac.most();
        let halves = matches!(
            a.encoding,
            Encoding::Differential {
                two_sided: true,
                digital: true
            }
        );
        // Codes of half a level where cells are at half levels; too many codes: no converter.
        let lsb = if halves { 0.5 } else { 1.0 };
        let codes_needed = (most / lsb) as i64 + 1;
        let adc = (codes_needed < 1 << 13).then_some(Adc {
            lo: -(codes_needed as i32),
            hi: codes_needed as i32,
            noise: 0.0,
            inl: None,
        });
        let integer = adc.is_some() && rng.coin();
        let reading = Reading {
            arrays: a.clone(),
            dac: dac.clone(),
            adc,
            noise_per_cell: false,
            integer,
            exact: !halves && rng.coin(),
            layer: 1,
        };
        if !reading.is_possible() {
            continue;
        }
        let mut case = Case::new(seed, rng.pick(1, 2), rng.pick(1, 20));
        let q = match a.weight_bits {
            1 => 1,
            b => (1 << (b - 1)) - 1,
        };
        let weights: Vec<f32> = (0..a.plane_len())
            .map(|_| match (a.weight_bits, rng.coin()) {
                (1, true) => 1.0,
                (1, false) => -1.0,
                _ => rng.pick(0, 2 * q) as f32 - q as f32,
            })
            .collect();
        let w = case.given(Shape::Flat(a.plane_len()), Scope::Shared, weights);
        let one = case.given(Shape::Flat(1), Scope::Shared, vec![1.0]);
        let n = input(&geo).len() * case.images;
        let x = arrays::inputs(&mut rng, &dac, n);
        let x = case.given(input(&geo), Scope::Shared, x);
        let array = case.given(
            Shape::Flat(a.cell_arrays()),
            Scope::PerChip,
            vec![0.0; a.cell_arrays() * case.chips],
        );
        let g = case.temp(Shape::Flat(a.read_planes() * a.plane_len()), Scope::PerChip);
        let pairs = [lsb, 0.0].repeat(a.read_planes() * a.cols);
        let range = case.given(Shape::Flat(pairs.len()), Scope::Shared, pairs);
        let adc = case.temp(Shape::Flat(2 * a.converters()), Scope::PerChip);
        let y = case.result(output(&geo), Scope::PerChip);
        let has_adc = reading.adc.is_some();
        let ops = vec![
            Op::from(ProgramCells {
                w,
                step: one,
                array,
                out: g,
                variance: None,
                spec: crate::program_cells::ideal(a.clone()),
            }),
            Op::from(ConverterFold {
                range,
                scale: None,
                out: adc,
                spec: ConverterErrors {
                    arrays: a.clone(),
                    sharing: 1,
                    gain: 0.0,
                    offset: 0.0,
                    layer: 1,
                },
            }),
            Op::from(Crossbar {
                x,
                x_step: one,
                g,
                variance: None,
                w_step: one,
                adc: has_adc.then_some(adc),
                range: has_adc.then_some(range),
                correct: None,
                y,
                clipped: None,
                geo,
                post: Post::NONE,
                spec: reading.clone(),
            }),
        ];
        let wv: Vec<i64> = case.at(w, 0, 0).iter().map(|&v| v as i64).collect();
        for (isa, backend) in backends() {
            let [got] = case.run(&backend, ops.clone(), [y]);
            let mut got = got.iter();
            for _ in 0..case.chips {
                for image in 0..case.images {
                    let xv = case.at(x, 0, image);
                    for o in 0..geo.c_out {
                        for pixel in 0..geo.h_out() * geo.w_out() {
                            let rows = arrays::window(&geo, &xv, o, pixel);
                            let w = &wv[o * a.rows..][..a.rows];
                            let want: i64 = w.iter().zip(rows).map(|(w, x)| w * i64::from(x)).sum();
                            let got = *got.next().unwrap();
                            assert_eq!(got, want as f32, "{isa} seed {seed}: {geo:?} {reading:?}");
                        }
                    }
                }
            }
        }
    }
    assert!(offsets > 10);
}

/// Noise drawn once per conversion with the sum's variance and noise drawn cell by cell have the
/// same law: means and variances agree within six standard errors, both with the closed form.
#[test]
fn aggregate_noise_has_the_law_of_the_cells() {
    let geo = ConvGeometry::linear(24, 8);
    let mut moments = Vec::new();
    for per_cell in [false, true] {
        let mut case = Case::new(9, 4, 400);
        let dac = Dac {
            input_bits: 2,
            dac_bits: 2,
            signs: None,
            table: None,
            analog_sum: false,
        };
        let a = Arrays {
            cols: 8,
            rows: 24,
            tile_rows: vec![0, 24].into(),
            tile_cols: vec![0, 8].into(),
            slice_bits: vec![1].into(),
            weight_bits: 2,
            encoding: Encoding::Differential {
                two_sided: false,
                digital: false,
            },
            g_min: 0.0,
            levels: None,
        };
        let spec = Reading {
            arrays: a.clone(),
            dac,
            adc: None,
            noise_per_cell: per_cell,
            integer: false,
            exact: false,
            layer: 2,
        };
        let codes: Vec<f32> = (0..24).map(|k| (k % 4) as f32).collect();
        let x = case.given(input(&geo), Scope::Shared, codes.repeat(400));
        let one = case.given(Shape::Flat(1), Scope::Shared, vec![1.0]);
        let g = case.given(Shape::Flat(8 * 24), Scope::Shared, vec![0.0; 8 * 24]);
        let values: Vec<f32> = (0..8 * 24).map(|i| 0.01 * (1 + i % 5) as f32).collect();
        let exact: f64 = (0..24)
            .map(|k| f64::from(values[k]) * f64::from(codes[k] * codes[k]))
            .sum();
        let variance = case.given(Shape::Flat(8 * 24), Scope::Shared, values);
        let y = case.result(output(&geo), Scope::PerChip);
        let op = Op::from(Crossbar {
            x,
            x_step: one,
            g,
            variance: Some(variance),
            w_step: one,
            adc: None,
            range: None,
            correct: None,
            y,
            clipped: None,
            geo,
            post: Post::NONE,
            spec,
        });
        let [got] = case.run(&CpuBackend::new(), vec![op], [y]);
        let first: Vec<f64> = got.iter().step_by(8).map(|&v| v.into()).collect();
        let n = first.len() as f64;
        let mean = first.iter().sum::<f64>() / n;
        let var = first.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0);
        let (se_mean, se_var) = ((exact / n).sqrt(), exact * (2.0 / n).sqrt());
        assert!(mean.abs() < 6.0 * se_mean, "{per_cell}: mean {mean:e}");
        assert!(
            (var - exact).abs() < 6.0 * se_var,
            "{per_cell}: {var} instead of {exact}"
        );
        moments.push((var, se_var));
    }
    let [(a, ea), (b, eb)] = [moments[0], moments[1]];
    assert!((a - b).abs() < 6.0 * (ea * ea + eb * eb).sqrt());
}

/// Codes beyond the input's bits are limited, and a step that is not above 0 reads nothing.
#[test]
fn inputs_out_of_range() {
    let (lo, hi) = codes(&Dac {
        input_bits: 3,
        dac_bits: 1,
        signs: Some(InputSigns::TwosComplement),
        table: None,
        analog_sum: false,
    });
    assert_eq!((lo, hi), (-4, 3));
    let geo = ConvGeometry::linear(4, 1);
    for (x_step, want) in [(1.0, -4.0 + 3.0 + 2.0), (0.0, 0.0)] {
        let mut case = Case::new(1, 1, 1);
        let spec = Reading {
            arrays: Arrays {
                cols: 1,
                rows: 4,
                tile_rows: vec![0, 4].into(),
                tile_cols: vec![0, 1].into(),
                slice_bits: vec![1].into(),
                weight_bits: 2,
                encoding: Encoding::Differential {
                    two_sided: false,
                    digital: false,
                },
                g_min: 0.0,
                levels: None,
            },
            dac: Dac {
                input_bits: 3,
                dac_bits: 1,
                signs: Some(InputSigns::TwosComplement),
                table: None,
                analog_sum: false,
            },
            adc: None,
            noise_per_cell: false,
            integer: false,
            exact: false,
            layer: 1,
        };
        let x = case.given(input(&geo), Scope::Shared, vec![-9.0, 8.0, 2.0, 0.0]);
        let step = case.given(Shape::Flat(1), Scope::Shared, vec![x_step]);
        let one = case.given(Shape::Flat(1), Scope::Shared, vec![1.0]);
        let g = case.given(Shape::Flat(4), Scope::Shared, vec![1.0; 4]);
        let y = case.result(output(&geo), Scope::PerChip);
        let op = Op::from(Crossbar {
            x,
            x_step: step,
            g,
            variance: None,
            w_step: one,
            adc: None,
            range: None,
            correct: None,
            y,
            clipped: None,
            geo,
            post: Post::NONE,
            spec,
        });
        let [got] = case.run(&CpuBackend::new(), vec![op], [y]);
        assert_eq!(got, [want]);
    }
}
