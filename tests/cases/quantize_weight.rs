//! Gradients of quantized weights; codes, of which those at ties depend on the division, are in the suites.

use pimento::program::*;

use super::case::*;

/// Weights in `[-2, 2)`, some exactly zero.
fn weights(n: usize, seed: u64) -> Vec<f32> {
    let v = values(n, seed);
    (0..n)
        .map(|i| if i % 17 == 0 { 0.0 } else { 2.0 * v[i] })
        .collect()
}

/// Whether a weight is inside the range of a step, a power of two.
fn inside(w: f64, d: f64, bits: u32) -> bool {
    match bits {
        0 => true,
        1 => w.abs() <= 1.0,
        _ => w.abs() <= f64::from((1 << (bits - 1)) - 1) * d,
    }
}

/// Straight-through gradients, with and without the step's.
pub fn gradients() -> Vec<Case> {
    let n = 5 * 1000;
    let mut cases = Vec::new();
    for bits in [0, 1, 2, 4] {
        // The layer takes two chunks.
        for (steps, run) in [
            (&[0.25][..], 5000),
            (&[0.25, 0.5, 0.125, 0.0, 1.0], 1000),
            (&[0.25, 0.5, 0.125, 0.0, 1.0], 25),
        ] {
            for ste in [StraightThrough::Identity, StraightThrough::Clip] {
                for learned in [false, true] {
                    let mut case = Case::new(1, 1, 0);
                    let w = case.made(n, Scope::Shared, weights);
                    let scale = case.shared(steps);
                    let dq = case.exact(n, Scope::Shared);
                    let dw = case.result(n, Scope::Shared);
                    let dscale = learned.then(|| case.output(steps.len(), Scope::Shared));
                    case.section(vec![Op::from(QuantizeWeightGrad {
                        w,
                        scale,
                        run,
                        dq,
                        dw,
                        dscale,
                        bits,
                        ste,
                    })]);
                    let step = |i: usize| f64::from(steps[i / run % steps.len()]);
                    let dqs = case.at(dq, 0, 0).into_iter().zip(case.at(w, 0, 0));
                    let want = dqs.enumerate().map(|(i, (dq, w))| {
                        let pass = ste == StraightThrough::Identity || inside(w, step(i), bits);
                        if pass { dq } else { 0.0 }
                    });
                    case.want(dw, want.collect(), 0.0);
                    // Steps are powers of two, so masks are exact. The sum of products of a step has
                    // magnitudes of up to 5000 Q / 2 together and is multiplied by 1/sqrt(5000 Q).
                    case.apart[0] = (5000f64 * 7.0).sqrt() / 2.0 * ULP;
                    cases.push(case);
                }
            }
        }
    }
    cases
}

/// Steps from the largest magnitude, chosen on the device: the weight that sets one passes its gradient,
/// and so do weights that are all 0.
pub fn largest_weights() -> Vec<Case> {
    let cases = [2, 3, 4, 8].map(|bits| {
        let mut case = Case::new(1, 1, 0);
        let (channels, run) = (300, 5);
        let n = channels * run;
        let all = values(n, 21);
        let zeros = |i: usize| i / run % 50 == 7;
        let start: Vec<f32> = (0..n)
            .map(|i| if zeros(i) { 0.0 } else { all[i] })
            .collect();
        let w = case.shared(&start);
        let scale = case.shared(&vec![0.0; channels]);
        let full_scale = case.result(channels, Scope::Shared);
        let dq = case.shared(&vec![1.0; n]);
        let dw = case.result(n, Scope::Shared);
        case.section(vec![
            Op::from(WeightScale {
                w,
                scale,
                full_scale,
                run,
                bits,
                step: Some(Step::MaxAbs),
            }),
            Op::from(QuantizeWeightGrad {
                w,
                scale,
                run,
                dq,
                dw,
                dscale: None,
                bits,
                ste: StraightThrough::Clip,
            }),
        ]);
        case.want(dw, vec![1.0; n], 0.0);
        case
    });
    cases.into()
}
