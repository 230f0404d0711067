use proptest::prelude::*;

use super::*;
use crate::config::chip::SliceBits;

fn sizes() -> impl Strategy<Value = ArraySize> {
    let split = prop_oneof![Just(Split::Even), Just(Split::Filled)];
    (1usize..40, 1usize..40, split).prop_map(|(rows, cols, split)| ArraySize {
        rows,
        cols,
        split,
        ..ArraySize::default()
    })
}

/// Cells whose slices hold codes of so many bits, with the number of bits.
fn cells() -> impl Strategy<Value = (Cells, u32)> {
    let parts = (
        1u32..=8,
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        0u32..3,
    );
    let slices = prop_oneof![
        (1u32..=8).prop_map(SliceBits::Each),
        prop::collection::vec(1u8..=8, 1..=5).prop_map(SliceBits::List)
    ];
    (parts, slices).prop_filter_map("slices hold the code", |(parts, slice_bits)| {
        let (bits, offset, two_sided, digital, reference) = parts;
        let cells = Cells {
            slice_bits,
            encoding: match offset {
                true => CellEncoding::Offset,
                false => CellEncoding::Differential,
            },
            two_sided: two_sided && !offset,
            subtraction: match digital && !offset {
                true => Subtraction::Digital,
                false => Subtraction::Analog,
            },
            reference: if offset { reference } else { 0 },
            ..Cells::default()
        };
        let sum: u32 = cells.slices(bits).iter().map(|b| u32::from(*b)).sum();
        ((cells.needed(bits)..=16).contains(&sum)).then_some((cells, bits))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_code_comes_back_from_its_cells(
        (cells, bits) in cells(),
        size in sizes(),
        rows in 1usize..90,
        cols in 1usize..70,
        seed in any::<u32>(),
    ) {
        let geo = ConvGeometry::linear(rows, cols);
        let a = arrays(&geo, &size, &cells, bits).unwrap();
        prop_assert!(a.is_possible(), "{a:?}");
        let q = (1i32 << (bits - 1)) - 1;
        let mut state = seed;
        let codes: Vec<i32> = (0..rows * cols)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                match bits {
                    1 => 1 - 2 * (state >> 31) as i32,
                    _ => (state >> 8) as i32 % (q + 1) * (1 - 2 * (state >> 31) as i32),
                }
            })
            .collect();
        let planes = digits::planes(&a, &codes);
        for (p, plane) in planes.chunks(a.plane_len()).enumerate() {
            let top = a.top_digit(p / a.polarities()) as f32;
            prop_assert!(plane.iter().all(|d| (0.0..=top).contains(d)));
        }
        let back: Vec<i32> = digits::codes(&a, &planes).iter().map(|c| *c as i32).collect();
        prop_assert_eq!(back, codes);
    }

    #[test]
    fn tiles_cover_every_line_once_and_fit(n in 1usize..2000, most in 1usize..300, even in any::<bool>()) {
        let split = if even { Split::Even } else { Split::Filled };
        let cut = cuts(n, most, split);
        prop_assert_eq!((cut[0], cut[cut.len() - 1]), (0, n));
        let sizes: Vec<usize> = cut.windows(2).map(|w| w[1] - w[0]).collect();
        prop_assert!(sizes.iter().all(|s| (1..=most).contains(s)));
        prop_assert_eq!(sizes.len(), n.div_ceil(most));
        if even {
            prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
        } else {
            prop_assert!(sizes[..sizes.len() - 1].iter().all(|s| *s == most));
        }
    }
}

#[test]
fn the_largest_layer_of_resnet20_in_numbers() {
    // 64 x 576 in two slices of four bits, arrays of 128 x 128: five row tiles of 115 or 116 rows.
    let geo = ConvGeometry {
        c_in: 64,
        h_in: 8,
        w_in: 8,
        c_out: 64,
        kh: 3,
        kw: 3,
        stride: [1; 2],
        dilation: [1; 2],
        pad: [1; 4],
        groups: 1,
    };
    let size = ArraySize::default();
    let cells = Cells {
        slice_bits: SliceBits::List(vec![4, 4]),
        ..Cells::default()
    };
    let a = arrays(&geo, &size, &cells, 8).unwrap();
    assert_eq!(*a.tile_rows, [0, 116, 231, 346, 461, 576]);
    assert_eq!(*a.tile_cols, [0, 64]);
    let dac = Dac {
        input_bits: 8,
        dac_bits: 1,
        signs: None,
        table: None,
        analog_sum: false,
    };
    let counts = Counts::new(&a, &size, &dac, &geo, 4);
    assert_eq!(counts.arrays, 5 * 4);
    assert_eq!(counts.cells, 4 * 64 * 576);
    assert_eq!(counts.reference_cells, 4 * 4 * 576);
    // 5 tiles x 2 slices x 64 columns x 8 bits x 64 pixels.
    assert_eq!(counts.conversions, 5 * 2 * 64 * 8 * 64);
    assert_eq!(
        counts.utilisation,
        (64 * 576) as f64 / (5 * 128 * 128) as f64
    );
}

#[test]
fn groups_never_share_an_array() {
    let geo = ConvGeometry {
        groups: 3,
        c_in: 6,
        c_out: 12,
        ..ConvGeometry::linear(6, 12)
    };
    let size = ArraySize {
        rows: 8,
        cols: 3,
        split: Split::Filled,
        ..ArraySize::default()
    };
    let a = arrays(&geo, &size, &Cells::default(), 4).unwrap();
    assert_eq!(*a.tile_cols, [0, 3, 4, 7, 8, 11, 12]);
}

#[test]
fn what_no_address_reaches_is_refused() {
    let geo = ConvGeometry::linear(1 << 16, 1 << 15);
    let error = arrays(&geo, &ArraySize::default(), &Cells::default(), 8).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("32768 columns x 65536 rows x 1 slices x 2 cells = 4294967296 cells")
            && text.contains("not less than the 4294967296"),
        "{text}"
    );
}
