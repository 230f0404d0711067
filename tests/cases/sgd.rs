//! Stochastic gradient descent.

use pimento::program::*;

use super::case::*;

/// Weights, gradients and momenta.
struct State {
    w: TensorId,
    g: TensorId,
    m: TensorId,
}

/// The operator of [`State`] with `[momentum, weight_decay]`.
fn op(s: &State, [momentum, weight_decay]: [f32; 2], nesterov: bool, positive: bool) -> Op {
    Op::from(Sgd {
        w: s.w,
        g: s.g,
        m: s.m,
        momentum,
        weight_decay,
        nesterov,
        positive,
    })
}

/// Four steps by the equations.
pub fn updates() -> Vec<Case> {
    const STEPS: u32 = 4;
    let cases = [false, true].map(|nesterov| {
        let n = 20_000;
        let mut case = Case::new(1, 1, 0);
        let [w, g, m] = [1, 2, 3].map(|stream| case.shared(&normals(stream, n)));
        let state = State { w, g, m };
        case.section(vec![op(&state, [0.9, 0.01], nesterov, false)]);
        case.steps(0..STEPS, 0.1);
        let [mut want_w, g, mut want_m] = [w, g, m].map(|t| case.at(t, 0, 0));
        let [lr, mu, decay] = [0.1f32, 0.9, 0.01].map(f64::from);
        for _ in 0..STEPS {
            for ((w, m), g) in want_w.iter_mut().zip(&mut want_m).zip(&g) {
                let g = g + decay * *w;
                *m = mu * *m + g;
                *w -= lr * if nesterov { g + mu * *m } else { *m };
            }
        }
        // About eight operations a step, on values up to 20.
        let bar = f64::from(STEPS) * 8.0 * 20.0 * EPS;
        case.want(w, want_w, bar);
        case.want(m, want_m, bar);
        case.apart[0] = bar;
        case
    });
    cases.into()
}

/// A handful of roundings of values up to 1 a step, three steps.
const APART: f64 = 32.0 * ULP;

/// Three steps of a number of weights that is no multiple of four.
pub fn few_updates() -> Vec<Case> {
    let cases = [
        ([0.0, 0.0], false),
        ([0.9, 0.01], false),
        ([0.9, 0.01], true),
    ];
    let cases = cases.map(|(constants, nesterov)| {
        let mut case = Case::new(1, 1, 0);
        let [w, g] = [(); 2].map(|_| case.random(70, Scope::Shared));
        let m = case.shared(&[0.0; 70]);
        let state = State { w, g, m };
        case.section(vec![op(&state, constants, nesterov, false)]);
        case.steps(0..3, 0.125);
        case.compare(w);
        case.compare(m);
        case.apart[0] = APART;
        case
    });
    cases.into()
}

/// Steps of quantizers: the same update, by a factor of 1/2 to 2 at most.
pub fn positive_updates() -> Vec<Case> {
    let mut case = Case::new(1, 1, 0);
    let w = case.shared(&[1.0, 1.0, 1.0, 1.0, 1e-30]);
    let g = case.shared(&[0.5, 7.0, -30.0, 0.0, 5.0]);
    let m = case.result(5, Scope::Shared);
    let state = State { w, g, m };
    case.section(vec![op(&state, [0.0, 0.0], false, true)]);
    case.runs[0].1.lr = 0.25;
    case.want(w, vec![0.875, 0.5, 2.0, 1.0, f64::from(1e-30f32)], 0.0);
    case.apart[1] = 8.0 * ULP;
    vec![case]
}

/// Rates that move by less and by more than the factor that is allowed.
pub fn clamped_updates() -> Vec<Case> {
    let cases = [0.125, 20.0].map(|lr| {
        let mut case = Case::new(1, 1, 0);
        let w = case.drawn(70, Scope::Shared, |rng| 0.01 + rng.coarse().abs());
        let g = case.random(70, Scope::Shared);
        let m = case.shared(&[0.0; 70]);
        let state = State { w, g, m };
        case.section(vec![op(&state, [0.9, 0.0], true, true)]);
        case.steps(0..3, lr);
        case.compare(w);
        case.compare(m);
        // Values up to 8 after three doublings.
        case.apart[0] = 8.0 * APART;
        case
    });
    cases.into()
}
