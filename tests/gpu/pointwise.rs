use pimento::program::*;

use super::harness::*;

#[test]
fn pointwise_matches_cpu() {
    for act in ACTIVATIONS {
        // Where the result jumps, a rounding in front of it would count as much as the jump.
        for parts in 0..if act.is_step() { 1 } else { 8 } {
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
            case.section(vec![Op::from(Pointwise { x, y, post })]);
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
            case.section(vec![Op::from(Pointwise { x, y, post })]);
            // A power of two divides exactly, so the codes are the same.
            case.compare("quantizing epilogue", tolerance);
        }
    }
}

/// Beyond the ranges of the polynomials, at infinities, and NaN, which stays NaN.
#[test]
fn activations_of_large_and_special_values_match_cpu() {
    let Some(gpu) = gpu_or_skip("special values") else {
        return;
    };
    let special = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        -0.0,
        3.0,
        -3.0,
        -87.2,
        -87.4,
        88.0,
        3e38,
        -3e38,
    ];
    for act in ACTIVATIONS {
        let mut case = Case::sized(1, 400);
        let x = case.input_of([1, 1, 1], Scope::Shared, |n, seed| {
            let wide = values(n, seed).into_iter().map(|v| v * 100.0);
            special.into_iter().chain(wide).take(n).collect()
        });
        let y = case.output([1, 1, 1], Scope::Shared);
        let post = Post { act, ..Post::NONE };
        case.section(vec![Op::from(Pointwise { x, y, post })]);
        let (cpu, gpu) = (
            case.run_on(&pimento::backend::cpu::CpuBackend::new()),
            case.run_on(gpu),
        );
        for (i, (c, g)) in cpu[0].iter().zip(&gpu[0]).enumerate() {
            // Relative, since a sigmoid must be right near 0 too; ten operations and a division.
            let close = (c - g).abs() <= c.abs() * 16.0 * EPS;
            let same = c == g || close || (c.is_nan() && g.is_nan());
            assert!(same, "{act:?}, value {i}: cpu {c}, gpu {g}");
        }
    }
}
