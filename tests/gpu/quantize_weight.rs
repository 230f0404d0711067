use pimento::backend::cpu::CpuBackend;
use pimento::program::*;

use super::harness::*;

/// How near a tie of the quantizer two codes may differ: a division of 2.5 ulp.
const TIE: f64 = 4.0 * ULP;

/// Weights in `[-2, 2)`, some exactly zero.
fn weights(n: usize, seed: u64) -> Vec<f32> {
    let v = values(n, seed);
    (0..n)
        .map(|i| if i % 17 == 0 { 0.0 } else { 2.0 * v[i] })
        .collect()
}

#[test]
fn quantized_weights_match_cpu() {
    let Some(gpu) = gpu_or_skip("quantize_weight") else {
        return;
    };
    for bits in [0, 1, 2, 3, 4, 8] {
        for (steps, run) in [
            (vec![0.3], 650),
            (vec![0.3, 0.0, 0.117, 0.25, 0.02], 130),
            (vec![0.3, 0.0, 0.117, 0.25, 0.02], 13),
        ] {
            let mut case = wave(1);
            let w = weights(5 * 130, 9);
            let weight = case.made(w.len(), Scope::Shared, |_, _| w.clone());
            let scale = case.made(steps.len(), Scope::Shared, |_, _| steps.clone());
            let q = case.output(w.len(), Scope::Shared);
            case.section(vec![Op::from(QuantizeWeight {
                w: weight,
                scale,
                run,
                q,
                bits,
            })]);
            let expected = &case.results(&CpuBackend::new())[0];
            let actual = &case.results(gpu)[0];
            for (i, (e, a)) in expected.iter().zip(actual).enumerate() {
                if e == a {
                    continue;
                }
                let d = steps[i / run % steps.len()];
                let r = w[i] / d;
                let at_tie = f64::from((r - r.floor()) - 0.5).abs() <= TIE * f64::from(r.abs());
                let ctx = format!("{bits} bits, weight {}: cpu {e}, gpu {a}", w[i]);
                assert!(at_tie && (e - a).abs() <= 1.01 * d, "{ctx}");
            }
        }
    }
}

#[test]
fn gradients_match_cpu() {
    for bits in [0, 1, 2, 4] {
        // The layer takes two chunks.
        for (steps, run) in [
            (vec![0.25], 5000),
            (vec![0.25, 0.5, 0.125, 0.0, 1.0], 1000),
            (vec![0.25, 0.5, 0.125, 0.0, 1.0], 25),
        ] {
            for ste in [StraightThrough::Identity, StraightThrough::Clip] {
                for learned in [false, true] {
                    let mut case = wave(1);
                    let n = 5 * 1000;
                    let w = case.made(n, Scope::Shared, weights);
                    let scale = case.made(steps.len(), Scope::Shared, |_, _| steps.clone());
                    let dq = case.exact(n, Scope::Shared);
                    let dw = case.output(n, Scope::Shared);
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
                    // Steps are powers of two, so masks are exact. The sum of products of a step has
                    // magnitudes of up to 5000 Q / 2 together and is multiplied by 1/sqrt(5000 Q).
                    let tolerance = (5000f64 * 7.0).sqrt() / 2.0 * ULP;
                    case.matches_cpu("quantize_weight_grad", tolerance);
                }
            }
        }
    }
}

/// Steps from the largest magnitude, chosen on the device: the weight that sets one passes its gradient
/// there as it does on the processor, and so do weights that are all 0.
#[test]
fn what_sets_the_step_is_inside_on_both() {
    for bits in [2, 3, 4, 8] {
        let mut case = wave(1);
        let (channels, run) = (300, 5);
        let n = channels * run;
        let all = values(n, 21);
        let zeros = |i: usize| i / run % 50 == 7;
        let start: Vec<f32> = (0..n)
            .map(|i| if zeros(i) { 0.0 } else { all[i] })
            .collect();
        let w = case.made(n, Scope::Shared, |_, _| start.clone());
        let scale = case.made(channels, Scope::Shared, |n, _| vec![0.0; n]);
        let full_scale = case.output(channels, Scope::Shared);
        let dq = case.made(n, Scope::Shared, |n, _| vec![1.0; n]);
        let dw = case.output(n, Scope::Shared);
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
        case.reads(&[dw]);
        assert!(
            case.results(&CpuBackend::new())[0]
                .iter()
                .all(|g| *g == 1.0)
        );
        case.matches_cpu("largest weights", 0.0);
    }
}
