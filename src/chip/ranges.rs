//! Ranges of converters in closed form (docs/cells.md 6).
//!
//! A converter maps a sum `v` (level units times drive) to the code `round((v - lo)/lsb)`. With
//! codes of sign and magnitude `lo = 0`; with uniform codes `lo` is the value of code 0.

use crate::program::{Adc, Arrays, CodeRange, Dac, Encoding, InputSigns, Reading};

/// Smallest difference of two nominal sums, in level units: half a level where both cells of a pair
/// move and each has its own converter, else one.
pub fn grain(arrays: &Arrays) -> f64 {
    match arrays.encoding {
        Encoding::Differential {
            two_sided: true,
            digital: true,
        } => 0.5,
        _ => 1.0,
    }
}

/// What digit 0 conducts of a cell that is read alone, level units: it is in every sum, times the sum of
/// the drives, and only digital subtraction removes it. 0 where a pair or a reference column does, and
/// with a table, whose levels have no common step.
fn base(arrays: &Arrays, slice: usize) -> f64 {
    match (arrays.encoding, &arrays.levels) {
        (
            Encoding::Differential { digital: true, .. } | Encoding::Offset { reference: 0 },
            None,
        ) => f64::from(arrays.g_min) * f64::from(arrays.level_units(slice)),
        _ => 0.0,
    }
}

/// `g_min` is an `f32`, and a converter has at most 2^14 codes: a sum that is off by so little is nowhere
/// near half a code.
const SAME: f64 = 1e-6;

/// The fewest parts, at most `most`, that a grain must be cut into so that steps of one part give exact
/// products; `None` where there are none.
///
/// Nominal sums are `(n + m base/grain) grain` with integers `n` and `m`. With an offset the base is taken
/// away times the sum of the inputs, whatever the converter rounded, so it has to be whole parts. Of a pair
/// that is subtracted digitally both halves hold the same `m base`, and round it the same way unless it
/// lies half-way between two codes, where rounding goes to even ones: halves must be whole parts then.
fn parts(arrays: &Arrays, slice: usize, grain: f64, most: u64) -> Option<u64> {
    let ratio = base(arrays, slice) / grain;
    let whole = |parts: u64| {
        let place = ratio * parts as f64;
        (place - place.round()).abs() <= SAME * place
    };
    let needed = (1..=most.max(1 << 14)).find(|p| whole(*p));
    match (arrays.encoding, needed) {
        (Encoding::Differential { .. }, None) => Some(1),
        (Encoding::Differential { .. }, Some(parts)) => Some(1 << parts.trailing_zeros()),
        (Encoding::Offset { .. }, parts) => parts,
    }
    .filter(|parts| *parts <= most)
}

/// Whether codes can be added as integers ([`Reading::integer`]): all converters share a step, and the
/// sum of all codes fits 32 bits.
pub fn add_integers(reading: &Reading, pairs: &[[f32; 2]]) -> bool {
    let integer = Reading {
        integer: true,
        ..reading.clone()
    };
    share_one_step(pairs) && integer.is_possible()
}

/// Whether all converters have the first one's step and `lo = 0`.
fn share_one_step(pairs: &[[f32; 2]]) -> bool {
    pairs.iter().all(|p| p[0] == pairs[0][0] && p[1] == 0.0)
}

/// The ranges of a layer's converters, to be those of the whole chip.
#[derive(Debug)]
pub struct Shared<'a> {
    /// Where the cells are.
    pub arrays: &'a Arrays,
    /// The converters.
    pub adc: &'a Adc,
    /// Pairs `(lsb, lo)`, `[read plane][column]`.
    pub pairs: &'a mut Vec<[f32; 2]>,
}

impl Shared<'_> {
    /// Step of converter `i` in units of `G_max` at one level of drive, and its highest code.
    fn unit(&self, i: usize) -> (f32, i32) {
        let slice = self.arrays.slice_of(i / self.arrays.cols);
        let top = self.adc.codes_of(slice).hi;
        (self.arrays.level_units(slice), top)
    }
}

/// One reference for the whole chip: every converter gets the largest range of all layers, in
/// current. Where all have as many codes that is the largest step.
pub fn share(layers: &mut [Shared]) {
    let tops = layers.iter().flat_map(|l| l.adc.codes.iter().map(|c| c.hi));
    let most = tops.max().unwrap_or(1) as f32;
    let steps = layers.iter().flat_map(|l| {
        let steps = l.pairs.iter().enumerate();
        steps.map(move |(i, pair)| {
            let (unit, top) = l.unit(i);
            pair[0] / unit * (top as f32 / most)
        })
    });
    let largest = steps.fold(0.0, f32::max);
    for l in layers {
        for i in 0..l.pairs.len() {
            let (unit, top) = l.unit(i);
            let lsb = largest * unit / (top as f32 / most);
            let [step, lo] = l.pairs[i];
            l.pairs[i] = [lsb, lo / step * lsb];
        }
    }
}

/// The converters of a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Converters {
    arrays: Arrays,
    /// Smallest and largest nominal sum of every read plane.
    spans: Vec<[f64; 2]>,
    /// Codes of every read plane's converters.
    codes: Vec<CodeRange>,
    /// Level units of `G_max` of every read plane.
    units: Vec<f64>,
}

impl Converters {
    /// For arrays read through these.
    pub fn new(arrays: &Arrays, dac: &Dac, adc: &Adc) -> Self {
        let rows = arrays.tile_rows.windows(2).map(|w| w[1] - w[0]);
        let rows = f64::from(rows.max().unwrap_or(0));
        let drive = drives(dac);
        let span = |p: usize| {
            let cell = cell_span(arrays, arrays.slice_of(p));
            let products = [0, 1, 2, 3].map(|i| cell[i / 2] * drive[i % 2]);
            let low = products.iter().copied().fold(0.0, f64::min);
            let high = products.iter().copied().fold(0.0, f64::max);
            [rows * low, rows * high]
        };
        let unit = |p: usize| f64::from(arrays.level_units(arrays.slice_of(p)));
        Self {
            spans: (0..arrays.read_planes()).map(span).collect(),
            units: (0..arrays.read_planes()).map(unit).collect(),
            codes: (0..arrays.read_planes())
                .map(|p| adc.codes_of(arrays.slice_of(p)))
                .collect(),
            arrays: arrays.clone(),
        }
    }

    /// The arrays they belong to.
    pub fn arrays(&self) -> &Arrays {
        &self.arrays
    }

    /// Codes of a read plane.
    pub fn codes(&self, plane: usize) -> CodeRange {
        self.codes[plane]
    }

    /// Smallest and largest nominal sum of a read plane, level units times drive.
    pub fn span(&self, plane: usize) -> [f64; 2] {
        self.spans[plane]
    }

    /// Level units of a fully conducting cell of a read plane.
    pub fn unit(&self, plane: usize) -> f64 {
        self.units[plane]
    }

    /// Whether a read plane sees sums of both signs.
    pub fn has_signs(&self, plane: usize) -> bool {
        self.spans[plane][0] < 0.0
    }

    /// Step and value of code 0 of a converter whose largest magnitude inside is `limit`: uniform
    /// codes of sums of both signs go from `-limit` to `limit`.
    pub fn of_limit(&self, plane: usize, limit: f64) -> [f64; 2] {
        of_limit(self.codes[plane], self.has_signs(plane), limit)
    }

    /// The same for a step: uniform codes of both signs have the value 0 at code `(hi + 1)/2`, so
    /// that zero is a code.
    fn of_step(&self, plane: usize, lsb: f64) -> [f64; 2] {
        let CodeRange { lo, hi } = self.codes[plane];
        match (lo, self.has_signs(plane)) {
            (0, true) => [lsb, -lsb * f64::from((hi + 1) / 2)],
            _ => [lsb, 0.0],
        }
    }

    fn every(&self, of: impl Fn(usize) -> [f64; 2]) -> Vec<[f32; 2]> {
        let planes = (0..self.spans.len()).map(of);
        planes
            .flat_map(|[lsb, lo]| std::iter::repeat_n([lsb as f32, lo as f32], self.arrays.cols))
            .collect()
    }

    /// Nothing that the nominal cells give clips. Where there are codes enough for steps of one grain, or
    /// of the part of it that makes products exact, a step is that or a power of two part of it,
    /// the smallest that fits, and products of nominal cells are exact. Where there are codes for the
    /// grain only, what digit 0 conducts is rounded.
    pub fn full(&self) -> Vec<[f32; 2]> {
        self.every(|p| self.full_of(p))
    }

    /// The same for one read plane: step and value of code 0.
    pub fn full_of(&self, p: usize) -> [f64; 2] {
        let grain = grain(&self.arrays);
        let CodeRange { lo, hi } = self.codes[p];
        let most = self.most(p);
        let top = match (lo, self.has_signs(p)) {
            // Zero at code (hi + 1)/2 leaves one code less above it than below.
            (0, true) => (f64::from(hi) / 2.0).floor(),
            _ => f64::from(hi),
        };
        if most <= top * grain && most > 0.0 {
            let room = top * grain / most;
            let slice = self.arrays.slice_of(p);
            let parts = parts(&self.arrays, slice, grain, room as u64).unwrap_or(1) as f64;
            self.of_step(p, grain / parts / 2f64.powf((room / parts).log2().floor()))
        } else {
            // With nothing to read any range does.
            self.of_limit(p, most.max(grain))
        }
    }

    /// Largest magnitude of a nominal sum of a read plane.
    pub fn most(&self, plane: usize) -> f64 {
        let [low, high] = self.spans[plane];
        high.max(-low)
    }

    /// One code is one level.
    pub fn granular(&self) -> Vec<[f32; 2]> {
        let grain = grain(&self.arrays);
        self.every(|p| self.of_step(p, grain))
    }

    /// `limits` in fully conducting cells at one level of drive: one value, or one a slice.
    pub fn fixed(&self, limits: &[f64]) -> Vec<[f32; 2]> {
        self.every(|p| {
            let limit = limits[self.arrays.slice_of(p) % limits.len()];
            self.of_limit(p, limit * self.units[p])
        })
    }
}

/// Step and value of code 0 of converters with these codes whose largest magnitude inside is `limit`, for
/// sums of both signs or of one.
pub fn of_limit(codes: CodeRange, signs: bool, limit: f64) -> [f64; 2] {
    match (codes.lo, signs) {
        (0, true) => [limit / (f64::from(codes.hi) / 2.0), -limit],
        _ => [limit / f64::from(codes.hi), 0.0],
    }
}

/// Smallest and largest conductance difference that a read plane of a slice sees of one pair or
/// cell, level units.
fn cell_span(arrays: &Arrays, slice: usize) -> [f64; 2] {
    let unit = f64::from(arrays.level_units(slice));
    let top = f64::from(arrays.top_digit(slice));
    let base = f64::from(arrays.g_min) * unit;
    let of_digit = |d: u32| match &arrays.levels {
        Some(levels) => f64::from(levels[d as usize]) * unit,
        None => base + f64::from(d),
    };
    let all = (0..=arrays.top_digit(slice)).map(of_digit);
    let low = all.clone().fold(f64::INFINITY, f64::min);
    let high = all.fold(f64::NEG_INFINITY, f64::max);
    match arrays.encoding {
        Encoding::Differential { digital: false, .. } => {
            let difference = if arrays.levels.is_some() {
                high - low
            } else {
                top
            };
            [-difference, difference]
        }
        Encoding::Differential { digital: true, .. } | Encoding::Offset { reference: 0 } => {
            [low, high]
        }
        Encoding::Offset { .. } => {
            let middle = arrays.digit(arrays.offset_code(), slice);
            [low - of_digit(middle), high - of_digit(middle)]
        }
    }
}

/// Smallest and largest drive of a conversion.
fn drives(dac: &Dac) -> [f64; 2] {
    let top = |t: usize| {
        let digit = (1usize << dac.step_bits(t)) - 1;
        match &dac.table {
            Some(table) => table[..=digit].iter().copied().fold(0.0, f32::max).into(),
            None => digit as f64,
        }
    };
    let steps = 0..dac.steps();
    let most = match dac.analog_sum {
        true => {
            let weighted = steps.map(|t| f64::from(dac.place(t)) * top(t));
            let low: f64 = weighted.clone().filter(|w| *w < 0.0).sum();
            let high: f64 = weighted.filter(|w| *w > 0.0).sum();
            [low, high]
        }
        false => [0.0, steps.map(top).fold(0.0, f64::max)],
    };
    match dac.signs {
        Some(InputSigns::SignMagnitude) => [-most[1], most[1]],
        _ => most,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrays(encoding: Encoding, bits: &[u8], g_min: f32) -> Arrays {
        Arrays {
            cols: 2,
            rows: 25,
            tile_rows: [0, 10, 25].into(),
            tile_cols: [0, 2].into(),
            slice_bits: bits.into(),
            equal_slices: 1,
            weight_bits: 4,
            encoding,
            g_min,
            levels: None,
        }
    }

    fn dac(bits: u32, step: u32, signs: Option<InputSigns>, analog_sum: bool) -> Dac {
        Dac {
            input_bits: bits,
            dac_bits: step,
            signs,
            table: None,
            analog_sum,
        }
    }

    fn adc(lo: i32, hi: i32) -> Adc {
        Adc::with_codes(lo, hi)
    }

    const PAIR: Encoding = Encoding::Differential {
        two_sided: false,
        digital: false,
    };

    #[test]
    fn spans_are_the_largest_tile_times_the_largest_digit_and_drive() {
        let serial = dac(8, 1, None, false);
        let c = Converters::new(&arrays(PAIR, &[4, 2], 0.1), &serial, &adc(-127, 127));
        assert_eq!((c.span(0), c.span(1)), ([-225.0, 225.0], [-45.0, 45.0]));
        let whole = dac(8, 8, None, false);
        let digital = Encoding::Differential {
            two_sided: false,
            digital: true,
        };
        let c = Converters::new(&arrays(digital, &[2], 0.25), &whole, &adc(0, 255));
        // Of four levels from a quarter of G_max on, the lowest conducts one level.
        assert_eq!(c.span(1), [0.0, 15.0 * 255.0 * 4.0]);
        let twos = dac(8, 1, Some(InputSigns::TwosComplement), true);
        let c = Converters::new(&arrays(PAIR, &[4], 0.0), &twos, &adc(-1, 1));
        assert_eq!(c.span(0), [-15.0 * 15.0 * 128.0, 15.0 * 15.0 * 128.0]);
        let offset = Encoding::Offset { reference: 1 };
        let c = Converters::new(&arrays(offset, &[2, 2], 0.0), &serial, &adc(-1, 1));
        // The reference column holds 8: digits 0 and 2.
        assert_eq!((c.span(0), c.span(1)), ([0.0, 45.0], [-30.0, 15.0]));
        let mut table = arrays(PAIR, &[2], 0.0);
        table.levels = Some([0.1, 0.2, 0.5, 1.0].into());
        let c = Converters::new(&table, &serial, &adc(-1, 1));
        // Levels are f32.
        assert!((c.span(0)[1] - 15.0 * 0.9 * 3.0).abs() < 1e-5);
    }

    #[test]
    fn full_ranges_are_exact_where_the_bits_suffice_and_never_clip() {
        let serial = dac(8, 1, None, false);
        let with =
            |lo, hi| Converters::new(&arrays(PAIR, &[2], 0.0), &serial, &adc(lo, hi)).full()[0];
        // Sums up to 45.
        assert_eq!(with(-127, 127), [0.5, 0.0]);
        assert_eq!(with(-63, 63), [1.0, 0.0]);
        assert_eq!(with(-31, 31), [45.0 / 31.0, 0.0]);
        assert_eq!(with(0, 127), [1.0, -64.0]);
        assert_eq!(with(0, 63), [90.0 / 63.0, -45.0]);
        let offset = Encoding::Offset { reference: 0 };
        let c = Converters::new(&arrays(offset, &[2, 2], 0.0), &serial, &adc(0, 63));
        assert_eq!(c.full(), [[1.0, 0.0]; 4]);
        assert_eq!(c.granular(), [[1.0, 0.0]; 4]);
        for (lo, hi) in [(-127, 127), (-9, 9), (0, 255), (0, 12)] {
            let c = Converters::new(&arrays(PAIR, &[4, 1], 0.0), &serial, &adc(lo, hi));
            for (i, [lsb, zero]) in c.full().into_iter().enumerate() {
                for v in c.span(i / 2) {
                    let code = (v - f64::from(zero)) / f64::from(lsb);
                    assert!(
                        code > f64::from(lo) - 0.5 && code < f64::from(hi) + 0.5,
                        "{code}"
                    );
                }
            }
        }
    }

    /// Of a hundredth of `G_max` digit 0 of two bits conducts 1/33 level, of a third 1.5.
    #[test]
    fn full_ranges_are_exact_where_digit_0_conducts_too() {
        let serial = dac(8, 1, None, false);
        let with = |encoding, g_min, hi| {
            let c = Converters::new(&arrays(encoding, &[2, 2], g_min), &serial, &adc(0, hi));
            c.full()[0]
        };
        let offset = Encoding::Offset { reference: 0 };
        // 15 rows of 3 + 1/33 levels are 1500 steps of 1/33.
        assert_eq!(with(offset, 0.01, 1499), [1.0 / 32.0, 0.0]);
        assert_eq!(with(offset, 0.01, 1501), [1.0 / 33.0, 0.0]);
        assert_eq!(with(offset, 0.01, 3001), [1.0 / 66.0, 0.0]);
        assert_eq!(with(offset, 0.25, 60), [1.0, 0.0]);
        let third = 1.0 / 3.0;
        assert_eq!(with(offset, third, 136), [0.5, 0.0]);
        let pair = Encoding::Differential {
            two_sided: false,
            digital: true,
        };
        // Both halves round 1/33 alike, but what lies half-way to the even code.
        assert_eq!(with(pair, 0.01, 60), [1.0, 0.0]);
        assert_eq!(with(pair, third, 134), [1.0, 0.0]);
        assert_eq!(with(pair, third, 136), [0.5, 0.0]);
        // A reference column takes it before the converter.
        assert_eq!(with(Encoding::Offset { reference: 1 }, 0.01, 89)[0], 1.0);
    }

    #[test]
    fn fixed_ranges_count_fully_conducting_cells() {
        let serial = dac(8, 1, None, false);
        let a = arrays(PAIR, &[4, 2], 0.5);
        let c = Converters::new(&a, &serial, &adc(-127, 127));
        // 8 cells of 15 levels over half of G_max: 8 * 30 level units.
        assert_eq!(c.fixed(&[8.0])[0], [240.0 / 127.0, 0.0]);
        assert_eq!(c.fixed(&[8.0, 127.0])[2], [6.0, 0.0]);
    }

    #[test]
    fn a_shared_reference_is_the_largest_in_current() {
        let (a, b) = (arrays(PAIR, &[4], 0.0), arrays(PAIR, &[2], 0.0));
        let (mut x, mut y) = (vec![[15.0, 0.0]; 2], vec![[6.0, -12.0]; 2]);
        let same = adc(-127, 127);
        shared((&a, &same, &mut x), (&b, &same, &mut y));
        assert_eq!((x[0], y[0]), ([30.0, 0.0], [6.0, -12.0]));
        assert!(share_one_step(&x) && !share_one_step(&y));
    }

    /// Two slices whose converters have 127 and 63 codes a side: the second has twice the step.
    #[test]
    fn a_shared_reference_is_a_range_whatever_the_codes() {
        let (a, b) = (arrays(PAIR, &[2, 2], 0.0), arrays(PAIR, &[2], 0.0));
        let mut by_slice = adc(-126, 126);
        by_slice.codes = [126, 63].map(|hi| CodeRange { lo: -hi, hi }).into();
        let (mut x, mut y) = (vec![[1.0, 0.0]; 4], vec![[3.0, 0.0]; 2]);
        shared((&a, &by_slice, &mut x), (&b, &adc(-63, 63), &mut y));
        assert_eq!(x, [[1.5, 0.0], [1.5, 0.0], [3.0, 0.0], [3.0, 0.0]]);
        assert_eq!(y, [[3.0, 0.0]; 2]);
    }

    type Of<'a> = (&'a Arrays, &'a Adc, &'a mut Vec<[f32; 2]>);

    fn shared(x: Of, y: Of) {
        share(&mut [x, y].map(|(arrays, adc, pairs)| Shared { arrays, adc, pairs }));
    }

    /// Seven slices of one bit and a wide converter: of two row tiles all codes fit 32 bits, of 25 they do
    /// not (8191 x 255 x 127 x 25).
    #[test]
    fn codes_are_added_as_integers_where_32_bits_hold_them() {
        let reading = |tile_rows: Vec<u32>| Reading {
            arrays: Arrays {
                tile_rows: tile_rows.into(),
                weight_bits: 8,
                ..arrays(PAIR, &[1; 7], 0.0)
            },
            dac: dac(8, 1, None, false),
            adc: Some(adc(-8191, 8191)),
            noise_per_cell: false,
            integer: false,
            exact: false,
            layer: 0,
        };
        let (few, many) = (reading(vec![0, 10, 25]), reading((0..=25).collect()));
        let same = [[1.5, 0.0]; 14];
        assert!(add_integers(&few, &same) && !add_integers(&many, &same));
        assert!(many.is_possible(), "as floats they can be added");
        assert!(!add_integers(&few, &[[1.5, -3.0]; 14]));
    }
}
