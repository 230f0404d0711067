use pimento::program::*;

use super::harness::*;

/// A mean of magnitudes up to 1, in f32 against f64.
const MEAN_TOLERANCE: f32 = 4.0 * EPS;

#[test]
fn binarized_maps_match_cpu() {
    for group in [BinaryGroup::Channel, BinaryGroup::Image] {
        for chw in [[3, 2, 5], [4, 1, 1], [2, 9, 9]] {
            let mut case = Case::new();
            let x = case.input_of(chw, Scope::PerChip, |n, seed| {
                let v = values(n, seed);
                // No sign at 0.
                (0..n)
                    .map(|i| if i % 7 == 0 { 0.0 } else { v[i] })
                    .collect()
            });
            let y = case.output(chw, Scope::PerChip);
            case.section(vec![Op::from(BinarizeAct { x, y, group })]);
            case.compare("binarize_act", MEAN_TOLERANCE);
        }
    }
}

#[test]
fn gradients_match_cpu() {
    let mut case = Case::new();
    let x = case.input_of([3, 2, 5], Scope::PerChip, |n, seed| {
        values(n, seed)
            .iter()
            .map(|v| (v * 8.0).round() / 4.0)
            .collect()
    });
    let dy = case.input([3, 2, 5], Scope::Shared);
    let dx = case.output([3, 2, 5], Scope::PerChip);
    case.section(vec![Op::from(BinarizeActGrad { x, dy, dx })]);
    case.compare("binarize_act_grad", 0.0);
}
