//! Programming of cells with any combination of effects.

use pimento::effects::{Drift, Limits, OpenLines, Sampled, Stuck, Variation};
use pimento::program::*;

use super::super::arrays::{arrays, geometry};
use super::super::case::{Case, Rng};
use super::measured::samples;
use super::{APART, Weights, program};

/// Any combination of effects.
pub fn programming(rng: &mut Rng, mut a: Arrays) -> Programming {
    a.g_min = [0.0, 0.01, 0.2][rng.pick(0, 2)];
    // Levels are for slices of one size.
    let equal = a.slice_bits.iter().all(|&b| b == a.slice_bits[0]);
    let n = 1usize << a.slice_bits[0];
    a.levels = (equal && rng.coin()).then(|| {
        (0..n)
            .map(|v| a.g_min + (1.0 - a.g_min) * (v as f32 / (n - 1) as f32).powf(1.3))
            .collect()
    });
    let mut curve = |scale: f32| -> Curve {
        let n = rng.pick(2, 5);
        (0..n)
            .map(|_| scale * (1.5 + rng.signed()))
            .collect::<Vec<_>>()
            .into()
    };
    let (sigma_curve, mean, sigma, noise) = (curve(0.02), curve(0.02), curve(0.005), curve(0.01));
    let stuck = Stuck {
        off: 0.05,
        on: 0.03,
    };
    let open = OpenLines { row: 0.1, col: 0.1 };
    let read_noise = CellReadNoise {
        proportional: 0.03,
        fixed: 0.01,
        curve: rng.coin().then(|| noise.clone()),
        // A part relative to the conductance that falls as it grows.
        one_over_f: rng.coin().then(|| [0.0, 0.01, 0.015, 0.018].into()),
    };
    let variation = Variation {
        law: [Law::WeightProportional, Law::LayerFixed][rng.pick(0, 1)],
        deviate: [
            Deviate::Gaussian,
            Deviate::Truncated { at: 2.0 },
            Deviate::Lognormal,
        ][rng.pick(0, 2)],
        sigma: 0.1,
        curve: (rng.pick(0, 2) == 0).then_some(sigma_curve),
    };
    let broken = rng.coin();
    let drift = match rng.coin() {
        true => Drift::new(8.0, mean, sigma),
        false => Drift::default(),
    };
    let limits = Limits {
        clip: [f32::INFINITY, 1.05][rng.pick(0, 1)],
        clip_low: rng.coin(),
    };
    let mut spec = Programming::ideal(a, 7);
    let effects = &mut spec.effects;
    (effects.variation, effects.drift, effects.limits) = (variation, drift, limits);
    if broken {
        (effects.stuck, effects.open_lines) = (stuck, open);
    }
    if rng.coin() {
        spec.read_noise = read_noise;
    }
    spec.reference_columns = [0, 0, 3][rng.pick(0, 2)];
    if rng.pick(0, 2) == 0 {
        let table = Some(samples());
        spec.effects.sampled = Sampled { table };
    }
    spec
}

/// A layer of random codes.
fn layer(seed: u64) -> Case {
    let mut rng = Rng(seed);
    let geo = geometry(&mut rng);
    let a = arrays(&mut rng, &geo);
    let mut spec = programming(&mut rng, a);
    spec.raw = spec.reference_columns == 0
        && !matches!(spec.arrays.encoding, Encoding::Offset { reference: 1.. })
        && rng.pick(0, 3) == 0;
    let a = spec.arrays.clone();
    let mut case = Case::new(seed, rng.pick(1, 3), 1);
    let most = match a.weight_bits {
        1 => 1,
        bits => (1i32 << (bits - 1)) - 1,
    };
    let codes: Vec<i32> = (0..a.plane_len())
        .map(|_| a.equal_slices as i32 * (rng.pick(0, 2 * most as usize) as i32 - most))
        .collect();
    let step: Vec<f32> = match rng.coin() {
        true => vec![0.3],
        false => (0..a.cols).map(|_| 0.3 + 0.2 * rng.signed()).collect(),
    };
    let of = |col: usize| step[if step.len() > 1 { col } else { 0 }];
    let weights: Vec<f32> = codes
        .iter()
        .enumerate()
        .map(|(i, &q)| q as f32 * of(i / a.rows))
        .collect();
    let from = Weights {
        w: case.shared(&weights),
        step: case.shared(&step),
        array: case.drawn(a.cell_arrays(), Scope::PerChip, |rng| 0.1 * rng.signed()),
        codes,
    };
    let mut op = program(&mut case, &from, &spec, 0, 0);
    if let Op::ProgramCells(op) = &mut op
        && rng.coin()
        && op.variance.is_some()
    {
        // A kernel without the variance.
        op.variance = None;
        case.wants.truncate(1);
    }
    case.section(vec![op]);
    case.apart[0] = 8.0 * APART;
    case.own_kernels = true;
    case
}

/// Layers of random codes.
pub fn combinations() -> Vec<Case> {
    (0..120).map(layer).collect()
}
