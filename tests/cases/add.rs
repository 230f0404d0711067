//! Sums of maps.

use pimento::program::*;

use super::case::*;

/// Two operands and the sum of them, exactly rounded on every backend.
fn sum(mut case: Case, chw: [usize; 3], [a, b]: [Scope; 2]) -> Case {
    let scope = joined(&[a, b]);
    let (a, b) = (case.random(chw, a), case.random(chw, b));
    let y = case.result(chw, scope);
    case.section(vec![Op::from(Add { a, b, y })]);
    let want = case.each(scope, |chip, image| {
        let (a, b) = (case.at(a, chip, image), case.at(b, chip, image));
        a.iter().zip(b).map(|(a, b)| a + b).collect()
    });
    // One rounding of a value below 2.
    case.want(y, want, 2.0 * EPS);
    case
}

pub fn sums() -> Vec<Case> {
    let random = (0..6).map(|seed| {
        let chw = map(&mut Rng(seed));
        sum(
            Case::new(seed + 9, 2, 21),
            chw,
            [Scope::PerChip, Scope::Shared],
        )
    });
    let scopes = SCOPES.map(|(a, b)| sum(wave(1), [3, 2, 5], [a, b]));
    random.chain(scopes).collect()
}

/// Parts of a wave, of the images and of the chips.
pub fn chunks() -> Vec<Case> {
    let cases = [(16..40, 2), (32..35, 1)].map(|(images, chips)| {
        let mut case = Case::new(1, 2, 40);
        case.chunk = 24;
        let x = case.random([2, 1, 1], Scope::PerChip);
        let z = case.random([2, 1, 1], Scope::Shared);
        let t = case.temp([2, 1, 1], Scope::PerChip);
        let y = case.result([2, 1, 1], Scope::PerChip);
        case.section(vec![
            Op::from(Add { a: x, b: z, y: t }),
            Op::from(Add { a: t, b: z, y }),
        ]);
        case.runs[0].1.images = images;
        case.runs[0].1.chips = chips;
        case.apart[0] = 2.0 * ULP;
        case.compare(y);
        case
    });
    cases.into()
}
