//! The gradient of the sum of the lengths of groups of weights, by finite differences of the sum.

use pimento::program::*;

use super::case::*;

/// Columns, rows, and the tile of a group: single weights, columns, rows, pieces that do not divide the layer,
/// groups of a workgroup.
const SHAPES: [(usize, usize, (usize, usize)); 8] = [
    (5, 7, (1, 1)),
    (5, 7, (1, 7)),
    (5, 7, (5, 1)),
    (5, 7, (1, 3)),
    (5, 7, (2, 1)),
    (6, 90, (6, 9)),
    (3, 700, (1, 700)),
    (20, 33, (8, 16)),
];

/// `factor * sum over groups of sqrt(sum w^2)`.
fn loss(w: &[f64], rows: usize, tile: (usize, usize), factor: f64) -> f64 {
    let mut squares = std::collections::BTreeMap::new();
    for (i, w) in w.iter().enumerate() {
        let group = (i / rows / tile.0, i % rows / tile.1);
        *squares.entry(group).or_insert(0.0) += w * w;
    }
    factor * squares.values().map(|s: &f64| s.sqrt()).sum::<f64>()
}

pub fn gradients() -> Vec<Case> {
    let cases = SHAPES.map(|(cols, rows, tile)| {
        let mut case = Case::new(9, 1, 0);
        // Away from 0, where a length has no derivative.
        let w = case.drawn(cols * rows, Scope::Shared, |rng| {
            let v = rng.signed();
            v + 0.125f32.copysign(v)
        });
        let dw = case.random(cols * rows, Scope::Shared);
        let factor = 0.5;
        case.section(vec![Op::from(GroupLassoGrad {
            w,
            dw,
            rows,
            tile,
            factor,
        })]);
        let (all, before) = (case.at(w, 0, 0), case.at(dw, 0, 0));
        let slope = |i: usize| {
            let moved = |by: f64| {
                let mut w = all.clone();
                w[i] += by;
                loss(&w, rows, tile, f64::from(factor))
            };
            let h = 1e-5;
            (moved(h) - moved(-h)) / (2.0 * h)
        };
        let want = (0..all.len()).map(|i| before[i] + slope(i)).collect();
        // Differences of f64 sums of up to 2100 terms over 2e-5; their curvature.
        case.want(dw, want, 1e-6);
        case.apart[0] = 16.0 * ULP;
        case
    });
    cases.into()
}

/// Groups that are 0 stay without gradient, and so do single weights.
pub fn empty_groups() -> Vec<Case> {
    let cases = [(1, 1), (1, 2), (2, 1)].map(|tile| {
        let mut case = Case::new(1, 1, 0);
        let w = case.shared(&[0.0, 0.0, 0.0, -3.0]);
        let dw = case.shared(&[1.0, 2.0, 3.0, 4.0]);
        case.section(vec![Op::from(GroupLassoGrad {
            w,
            dw,
            rows: 2,
            tile,
            factor: 0.5,
        })]);
        case.want(dw, vec![1.0, 2.0, 3.0, 3.5], 0.0);
        case
    });
    cases.into()
}
