//! Products of maps.

use pimento::program::*;

use super::case::*;

/// A product with a map, or with a factor a channel where `factor` has one place.
fn product(mut case: Case, chw: [usize; 3], factor: [usize; 3], [a, b, y]: [Scope; 3]) -> Case {
    let [_, h, w] = chw;
    let (a, b) = (case.random(chw, a), case.random(factor, b));
    let scope = y;
    let y = case.result(chw, scope);
    case.section(vec![Op::from(Multiply { a, b, y })]);
    let place = |i: usize| if factor == chw { i } else { i / (h * w) };
    let want = case.each(scope, |chip, image| {
        let (a, b) = (case.at(a, chip, image), case.at(b, chip, image));
        let products = a.iter().enumerate().map(|(i, a)| a * b[place(i)]);
        products.collect()
    });
    // One rounding of a value below 1, correct on every backend.
    case.want(y, want, EPS);
    case
}

pub fn products() -> Vec<Case> {
    let mut cases = Vec::new();
    for seed in 0..12 {
        let mut rng = Rng(seed);
        let chw = [rng.pick(1, 7), rng.pick(1, 9), rng.pick(1, 9)];
        let factor = match seed % 2 {
            0 => [chw[0], 1, 1],
            _ => chw,
        };
        let case = Case::new(seed + 3, rng.pick(1, 3), rng.pick(1, 40));
        let scopes = [rng.scope(), rng.scope(), Scope::PerChip];
        cases.push(product(case, chw, factor, scopes));
    }
    for (a, b) in SCOPES {
        for factor in [[3, 2, 5], [3, 1, 1]] {
            let scopes = [a, b, joined(&[a, b])];
            cases.push(product(wave(1), [3, 2, 5], factor, scopes));
        }
    }
    // Shared factors serve every chip.
    let scopes = [Scope::Shared, Scope::Shared, Scope::PerChip];
    cases.push(product(wave(1), [3, 2, 5], [3, 1, 1], scopes));
    cases
}
