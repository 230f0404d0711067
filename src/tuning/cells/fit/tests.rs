//! Corrections from the truth against whatever else has their form.

mod tile;

use nalgebra::{DMatrix, DVector};

use super::*;
use crate::chip::ChipVariation;
use crate::chip::cell_form::{self, Key, Place, Reader};
use crate::chip::cells::{self, InputCodes};
use crate::chip::layer::CellLayer;
use crate::config::Experiment;
use crate::effects::Limits;
use crate::network::lower::layer_address;
use crate::program::{ConvGeometry, Reading};
use crate::random::{self, Purpose, Stream};
use crate::tuning::cells::{CellTuner, TunedLayer, tuned};

const ROWS: usize = 20;
const COLS: usize = 13;
const CASES: u32 = 200;

/// Numbers of a case.
struct Draw(Stream, u32);

impl Draw {
    fn new(case: u32) -> Self {
        Self(Stream::new(1, Purpose::Design, 0, 0, case), 0)
    }
    fn word(&mut self) -> u32 {
        self.1 += 1;
        self.0.word(self.1)
    }
    fn of<T: Copy>(&mut self, values: &[T]) -> T {
        values[(self.word() >> 8) as usize % values.len()]
    }
}

/// One layer on one chip of a case.
struct Case {
    text: String,
    layer: CellLayer,
    codes: Vec<i32>,
    /// Common deviation of every array.
    arrays: Vec<f32>,
    /// Corrections as a session gets them.
    correct: Vec<[f32; 2]>,
    /// Read planes of the chip, and what they should be.
    g: Vec<f64>,
    ideal: Vec<f64>,
}

/// An experiment in which only common parts deviate and nothing rounds.
fn text(d: &mut Draw) -> String {
    let law = d.of(&["weight-proportional", "layer-fixed"]);
    let bits = d.of(&[2u32, 4, 6]);
    let cells = d.of(&[
        "subtraction = \"analog\"",
        "subtraction = \"analog\"\ntwo_sided = true",
        "subtraction = \"digital\"",
        "subtraction = \"digital\"\ntwo_sided = true",
        "encoding = \"offset\"",
        "encoding = \"offset\"\nreference = 2",
    ]);
    let offset = cells.contains("offset");
    let pairs = bits - u32::from(!offset);
    let slices = match d.of(&[0, 1]) {
        0 => format!("slice_bits = [{pairs}]"),
        _ => format!("slice_bits = {}", d.of(&[1, 2])),
    };
    let table = match d.of(&[false, false, false, true]) && slices == "slice_bits = [3]" {
        true => "levels = [0.1, 0.15, 0.3, 0.4, 0.6, 0.7, 0.8, 1.0]\n",
        false => "",
    };
    let ratio = d.of(&["inf", "20.0", "4.0"]);
    let [b, layer, array] = [0; 3].map(|_| d.of(&[0.0, 0.05, 0.1]));
    let drift = d.of(&["", "nu = 0.05\n", "nu = [0.1, 0.02]\n"]);
    let drift = match drift {
        "" => String::new(),
        nu => format!("[chip.drift]\ntime_s = 1e4\n{nu}"),
    };
    let non_negative = d.of(&[true, false]);
    let clip = d.of(&["", "", "clip = 1.05\n"]);
    let distribution = d.of(&["gaussian", "truncated", "lognormal"]);
    let equal = d.of(&[1, 1, 2]);
    format!(
        "fidelity = \"cell\"\n[quantize]\nweight_bits = {bits}\nactivation_bits = 4\ninput_bits = 4\n\
         [chip.array]\nrows = 8\ncols = 5\n[chip.adc]\nbits = 0\n\
         [chip.cells]\non_off_ratio = {ratio}\n{cells}\n{slices}\nequal_slices = {equal}\n{table}{drift}\
         [chip.programming]\nnon_negative = {non_negative}\n{clip}\
         [variation]\nlaw = \"{law}\"\ndistribution = \"{distribution}\"\nsigma_b = {b}\nsigma_layer = {layer}\n\
         sigma_array = {array}\n[tuning]\nmethod = \"oracle\"\n"
    )
}

impl Case {
    fn new(case: u32) -> Self {
        let mut d = Draw::new(case);
        let text = text(&mut d);
        let e = Experiment::parse(&text, "test").unwrap();
        let bits = e.quantize.weight_bits;
        let geo = ConvGeometry::linear(ROWS, COLS);
        let input = InputCodes {
            bits: 4,
            signed: true,
        };
        let mut layer =
            cells::layer(&e.chip, &e.variation, &geo, bits, input, layer_address(0)).unwrap();
        (layer.wires, layer.tuned) = (None, tuned(&e.tuning));
        let top = (1 << (bits - 1)) - 1;
        // Some layers have weights of one sign mostly, and many zeros.
        let shift = d.of(&[0, 0, 1]);
        let equal = layer.programming.arrays.equal_slices as i32;
        let codes: Vec<i32> = (0..ROWS * COLS)
            .map(|_| ((d.word() >> 8) as i32 % (2 * top + 1) - top + shift).clamp(-top, top))
            .map(|code| equal * code)
            .collect();
        let q: Vec<f32> = codes.iter().map(|&c| c as f32).collect();
        let chips = ChipVariation::new(&e.variation).unwrap();
        let held = Held::new(&layer.programming.arrays, &q, &[1.0]);
        let tuned = TunedLayer {
            cells: layer.clone(),
            geo,
            held,
        };
        let tuner = CellTuner::new(&e.tuning, &chips, vec![tuned]);
        let told = tuner.chip(3, case, &chips).layers.remove(0);
        let p = &layer.programming;
        let key = Key {
            seed: 3,
            flags: 0,
            chip: case,
        };
        let mut nominal = p.clone();
        nominal.effects.make_nominal();
        nominal.effects.limits.clip = f32::INFINITY;
        let none = vec![0.0; told.arrays.len()];
        Self {
            g: cell_form::program(&codes, &told.arrays, p, key).g,
            ideal: cell_form::program(&codes, &none, &nominal, key).g,
            correct: told.correct.as_chunks().0.to_vec(),
            arrays: told.arrays,
            codes,
            layer,
            text,
        }
    }

    /// Whether one gain and one offset an array can be right, from the law.
    fn is_exact(&self) -> bool {
        let p = &self.layer.programming;
        let a = &p.arrays;
        let alike = self.arrays.iter().all(|e| *e == self.arrays[0]);
        let even = alike || a.encoding_is_even();
        let table = a.levels.is_none() || alike || a.polarities() == 1 || a.is_digital();
        let drift = p
            .effects
            .drift
            .exponent
            .as_ref()
            .is_none_or(|d| d.mean.iter().all(|n| *n == d.mean[0]));
        even && table && drift && !self.is_limited()
    }

    /// Whether a cell of the chip is at its limits.
    fn is_limited(&self) -> bool {
        let p = &self.layer.programming;
        let mut free = p.clone();
        free.effects.limits = Limits::default();
        let key = Key {
            seed: 3,
            flags: 0,
            chip: 0,
        };
        cell_form::program(&self.codes, &self.arrays, &free, key).g != self.g
    }

    /// What an output is wrong by, for every weight, with other corrections than the chip's where given.
    fn errors(&self, pair: impl Fn(usize, usize, usize) -> [f64; 2]) -> Vec<f64> {
        let a = &self.layer.programming.arrays;
        let n = a.plane_len();
        let of = |i: usize| -> f64 {
            let (o, k) = (i / a.rows, i % a.rows);
            let planes = (0..a.read_planes()).map(|p| {
                let [gain, offset] = pair(p, o, k);
                f64::from(a.place(p)) * (gain * self.g[p * n + i] - offset - self.ideal[p * n + i])
            });
            planes.sum()
        };
        (0..n).map(of).collect()
    }

    fn own(&self, p: usize, o: usize, k: usize) -> [f64; 2] {
        let a = &self.layer.programming.arrays;
        self.correct[(a.row_tile(k) * a.read_planes() + p) * a.cols + o].map(f64::from)
    }

    /// The least sum of squares over the weights of a tile, by a decomposition of its whole matrix, and the chip's;
    /// nothing where the least needs gains that are not allowed.
    fn least(&self, (r, c): (usize, usize)) -> Option<(f64, f64)> {
        let a = &self.layer.programming.arrays;
        let n = a.plane_len();
        let inside: Vec<usize> = (0..n)
            .filter(|i| a.row_tile(i % a.rows) == r && a.col_tile(i / a.rows) == c)
            .collect();
        let planes = a.read_planes();
        let matrix = DMatrix::from_fn(inside.len(), planes + 1, |i, p| match p < planes {
            true => f64::from(a.place(p)) * self.g[p * n + inside[i]],
            false => 1.0,
        });
        let wanted = DVector::from_iterator(
            inside.len(),
            inside.iter().map(|&i| {
                let planes = (0..planes).map(|p| f64::from(a.place(p)) * self.ideal[p * n + i]);
                planes.sum::<f64>()
            }),
        );
        let svd = matrix.clone().svd(true, true);
        let best = svd.solve(&wanted, 1e-9).unwrap();
        let own = self.errors(|p, o, k| self.own(p, o, k));
        let of_own = inside.iter().map(|&i| own[i] * own[i]).sum();
        let allowed = best
            .rows(0, planes)
            .iter()
            .all(|g| (LEAST_GAIN..=10.0).contains(g));
        allowed.then(|| ((matrix * best - wanted).norm_squared(), of_own))
    }
}

impl Arrays {
    fn is_digital(&self) -> bool {
        matches!(self.encoding, Encoding::Differential { digital: true, .. })
    }

    /// Whether arrays with different deviations are read alone, or a pair moves on both sides.
    fn encoding_is_even(&self) -> bool {
        !matches!(
            self.encoding,
            Encoding::Differential {
                digital: false,
                two_sided: false
            }
        )
    }
}

/// Output errors of full scale: codes, inputs and rows at their largest.
#[test]
fn the_oracle_is_exact_where_a_gain_and_an_offset_can_be_and_the_least_elsewhere() {
    let (mut exact, mut left, mut compared, mut worst) = (0, 0, 0, 0.0f64);
    for number in 0..CASES {
        let case = Case::new(number);
        let a = &case.layer.programming.arrays;
        let full = case.codes.iter().map(|c| c.abs()).max().unwrap_or(1).max(1) as f64;
        let (tiles, columns) = (a.row_tiles(), a.col_tiles());
        for tile in (0..tiles * columns).map(|t| (t / columns, t % columns)) {
            let Some((least, own)) = case.least(tile) else {
                continue;
            };
            compared += 1;
            // Corrections are f32; a millionth of what the planes can hold, cell by cell.
            let planes = (0..a.read_planes())
                .map(|p| f64::from(a.place(p).unsigned_abs() * a.top_digit(a.slice_of(p))));
            let largest = planes.sum::<f64>() / (1.0 - f64::from(a.g_min));
            let rounding = (8 * 5) as f64 * (1e-6 * largest).powi(2);
            assert!(
                own <= least * (1.0 + 1e-5) + rounding,
                "case {number} {tile:?}: {own}, least {least}\n{}",
                case.text
            );
        }
        // The same through the whole read of an output, with white inputs.
        let spec = Reading {
            exact: false,
            ..case.layer.reading.clone()
        };
        let reader = |g, correct| Reader {
            spec: &spec,
            g,
            variance: None,
            converters: &[],
            ranges: &[],
            correct,
            key: Key {
                seed: 3,
                flags: 0,
                chip: number,
            },
            near: 0.0,
        };
        let errors = case.errors(|p, o, k| case.own(p, o, k));
        let mut d = Draw::new(CASES + number);
        let x: Vec<i32> = (0..ROWS).map(|_| (d.word() >> 8) as i32 % 15 - 7).collect();
        let place = Place {
            image: 0,
            pixel: 0,
            pixels: 1,
        };
        let is = reader(&case.g, Some(&case.correct))
            .pixel(|_, k| x[k], place)
            .u;
        let should = reader(&case.ideal, None).pixel(|_, k| x[k], place).u;
        let largest = 7.0 * full * ROWS as f64;
        for (o, (is, should)) in is.iter().zip(&should).enumerate() {
            let sum: f64 = (0..ROWS)
                .map(|k| errors[o * ROWS + k] * f64::from(x[k]))
                .sum();
            assert!((is - should - sum).abs() < 1e-9 * largest, "case {number}");
            let wrong = (is - should).abs() / largest;
            if case.is_exact() {
                worst = worst.max(wrong);
                assert!(
                    wrong < 1e-6,
                    "case {number}: {wrong} of full scale\n{}",
                    case.text
                );
            }
        }
        match case.is_exact() {
            true => exact += 1,
            false => left += 1,
        }
    }
    assert!(
        exact > 60 && left > 40 && compared > 5 * CASES,
        "{exact} exact, {left} not, {compared} tiles, {worst}"
    );
}

/// A reference knows gains alone; the floor bounds them.
#[test]
fn gains_stay_inside_their_bounds() {
    for number in 0..20 {
        let case = Case::new(number);
        let q: Vec<f32> = case.codes.iter().map(|&c| c as f32).collect();
        let p = &case.layer.programming;
        let held = Held::new(&p.arrays, &q, &[1.0]);
        for floor in [0.9, 1.0] {
            let fit = Fit {
                cells: p,
                held: &held,
                floor,
                offsets: false,
            };
            let e: Vec<f64> = case.arrays.iter().map(|&e| 4.0 * f64::from(e)).collect();
            for pair in fit.tile((0, 0), &e) {
                assert!((LEAST_GAIN..=1.0 / floor).contains(&pair.gain), "{pair:?}");
                assert_eq!(pair.offset, 0.0);
            }
        }
        assert!(random::uniform(Draw::new(number).word()) < 1.0);
    }
}
