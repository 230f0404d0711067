//! Adam and AdamW.

use pimento::program::*;

use super::case::*;

/// Weights, gradients and both moments.
struct State {
    w: TensorId,
    g: TensorId,
    m: TensorId,
    v: TensorId,
}

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;

/// What differs between the cases.
#[derive(Clone, Copy)]
struct Kind {
    eps: f32,
    weight_decay: f32,
    decoupled: bool,
    positive: bool,
}

fn op(s: &State, kind: Kind) -> Op {
    Op::from(Adam {
        w: s.w,
        g: s.g,
        m: s.m,
        v: s.v,
        beta1: BETA1,
        beta2: BETA2,
        eps: kind.eps,
        weight_decay: kind.weight_decay,
        decoupled: kind.decoupled,
        positive: kind.positive,
    })
}

fn state(case: &mut Case, w: &[f32], g: &[f32]) -> State {
    State {
        w: case.shared(w),
        g: case.shared(g),
        m: case.result(w.len(), Scope::Shared),
        v: case.result(w.len(), Scope::Shared),
    }
}

/// The weights after steps of the equations.
fn weights(case: &Case, s: &State, kind: Kind, steps: u32, lr: f32) -> Vec<f64> {
    let (mut w, g) = (case.at(s.w, 0, 0), case.at(s.g, 0, 0));
    let mut moments = vec![(0.0, 0.0); w.len()];
    let [b1, b2, lr, eps, decay] = [BETA1, BETA2, lr, kind.eps, kind.weight_decay].map(f64::from);
    for step in 0..steps {
        let t = f64::from(step) + 1.0;
        for ((w, (m, v)), g) in w.iter_mut().zip(&mut moments).zip(&g) {
            let mut g = *g;
            if kind.positive {
                g *= *w;
            } else if kind.decoupled {
                *w -= lr * decay * *w;
            } else {
                g += decay * *w;
            }
            *m = b1 * *m + (1.0 - b1) * g;
            *v = b2 * *v + (1.0 - b2) * g * g;
            let root = (*v / (1.0 - b2.powf(t))).sqrt() + eps;
            let change = lr * *m / (1.0 - b1.powf(t)) / root;
            match kind.positive {
                true => *w *= (1.0 - change).clamp(0.5, 2.0),
                false => *w -= change,
            }
        }
    }
    w
}

/// Coupled and decoupled decay.
pub fn updates() -> Vec<Case> {
    const STEPS: u32 = 5;
    let cases = [false, true].map(|decoupled| {
        let mut case = Case::new(1, 1, 0);
        let s = state(&mut case, &normals(1, 500), &normals(2, 500));
        let kind = Kind {
            eps: 1e-8,
            weight_decay: 0.1,
            decoupled,
            positive: false,
        };
        let lr = 0.01f32;
        case.section(vec![op(&s, kind)]);
        case.steps(0..STEPS, lr);
        let want = weights(&case, &s, kind, STEPS, lr);
        // A step is at most about lr; 1 - beta2 has lost 10 bits, so m and v carry 1e-4 of it.
        let bar = f64::from(STEPS) * (f64::from(lr) * 2e-4 + 8.0 * EPS * 5.0);
        case.want(s.w, want, bar);
        case.apart[0] = bar;
        case
    });
    cases.into()
}

/// The first update of Adam is `lr * sign(g)`, whatever the gradient's size.
pub fn first_steps() -> Vec<Case> {
    let mut case = Case::new(1, 1, 0);
    let s = state(&mut case, &[0.0; 3], &[1e-3, -5.0, 200.0]);
    let kind = Kind {
        eps: 1e-12,
        weight_decay: 0.0,
        decoupled: false,
        positive: false,
    };
    case.section(vec![op(&s, kind)]);
    case.runs[0].1.lr = 0.5;
    // 1 - beta2 in f32 is off by 3e-5 of itself, the root by half of that.
    case.want(s.w, vec![-0.5, 0.5, -0.5], 0.5 * 4e-5);
    case.apart[1] = 32.0 * ULP;
    vec![case]
}

/// Steps of quantizers: Adam on the logarithm, to first order, by a factor of 1/2 to 2 at most.
pub fn positive_updates() -> Vec<Case> {
    const STEPS: u32 = 6;
    let cases = [0.02f32, 3.0].map(|lr| {
        let mut case = Case::new(1, 1, 0);
        let s = state(
            &mut case,
            &[0.01, 2.0, 5.0, 1e-4],
            &[3e-4, -1e-6, 0.0, 40.0],
        );
        let kind = Kind {
            eps: 1e-15,
            weight_decay: 0.0,
            decoupled: false,
            positive: true,
        };
        case.section(vec![op(&s, kind)]);
        case.steps(0..STEPS, lr);
        let want = weights(&case, &s, kind, STEPS, lr);
        assert!(want.iter().all(|w| *w > 0.0));
        // 1 - beta2 has lost 10 bits: each factor carries 1e-4 of the change.
        let share = f64::from(STEPS) * 2e-4;
        let limits: Vec<f64> = want.iter().map(|w| w * share).collect();
        case.want_within(s.w, want, |i| limits[i]);
        case.apart[1] = share;
        case
    });
    cases.into()
}

/// Three steps, early and late ones, of a number of weights that is no multiple of four.
pub fn later_updates() -> Vec<Case> {
    let plain = |weight_decay, decoupled| Kind {
        eps: 1e-8,
        weight_decay,
        decoupled,
        positive: false,
    };
    let positive = Kind {
        eps: 1e-15,
        weight_decay: 0.0,
        decoupled: true,
        positive: true,
    };
    // A handful of roundings of values up to 1 a step; up to 8 after three doublings.
    let apart = 32.0 * ULP;
    let cases = [
        (plain(0.0, false), 0, 0.125, apart),
        (plain(0.01, false), 4000, 0.125, apart),
        (plain(0.01, true), 0, 0.125, apart),
        // Rates that move by less and by more than the factor that is allowed.
        (positive, 0, 0.01, 8.0 * apart),
        (positive, 0, 2.0, 8.0 * apart),
    ];
    let cases = cases.map(|(kind, first, lr, apart)| {
        let mut case = Case::new(1, 1, 0);
        let w = match kind.positive {
            true => case.drawn(70, Scope::Shared, |rng| 0.01 + rng.coarse().abs()),
            false => case.random(70, Scope::Shared),
        };
        let g = case.random(70, Scope::Shared);
        let [m, v] = [(); 2].map(|_| case.shared(&[0.0; 70]));
        case.section(vec![op(&State { w, g, m, v }, kind)]);
        case.steps(first..first + 3, lr);
        for t in [w, m].into_iter().chain((!kind.positive).then_some(v)) {
            case.compare(t);
        }
        case.apart[0] = apart;
        case
    });
    cases.into()
}
