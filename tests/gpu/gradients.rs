use pimento::program::*;

use super::harness::*;

#[test]
fn activation_grad_matches_cpu() {
    for act in ACTIVATIONS {
        for scale in [None, Some(Scope::Shared), Some(Scope::PerChip)] {
            let mut case = Case::new();
            // Up to 4, so that every piece of every activation is met.
            let wide = |n, seed| values(n, seed).iter().map(|v| v * 4.0).collect();
            let y = case.input_of([3, 2, 5], Scope::PerChip, wide);
            let dy = case.input([3, 2, 5], Scope::PerChip);
            let scale = scale.map(|scope| case.state(3, scope));
            let dx = case.output([3, 2, 5], Scope::PerChip);
            case.section(vec![Op::from(ActivationGrad {
                y,
                dy,
                dx,
                act,
                scale,
            })]);
            // Up to four operations on values of at most 20 (sigmoid, tanh).
            case.compare("activation_grad", 80.0 * EPS);
        }
    }
}

#[test]
fn channel_sum_matches_cpu() {
    for (x, y) in [
        (Scope::Shared, Scope::Shared),
        (Scope::PerChip, Scope::Shared),
        (Scope::PerChip, Scope::PerChip),
    ] {
        let mut case = Case::new();
        let x = case.input([3, 4, 5], x);
        let y = case.result(3, y);
        case.section(vec![Op::from(ChannelSum { x, y })]);
        // Values of at most 1, whose partial sums stay below a tenth of their number.
        let terms = (20 * IMAGES * CHIPS) as f32;
        case.compare("channel_sum", terms * 0.1 * terms.sqrt() * EPS);
    }
}
