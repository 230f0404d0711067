use pimento::program::*;

use super::harness::*;

#[test]
fn softmax_matches_cpu() {
    for (x, y) in [
        (Scope::Shared, Scope::Shared),
        (Scope::Shared, Scope::PerChip),
        (Scope::PerChip, Scope::PerChip),
    ] {
        for size in [1.0, 20.0, 200.0] {
            let mut case = Case::new();
            let wide = |n, seed| values(n, seed).iter().map(|v| v * size).collect();
            let x = case.input_of([11, 2, 3], x, wide);
            let y = case.output([11, 2, 3], y);
            case.section(vec![Op::from(Softmax { x, y })]);
            // The same formula: differences of exact values, an exponential of ten operations, a
            // sum of eleven and a division, on values of at most 1.
            case.compare("softmax", 24.0 * EPS);
        }
    }
}
