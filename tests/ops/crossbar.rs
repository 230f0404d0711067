//! Laws of crossbars.

use pimento::backend::cpu::CpuBackend;
use pimento::program::*;

use crate::case::Case;
use crate::cases::arrays::{input, output};
use crate::cases::crossbar::{Layer, With, layer, plain};

/// Neither threads nor how images are cut into runs change a bit.
#[test]
fn the_same_however_it_is_cut() {
    let mut cut = 0;
    for seed in 300..312 {
        let with = With {
            read: true,
            per_cell: seed % 2 == 0,
            converter: Some(|_, _| Adc::with_codes(0, 1).noisy(0.7).effects),
            ..With::default()
        };
        let Layer { case, op } = layer(seed, with);
        let y = op.y;
        if case.images < 17 {
            continue;
        }
        cut += 1;
        let on = |threads| CpuBackend::new().with_threads(threads).unwrap();
        let ops = vec![Op::from(op.clone())];
        let [want] = case.run(&on(1), ops.clone(), [y]);
        let [other] = case.run(&on(3), ops.clone(), [y]);
        assert_eq!(want, other, "seed {seed}: threads");
        let (mut session, section) = case.prepare(&on(2), ops);
        let n = output(&op.geo).len();
        for range in [0..16, 16..case.images] {
            let args = RunArgs {
                images: range.clone(),
                ..case.args()
            };
            session.run(section, &args).unwrap();
            let got = session.read(y).unwrap();
            for (chip, got) in got.chunks(range.len() * n).enumerate() {
                let first = (chip * case.images + range.start) * n;
                assert_eq!(got, &want[first..first + got.len()], "seed {seed}: images");
            }
        }
    }
    assert!(cut > 0);
}

/// Outputs of the first column of a layer that reads noise of cells, and their variance by the closed form;
/// `thermal`: through fine converters with this noise, in codes.
fn noisy_column(noise_per_cell: bool, thermal: Option<f32>) -> (Vec<f64>, f64) {
    const ROWS: usize = 24;
    const COLS: usize = 8;
    const LSB: f32 = 1.0 / 64.0;
    let geo = ConvGeometry::linear(ROWS, COLS);
    let mut case = Case::new(9, 4, 400);
    let dac = crate::cases::layers::dac(2, 2, None);
    let mut spec = crate::cases::crossbar::ones(ROWS as u32, dac);
    (spec.arrays.cols, spec.arrays.tile_cols) = (COLS, [0, COLS as u32].into());
    spec.noise_per_cell = noise_per_cell;
    spec.adc = thermal.map(|sigma| Adc::with_codes(-8000, 8000).noisy(sigma));
    let codes: Vec<f32> = (0..ROWS).map(|k| (k % 4) as f32).collect();
    let x = case.given(input(&geo), Scope::Shared, codes.repeat(400));
    let one = case.shared(&[1.0]);
    let g = case.shared(&[0.0; COLS * ROWS]);
    let values: Vec<f32> = (0..COLS * ROWS)
        .map(|i| 0.01 * (1 + i % 5) as f32)
        .collect();
    let reads: f64 = (0..ROWS)
        .map(|k| f64::from(values[k]) * f64::from(codes[k] * codes[k]))
        .sum();
    let variance = Some(case.shared(&values));
    // Rounding to a code adds a twelfth of its square.
    let lsb = f64::from(LSB);
    let converter = thermal.map_or(0.0, |s| lsb * lsb * (f64::from(s * s) + 1.0 / 12.0));
    let adc = thermal.map(|_| case.shared(&[1.0 / LSB, 0.0].repeat(COLS)));
    let range = thermal.map(|_| case.shared(&[LSB, 0.0].repeat(COLS)));
    let y = case.result(output(&geo), Scope::PerChip);
    let op = Crossbar {
        variance,
        adc,
        range,
        ..plain([x, one, g, one, y], geo, spec)
    };
    let [got] = case.run(&CpuBackend::new(), vec![op.into()], [y]);
    let first = got.iter().step_by(COLS).map(|&v| v.into()).collect();
    (first, reads + converter)
}

/// Noise drawn once per conversion with the sum's variance and noise drawn cell by cell have the
/// same law, alone and with thermal noise, which the first has one deviate with: means and variances agree
/// within six standard errors, all with the closed form.
#[test]
fn aggregate_noise_has_the_law_of_the_cells() {
    // As much as the reads' and more than that.
    for thermal in [None, Some(100.0), Some(200.0)] {
        let mut moments = Vec::new();
        for noise_per_cell in [false, true] {
            let (first, exact) = noisy_column(noise_per_cell, thermal);
            let n = first.len() as f64;
            let mean = first.iter().sum::<f64>() / n;
            let var = first.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0);
            let (se_mean, se_var) = ((exact / n).sqrt(), exact * (2.0 / n).sqrt());
            let who = format!("per cell {noise_per_cell}, thermal {thermal:?}");
            assert!(mean.abs() < 6.0 * se_mean, "{who}: mean {mean:e}");
            assert!(
                (var - exact).abs() < 6.0 * se_var,
                "{who}: {var} instead of {exact}"
            );
            moments.push((var, se_var));
        }
        let [(a, ea), (b, eb)] = [moments[0], moments[1]];
        assert!((a - b).abs() < 6.0 * (ea * ea + eb * eb).sqrt());
    }
}
