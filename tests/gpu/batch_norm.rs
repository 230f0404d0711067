use pimento::program::*;

use super::harness::*;

/// Means of values up to 1, in f32 against f64.
const MEAN_TOLERANCE: f32 = 4.0 * EPS;

/// Sums over up to 1,110 values of gradients up to 1 and of normalized inputs up to 2.
const SUM_TOLERANCE: f32 = 512.0 * EPS;

const CHW: [usize; 3] = [3, 2, 5];

/// Values about 3, whose variance a one-pass formula would lose digits of.
fn shifted(n: usize, seed: u64) -> Vec<f32> {
    values(n, seed).iter().map(|v| v + 3.0).collect()
}

#[test]
fn statistics_match_cpu() {
    for (of, to) in [
        (Scope::Shared, Scope::Shared),
        (Scope::PerChip, Scope::Shared),
        (Scope::PerChip, Scope::PerChip),
    ] {
        let mut case = Case::new();
        let x = case.input_of(CHW, of, shifted);
        let mean = case.result(3, to);
        let var = case.result(3, to);
        case.section(vec![Op::from(BatchNormStats { x, mean, var })]);
        case.compare("batch_norm_stats", 4.0 * MEAN_TOLERANCE);
    }
}

#[test]
fn folded_factors_match_cpu() {
    for scope in [Scope::Shared, Scope::PerChip] {
        let mut case = Case::new();
        let mean = case.state(70, scope);
        let var = case.state_of(70, scope, shifted);
        let gamma = case.state(70, Scope::Shared);
        let beta = case.state(70, Scope::Shared);
        let scale = case.result(70, scope);
        let shift = case.result(70, scope);
        case.section(vec![Op::from(BatchNormFold {
            mean,
            var,
            gamma,
            beta,
            scale,
            shift,
            eps: 1e-5,
        })]);
        // A root and a division of values about 1.
        case.compare("batch_norm_fold", 8.0 * EPS);
    }
}

#[test]
fn gradients_match_cpu() {
    for scope in [Scope::Shared, Scope::PerChip] {
        let mut case = Case::new();
        let x = case.input(CHW, scope);
        let dy = case.input(CHW, scope);
        let mean = case.state_of(3, Scope::Shared, |_, _| vec![0.01, -0.02, 0.03]);
        let var = case.state_of(3, Scope::Shared, |_, _| vec![0.3, 0.35, 0.32]);
        let gamma = case.state(3, Scope::Shared);
        let dx = case.output(CHW, scope);
        let dgamma = case.result(3, Scope::Shared);
        let dbeta = case.result(3, Scope::Shared);
        let eps = 1e-5;
        case.section(vec![
            Op::from(BatchNormGradSums {
                x,
                mean,
                var,
                dy,
                dgamma,
                dbeta,
                eps,
            }),
            Op::from(BatchNormGrad {
                x,
                mean,
                var,
                gamma,
                dy,
                dgamma,
                dbeta,
                dx,
                eps,
            }),
        ]);
        case.compare("batch_norm_grad", SUM_TOLERANCE);
    }
}
