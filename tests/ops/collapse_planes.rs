//! Effective weights of arrays without converters. That they are equivalent to the arrays is tested in
//! `partial_sums`.

use pimento::program::*;

use crate::arrays::{SUM_TOLERANCE, arrays, dac, geometry};
use crate::case::{Case, Rng, backends, close};
use crate::program_cells::ideal;

#[test]
fn planes_add_up() {
    for seed in 0..30 {
        let mut rng = Rng(seed);
        let geo = geometry(&mut rng);
        let mut a = arrays(&mut rng, &geo);
        a.g_min = 0.05;
        let spec = Reading {
            arrays: a.clone(),
            dac: dac(&mut rng, false),
            adc: None,
            noise_per_cell: false,
            integer: false,
            exact: false,
            layer: 2,
        };
        let mut case = Case::new(seed, 2, 1);
        let planes = Shape::Flat(a.read_planes() * a.plane_len());
        let g = case.random(planes, rng.scope());
        let w_step = case.random(Shape::Flat(a.cols), Scope::Shared);
        let correct = rng
            .coin()
            .then(|| case.random(Shape::Flat(2 * a.converters()), Scope::PerChip));
        let out = case.result(Shape::Flat(a.plane_len()), Scope::PerChip);
        let (mut want, mut limit) = (Vec::new(), Vec::new());
        for chip in 0..2 {
            let (g, step) = (case.at(g, chip, 0), case.at(w_step, 0, 0));
            let correct = correct.map(|t| case.at(t, chip, 0));
            for (o, step) in step.iter().enumerate() {
                for k in 0..a.rows {
                    let (mut sum, mut size) = (0.0, f64::from(a.digital_base()));
                    for p in 0..a.read_planes() {
                        let i = (a.row_tile(k) * a.read_planes() + p) * a.cols + o;
                        let pair = correct.as_ref().map(|c| (c[2 * i], c[2 * i + 1]));
                        let (gain, offset) = pair.unwrap_or((1.0, 0.0));
                        let v = gain * g[(p * a.cols + o) * a.rows + k] - offset;
                        sum += f64::from(a.place(p)) * v;
                        size += 2.0 * f64::from(a.place(p).abs());
                    }
                    want.push(step * (sum - f64::from(a.digital_base())));
                    limit.push(SUM_TOLERANCE * size);
                }
            }
        }
        let op = Op::from(CollapsePlanes {
            g,
            w_step,
            correct,
            out,
            spec,
        });
        for (isa, backend) in backends() {
            let [got] = case.run(&backend, vec![op.clone()], [out]);
            close(isa, &got, &want, |i| limit[i]);
        }
    }
}

/// A digital offset is what the cells of its code conduct, whatever the table of levels: a weight of 0
/// is 0, and all others are what a nominal reference column leaves.
#[test]
fn any_table_of_levels_leaves_a_weight_of_zero_at_zero() {
    let tables: [[f32; 4]; 3] = [
        [0.25, 0.5, 0.75, 1.0],
        [0.1, 0.15, 0.6, 1.0],
        [0.0, 0.5, 0.5, 0.9],
    ];
    let codes: Vec<f32> = (-8..8).map(|q| q as f32).collect();
    for levels in tables {
        for reference in [0, 2] {
            let a = Arrays {
                weight_bits: 4,
                slice_bits: [2, 2].into(),
                tile_rows: [0, 9, 16].into(),
                encoding: Encoding::Offset { reference },
                g_min: 0.1,
                levels: Some(levels.into()),
                ..arrays(&mut Rng(1), &ConvGeometry::linear(16, 1))
            };
            let held = |code: i32| {
                let slice = |s: i32| f64::from(levels[(code >> (2 * s) & 3) as usize]);
                3.0 / 0.9 * (slice(0) + 4.0 * slice(1))
            };
            let want: Vec<f64> = (0..16).map(|code| held(code) - held(8)).collect();
            let mut case = Case::new(1, 1, 1);
            let w = case.given(Shape::Flat(16), Scope::Shared, codes.clone());
            let one = case.given(Shape::Flat(1), Scope::Shared, vec![1.0]);
            let zeros = vec![0.0; a.cell_arrays()];
            let array = case.given(Shape::Flat(a.cell_arrays()), Scope::PerChip, zeros);
            let g = case.result(Shape::Flat(32), Scope::PerChip);
            let out = case.result(Shape::Flat(16), Scope::PerChip);
            let ops = vec![
                Op::from(ProgramCells {
                    w,
                    step: one,
                    array,
                    out: g,
                    variance: None,
                    spec: ideal(a.clone()),
                }),
                Op::from(CollapsePlanes {
                    g,
                    w_step: one,
                    correct: None,
                    out,
                    spec: Reading {
                        dac: dac(&mut Rng(1), false),
                        adc: None,
                        noise_per_cell: false,
                        integer: false,
                        exact: false,
                        layer: 2,
                        arrays: a,
                    },
                }),
            ];
            for (isa, backend) in backends() {
                let [got] = case.run(&backend, ops.clone(), [out]);
                // Some roundings of sums of at most 17 levels.
                close(isa, &got, &want, |_| 17.0 * SUM_TOLERANCE);
            }
        }
    }
}
