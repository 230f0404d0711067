//! The operator `weight_scale` is up to ten passes of six kernels that hand partial results on; a
//! pass alone has no meaning, so they are compared through the operator. `weight_scale_choose` ends
//! every choice, `weight_scale_stats` begins every one but "keep". The percentiles and the line
//! search (whose lower end is the median) select with `weight_scale_histogram` and
//! `weight_scale_pick`, the percentiles look up the next larger value with `weight_scale_next`, and
//! both searches weigh their candidates with `weight_scale_errors`.

use pimento::backend::cpu::CpuBackend;
use pimento::program::*;
use pimento::quantize::weight::error;

use super::harness::*;

/// Two divisions of 2.5 ulp and two roundings between the same candidate on both sides.
const STEP_TOLERANCE: f64 = 8.0 * ULP;

/// A sum of magnitudes in f32, as a tree, against one in f64.
const MEAN_TOLERANCE: f64 = 16.0 * ULP;

/// Relative difference of two squared errors, summed in f32 on one side, that counts as a tie.
const TIE: f64 = 1e-5;

/// Bell-shaped values, so that the searches have an inner optimum.
fn bell(n: usize, seed: u64) -> Vec<f32> {
    let parts: Vec<_> = (0..4).map(|k| values(n, 4 * seed + k)).collect();
    (0..n).map(|i| parts.iter().map(|p| p[i]).sum()).collect()
}

/// Values with many equal magnitudes.
fn repeated(n: usize, seed: u64) -> Vec<f32> {
    let steps = bell(n, seed);
    steps.iter().map(|v| (v * 4.0).round() / 4.0).collect()
}

/// `(steps, run)` for a layer, its output channels and, where they can be cut in two, input channels.
fn layouts(n: usize, cols: usize) -> Vec<(usize, usize)> {
    let mut layouts = vec![(1, n), (cols, n / cols)];
    if n.is_multiple_of(2 * cols) {
        layouts.push((2, n / cols / 2));
    }
    layouts
}

/// Compares all step choices for the weights `w`: one step, one for each of `cols` output channels,
/// one for each of two input channels.
fn check(test: &str, w: &[f32], cols: usize, all_bits: &[u32]) {
    let Some(gpu) = gpu_or_skip(test) else {
        return;
    };
    let mut case = wave(1);
    let weight = case.made(w.len(), Scope::Shared, |_, _| w.to_vec());
    let mut ops = Vec::new();
    let mut asked = Vec::new();
    for &bits in all_bits {
        for (groups, run) in layouts(w.len(), cols) {
            for step in [
                Some(Step::MaxAbs),
                Some(Step::Percentile(50.0)),
                Some(Step::Percentile(97.3)),
                Some(Step::Percentile(100.0)),
                Some(Step::LineSearch),
                Some(Step::Mse),
                None,
            ] {
                let scale = case.output(groups, Scope::Shared);
                let full_scale = case.output(groups, Scope::Shared);
                case.values.insert(scale, vec![0.375; groups]);
                ops.push(Op::from(WeightScale {
                    w: weight,
                    scale,
                    full_scale,
                    run,
                    bits,
                    step,
                }));
                asked.push((bits, step, run));
            }
        }
    }
    case.section(ops);
    let expected = case.results(&CpuBackend::new());
    let actual = case.results(gpu);
    for (i, (bits, step, run)) in asked.into_iter().enumerate() {
        let (scale, full) = (&expected[2 * i], &expected[2 * i + 1]);
        let (got, got_full) = (&actual[2 * i], &actual[2 * i + 1]);
        let tolerance = if bits == 1 {
            MEAN_TOLERANCE
        } else {
            STEP_TOLERANCE
        };
        for group in 0..scale.len() {
            let runs = w.chunks(run).skip(group).step_by(scale.len());
            let part = &runs.flatten().copied().collect::<Vec<f32>>();
            let (e, a) = (scale[group], got[group]);
            let ctx = format!("{test}: {bits} bits, {step:?}, group {group}: cpu {e}, gpu {a}");
            if f64::from((e - a).abs()) <= tolerance * f64::from(e) {
                let (full, got_full) = (full[group], got_full[group]);
                let off = f64::from((full - got_full).abs());
                let close = off <= 2.0 * tolerance * f64::from(full);
                assert!(close, "{ctx}: full {full} {got_full}");
                continue;
            }
            // Another candidate: allowed only where both are as good.
            assert!(matches!(step, Some(Step::LineSearch | Step::Mse)), "{ctx}");
            let (best, other) = (error(part, e, bits), error(part, a, bits));
            assert!((other - best).abs() <= TIE * best, "{ctx}: {best} {other}");
        }
    }
}

#[test]
fn steps_match_cpu_over_several_chunks() {
    // 3 chunks for the layer.
    check("weight scale", &bell(5 * 1801, 1), 5, &[2, 4, 8]);
}

#[test]
fn binary_and_unquantized_steps_match_cpu() {
    check("one bit and none", &bell(3 * 700, 2), 3, &[0, 1]);
}

#[test]
fn repeated_magnitudes_match_cpu() {
    check("repeated", &repeated(2 * 1000, 3), 2, &[3]);
}

#[test]
fn a_weight_scale_of_weights_that_a_mask_removed() {
    let mut w = bell(5 * 1801, 4);
    for (i, v) in w.iter_mut().enumerate() {
        *v *= f32::from(i % 11 == 0);
    }
    check("removed", &w, 5, &[4]);
}

#[test]
fn tiny_and_zero_weights_match_cpu() {
    check("one weight each", &[0.5, -0.25], 2, &[1, 2, 4]);
    check("even count", &[0.5, -0.25, 0.125, 1.0], 1, &[4]);
    check("zeros", &[0.0; 8], 2, &[1, 4]);
    check("one nonzero", &[0.0, 0.0, 0.0, -3.0], 1, &[4]);
}
