use proptest::prelude::*;

use super::*;
use crate::chip::cells::{InputCodes, layer};
use crate::chip::layer::CellLayer;
use crate::config::chip::{
    Accumulate, AdcBits, AdcCodes, AdcRange, CellEncoding, Curve as Config, SliceBits, Split,
    Subtraction,
};
use crate::config::{Chip, Variation};
use crate::program::{ConvGeometry, InputSigns, Law};

const KEY: Key = Key {
    seed: 5,
    flags: 0,
    chip: 3,
};

/// Standard errors a statistic may be off.
const Z: f64 = 6.0;

fn lcg(state: &mut u32) -> u32 {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    *state >> 8
}

/// Random codes of so many bits with sign, or of `0 ..= top`.
fn random_codes(n: usize, top: i32, signed: bool, seed: u32) -> Vec<i32> {
    let mut state = seed;
    let mut one = || {
        let sign = if signed && lcg(&mut state) % 2 == 1 {
            -1
        } else {
            1
        };
        sign * (lcg(&mut state) as i32 % (top + 1))
    };
    (0..n).map(|_| one()).collect()
}

fn spec(
    chip: &Chip,
    variation: &Variation,
    rows: usize,
    cols: usize,
    weight_bits: u32,
    input: InputCodes,
) -> CellLayer {
    layer(
        chip,
        variation,
        &ConvGeometry::linear(rows, cols),
        weight_bits,
        input,
        1,
    )
    .unwrap()
}

fn known(cells: &CellLayer) -> Vec<[f32; 2]> {
    let a = &cells.reading.arrays;
    let none = || vec![[1.0, 0.0]; a.read_planes() * a.cols];
    cells.ranges.clone().unwrap_or_else(none)
}

const PLACE: Place = Place {
    image: 0,
    pixel: 0,
    pixels: 1,
};

fn read(cells: &CellLayer, weights: &[i32], inputs: &[i32], array: &[f32], key: Key) -> Pixel {
    let made = program(weights, array, &cells.programming, key);
    let ranges = known(cells);
    let converters = converters(&ranges, None, &cells.errors, key);
    let reader = Reader {
        spec: &cells.reading,
        g: &made.g,
        variance: cells.reads_noise().then_some(&made.variance),
        converters: &converters,
        ranges: &ranges,
        correct: None,
        key,
        near: 0.0,
    };
    reader.pixel(|_, row| inputs[row], PLACE)
}

fn exact(weights: &[i32], inputs: &[i32]) -> Vec<f64> {
    let columns = weights.chunks_exact(inputs.len());
    columns
        .map(|w| w.iter().zip(inputs).map(|(w, x)| f64::from(w * x)).sum())
        .collect()
}

fn chips() -> impl Strategy<Value = (Chip, u32, InputCodes)> {
    let mapping = (1u32..=8, 1u32..=8, any::<[bool; 5]>(), 0u32..3, 1usize..20);
    let converter = (
        2u32..=8,
        any::<bool>(),
        1u32..=3,
        any::<[bool; 4]>(),
        12u32..=14,
    );
    (mapping, converter).prop_map(|(mapping, converter)| {
        let (weight_bits, slice, [offset, two, digital, filled, none], reference, rows) = mapping;
        let (bits, signed, step, [twos, analog, uniform, by_slice], adc_bits) = converter;
        let mut chip = Chip::default();
        chip.array.rows = rows;
        chip.array.split = if filled { Split::Filled } else { Split::Even };
        chip.cells.slice_bits = SliceBits::Each(slice);
        if offset {
            chip.cells.encoding = CellEncoding::Offset;
            chip.cells.reference = reference;
        } else {
            chip.cells.two_sided = two;
            if digital {
                chip.cells.subtraction = Subtraction::Digital;
            }
        }
        // Only a top step of one bit can be subtracted.
        let twos = twos && signed && (bits - 1) % step == 0;
        chip.dac.bits = step;
        chip.dac.signs = if twos {
            InputSigns::TwosComplement
        } else {
            InputSigns::SignMagnitude
        };
        if analog {
            chip.dac.accumulate = Accumulate::Analog;
        }
        let slices = chip.cells.slices(weight_bits).len() as u32;
        chip.adc.bits = match (none, by_slice) {
            (true, _) => AdcBits::Same(0),
            (false, false) => AdcBits::Same(adc_bits),
            (false, true) => AdcBits::BySlice((0..slices).map(|s| adc_bits - s % 2).collect()),
        };
        chip.adc.codes = if uniform {
            AdcCodes::Uniform
        } else {
            AdcCodes::SignMagnitude
        };
        (chip, weight_bits, InputCodes { bits, signed })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn ideal_cells_and_a_full_range_give_the_integer_product(
        (chip, weight_bits, input) in chips(),
        rows in 1usize..40,
        cols in 1usize..5,
        seed in any::<u32>(),
    ) {
        let cells = spec(&chip, &Variation::default(), rows, cols, weight_bits, input);
        let grain = crate::chip::ranges::grain(&cells.reading.arrays) as f32;
        // A step above one level rounds.
        prop_assume!(cells.reading.adc.is_none() || known(&cells).iter().all(|r| r[0] <= grain));
        let q = ((1 << (weight_bits - 1)) - 1).max(1);
        let mut weights = random_codes(rows * cols, q, true, seed);
        if weight_bits == 1 {
            weights.iter_mut().for_each(|w| *w = if *w > 0 { 1 } else { -1 });
        }
        let top = if input.signed { (1 << (input.bits - 1)) - 1 } else { (1 << input.bits) - 1 };
        let inputs = random_codes(rows, top, input.signed, seed ^ 1);
        let array = vec![0.0; cells.reading.arrays.cell_arrays()];
        let pixel = read(&cells, &weights, &inputs, &array, KEY);
        // Sums without a converter carry the rounding of f64.
        let slack = if cells.reading.adc.is_some() { 0.0 } else { 1e-9 };
        for (u, want) in pixel.u.iter().zip(exact(&weights, &inputs)) {
            prop_assert!((u - want).abs() <= slack, "{u} for {want}\n{:?}", cells.reading);
        }
        prop_assert!(pixel.conversions.iter().all(|c| !c.clipped));
    }
}

#[test]
fn an_additive_common_deviation_cancels_where_two_real_cells_are_subtracted() {
    let (rows, cols) = (30, 4);
    let weights = random_codes(rows * cols, 7, true, 1);
    let inputs = random_codes(rows, 15, false, 2);
    let input = InputCodes {
        bits: 4,
        signed: false,
    };
    let variation = Variation {
        law: Law::LayerFixed,
        ..Variation::default()
    };
    let outputs = |encoding, reference, e: f32| {
        let mut chip = Chip::default();
        chip.cells.encoding = encoding;
        chip.cells.reference = reference;
        chip.cells.slice_bits = SliceBits::Each(2);
        chip.programming.non_negative = false;
        chip.adc.bits = AdcBits::Same(0);
        let cells = spec(&chip, &variation, rows, cols, 4, input);
        let array = vec![e; cells.reading.arrays.cell_arrays()];
        read(&cells, &weights, &inputs, &array, KEY).u
    };
    for (encoding, reference, cancels) in [
        (CellEncoding::Differential, 0, true),
        (CellEncoding::Offset, 2, true),
        (CellEncoding::Offset, 0, false),
    ] {
        let (plain, shifted) = (
            outputs(encoding, reference, 0.0),
            outputs(encoding, reference, 0.25),
        );
        let sum: f64 = inputs.iter().map(|x| f64::from(*x)).sum();
        for (a, b) in plain.iter().zip(&shifted) {
            // Of two slices of two bits each cell has a quarter of three levels too much: 15/4 codes.
            let want = if cancels { 0.0 } else { 0.25 * 15.0 * sum };
            assert!(
                (b - a - want).abs() < 1e-4,
                "{encoding} {reference}: {}",
                b - a
            );
        }
    }
}

#[test]
fn stuck_cells_open_lines_and_drift_have_their_shares_and_values() {
    let (rows, cols) = (200, 100);
    let input = InputCodes {
        bits: 4,
        signed: false,
    };
    let weights = vec![3; rows * cols];
    let mut chip = Chip::default();
    chip.cells.encoding = CellEncoding::Offset;
    chip.cells.slice_bits = SliceBits::Each(3);
    chip.cells.on_off_ratio = 10.0;
    chip.array.rows = 50;
    chip.array.cols = 50;
    chip.programming.stuck_off = 0.1;
    chip.programming.stuck_on = 0.05;
    chip.programming.open_rows = 0.02;
    chip.drift.time_s = 20.0 * 1f64.exp();
    chip.drift.nu = Config::Constant(0.1);
    let mut cells = spec(&chip, &Variation::default(), rows, cols, 3, input);
    cells.programming.raw = true;
    let array = vec![0.0; cells.reading.arrays.cell_arrays()];
    let g = program(&weights, &array, &cells.programming, KEY).g;
    let n = g.len() as f64;
    let share = |value: f64| g.iter().filter(|g| (**g - value).abs() < 1e-6).count() as f64 / n;
    // Code 3 + 4 = 7 is G_max, a hundred e-folds of time 0.1 times later exp(-0.1).
    let drifted = (-0.1f64).exp();
    let near = |found: f64, want: f64, count: f64| {
        let se = (want * (1.0 - want) / count).sqrt();
        assert!((found - want).abs() < Z * se, "{found} for {want}");
    };
    // Rows of arrays are open: 4 x 2 arrays of 50 rows.
    near(share(0.0), 0.02, 400.0);
    let live = 1.0 - share(0.0);
    near(share(0.1) / live, 0.1, n);
    near(share(1.0) / live, 0.05, n);
    near(share(drifted) / live, 0.85, n);
    assert!((share(0.0) + share(0.1) + share(1.0) + share(drifted) - 1.0).abs() < 1e-12);
}

#[test]
fn read_noise_of_cells_and_of_their_sum_are_the_same_in_law() {
    let (rows, cols, images) = (40, 4, 1500);
    let input = InputCodes {
        bits: 4,
        signed: true,
    };
    let weights = random_codes(rows * cols, 7, true, 3);
    let inputs = random_codes(rows, 7, true, 4);
    let moments = |per_cell: bool| {
        let mut chip = Chip::default();
        chip.read.proportional = 0.03;
        chip.read.fixed = 0.02;
        chip.read.per_cell = per_cell;
        chip.dac.bits = 2;
        chip.adc.bits = AdcBits::Same(0);
        let cells = spec(&chip, &Variation::default(), rows, cols, 4, input);
        let array = vec![0.0; cells.reading.arrays.cell_arrays()];
        let made = program(&weights, &array, &cells.programming, KEY);
        let reader = Reader {
            spec: &cells.reading,
            g: &made.g,
            variance: Some(&made.variance),
            converters: &[],
            ranges: &[],
            correct: None,
            key: KEY,
            near: 0.0,
        };
        let mut sums = vec![[0.0; 2]; cols];
        for image in 0..images {
            let pixel = reader.pixel(|_, row| inputs[row], Place { image, ..PLACE });
            for (s, (u, y)) in sums
                .iter_mut()
                .zip(pixel.u.iter().zip(exact(&weights, &inputs)))
            {
                s[0] += (u - y) / f64::from(images);
                s[1] += (u - y).powi(2) / f64::from(images);
            }
        }
        sums
    };
    // Each pair: the own part of the conducting cell, the fixed part of both; 7 levels.
    let variance = |col: usize| -> f64 {
        let one = |(row, x): (usize, &i32)| {
            let v = f64::from(weights[col * rows + row]);
            let (m, low) = (x.abs(), x.abs() & 3);
            let drives = f64::from(low * low) + 16.0 * f64::from((m >> 2) * (m >> 2));
            ((0.03 * v).powi(2) + 2.0 * (0.02f64 * 7.0).powi(2)) * drives
        };
        inputs.iter().enumerate().map(one).sum()
    };
    for (aggregate, cells) in moments(false)
        .iter()
        .zip(moments(true))
        .enumerate()
        .map(|(c, (a, b))| ((c, *a), b))
    {
        let (col, aggregate) = aggregate;
        let want = variance(col);
        for [mean, square] in [aggregate, cells] {
            let n = f64::from(images);
            assert!(mean.abs() < Z * (want / n).sqrt(), "{mean}");
            assert!(
                (square - want).abs() < Z * want * (2.0 / n).sqrt(),
                "{square} for {want}"
            );
        }
    }
}

#[test]
fn a_converter_rounds_limits_and_counts_what_it_must() {
    let mut chip = Chip::default();
    chip.adc.bits = AdcBits::Same(4);
    chip.adc.range = AdcRange::Granular;
    chip.dac.bits = 8;
    let input = InputCodes {
        bits: 4,
        signed: false,
    };
    let mut cells = spec(&chip, &Variation::default(), 1, 1, 4, input);
    let see =
        |cells: &CellLayer, w: i32, x: i32| read(cells, &[w], &[x], &[0.0; 2], KEY).conversions[0];
    let c = see(&cells, -5, 1);
    assert_eq!((c.sum, c.code, c.clipped), (-5.0, -5, false));
    let c = see(&cells, 3, 3);
    assert_eq!((c.sum, c.code, c.clipped), (9.0, 7, true));
    // The non-linearity of the nearest code, then rounding to even.
    let mut inl = vec![0.0; 15];
    inl[(3 + 7) as usize] = 0.5;
    inl[(4 + 7) as usize] = 0.5;
    cells.reading.adc = cells.reading.adc.map(|adc| adc.bent(inl));
    assert_eq!(see(&cells, 3, 1).code, 4);
    assert_eq!(see(&cells, 4, 1).code, 4);
    assert_eq!(see(&cells, 5, 1).code, 5);
    // A reference 2 times as large takes twice the sum for a code.
    let ranges = [[1.0, -2.0]];
    let plain = converters(&ranges, None, &cells.errors, KEY);
    let scaled = converters(&ranges, Some(&[2.0]), &cells.errors, KEY);
    assert_eq!((plain[0], scaled[0]), ([1.0, 2.0], [0.5, 2.0]));
}

/// Largest error of the product of nominal cells with a digital offset, relative to the largest product;
/// the encoding of docs/cells.md 6.
fn offset_error(rows: usize, slice: u32, ratio: f64, adc_bits: u32) -> f64 {
    let mut chip = Chip::default();
    chip.cells.encoding = CellEncoding::Offset;
    chip.cells.slice_bits = SliceBits::Each(slice);
    chip.cells.on_off_ratio = ratio;
    chip.dac.bits = 1;
    chip.adc.bits = AdcBits::Same(adc_bits);
    chip.adc.codes = AdcCodes::Uniform;
    let input = InputCodes {
        bits: 8,
        signed: false,
    };
    let cols = 8;
    let cells = spec(&chip, &Variation::default(), rows, cols, 4, input);
    let array = vec![0.0; cells.reading.arrays.cell_arrays()];
    let mut most = 0.0f64;
    for seed in 0..40 {
        let weights = random_codes(rows * cols, 7, true, seed);
        let inputs = random_codes(rows, 255, false, 100 + seed);
        let pixel = read(&cells, &weights, &inputs, &array, KEY);
        assert!(pixel.conversions.iter().all(|c| !c.clipped));
        for (u, want) in pixel.u.iter().zip(exact(&weights, &inputs)) {
            most = most.max((u - want).abs());
        }
    }
    most / (rows as f64 * 7.0 * 255.0)
}

/// Steps and conductances are `f32`.
const SINGLE: f64 = 3e-7;

#[test]
fn a_full_range_is_exact_with_a_digital_offset_where_the_codes_suffice() {
    // Rows, bits of a slice, ratio, bits of the converter; of 1/33 level, 3/2, 5/3 levels.
    for (rows, slice, ratio, bits) in [
        (9, 2, 100.0, 11),
        (9, 2, 3.0, 8),
        (20, 4, 10.0, 12),
        (16, 4, 2.0, 10),
        (64, 4, f64::INFINITY, 10),
    ] {
        let error = offset_error(rows, slice, ratio, bits);
        assert!(
            error < SINGLE,
            "{rows} rows, 1/{ratio}, {bits} bits: {error:e}"
        );
    }
}

#[test]
fn with_fewer_codes_a_digital_offset_is_off_by_what_the_documents_say() {
    for (bits, said) in [(10, 8.75e-4), (12, 1.865e-4), (14, 4.69e-5)] {
        let error = offset_error(64, 4, 100.0, bits);
        println!("{bits} bits: {error:.3e}");
        assert!((error / said - 1.0).abs() < 0.05, "{bits} bits: {error:e}");
    }
}
