use pimento::program::*;

use super::harness::*;

#[test]
fn multiply_matches_cpu() {
    for (a, b) in SCOPES {
        for factor in [[3, 2, 5], [3, 1, 1]] {
            let mut case = Case::new();
            let scope = joined(&[a, b]);
            let (a, b) = (case.input([3, 2, 5], a), case.input(factor, b));
            let y = case.output([3, 2, 5], scope);
            case.section(vec![Op::from(Multiply { a, b, y })]);
            // One product, correctly rounded on both.
            case.compare("multiply", 0.0);
        }
    }
}

#[test]
fn shared_factors_serve_every_chip() {
    let mut case = Case::new();
    let a = case.input([3, 2, 5], Scope::Shared);
    let b = case.input([3, 1, 1], Scope::Shared);
    let y = case.output([3, 2, 5], Scope::PerChip);
    case.section(vec![Op::from(Multiply { a, b, y })]);
    case.compare("multiply broadcast", 0.0);
}
