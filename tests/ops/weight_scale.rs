use crate::harness::*;
use pimento::backend::program::*;
use pimento::quantize::{Step, max_abs, mean_abs, weight};

fn scales(w0: &[f32], cols: usize, bits: u32, step: WeightStep, kept: &[f32]) -> [Vec<f32>; 2] {
    let mut rig = Rig::new(1, 0);
    let w = rig.shared(w0);
    let scale = rig.shared(kept);
    let full_scale = rig.result(cols, Scope::Shared);
    let op = Op::WeightScale {
        w,
        scale,
        full_scale,
        bits,
        step,
    };
    rig.run(op, [scale, full_scale])
}

#[test]
fn every_choice_for_a_layer_and_for_every_channel() {
    let (cols, rows) = (6, 75);
    let w = normals(1, cols * rows);
    for (step, choice) in [
        (WeightStep::MaxAbs, Step::MaxAbs),
        (WeightStep::Percentile(97.0), Step::Percentile(97.0)),
        (WeightStep::LineSearch, Step::LineSearch),
        (WeightStep::Mse, Step::Mse),
    ] {
        for bits in 0..=8 {
            for groups in [1, cols] {
                let [scale, full] = scales(&w, groups, bits, step, &vec![9.0; groups]);
                for (g, part) in w.chunks(w.len() / groups).enumerate() {
                    let want = weight::step(part, bits, choice);
                    assert_eq!(scale[g], want, "{step:?} {bits}");
                    let q = weight::highest_code(bits);
                    let top = if bits == 0 { max_abs(part) } else { q * want };
                    assert_eq!(full[g], top, "{step:?} {bits}");
                }
            }
        }
    }
    let [scale, _] = scales(&w, 1, 1, WeightStep::Mse, &[9.0]);
    assert_eq!(scale, [mean_abs(&w)]);
}

#[test]
fn a_kept_step_stays() {
    let w = normals(1, 40);
    assert_eq!(
        scales(&w, 1, 4, WeightStep::Keep, &[0.25]),
        [vec![0.25], vec![1.75]]
    );
    assert_eq!(
        scales(&w, 1, 1, WeightStep::Keep, &[0.25]),
        [vec![0.25], vec![0.25]]
    );
    assert_eq!(
        scales(&w, 1, 0, WeightStep::Keep, &[0.25]),
        [vec![1.0], vec![max_abs(&w)]]
    );
}
