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
