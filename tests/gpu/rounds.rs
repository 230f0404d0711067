//! Adapters that leave loops after so many rounds (`WgpuBackend::with_rounds` says which): the most
//! work that fits one thread there is still right, and more is refused.

use pimento::backend::Backend;
use pimento::program::*;

use super::arrays::*;
use super::harness::*;

/// Rows where an adapter has no such limit: enough to see that sums are right.
const ROWS: usize = 20_000;

/// The most rows, up to `most`, that fit, in steps of 64; and whether more are refused.
fn largest(gpu: &dyn Backend, most: usize, case: impl Fn(usize) -> Case) -> (usize, bool) {
    let fit = |rows: usize| {
        let case = case(rows);
        gpu.fit(&case.program, case.capacity())
    };
    if fit(most).is_ok() {
        return (ROWS, false);
    }
    let (mut fits, mut fails) = (64, most);
    while fails - fits > 64 {
        let rows = (fits + fails) / 2;
        match fit(rows) {
            Ok(_) => fits = rows,
            Err(_) => fails = rows,
        }
    }
    let error = fit(fails).expect_err("too many").to_string();
    assert!(
        error.contains("rounds of its loops") && error.contains("CPU backend"),
        "{error}"
    );
    (fits, true)
}

fn check(test: &str, most: usize, tolerance: f64, case: impl Fn(usize) -> Case) {
    let Some(gpu) = gpu_or_skip(test) else {
        return;
    };
    let (rows, limited) = largest(gpu, most, &case);
    let counts = gpu.info().name.contains("llvmpipe");
    assert_eq!(limited, counts, "{test}: {rows} rows fit");
    case(rows).matches_cpu(&format!("{test}, {rows} rows"), tolerance);
}

/// A layer of `rows` inputs whose arrays have 512 rows; small integers, so that sums are exact.
fn layer(rows: usize, dac: Dac, per_cell: bool, exact: bool) -> Case {
    let geo = ConvGeometry::linear(rows, 5);
    let mut case = Case::new(1, 1, 16);
    let mut spec = Reading {
        noise_per_cell: per_cell,
        exact,
        ..reading(&geo, ENCODINGS[2], dac, Some(lossless()))
    };
    let cuts = (0..rows as u32).step_by(512).chain([rows as u32]);
    spec.arrays.tile_rows = cuts.collect();
    let layer = Layer::new(&mut case, geo, spec, integers(0, 3));
    let op = layer.crossbar(&mut case, |case, extra| {
        extra.adc = Some(layer.pairs(case, 1.0, 0.0, 0.0));
        extra.range = Some(layer.range(case, 1.0, 0.0));
        extra.variance = per_cell.then(|| layer.variances(case));
    });
    case.section(vec![op]);
    case
}

/// Four read planes: a quarter of the rounds each.
#[test]
fn long_sums_of_arrays() {
    let dac = dac(1, 1, None);
    check("sums of arrays", 70_000, 0.0, |rows| {
        layer(rows, dac.clone(), false, false)
    });
}

#[test]
fn long_sums_with_noise_of_every_cell() {
    let dac = dac(2, 1, None);
    // A code at a threshold may differ by one, which moves an output by at most 1 (steps of 0.25 and 0.5,
    // places up to 8): room for eight of some hundred conversions.
    check("noise of every cell", 20_000, 8.0, |rows| {
        layer(rows, dac.clone(), true, false)
    });
}

#[test]
fn long_counts_of_ones() {
    let dac = dac(8, 1, None);
    check("counts of ones", 4_000_000, 0.0, |rows| {
        layer(rows, dac.clone(), false, true)
    });
}

#[test]
fn long_rows_of_a_linear_layer() {
    check("a linear layer", 140_000, 0.0, |rows| {
        let mut case = Case::new(1, 1, 16);
        let geo = ConvGeometry::linear(rows, 5);
        let x = case.made([rows, 1, 1], Scope::Shared, integers(-3, 3));
        let w = case.made(geo.weights(), Scope::PerChip, integers(-3, 3));
        let y = case.output([5, 1, 1], Scope::PerChip);
        let post = Post::NONE;
        case.section(vec![Op::from(Conv2d {
            x,
            w,
            y,
            geo,
            post,
            codes: None,
        })]);
        case
    });
}
