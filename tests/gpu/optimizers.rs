//! Optimizers, running averages and clearing: three steps each, so that the state matters.

use pimento::program::*;

use super::harness::*;

/// A handful of roundings of values up to 1 per step, three steps.
const TOLERANCE: f32 = 32.0 * EPS;

/// Not a multiple of four.
const N: usize = 70;

/// Repeats the case's section at steps 0, 1, 2.
fn three_steps(case: &mut Case) {
    let (section, args) = case.runs[0].clone();
    case.runs = (0..3)
        .map(|step| {
            let mut args = args.clone();
            args.step = step;
            args.lr = 0.125;
            (section, args)
        })
        .collect();
}

#[test]
fn sgd_matches_cpu() {
    for (momentum, weight_decay, nesterov) in
        [(0.0, 0.0, false), (0.9, 0.01, false), (0.9, 0.01, true)]
    {
        let mut case = Case::new();
        let w = case.state(N, Scope::Shared);
        let g = case.state(N, Scope::Shared);
        let m = case.state_of(N, Scope::Shared, |n, _| vec![0.0; n]);
        case.section(vec![Op::from(Sgd {
            w,
            g,
            m,
            momentum,
            weight_decay,
            nesterov,
            positive: false,
        })]);
        case.reads = vec![w, m];
        three_steps(&mut case);
        case.compare("sgd", TOLERANCE);
    }
}

#[test]
fn adam_matches_cpu() {
    for (weight_decay, decoupled, first) in [(0.0, false, 0), (0.01, false, 4000), (0.01, true, 0)]
    {
        let mut case = Case::new();
        let w = case.state(N, Scope::Shared);
        let g = case.state(N, Scope::Shared);
        let m = case.state_of(N, Scope::Shared, |n, _| vec![0.0; n]);
        let v = case.state_of(N, Scope::Shared, |n, _| vec![0.0; n]);
        case.section(vec![Op::from(Adam {
            w,
            g,
            m,
            v,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay,
            decoupled,
            positive: false,
        })]);
        case.reads = vec![w, m, v];
        three_steps(&mut case);
        for (_, args) in &mut case.runs {
            args.step += first;
        }
        case.compare("adam", TOLERANCE);
    }
}

#[test]
fn steps_of_quantizers_match_cpu() {
    // Rates that move by less and by more than the factor that is allowed.
    for (positive_sgd, lr) in [(true, 0.125), (true, 20.0), (false, 0.01), (false, 2.0)] {
        let mut case = Case::new();
        let w = case.state_of(N, Scope::Shared, |n, seed| {
            values(n, seed).iter().map(|v| 0.01 + v.abs()).collect()
        });
        let g = case.state(N, Scope::Shared);
        let m = case.state_of(N, Scope::Shared, |n, _| vec![0.0; n]);
        let v = case.state_of(N, Scope::Shared, |n, _| vec![0.0; n]);
        case.section(vec![match positive_sgd {
            true => Op::from(Sgd {
                w,
                g,
                m,
                momentum: 0.9,
                weight_decay: 0.0,
                nesterov: true,
                positive: true,
            }),
            false => Op::from(Adam {
                w,
                g,
                m,
                v,
                beta1: 0.9,
                beta2: 0.999,
                eps: 1e-15,
                weight_decay: 0.0,
                decoupled: true,
                positive: true,
            }),
        }]);
        case.reads = vec![w, m];
        three_steps(&mut case);
        for (_, args) in &mut case.runs {
            args.lr = lr;
        }
        // Values up to 8 after three doublings.
        case.compare("positive", 8.0 * TOLERANCE);
    }
}

#[test]
fn running_averages_match_cpu() {
    for rate in [
        Rate::Fixed(0.1),
        Rate::Fixed(1.0),
        Rate::FixedFromFirst(0.1),
        Rate::Cumulative,
        Rate::Sum,
    ] {
        for scope in [Scope::Shared, Scope::PerChip] {
            let mut case = Case::new();
            let state = case.state(N, scope);
            let value = case.state(N, scope);
            case.section(vec![Op::from(Lerp {
                state,
                value,
                rate,
                times: 1.5,
            })]);
            case.reads = vec![state];
            three_steps(&mut case);
            case.compare("lerp", TOLERANCE);
        }
    }
}

#[test]
fn zero_clears() {
    for scope in [Scope::Shared, Scope::PerChip] {
        let mut case = Case::new();
        let t = case.state(N, scope);
        case.section(vec![Op::from(Zero { t })]);
        case.reads = vec![t];
        case.compare("zero", 0.0);
    }
}
