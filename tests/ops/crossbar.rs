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

/// Noise drawn once per conversion with the sum's variance and noise drawn cell by cell have the
/// same law: means and variances agree within six standard errors, both with the closed form.
#[test]
fn aggregate_noise_has_the_law_of_the_cells() {
    const ROWS: usize = 24;
    const COLS: usize = 8;
    let geo = ConvGeometry::linear(ROWS, COLS);
    let mut moments = Vec::new();
    for noise_per_cell in [false, true] {
        let mut case = Case::new(9, 4, 400);
        let dac = crate::cases::layers::dac(2, 2, None);
        let mut spec = crate::cases::crossbar::ones(ROWS as u32, dac);
        (spec.arrays.cols, spec.arrays.tile_cols) = (COLS, [0, COLS as u32].into());
        spec.noise_per_cell = noise_per_cell;
        let codes: Vec<f32> = (0..ROWS).map(|k| (k % 4) as f32).collect();
        let x = case.given(input(&geo), Scope::Shared, codes.repeat(400));
        let one = case.shared(&[1.0]);
        let g = case.shared(&[0.0; COLS * ROWS]);
        let values: Vec<f32> = (0..COLS * ROWS)
            .map(|i| 0.01 * (1 + i % 5) as f32)
            .collect();
        let exact: f64 = (0..ROWS)
            .map(|k| f64::from(values[k]) * f64::from(codes[k] * codes[k]))
            .sum();
        let variance = Some(case.shared(&values));
        let y = case.result(output(&geo), Scope::PerChip);
        let op = Crossbar {
            variance,
            ..plain([x, one, g, one, y], geo, spec)
        };
        let [got] = case.run(&CpuBackend::new(), vec![op.into()], [y]);
        let first: Vec<f64> = got.iter().step_by(COLS).map(|&v| v.into()).collect();
        let n = first.len() as f64;
        let mean = first.iter().sum::<f64>() / n;
        let var = first.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0);
        let (se_mean, se_var) = ((exact / n).sqrt(), exact * (2.0 / n).sqrt());
        assert!(
            mean.abs() < 6.0 * se_mean,
            "{noise_per_cell}: mean {mean:e}"
        );
        assert!(
            (var - exact).abs() < 6.0 * se_var,
            "{noise_per_cell}: {var} instead of {exact}"
        );
        moments.push((var, se_var));
    }
    let [(a, ea), (b, eb)] = [moments[0], moments[1]];
    assert!((a - b).abs() < 6.0 * (ea * ea + eb * eb).sqrt());
}
