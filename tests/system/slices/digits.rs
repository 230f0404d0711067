//! Digits, sums and converter bits against loops.

use pimento::data::Dataset;
use pimento::sweep::slices::{CellRow, Options, ReadRow};

use super::loops::{Spec, TILE, by_loops};
use super::{CLASSES, HIDDEN, Net, PIXELS, SUMS, analysed};

/// Magnitudes in order.
fn magnitudes(sums: &[i64]) -> Vec<u64> {
    let mut all: Vec<u64> = sums.iter().map(|s| s.unsigned_abs()).collect();
    all.sort_unstable();
    all
}

fn quantile(sorted: &[u64], share: usize) -> u64 {
    sorted[(sorted.len() * share).div_ceil(10_000).max(1) - 1]
}

fn bits(magnitude: u64) -> usize {
    (0..64).find(|b| (1u64 << b) > magnitude).unwrap()
}

/// Compares a row of cells with sums in halves of a level.
fn check_cells(row: &CellRow, sums: &[i64], at: &str) {
    let sorted = magnitudes(sums);
    let n = sorted.len();
    let half = |m: u64| m as f64 / 2.0;
    assert_eq!(row.sums as usize, n, "{at}");
    assert_eq!(
        row.zero_sums as usize,
        sorted.iter().filter(|m| **m == 0).count(),
        "{at}"
    );
    let ends = [sums.iter().min(), sums.iter().max()].map(|v| *v.unwrap() as f64 / 2.0);
    assert_eq!([row.lowest, row.highest], ends, "{at}");
    let wanted = [5_000, 9_000, 9_900, 9_990, 9_999, 10_000].map(|q| half(quantile(&sorted, q)));
    let found = [row.q50, row.q90, row.q99, row.q999, row.q9999, row.max];
    assert_eq!(found, wanted, "{at}");
    let mean = sorted.iter().sum::<u64>() as f64 / 2.0 / n as f64;
    assert!(
        (row.mean - mean).abs() <= 1e-12 * mean,
        "{at}: {} {mean}",
        row.mean
    );
}

fn check_reads(row: &ReadRow, sums: &[i64], at: &str) {
    let sorted = magnitudes(sums);
    assert_eq!(row.sums as usize, sorted.len(), "{at}");
    let of = |q| quantile(&sorted, q);
    assert_eq!(
        [row.q99, row.q999, row.q9999, row.max],
        [of(9_900), of(9_990), of(9_999), of(10_000)],
        "{at}"
    );
    let with_sign = |m| if m == 0 { 0 } else { bits(m) + row.signs };
    assert_eq!(
        [row.bits_q99, row.bits_q999, row.bits_q9999, row.bits_max],
        [of(9_900), of(9_990), of(9_999), of(10_000)].map(with_sign),
        "{at}"
    );
    assert!(row.bits_max <= row.bits_possible, "{at}");
    // A converter with these bits holds every sum.
    let negative = sums.iter().any(|s| *s < 0);
    assert!(!negative || row.signs == 1, "{at}");
    for (b, n) in row.beyond.iter().enumerate() {
        let wanted = sorted.iter().filter(|m| **m >= 1 << b).count();
        assert_eq!(*n as usize, wanted, "{at}, {b} bits");
    }
    assert_eq!(row.beyond.last(), Some(&0), "{at}");
}

/// Every kind of chip.
fn specs() -> Vec<Spec> {
    let plain = Spec::PLAIN;
    let signed = Spec {
        signed: true,
        ..plain
    };
    let offset = Spec {
        pairs: false,
        slices: &[2, 3],
        ..plain
    };
    vec![
        plain,
        Spec {
            slices: &[1, 3],
            digital: true,
            step_bits: 2,
            ..plain
        },
        Spec {
            two_sided: true,
            ..plain
        },
        Spec {
            two_sided: true,
            digital: true,
            slices: &[3, 1],
            ..signed
        },
        Spec {
            step_bits: 8,
            ..signed
        },
        Spec {
            twos: true,
            ratio: 10.0,
            ..signed
        },
        Spec {
            twos: true,
            analog: true,
            ..signed
        },
        offset,
        Spec {
            signed: true,
            twos: true,
            reference: true,
            ..offset
        },
        Spec {
            ratio: 10.0,
            step_bits: 2,
            ..offset
        },
        Spec {
            ratio: 10.0,
            digital: true,
            ..signed
        },
        Spec {
            weight_bits: 1,
            slices: &[1],
            ..plain
        },
    ]
}

#[test]
fn digits_and_sums_are_those_of_loops_over_cells_rows_and_steps() {
    for spec in specs() {
        let net = spec.net();
        let report = net.report(&SUMS);
        assert_eq!(report.layers.len(), 2);
        for (l, layer) in report.layers.iter().enumerate() {
            let sums = by_loops(&spec, &net, l);
            assert_eq!(layer.cells.len(), sums.cells.len());
            for (p, row) in layer.cells.iter().enumerate() {
                let at = format!("{spec:?}, layer {l}, {} of slice {}", row.plane, row.slice);
                check_cells(row, &sums.cells[p], &at);
                let codes = net.layers[l].0.iter();
                let filled = codes.filter(|q| spec.cells(**q)[p] != 0).count();
                let cells = net.layers[l].0.len();
                assert_eq!(
                    (row.non_zero as usize, row.cells as usize),
                    (filled, cells),
                    "{at}"
                );
                assert_eq!(row.share, filled as f64 / cells as f64, "{at}");
            }
            assert_eq!(layer.reads.len(), sums.reads.len(), "{spec:?}");
            for (p, row) in layer.reads.iter().enumerate() {
                let at = format!("{spec:?}, layer {l}, {} of slice {}", row.plane, row.slice);
                check_reads(row, &sums.reads[p], &at);
            }
        }
    }
}

#[test]
fn a_convolution_is_a_product_for_every_pixel() {
    const SIDE: usize = 8;
    let spec = Spec::PLAIN;
    let images: Vec<u8> = (0..3 * SIDE * SIDE).map(|i| (i * i % 251) as u8).collect();
    let codes: Vec<i32> = (0..3 * 9).map(|i| i * 7 % 31 - 15).collect();
    let text = spec.net().text.replace(
        &format!("kind = \"mlp\"\nhidden = [{HIDDEN}]"),
        "kind = \"cnn\"\nchannels = [3]\nbatch_norm = false",
    );
    let labels = vec![0, 1, 0];
    let set = Dataset::new("bytes", images.clone(), labels, (1, SIDE, SIDE), 2, 255).unwrap();
    let report = analysed(&text, set, &[(&codes, 1.0 / 255.0)], &SUMS).expect("analysed");
    // The same with a vector for every pixel, 3 x 3 neighbours with zeros around the image.
    let mut patches = vec![];
    for image in images.chunks_exact(SIDE * SIDE) {
        for (y, x) in (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (y, x))) {
            for (dy, dx) in (0..3).flat_map(|dy| (0..3).map(move |dx| (dy, dx))) {
                let inside = |at: usize, d: usize| (at + d).checked_sub(1).filter(|p| *p < SIDE);
                let place = inside(y, dy).zip(inside(x, dx));
                patches.push(place.map_or(0, |(y, x)| image[y * SIDE + x]));
            }
        }
    }
    let net = Net {
        layers: vec![(codes, 3, 9)],
        images: patches,
        ..spec.net()
    };
    let sums = by_loops(&spec, &net, 0);
    let layer = &report.layers[0];
    for (p, row) in layer.cells.iter().enumerate() {
        check_cells(row, &sums.cells[p], &format!("plane {p}"));
    }
    for (p, row) in layer.reads.iter().enumerate() {
        check_reads(row, &sums.reads[p], &format!("plane {p}"));
    }
}

#[test]
fn one_bit_weights_fill_one_cell_of_every_pair() {
    let spec = Spec {
        weight_bits: 1,
        slices: &[1],
        ..Spec::PLAIN
    };
    let layer = &spec.net().report(&SUMS).layers[0];
    let [plus, minus] = &layer.cells[..] else {
        panic!("a pair of cells");
    };
    assert_eq!(plus.non_zero + minus.non_zero, layer.weights);
    assert_eq!(layer.non_zero_weights, layer.weights);
    assert_eq!(layer.tiles_after, layer.tiles);
}

#[test]
fn a_layer_of_zeros_needs_no_array_and_no_bit() {
    let mut net = Spec::PLAIN.net();
    net.layers[0].0.fill(0);
    let report = net.report(&Options { chips: 2, ..SUMS });
    let layer = &report.layers[0];
    assert_eq!(
        (layer.tiles, layer.zero_tiles, layer.tiles_after),
        (6, 6, 0)
    );
    assert!(layer.compression.is_nan());
    assert_eq!(layer.non_zero_weights, 0);
    for row in &layer.cells {
        assert_eq!((row.non_zero, row.max, row.arrays_after), (0, 0.0, 0));
        assert_eq!(row.zero_sums, row.sums);
    }
    for row in &layer.reads {
        assert_eq!(
            (row.bits_max, row.bits_q99, row.beyond.as_slice()),
            (0, 0, &[0][..])
        );
    }
    // No current flows, so that none can be off in proportion.
    assert!(layer.nf.is_nan());
    assert!(
        layer
            .arrays
            .iter()
            .all(|a| a.nf.is_nan() && a.currents == 0 && a.zero_currents > 0)
    );
    // Nothing drives the second layer either.
    assert!(report.layers[1].reads.iter().all(|r| r.max == 0));
}

/// A column of pairs in slices of two bits through converters of so many bits, and whether any clips.
fn output(w: &[i32], image: &[i64], bits: &[usize]) -> (i64, bool) {
    let (mut u, mut clips) = (0, false);
    for first in (0..PIXELS).step_by(TILE) {
        for (t, s) in (0..8).flat_map(|t| [(t, 0usize), (t, 1)]) {
            let of = |k: usize| {
                let digit = i64::from(w[k].unsigned_abs()) >> (2 * s) & 3;
                digit * i64::from(w[k].signum()) * (image[k] >> t & 1)
            };
            let sum: i64 = (first..(first + TILE).min(PIXELS)).map(of).sum();
            let top = (1i64 << (bits[s] - 1)) - 1;
            clips |= sum.abs() > top;
            u += sum.clamp(-top, top) << (2 * s + t);
        }
    }
    (u, clips)
}

#[test]
fn converters_with_the_bits_that_follow_classify_as_integers_say() {
    const IMAGES: usize = 150;
    let net = Spec::PLAIN.net();
    // One layer is enough to clip sums by hand.
    let net = Net {
        layers: vec![(
            net.layers[0].0[..CLASSES * PIXELS].to_vec(),
            CLASSES,
            PIXELS,
        )],
        text: net
            .text
            .replace(&format!("hidden = [{HIDDEN}]"), "hidden = []"),
        // One bright image gives the largest sums, less than one of a hundred; of the others one row of a tile is lit.
        images: (0..IMAGES * PIXELS)
            .map(|i| match (i / PIXELS, i % PIXELS % TILE) {
                (0, _) => 255,
                (image, row) if row == image % TILE => (image % 8) as u8,
                _ => 0,
            })
            .collect(),
        labels: (0..IMAGES).map(|i| (i % CLASSES) as u16).collect(),
        ..net
    };
    let report = net.report(&Options {
        accuracy: Some(0),
        ..SUMS
    });
    let rows = report.accuracy.as_ref().expect("asked for");
    let kinds: Vec<&str> = rows.iter().map(|r| r.converters.as_str()).collect();
    assert_eq!(kinds, ["full", "max", "q9999", "q999", "q99"]);
    let x = &net.codes_of_layers()[0];
    let mut clipped_once = false;
    for row in rows {
        let mut correct = 0;
        for (image, label) in x.chunks_exact(PIXELS).zip(&net.labels) {
            let logits: Vec<(i64, bool)> = (0..CLASSES)
                .map(|o| {
                    output(
                        &net.layers[0].0[o * PIXELS..][..PIXELS],
                        image,
                        &row.bits[0],
                    )
                })
                .collect();
            clipped_once |= logits.iter().any(|(_, clips)| *clips);
            let most = logits.iter().map(|(u, _)| *u).max().unwrap();
            let first = logits.iter().position(|(u, _)| *u == most).unwrap();
            correct += u64::from(first == usize::from(*label));
        }
        assert_eq!(
            (row.correct, row.images),
            (correct, IMAGES as u64),
            "{}",
            row.converters
        );
        assert!(row.accuracy_lo95 <= row.accuracy && row.accuracy <= row.accuracy_hi95);
        let full = rows[0].correct;
        assert_eq!(row.won + full, row.lost + row.correct, "{}", row.converters);
        if row.converters == "max" {
            assert!(!clipped_once, "none of the images counted clips");
            assert_eq!((row.lost, row.won), (0, 0));
        }
    }
    assert!(clipped_once, "a quantile that clips nothing shows nothing");
}
