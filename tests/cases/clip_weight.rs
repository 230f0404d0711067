//! Clipped weights: the bound by its formula, the clip, and the gradient through both by finite differences.

use pimento::program::*;

use super::case::*;

/// Groups and weights of a group; the last has more weights than a workgroup adds in one round.
const SIZES: [(usize, usize); 4] = [(1, 7), (3, 50), (40, 9), (2, 700)];

/// Mean, and `times` standard deviations, of a group.
fn spread(w: &[f64], times: f64) -> (f64, f64) {
    let n = w.len() as f64;
    let mean = w.iter().sum::<f64>() / n;
    let variance = w.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / n;
    (mean, times * variance.sqrt())
}

pub fn spreads() -> Vec<Case> {
    let cases = SIZES.map(|(groups, run)| {
        let mut case = Case::new(5, 1, 0);
        let w = case.random(groups * run, Scope::Shared);
        let mean = case.result(groups, Scope::Shared);
        let bound = case.result(groups, Scope::Shared);
        case.section(vec![Op::from(WeightSpread {
            w,
            mean,
            bound,
            run,
            times: 2.5,
        })]);
        let all = case.at(w, 0, 0);
        let found: Vec<_> = all.chunks(run).map(|w| spread(w, 2.5)).collect();
        // A result is rounded once; up to 700 values are added in f64 or by a tree.
        case.want(mean, found.iter().map(|f| f.0).collect(), 4.0 * EPS);
        case.want(bound, found.iter().map(|f| f.1).collect(), 8.0 * EPS);
        case.apart[0] = 32.0 * ULP;
        case
    });
    cases.into()
}

pub fn clips() -> Vec<Case> {
    let cases = SIZES.map(|(groups, run)| {
        let mut case = Case::new(6, 1, 0);
        let w = case.random(groups * run, Scope::Shared);
        let bound = case.drawn(groups, Scope::Shared, |rng| rng.signed().abs());
        let y = case.result(groups * run, Scope::Shared);
        case.section(vec![Op::from(ClipWeight { w, bound, run, y })]);
        let bounds = case.at(bound, 0, 0);
        let want = case.at(w, 0, 0).into_iter().enumerate();
        let want = want.map(|(i, w)| w.clamp(-bounds[i / run], bounds[i / run]));
        case.want(y, want.collect(), 0.0);
        case
    });
    cases.into()
}

/// `sum dy y` by the weights: central differences of the closed form in `f64`.
pub fn gradients() -> Vec<Case> {
    let mut cases = Vec::new();
    for (groups, run) in SIZES {
        for follows in [true, false] {
            let mut case = Case::new(7, 1, 0);
            // Far enough apart that no weight crosses the bound within a difference.
            let w = case.random(groups * run, Scope::Shared);
            let dy = case.random(groups * run, Scope::Shared);
            let mean = case.temp(groups, Scope::Shared);
            let bound = case.temp(groups, Scope::Shared);
            let dw = case.result(groups * run, Scope::Shared);
            let times = 1.25;
            case.section(vec![
                Op::from(WeightSpread {
                    w,
                    mean,
                    bound,
                    run,
                    times,
                }),
                Op::from(ClipWeightGrad {
                    w,
                    bound,
                    spread: follows.then_some((mean, times)),
                    run,
                    dy,
                    dw,
                }),
            ]);
            let (all, dys) = (case.at(w, 0, 0), case.at(dy, 0, 0));
            let mut want = Vec::new();
            for (w, dy) in all.chunks(run).zip(dys.chunks(run)) {
                let (_, fixed) = spread(w, f64::from(times));
                let loss = |w: &[f64]| -> f64 {
                    let c = match follows {
                        true => spread(w, f64::from(times)).1,
                        false => fixed,
                    };
                    w.iter().zip(dy).map(|(w, dy)| dy * w.clamp(-c, c)).sum()
                };
                for i in 0..run {
                    let moved = |by: f64| {
                        let mut w = w.to_vec();
                        w[i] += by;
                        loss(&w)
                    };
                    let h = 1e-6;
                    want.push((moved(h) - moved(-h)) / (2.0 * h));
                }
            }
            // Differences of f64 sums of up to 700 terms over 2e-6.
            case.want(dw, want, 2e-6);
            case.apart[0] = 64.0 * ULP;
            cases.push(case);
        }
    }
    cases
}

/// Groups of equal weights have no spread: everything is clipped to 0 and nothing follows.
pub fn no_spread() -> Vec<Case> {
    let mut case = Case::new(8, 1, 0);
    let w = case.shared(&[0.0, 0.0, 0.5, 0.5]);
    let dy = case.shared(&[1.0, 2.0, 3.0, 4.0]);
    let mean = case.result(2, Scope::Shared);
    let bound = case.result(2, Scope::Shared);
    let y = case.result(4, Scope::Shared);
    let dw = case.result(4, Scope::Shared);
    let (run, times) = (2, 2.0);
    case.section(vec![
        Op::from(WeightSpread {
            w,
            mean,
            bound,
            run,
            times,
        }),
        Op::from(ClipWeight { w, bound, run, y }),
        Op::from(ClipWeightGrad {
            w,
            bound,
            spread: Some((mean, times)),
            run,
            dy,
            dw,
        }),
    ]);
    case.want(bound, vec![0.0; 2], 0.0);
    case.want(y, vec![0.0; 4], 0.0);
    case.want(dw, vec![1.0, 2.0, 0.0, 0.0], 0.0);
    vec![case]
}
