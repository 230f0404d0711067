//! Gradients of activations.

use pimento::program::*;

use super::case::*;
use super::reference::{ACTIVATIONS, activation};

/// `1 - tanh^2` from a `tanh` that is 6 ulp off; finite differences are exact to `1e-9`.
const GRADIENT_TOLERANCE: f64 = 2e-6;

/// Up to four operations on values of at most 20 (sigmoid, tanh).
const APART: f64 = 80.0 * ULP;

/// Against finite differences.
pub fn gradients() -> Vec<Case> {
    let cases = ACTIVATIONS.into_iter().enumerate().map(|(seed, act)| {
        let chw = map(&mut Rng(seed as u64));
        let [c, h, w] = chw;
        let mut case = Case::new(7, 2, 20);
        case.name = format!("{act:?}");
        // Odd multiples of 1/256 between -4 and 4: none is within 1e-3 of a kink.
        let x = case.drawn(chw, Scope::PerChip, |rng| {
            (2 * rng.pick(0, 1023) + 1) as f32 / 256.0 - 4.0
        });
        let dy = case.random(chw, Scope::PerChip);
        let scale = case.random(c, Scope::Shared);
        let y = case.temp(chw, Scope::PerChip);
        let dx = case.result(chw, Scope::PerChip);
        let scaled = case.result(chw, Scope::PerChip);
        let post = Post { act, ..Post::NONE };
        let from = if act.derivative_from_input() { x } else { y };
        let grad = |dx, scale| {
            Op::from(ActivationGrad {
                y: from,
                dy,
                dx,
                act,
                scale,
            })
        };
        case.section(vec![
            Op::from(Pointwise { x, y, post }),
            grad(dx, None),
            grad(scaled, Some(scale)),
        ]);
        let want = case.each(Scope::PerChip, |chip, image| {
            let dy = case.at(dy, chip, image);
            differences(&case.at(x, chip, image), |x| {
                let y: Vec<f64> = x.iter().map(|&v| activation(act, v)).collect();
                dot(&y, &dy)
            })
        });
        let factors = case.at(scale, 0, 0);
        let places = want.iter().enumerate();
        let want_scaled = places.map(|(i, g)| g * factors[i / (h * w) % c]).collect();
        case.want(dx, want, GRADIENT_TOLERANCE);
        case.want(scaled, want_scaled, GRADIENT_TOLERANCE);
        case.apart[0] = APART;
        case
    });
    cases.collect()
}

/// Up to 4, so that every piece of every activation is met.
pub fn gradients_of_any_value() -> Vec<Case> {
    let mut cases = Vec::new();
    for act in ACTIVATIONS {
        for scale in [None, Some(Scope::Shared), Some(Scope::PerChip)] {
            let mut case = wave(1);
            case.name = format!("{act:?}");
            let y = case.drawn([3, 2, 5], Scope::PerChip, |rng| rng.coarse() * 4.0);
            let dy = case.random([3, 2, 5], Scope::PerChip);
            let scale = scale.map(|scope| case.random(3, scope));
            let dx = case.result([3, 2, 5], Scope::PerChip);
            case.section(vec![Op::from(ActivationGrad {
                y,
                dy,
                dx,
                act,
                scale,
            })]);
            case.compare(dx);
            case.apart[0] = APART;
            cases.push(case);
        }
    }
    cases
}
