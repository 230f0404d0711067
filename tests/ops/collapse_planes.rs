//! Effective weights of programmed cells; the operator alone is in `tests/cases`, and that it is
//! equivalent to the arrays is tested in `partial_sums`.

use pimento::program::*;

use crate::case::{Case, Rng, backends, close};
use crate::cases::arrays::{SUM_TOLERANCE, arrays, dac};

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
                equal_slices: 1,
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
                    spec: Programming::ideal(a.clone(), 1),
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
