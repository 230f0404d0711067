//! Roots of ratios of variances.

use pimento::program::*;

use super::case::*;

pub fn ratios() -> Vec<Case> {
    let mut case = Case::new(1, 2, 0);
    let (a, b) = (
        [1.0, 2.0, 5.0, 0.0, 3.0, 0.0],
        [1.0, 0.5, 0.5, 0.0, 0.0, 0.0],
    );
    let a = case.given(3, Scope::PerChip, a.into());
    let b = case.given(3, Scope::PerChip, b.into());
    let out = case.result(3, Scope::PerChip);
    case.section(vec![Op::from(VarianceRatio { a, b, out })]);
    case.want(out, vec![2.0, 2.0, 2.0, 1.0, 1.0, 1.0], 0.0);
    // A division and a root of other accuracies than the CPU's.
    case.apart[0] = 4.0 * ULP;
    vec![case]
}

pub fn ratios_of_noise() -> Vec<Case> {
    let cases = [Scope::Shared, Scope::PerChip].map(|scope| {
        let mut case = wave(1);
        let [a, b] = [(); 2].map(|_| case.drawn(13, scope, |rng| rng.coarse().powi(2)));
        let out = case.result(13, scope);
        case.section(vec![Op::from(VarianceRatio { a, b, out })]);
        case.compare(out);
        // The same sums in the same order, a division and a root.
        case.apart[0] = 4.0 * ULP;
        case
    });
    cases.into()
}
