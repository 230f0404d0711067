//! Convolutions that are pooled before they are written.

use pimento::program::*;

use super::case::*;
use super::conv2d::{geometries, geometry, input};
use super::reference::{self, ACTIVATIONS};

/// As in `conv2d`: a mean and a maximum are no further off than the values of their window.
const SUM_TOLERANCE: f64 = 8.0 * EPS;

/// Windows side by side.
pub fn window(kh: usize, kw: usize) -> PoolGeometry {
    PoolGeometry {
        kh,
        kw,
        stride: [kh, kw],
        pad: [0; 4],
    }
}

/// A window that fits the output of a convolution.
pub fn any_window(rng: &mut Rng, geo: &ConvGeometry) -> PoolGeometry {
    let side = |rng: &mut Rng, extent: usize| rng.pick(1, 3.min(extent));
    window(side(rng, geo.h_out()), side(rng, geo.w_out()))
}

/// The pooled map.
pub fn pooled(geo: &ConvGeometry, window: &PoolGeometry) -> [usize; 3] {
    let (h, w) = window.out(geo.h_out(), geo.w_out());
    [geo.c_out, h, w]
}

fn most(under: &[f64]) -> f64 {
    under.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

fn mean(under: &[f64]) -> f64 {
    under.iter().sum::<f64>() / under.len() as f64
}

/// `clamp(round(v / step), lo, hi) step`, ties to even.
fn quantize(v: f64, step: f64, [lo, hi]: [i32; 2]) -> f64 {
    step * (v / step)
        .round_ties_even()
        .clamp(f64::from(lo), f64::from(hi))
}

/// Wants the operator against plain loops, within `limit` of a sum of such magnitude; `codes` of the quantizers
/// before and behind, by step.
fn want(
    case: &mut Case,
    op: Conv2dPool,
    codes: [Option<(f64, [i32; 2])>; 2],
    limit: impl Fn(f64) -> f64,
) {
    let Conv2dPool {
        x, w, geo, window, ..
    } = op;
    let f = match op.pooling {
        Pooling::Max => most,
        Pooling::Mean => mean,
    };
    let size = (geo.c_out, geo.h_out(), geo.w_out());
    let mut limits = Vec::new();
    let values = case.each(Scope::PerChip, |chip, image| {
        let (x, w) = (case.at(x, chip, image), case.at(w, chip, 0));
        let sums = reference::conv2d(&x, &w, &geo, |w, x| w * x);
        let sizes = reference::conv2d(&x, &w, &geo, |w, x| (w * x).abs());
        let of = |t: Option<TensorId>| t.map(|t| case.at(t, chip, image));
        let (scale, shift) = (of(op.post.scale), of(op.post.shift));
        let map: Vec<f64> = sums
            .into_iter()
            .enumerate()
            .map(|(i, sum)| {
                let c = i / (size.1 * size.2);
                let v = scale.as_ref().map_or(1.0, |s| s[c]) * sum;
                let v = v + shift.as_ref().map_or(0.0, |s| s[c]);
                let v = reference::activation(op.post.act, v);
                codes[0].map_or(v, |(step, codes)| quantize(v, step, codes))
            })
            .collect();
        limits.extend(
            reference::pool(&sizes, size, &window, most)
                .into_iter()
                .map(&limit),
        );
        let pooled = reference::pool(&map, size, &window, f);
        let pooled = pooled.into_iter();
        pooled
            .map(|v| codes[1].map_or(v, |(step, codes)| quantize(v, step, codes)))
            .collect()
    });
    case.section(vec![Op::from(op.clone())]);
    case.want_within(op.y, values, |i| limits[i]);
}

/// Any geometry of one group with an epilogue.
pub fn maps() -> Vec<Case> {
    let mut cases = Vec::new();
    for seed in 0..60 {
        let mut rng = Rng(seed);
        let geo = ConvGeometry {
            groups: 1,
            ..geometry(&mut rng)
        };
        let window = any_window(&mut rng, &geo);
        let mut case = Case::new(seed + 2000, rng.pick(1, 3), rng.pick(1, 40));
        let op = Conv2dPool {
            x: case.random(input(&geo), rng.scope()),
            w: case.random(geo.weights(), rng.scope()),
            y: case.result(pooled(&geo, &window), Scope::PerChip),
            post: Post {
                scale: rng.coin().then(|| case.random(geo.c_out, rng.scope())),
                shift: rng.coin().then(|| case.random(geo.c_out, rng.scope())),
                act: ACTIVATIONS[rng.pick(0, 8)],
                ..Post::NONE
            },
            geo,
            pooling: [Pooling::Max, Pooling::Mean][rng.pick(0, 1)],
            window,
            quant: None,
        };
        want(&mut case, op, [None; 2], |size| {
            SUM_TOLERANCE * (2.0 + size)
        });
        // Partial sums of at most `rows + 5`, each rounded, in either order; a mean of at most nine.
        case.apart[0] = ((geo.rows() + 14) as f64).powf(1.5) * 2.0 * ULP;
        cases.push(case);
    }
    cases
}

/// Integers and steps of powers of two: every code is exact.
pub fn codes() -> Vec<Case> {
    let mut cases = Vec::new();
    for (seed, geo) in geometries()
        .into_iter()
        .filter(|g| g.groups == 1)
        .enumerate()
    {
        for pooling in [Pooling::Max, Pooling::Mean] {
            for (kh, kw) in [(2, 2), (1, 2), (4, 1)] {
                if kh > geo.h_out() || kw > geo.w_out() {
                    continue;
                }
                let window = window(kh, kw);
                let mut case = Case::new(seed as u64 + 3000, 2, 19);
                case.name = format!("{geo:?}, {pooling:?}, {kh} x {kw}");
                let digits = |rng: &mut Rng| (rng.coarse() * 3.0).round() - 1.0;
                let quant = |scale, [lo, hi]: [i32; 2]| ActQuant {
                    scale,
                    lo,
                    hi,
                    rounding: Rounding::Nearest,
                };
                let (before, behind) = ([-6, 9], [-2, 3]);
                let op = Conv2dPool {
                    x: case.drawn(input(&geo), Scope::Shared, digits),
                    w: case.drawn(geo.weights(), Scope::PerChip, digits),
                    y: case.result(pooled(&geo, &window), Scope::PerChip),
                    post: Post {
                        quant: Some(quant(case.shared(&[0.5]), before)),
                        ..Post::NONE
                    },
                    geo,
                    pooling,
                    window,
                    quant: Some(quant(case.shared(&[0.25]), behind)),
                };
                let codes = [Some((0.5, before)), Some((0.25, behind))];
                want(&mut case, op, codes, |_| 0.0);
                cases.push(case);
            }
        }
    }
    cases
}

/// No step: every result is 0.
pub fn codes_without_a_step() -> Vec<Case> {
    let geo = geometries()[1];
    let window = window(2, 2);
    let mut case = wave(1);
    let scale = case.shared(&[0.0]);
    let op = Conv2dPool {
        x: case.random(input(&geo), Scope::Shared),
        w: case.random(geo.weights(), Scope::PerChip),
        y: case.result(pooled(&geo, &window), Scope::PerChip),
        geo,
        post: Post::NONE,
        pooling: Pooling::Mean,
        window,
        quant: Some(ActQuant {
            scale,
            lo: -7,
            hi: 7,
            rounding: Rounding::Floor,
        }),
    };
    let n = case.count(pooled(&geo, &window), Scope::PerChip);
    case.section(vec![Op::from(op.clone())]);
    case.want(op.y, vec![0.0; n], 0.0);
    vec![case]
}

/// Maps that are read in several strips, sums that are cut, columns and lines that no window covers.
pub fn large() -> Vec<Case> {
    let layer = |c_in, c_out, extent, k, pad| ConvGeometry {
        h_in: extent,
        w_in: extent,
        kh: k,
        kw: k,
        pad: [pad; 4],
        ..ConvGeometry::linear(c_in, c_out)
    };
    let layers = [
        (layer(1, 6, 28, 5, 2), window(2, 2), Pooling::Mean),
        (layer(6, 16, 14, 5, 0), window(2, 2), Pooling::Mean),
        (layer(8, 5, 41, 3, 1), window(3, 2), Pooling::Max),
        (layer(40, 20, 12, 3, 1), window(2, 3), Pooling::Mean),
    ];
    let cases = layers.into_iter().enumerate();
    let cases = cases.map(|(seed, (geo, window, pooling))| {
        let mut case = Case::new(seed as u64 + 4000, 1, 17);
        let op = Conv2dPool {
            x: case.random(input(&geo), Scope::Shared),
            w: case.random(geo.weights(), Scope::PerChip),
            y: case.result(pooled(&geo, &window), Scope::PerChip),
            post: Post {
                shift: Some(case.random(geo.c_out, Scope::Shared)),
                act: Activation::Tanh,
                ..Post::NONE
            },
            geo,
            pooling,
            window,
            quant: None,
        };
        want(&mut case, op, [None; 2], |size| {
            SUM_TOLERANCE * (2.0 + size)
        });
        case.apart[0] = ((geo.rows() + 14) as f64).powf(1.5) * 2.0 * ULP;
        case
    });
    cases.collect()
}
