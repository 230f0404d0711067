use pimento::backend::program::*;

use super::harness::*;

#[test]
fn pointwise_matches_cpu() {
    for act in [Activation::Identity, Activation::Relu, Activation::Tanh] {
        for parts in 0..8 {
            let mut case = Case::new();
            let x = case.input([3, 2, 5], Scope::PerChip);
            let scale = case.state(3, Scope::PerChip);
            let shift = case.state(3, Scope::Shared);
            let residual = case.input([3, 2, 5], Scope::Shared);
            let post = Post {
                scale: (parts & 1 != 0).then_some(scale),
                shift: (parts & 2 != 0).then_some(shift),
                residual: (parts & 4 != 0).then_some(residual),
                act,
                quant: None,
            };
            let y = case.output([3, 2, 5], Scope::PerChip);
            case.section(vec![Op::Pointwise { x, y, post }]);
            // Three operations on values up to 3, and tanh's rational function (20 operations).
            case.compare("pointwise", 32.0 * EPS);
        }
    }
}

#[test]
fn quantizing_epilogue_matches_cpu() {
    for (step, tolerance) in [(0.125, 0.0), (0.0, 0.0), (-1.0, 0.0)] {
        for rounding in [Rounding::Nearest, Rounding::Floor] {
            let mut case = Case::new();
            let x = case.input([3, 2, 5], Scope::Shared);
            let d = case.state_of(1, Scope::Shared, |_, _| vec![step]);
            let quant = ActQuant {
                scale: d,
                lo: -5,
                hi: 6,
                rounding,
            };
            let post = Post {
                quant: Some(quant),
                ..Post::NONE
            };
            let y = case.output([3, 2, 5], Scope::Shared);
            case.section(vec![Op::Pointwise { x, y, post }]);
            // A power of two divides exactly, so the codes are the same.
            case.compare("quantizing epilogue", tolerance);
        }
    }
}
