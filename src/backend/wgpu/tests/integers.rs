//! Crossbars whose conductances are small integers: which kernel reads them.

use super::cells::{COLS, DIFFERENTIAL, ENCODINGS, arrays, dacs};
use super::{OnGpu, context, validate_program};
use crate::backend::Kernels;
use crate::program::*;

/// Crossbars of `rows` rows in tiles of at most `most`, with slices of `slice` bits.
fn crossbars(rows: usize, most: usize, slice: u8) -> (Program, Vec<Op>) {
    let mut p = Program::default();
    let map = |c| Shape::Image { c, h: 1, w: 1 };
    let state = |p: &mut Program, n| {
        let name = format!("t{}", p.tensors.len());
        p.tensor(name, Shape::Flat(n), Scope::PerChip, Role::State)
    };
    let geo = ConvGeometry::linear(rows, COLS);
    let x = p.tensor("x", map(rows), Scope::PerChip, Role::Input);
    let y = p.tensor("y", map(COLS), Scope::PerChip, Role::Output);
    let x_step = state(&mut p, 1);
    let w_step = state(&mut p, 1);
    let tiles = (0..rows).step_by(most).chain([rows]);
    let tile_rows: std::sync::Arc<[u32]> = tiles.map(|row| row as u32).collect();
    let mut ops = Vec::new();
    for encoding in [DIFFERENTIAL, ENCODINGS[3]] {
        let arrays = Arrays {
            rows,
            tile_rows: tile_rows.clone(),
            slice_bits: [slice; 1].into(),
            equal_slices: 1,
            weight_bits: u32::from(slice) + 1,
            ..arrays(encoding)
        };
        let n = arrays.read_planes() * arrays.plane_len();
        let g = state(&mut p, n);
        for dac in dacs().into_iter().filter(|dac| dac.table.is_none()) {
            let spec = Reading {
                arrays: arrays.clone(),
                dac,
                adc: None,
                noise_per_cell: false,
                integer: false,
                exact: true,
                layer: 3,
            };
            ops.push(Op::from(Crossbar {
                x,
                x_step,
                g,
                variance: None,
                w_step,
                adc: None,
                range: None,
                correct: None,
                y,
                clipped: None,
                slope: None,
                geo,
                post: Post::NONE,
                spec,
            }));
        }
    }
    (p, ops)
}

/// Sums of integers take the kernel that suits the adapter and the arrays, and every variant is valid.
#[test]
fn integers_are_added_as_suits_the_adapter() {
    // Rows, most rows of a row tile, bits of a slice; whether digits are added where windows are fast.
    let cases = [
        (512, 128, 2, true),
        (520, 104, 3, true),
        (512, 256, 2, false),
        (512, 32, 2, false),
        (512, 128, 5, false),
    ];
    for (rows, most, slice, suits) in cases {
        let (mut p, ops) = crossbars(rows, most, slice);
        for windows in [false, true] {
            let cx = context(&p, windows, Kernels::Portable);
            let expected = match suits && windows {
                true => "crossbar_fields",
                false => "crossbar_count",
            };
            for op in &ops {
                let calls = with_operator!(op, o => o.lower(&cx)).expect("lowers");
                let named = calls.iter().any(|call| call.shader == expected);
                assert!(named, "{rows} rows in {most}, {slice} bits, {windows}");
            }
        }
        p.section("run", ops);
        validate_program(&p);
    }
}
