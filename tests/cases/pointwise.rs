//! Point-wise maps.

use pimento::program::*;

use super::case::*;
use super::reference::{ACTIVATIONS, activation};

/// Values are below 4 and pass through at most four roundings, or through tanh (6 ulp of 1).
const VALUE_TOLERANCE: f64 = 16.0 * EPS;

/// Three operations on values up to 3, and tanh's rational function (20 operations).
const APART: f64 = 32.0 * ULP;

/// A map with the given epilogue, against the equation.
fn mapped(mut case: Case, x: TensorId, post: Post) -> Case {
    let shape = case.program.desc(x).shape;
    let (_, h, w) = shape.chw();
    let y = case.result(shape, Scope::PerChip);
    case.section(vec![Op::from(Pointwise { x, y, post })]);
    let want = case.each(Scope::PerChip, |chip, image| {
        let of = |t: Option<TensorId>| t.map(|t| case.at(t, chip, image));
        let (scale, shift, residual) = (of(post.scale), of(post.shift), of(post.residual));
        let x = case.at(x, chip, image).into_iter().enumerate();
        let values = x.map(|(i, v)| {
            let c = i / (h * w);
            let v = scale.as_ref().map_or(1.0, |s| s[c]) * v
                + shift.as_ref().map_or(0.0, |s| s[c])
                + residual.as_ref().map_or(0.0, |r| r[i]);
            activation(post.act, v)
        });
        values.collect()
    });
    case.want(y, want, VALUE_TOLERANCE);
    case.apart[0] = APART;
    case
}

pub fn maps() -> Vec<Case> {
    let cases = (0..36).map(|seed| {
        let mut rng = Rng(seed);
        let chw = map(&mut rng);
        let mut case = Case::new(seed + 50, rng.pick(1, 3), rng.pick(1, 40));
        let x = case.random(chw, rng.scope());
        let scale = rng.coin().then(|| case.random(chw[0], rng.scope()));
        let shift = rng.coin().then(|| case.random(chw[0], rng.scope()));
        let residual = rng.coin().then(|| case.random(chw, rng.scope()));
        let act = ACTIVATIONS[seed as usize % ACTIVATIONS.len()];
        // Where the result jumps, a rounding in front of it would count as much as the jump.
        let smooth = |t: Option<TensorId>| t.filter(|_| !act.is_step());
        let post = Post {
            scale: smooth(scale),
            shift: smooth(shift),
            residual: smooth(residual),
            act,
            quant: None,
        };
        mapped(case, x, post)
    });
    cases.collect()
}

/// Every activation with every part of the epilogue.
pub fn epilogues() -> Vec<Case> {
    let mut cases = Vec::new();
    for act in ACTIVATIONS {
        for parts in 0..if act.is_step() { 1 } else { 8 } {
            let mut case = wave(1);
            let x = case.random([3, 2, 5], Scope::PerChip);
            let scale = case.random(3, Scope::PerChip);
            let shift = case.random(3, Scope::Shared);
            let residual = case.random([3, 2, 5], Scope::Shared);
            let post = Post {
                scale: (parts & 1 != 0).then_some(scale),
                shift: (parts & 2 != 0).then_some(shift),
                residual: (parts & 4 != 0).then_some(residual),
                act,
                quant: None,
            };
            cases.push(mapped(case, x, post));
        }
    }
    cases
}

/// Codes of exact quotients; a step of 0 (nothing calibrated) or below gives 0.
pub fn quantizing_epilogues() -> Vec<Case> {
    let mut cases = Vec::new();
    for step in [0.125f32, 0.0, -1.0] {
        for rounding in [Rounding::Nearest, Rounding::Floor] {
            let mut case = wave(1);
            let x = case.drawn([3, 2, 5], Scope::Shared, Rng::coarse);
            let quant = ActQuant {
                scale: case.shared(&[step]),
                lo: -5,
                hi: 6,
                rounding,
            };
            let post = Post {
                quant: Some(quant),
                ..Post::NONE
            };
            let y = case.result([3, 2, 5], Scope::Shared);
            case.section(vec![Op::from(Pointwise { x, y, post })]);
            let step = f64::from(step);
            let want = case.each(Scope::Shared, |chip, image| {
                let x = case.at(x, chip, image).into_iter();
                let codes = x.map(|v| match rounding {
                    _ if step <= 0.0 => 0.0,
                    Rounding::Nearest => step * (v / step).round_ties_even().clamp(-5.0, 6.0),
                    Rounding::Floor => step * (v / step).floor().clamp(-5.0, 6.0),
                });
                codes.collect()
            });
            case.want(y, want, 0.0);
            cases.push(case);
        }
    }
    cases
}

/// Values of one channel through every activation.
fn activations(values: &[f32], want: bool) -> Vec<Case> {
    let cases = ACTIVATIONS.map(|act| {
        let mut case = Case::new(0, 1, values.len());
        case.name = format!("{act:?}");
        let x = case.given([1, 1, 1], Scope::Shared, values.to_vec());
        let y = case.result([1, 1, 1], Scope::Shared);
        let post = Post { act, ..Post::NONE };
        case.section(vec![Op::from(Pointwise { x, y, post })]);
        match want {
            true => {
                let values = wide(values).into_iter();
                let values = values.map(|v| match v.is_nan() {
                    true => v,
                    false => f64::from(activation(act, v) as f32),
                });
                case.want(y, values.collect(), 0.0);
            }
            false => case.compare(y),
        }
        // Relative, since a sigmoid must be right near 0 too; ten operations and a division.
        case.apart[1] = 16.0 * ULP;
        case
    });
    cases.into()
}

/// NaN stays NaN.
pub fn special_values() -> Vec<Case> {
    activations(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0], true)
}

/// Beyond the ranges of the polynomials.
pub fn large_values() -> Vec<Case> {
    let special = [3.0, -3.0, -87.2, -87.4, 88.0, 3e38, -3e38];
    let mut rng = Rng(1);
    let wide = (0..400 - special.len()).map(|_| rng.coarse() * 100.0);
    activations(&special.into_iter().chain(wide).collect::<Vec<_>>(), false)
}
