//! Gradients of references that converters share.

use pimento::program::*;

use super::case::*;

/// Steps of all columns or one a column, by the reference or by the step of the inputs.
pub fn gradients() -> Vec<Case> {
    let mut cases = Vec::new();
    for n in [1, 7, 700] {
        for (per_column, tied) in [(false, false), (true, false), (true, true)] {
            let mut case = Case::new(n as u64, 1, 0);
            let steps = if per_column { n } else { 1 };
            let [sums, w_step] = [n, steps].map(|n| case.random(n, Scope::Shared));
            let [x_step, reference] = [0.125, 3.5].map(|step| case.shared(&[step]));
            let by = if tied { x_step } else { reference };
            let d = case.result(1, Scope::Shared);
            case.section(vec![Op::from(ReferenceGrad {
                sums,
                w_step,
                x_step,
                by,
                d,
            })]);
            let [all, steps, by] = [sums, w_step, by].map(|t| case.at(t, 0, 0));
            let terms = all
                .iter()
                .zip(steps.iter().cycle())
                .map(|(s, step)| s * step);
            let terms: Vec<f64> = terms.map(|term| 0.125 / by[0] * term).collect();
            let magnitude: f64 = terms.iter().map(|term| term.abs()).sum();
            case.want(d, vec![terms.iter().sum()], 4.0 * EPS * magnitude);
            // Sums of up to 700 terms in f32 on an adapter.
            case.apart[0] = 64.0 * ULP * magnitude;
            cases.push(case);
        }
    }
    cases
}
