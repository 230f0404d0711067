use pimento::program::*;

use super::harness::*;

#[test]
fn variance_ratio_matches_cpu() {
    for scope in [Scope::Shared, Scope::PerChip] {
        let mut case = Case::new();
        let square = |n, seed| values(n, seed).iter().map(|v| v * v).collect();
        let a = case.state_of(13, scope, square);
        let b = case.state_of(13, scope, square);
        let out = case.result(13, scope);
        case.section(vec![Op::from(VarianceRatio { a, b, out })]);
        // The same sums in the same order, a division and a root.
        case.compare("variance_ratio", 4.0 * EPS);
    }
}
