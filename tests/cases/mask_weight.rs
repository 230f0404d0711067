//! Weights of which some are removed.

use pimento::program::*;

use super::case::*;

pub fn products() -> Vec<Case> {
    let cases = [1, 64, 1000].map(|n| {
        let mut case = Case::new(n as u64, 1, 0);
        let w = case.random(n, Scope::Shared);
        let mask = case.drawn(n, Scope::Shared, |rng| f32::from(u8::from(rng.coin())));
        let y = case.result(n, Scope::Shared);
        case.section(vec![Op::from(MaskWeight { w, mask, y })]);
        let want = case.at(w, 0, 0).into_iter().zip(case.at(mask, 0, 0));
        let want = want.map(|(w, mask)| if mask == 0.0 { 0.0 } else { w });
        case.want(y, want.collect(), 0.0);
        case
    });
    cases.into()
}

/// The gradient of `sum dy y` is the masked `dy`: by differences, which are exact of a linear function.
pub fn gradients() -> Vec<Case> {
    let n = 40;
    let mut case = Case::new(3, 1, 0);
    let w = case.exact(n, Scope::Shared);
    let mask = case.drawn(n, Scope::Shared, |rng| f32::from(u8::from(rng.coin())));
    let dy = case.exact(n, Scope::Shared);
    let dw = case.result(n, Scope::Shared);
    case.section(vec![Op::from(MaskWeight { w: dy, mask, y: dw })]);
    let [w, mask, dys] = [w, mask, dy].map(|t| case.at(t, 0, 0));
    let loss = |w: &[f64]| -> f64 {
        let y = w.iter().zip(&mask).map(|(w, mask)| w * mask);
        y.zip(&dys).map(|(y, dy)| y * dy).sum()
    };
    let slope = |i: usize| {
        let mut moved = w.clone();
        moved[i] += 1.0;
        loss(&moved) - loss(&w)
    };
    // Sums of products of 16 bits in f64.
    case.want(dw, (0..n).map(slope).collect(), 1e-12);
    vec![case]
}
