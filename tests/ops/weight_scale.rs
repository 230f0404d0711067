use pimento::program::*;
use pimento::quantize::{max_abs, mean_abs, weight};

use crate::case::*;

fn scales(w0: &[f32], run: usize, bits: u32, step: Option<Step>, kept: &[f32]) -> [Vec<f32>; 2] {
    let mut case = Case::new(1, 1, 0);
    let w = case.shared(w0);
    let scale = case.shared(kept);
    let full_scale = case.result(kept.len(), Scope::Shared);
    let op = Op::from(WeightScale {
        w,
        scale,
        full_scale,
        run,
        bits,
        step,
    });
    case.run_one(op, [scale, full_scale])
}

#[test]
fn every_choice_for_a_layer_and_for_every_channel() {
    let (cols, rows) = (6, 75);
    let w = normals(1, cols * rows);
    for step in [
        Step::MaxAbs,
        Step::Percentile(97.0),
        Step::LineSearch,
        Step::Mse,
    ] {
        for bits in 0..=8 {
            for groups in [1, cols] {
                let kept = vec![9.0; groups];
                let [scale, full] = scales(&w, w.len() / groups, bits, Some(step), &kept);
                for (g, part) in w.chunks(w.len() / groups).enumerate() {
                    let want = weight::step(part, bits, step);
                    assert_eq!(scale[g], want, "{step:?} {bits}");
                    let q = weight::highest_code(bits);
                    let top = if bits == 0 { max_abs(part) } else { q * want };
                    assert_eq!(full[g], top, "{step:?} {bits}");
                }
            }
        }
    }
    let [scale, _] = scales(&w, w.len(), 1, Some(Step::Mse), &[9.0]);
    assert_eq!(scale, [mean_abs(&w)]);
}

/// The steps of input channels: kernels that read one channel share a step.
#[test]
fn runs_take_the_steps_in_turn() {
    let (outputs, inputs, pixels) = (5, 3, 4);
    let w = normals(2, outputs * inputs * pixels);
    for (bits, step) in [(1, Step::MaxAbs), (4, Step::LineSearch), (0, Step::MaxAbs)] {
        let [scale, full] = scales(&w, pixels, bits, Some(step), &vec![9.0; inputs]);
        for c in 0..inputs {
            let of_channel: Vec<f32> = (0..outputs)
                .flat_map(|o| &w[(o * inputs + c) * pixels..][..pixels])
                .copied()
                .collect();
            let want = weight::step(&of_channel, bits, step);
            assert_eq!(scale[c], want, "{bits} bits");
            assert_eq!(full[c], weight::full_scale(&of_channel, want, bits));
        }
    }
}

/// Nine of ten weights removed: the percentile is that of what is left, and 0 only where nothing is.
#[test]
fn removed_weights_do_not_count_for_a_percentile() {
    let kept = normals(3, 40);
    let mut w = vec![0.0; 400];
    for (slot, &v) in w.iter_mut().step_by(10).zip(&kept) {
        *slot = v;
    }
    let [scale, _] = scales(&w, 400, 4, Some(Step::Percentile(90.0)), &[9.0]);
    assert_eq!(scale[0], weight::step(&kept, 4, Step::Percentile(90.0)));
    assert!(scale[0] > 0.0);
    let [scale, _] = scales(&[0.0; 8], 8, 4, Some(Step::Percentile(90.0)), &[9.0]);
    assert_eq!(scale, [0.0]);
}

#[test]
fn a_kept_step_stays() {
    let w = normals(1, 40);
    assert_eq!(scales(&w, 40, 4, None, &[0.25]), [vec![0.25], vec![1.75]]);
    assert_eq!(scales(&w, 40, 1, None, &[0.25]), [vec![0.25], vec![0.25]]);
    assert_eq!(
        scales(&w, 40, 0, None, &[0.25]),
        [vec![1.0], vec![max_abs(&w)]]
    );
}
