//! Flat tensors times a number.

use pimento::program::*;

use super::case::*;

pub fn products() -> Vec<Case> {
    let cases = [1, 64, 1000].map(|n| {
        let mut case = Case::new(n as u64, 1, 0);
        let [x, by] = [n, 1].map(|n| case.random(n, Scope::Shared));
        let y = case.result(n, Scope::Shared);
        case.section(vec![Op::from(ScaleFlat { x, by, y })]);
        let by = case.at(by, 0, 0)[0];
        let want: Vec<f64> = case.at(x, 0, 0).into_iter().map(|x| by * x).collect();
        let largest = want.iter().fold(0.0, |max: f64, y| max.max(y.abs()));
        // One rounding.
        case.want(y, want, EPS * largest);
        case
    });
    cases.into()
}
