use pimento::program::*;

use super::harness::*;

#[test]
fn add_matches_cpu() {
    for (a, b) in SCOPES {
        let mut case = Case::new();
        let scope = joined(&[a, b]);
        let (a, b) = (case.input([3, 2, 5], a), case.input([3, 2, 5], b));
        let y = case.output([3, 2, 5], scope);
        case.section(vec![Op::from(Add { a, b, y })]);
        // One addition of exact values.
        case.compare("add", 0.0);
    }
}

#[test]
fn chunks_see_their_own_images() {
    let mut case = Case::sized(2, 40);
    case.capacity.chunk = 24;
    let x = case.input([2, 1, 1], Scope::PerChip);
    let z = case.input([2, 1, 1], Scope::Shared);
    let t = case.temp([2, 1, 1], Scope::PerChip);
    let y = case.output([2, 1, 1], Scope::PerChip);
    case.section(vec![
        Op::from(Add { a: x, b: z, y: t }),
        Op::from(Add { a: t, b: z, y }),
    ]);
    case.runs[0].1.images = 16..40;
    case.compare("chunks", 2.0 * EPS);
    case.runs[0].1.images = 32..35;
    case.runs[0].1.chips = 1;
    case.compare("chunks", 2.0 * EPS);
}
