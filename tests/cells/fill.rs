//! Rules by which slices are filled: both backends against the closed form, and the closed form of what
//! errors are left.

use pimento::backend::cpu::CpuBackend;
use pimento::backend::{Backend, Capacity};
use pimento::chip::cell_form::{self, Key};
use pimento::effects::{Drift, Fill, Law, Stuck};
use pimento::program::*;
use pimento::random::{Purpose, Stream};

const SEED: u64 = 21;

/// Pairs of cells in slices of these bits, so many of each place value, for codes that they hold.
fn arrays(
    rows: usize,
    cols: usize,
    (slice_bits, equal_slices): (&[u8], usize),
    digital: bool,
) -> Arrays {
    let bits: u32 = slice_bits.iter().map(|&b| u32::from(b)).sum();
    let all = slice_bits.iter().flat_map(|&b| vec![b; equal_slices]);
    Arrays {
        rows,
        cols,
        tile_rows: [0, rows as u32].into(),
        tile_cols: [0, cols as u32].into(),
        slice_bits: all.collect(),
        equal_slices,
        weight_bits: bits + 1,
        encoding: Encoding::Differential {
            two_sided: false,
            digital,
        },
        g_min: 0.1,
        levels: None,
    }
}

/// Layer-fixed errors of this standard deviation.
fn programming(arrays: Arrays, fill: Fill, sigma: f32) -> Programming {
    let mut spec = Programming::ideal(arrays, 3).varied(sigma);
    spec.effects.fill = fill;
    spec.effects.variation.law = Law::LayerFixed;
    spec
}

/// Read planes, or raw cells, and variances of chips by the operator.
fn run(backend: &dyn Backend, spec: &Programming, codes: &[i32], array: &[f32]) -> [Vec<f32>; 2] {
    let a = &spec.arrays;
    let mut p = Program::default();
    let mut flat = |name: &str, n, scope| p.tensor(name, Shape::Flat(n), scope, Role::State);
    let w = flat("w", codes.len(), Scope::Shared);
    let step = flat("step", 1, Scope::Shared);
    let part = flat("array", a.cell_arrays(), Scope::PerChip);
    let planes = if spec.raw {
        a.cell_planes()
    } else {
        a.read_planes()
    };
    let out = flat("out", planes * a.plane_len(), Scope::PerChip);
    let variance = flat("variance", planes * a.plane_len(), Scope::PerChip);
    let op = ProgramCells {
        w,
        step,
        array: part,
        out,
        variance: (!spec.raw).then_some(variance),
        spec: spec.clone(),
    };
    let section = p.section("make", vec![op.into()]);
    let chips = array.len() / a.cell_arrays();
    let capacity = Capacity {
        chips,
        images: 1,
        chunk: 1,
    };
    let mut session = backend.prepare(&p, capacity).unwrap();
    let weights: Vec<f32> = codes.iter().map(|&c| c as f32).collect();
    session.write(w, &weights).unwrap();
    session.write(step, &[1.0]).unwrap();
    session.write(part, array).unwrap();
    session
        .run(section, &RunArgs::wave(SEED, 0, chips, 0..0))
        .unwrap();
    [out, variance].map(|t| session.read(t).unwrap())
}

/// All codes of the slices, again and again.
fn codes(a: &Arrays) -> Vec<i32> {
    let equal = a.equal_slices as i32;
    let most = a.most_code() as i32 / equal;
    (0..a.plane_len() as i32)
        .map(|i| equal * (i % (2 * most + 1) - most))
        .collect()
}

/// A layer with errors, common deviations, drift, stuck cells and read noise.
fn agree(backend: &dyn Backend) {
    for fill in [Fill::Digits, Fill::Equal, Fill::Max, Fill::MaxCorrected] {
        for (slice_bits, digital, raw) in [
            ((&[2u8, 2, 2][..], 1), false, false),
            ((&[1, 2, 3], 1), true, false),
            ((&[4], 1), false, false),
            ((&[3, 3], 1), false, true),
            ((&[4], 3), false, false),
            ((&[2, 1], 2), true, false),
            ((&[3], 2), false, true),
        ] {
            let mut spec = programming(arrays(37, 9, slice_bits, digital), fill, 0.02);
            spec.raw = raw;
            spec.effects.drift = Drift::new(2.0, [0.05, 0.02].into(), [0.01, 0.0].into());
            spec.effects.stuck = Stuck {
                off: 0.01,
                on: 0.01,
            };
            spec.read_noise.proportional = 0.03;
            let a = &spec.arrays;
            let codes = codes(a);
            let stream = Stream::new(1, Purpose::Init, 0, 0, 0);
            let array: Vec<f32> = (0..2 * a.cell_arrays() as u32)
                .map(|i| 0.03 * stream.normal(i))
                .collect();
            let [g, variance] = run(backend, &spec, &codes, &array);
            for (chip, array) in array.chunks(a.cell_arrays()).enumerate() {
                let key = Key {
                    seed: SEED,
                    flags: 0,
                    chip: chip as u32,
                };
                let want = cell_form::program(&codes, array, &spec, key);
                let who = format!("{fill} {slice_bits:?} chip {chip}");
                let n = want.g.len();
                // Levels are some; what a slice corrects was multiplied by the place values above it.
                close(&who, &g[chip * n..][..n], &want.g, 2e-5);
                if !raw {
                    close(&who, &variance[chip * n..][..n], &want.variance, 2e-5);
                }
            }
        }
    }
}

fn close(who: &str, found: &[f32], want: &[f64], tolerance: f64) {
    let most = want.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    for (i, (f, w)) in found.iter().zip(want).enumerate() {
        let off = (f64::from(*f) - w).abs();
        assert!(off <= tolerance * most, "{who}: {i}: {f} for {w}");
    }
}

#[test]
fn the_cpu_fills_slices_by_the_closed_form() {
    agree(&CpuBackend::new());
}

#[cfg(feature = "gpu")]
#[test]
fn the_shaders_fill_slices_by_the_closed_form() {
    if let Some(gpu) = crate::wires::adapter("the_shaders_fill_slices_by_the_closed_form") {
        agree(&gpu);
    }
}

/// Weights that the planes hold, in codes.
fn weights(spec: &Programming, g: &[f32]) -> Vec<f64> {
    let a = &spec.arrays;
    let n = a.plane_len();
    let plane = |p: usize, i: usize| f64::from(a.place(p)) * f64::from(g[p * n + i]);
    (0..n)
        .map(|i| (0..a.read_planes()).map(|p| plane(p, i)).sum())
        .collect()
}

/// Without errors every rule holds the code.
#[test]
fn ideal_cells_hold_their_codes() {
    for fill in [Fill::Digits, Fill::Equal, Fill::Max, Fill::MaxCorrected] {
        for slices in [(&[2u8, 2, 2][..], 1), (&[4], 8), (&[2, 2], 3)] {
            let spec = programming(arrays(21, 7, slices, false), fill, 0.0);
            let codes = codes(&spec.arrays);
            let array = vec![0.0; spec.arrays.cell_arrays()];
            let [g, _] = run(&CpuBackend::new(), &spec, &codes, &array);
            for (held, code) in weights(&spec, &g).into_iter().zip(codes) {
                assert!(
                    (held - f64::from(code)).abs() < 1e-4,
                    "{fill}, {slices:?}: {held} for {code}"
                );
            }
        }
    }
}

/// `eta(n, b)` of equal independent errors of slices, and what is left of it when every slice corrects those
/// above: the variance of 12,000 weights within six standard errors.
#[test]
fn errors_of_slices_add_up_as_the_closed_form_says() {
    let sigma = 0.01f64;
    // Of a pair.
    let eta_s = sigma * 2f64.sqrt();
    let growing = [(2usize, 1u8), (4, 1), (7, 1), (2, 2), (3, 2), (2, 3)].map(|of| (of, 1u8));
    // One place value, and several with two or three slices each.
    let equal = [
        ((1, 4), 2),
        ((1, 7), 4),
        ((1, 7), 8),
        ((2, 2), 2),
        ((3, 2), 3),
    ];
    for ((n, bits), m) in growing.into_iter().chain(equal) {
        let b = f64::from(1u32 << bits);
        let power = b.powi(n as i32);
        let eta = eta_s * ((b - 1.0) * (1.0 + power) / ((1.0 + b) * (power - 1.0))).sqrt();
        let eta = eta / f64::from(m).sqrt();
        match (n, bits, m) {
            (2, 1, 1) => assert!((eta / eta_s - 0.7454).abs() < 5e-5, "{eta}"),
            // Equal slices alone: eta_s/sqrt(n).
            (1, ..) => assert!((eta * f64::from(m).sqrt() / eta_s - 1.0).abs() < 1e-12),
            _ => (),
        }
        let most = f64::from(m) * (power - 1.0);
        for (fill, wanted) in [
            (Fill::Digits, eta),
            (Fill::Equal, eta),
            (Fill::Max, eta),
            // Errors of the lowest slice alone are left, whose range is b - 1 of all levels.
            (Fill::MaxCorrected, eta_s * (b - 1.0) / most),
        ] {
            let slices = (&vec![bits; n][..], m as usize);
            let mut spec = programming(arrays(120, 100, slices, false), fill, sigma as f32);
            spec.effects.limits.clip_low = false;
            // The highest slice holds all of it.
            let code = (b.powi(n as i32 - 1) * (b - 1.0) * 0.5) as i32 / m as i32 * m as i32;
            let codes = vec![code; spec.arrays.plane_len()];
            let array = vec![0.0; spec.arrays.cell_arrays()];
            let [g, _] = run(&CpuBackend::new(), &spec, &codes, &array);
            let held = weights(&spec, &g);
            let square = held.iter().map(|w| ((w - f64::from(code)) / most).powi(2));
            let found = square.sum::<f64>() / held.len() as f64;
            let bar = 6.0 * (2.0 / held.len() as f64).sqrt();
            let off = found / (wanted * wanted) - 1.0;
            assert!(
                off.abs() < bar,
                "{fill}, {m} x {n} slices of {bits} bits: {off}"
            );
        }
    }
}
