use crate::harness::*;
use pimento::program::*;

const SHAPE: [usize; 3] = [3, 2, 4];
const IMAGES: usize = 21;
const CHIPS: usize = 2;

struct Case {
    lo: i32,
    hi: i32,
    rounding: Rounding,
}

const CASES: [Case; 4] = [
    Case {
        lo: 0,
        hi: 15,
        rounding: Rounding::Nearest,
    },
    Case {
        lo: -7,
        hi: 7,
        rounding: Rounding::Nearest,
    },
    Case {
        lo: -7,
        hi: 7,
        rounding: Rounding::Floor,
    },
    Case {
        lo: 0,
        hi: 3,
        rounding: Rounding::Floor,
    },
];

fn quant(case: &Case, scale: TensorId) -> ActQuant {
    ActQuant {
        scale,
        lo: case.lo,
        hi: case.hi,
        rounding: case.rounding,
    }
}

fn code(case: &Case, v: f32) -> f32 {
    let r = match case.rounding {
        Rounding::Nearest => v.round_ties_even(),
        Rounding::Floor => v.floor(),
    };
    r.clamp(case.lo as f32, case.hi as f32)
}

fn forward(case: &Case, x0: &[f32], d: f32) -> Vec<f32> {
    let mut rig = Rig::new(CHIPS, IMAGES);
    let x = rig.map(SHAPE, Scope::PerChip, x0);
    let scale = rig.shared(&[d]);
    let y = rig.map_result(SHAPE, Scope::PerChip);
    let quant = quant(case, scale);
    rig.run(Op::from(QuantizeAct { x, y, quant }), [y])[0].clone()
}

#[test]
fn codes_are_those_of_the_definition() {
    let x = normals(1, CHIPS * IMAGES * 24);
    for case in &CASES {
        let d = 0.125;
        let y = forward(case, &x, d);
        for (&x, &y) in x.iter().zip(&y) {
            assert_eq!(y, d * code(case, x / d));
        }
        for d in [0.0, -1.0] {
            assert!(forward(case, &x, d).iter().all(|&y| y == 0.0));
        }
    }
    let ties = [0.5f32, 1.5, 2.5, -0.5].repeat(CHIPS * IMAGES * 6);
    assert_eq!(forward(&CASES[1], &ties, 1.0)[..4], [0.0, 2.0, 2.0, 0.0]);
    assert_eq!(forward(&CASES[2], &ties, 1.0)[..4], [0.0, 1.0, 2.0, -1.0]);
}

fn grads(case: &Case, x0: &[f32], dy0: &[f32], d: f32, ste: StraightThrough) -> [Vec<f32>; 3] {
    let mut rig = Rig::new(CHIPS, IMAGES);
    let x = rig.map(SHAPE, Scope::PerChip, x0);
    let dy = rig.map(SHAPE, Scope::PerChip, dy0);
    let scale = rig.shared(&[d]);
    let dx = rig.map_result(SHAPE, Scope::PerChip);
    let dscale = rig.result(1, Scope::Shared);
    let op = |dscale| {
        Op::from(QuantizeActGrad {
            x,
            dy,
            dx,
            dscale,
            quant: quant(case, scale),
            ste,
        })
    };
    let [plain] = rig.run(op(None), [dx]);
    let [with, step] = rig.run(op(Some(dscale)), [dx, dscale]);
    [plain, with, step]
}

#[test]
fn gradients_are_the_stated_surrogates() {
    let x = normals(1, CHIPS * IMAGES * 24);
    let dy = normals(2, CHIPS * IMAGES * 24);
    for case in &CASES {
        let d = 0.125f32;
        for ste in [StraightThrough::Identity, StraightThrough::Clip] {
            let [plain, with, step] = grads(case, &x, &dy, d, ste);
            assert_eq!(
                plain, with,
                "the step's gradient must not change the input's"
            );
            let mut sum = 0.0;
            for ((&x, &dy), &dx) in x.iter().zip(&dy).zip(&plain) {
                let v = x / d;
                let inside = v >= case.lo as f32 && v <= case.hi as f32;
                let pass = inside || ste == StraightThrough::Identity;
                assert_eq!(dx, if pass { dy } else { 0.0 });
                let slope = code(case, v) - if inside { v } else { 0.0 };
                sum += f64::from(dy) * f64::from(slope);
            }
            let want = sum / (24.0 * f64::from(case.hi)).sqrt();
            // v is exact (d is a power of two), the slope rounds once: 1000 terms of codes.
            close(&step, &[want], 4.0 * ROUNDING, 1000.0 * ROUNDING);
        }
    }
}

#[test]
fn without_a_step_only_zeros_are_inside() {
    let mut x = normals(1, CHIPS * IMAGES * 24);
    x.iter_mut().step_by(3).for_each(|x| *x = 0.0);
    let dy = normals(2, CHIPS * IMAGES * 24);
    for d in [0.0, -1.0] {
        let [dx, _, step] = grads(&CASES[1], &x, &dy, d, StraightThrough::Clip);
        for ((&x, &dy), &dx) in x.iter().zip(&dy).zip(&dx) {
            assert_eq!(dx, if x == 0.0 { dy } else { 0.0 });
        }
        assert_eq!(step, [0.0]);
    }
}

/// The largest value sets a step chosen from it: it is inside, however the step was rounded.
#[test]
fn what_sets_the_step_is_inside() {
    let n = CHIPS * IMAGES * 24;
    let dy = normals(2, n);
    let mut above = 0;
    for case in &CASES {
        for seed in 0..40 {
            let most = normals(100 + seed, 1)[0].abs() + 1e-3;
            let d = most / case.hi as f32;
            above += usize::from(most / d > case.hi as f32);
            let mut x = vec![0.5 * most; n];
            x[0] = most;
            x[1] = 1.001 * most;
            x[2] = -most;
            let [dx, ..] = grads(case, &x, &dy, d, StraightThrough::Clip);
            let below = if case.lo < 0 { dy[2] } else { 0.0 };
            assert_eq!(dx[..3], [dy[0], 0.0, below], "{most}");
            assert_eq!(dx[3..], dy[3..]);
        }
    }
    assert!(above > 0, "no quotient rounds above the highest code");
}

/// Images beyond the run share its last block and must not count.
#[test]
fn the_step_gradient_counts_real_images_only() {
    let images = 5;
    let x0 = normals(1, IMAGES * 24);
    let dy0 = normals(2, IMAGES * 24);
    let mut results = vec![];
    for capacity in [images, IMAGES] {
        let mut rig = Rig::new(1, images);
        let x = rig.map(SHAPE, Scope::Shared, &x0[..capacity * 24]);
        let dy = rig.map(SHAPE, Scope::Shared, &dy0[..capacity * 24]);
        let scale = rig.shared(&[0.125]);
        let dx = rig.map_result(SHAPE, Scope::Shared);
        let dscale = rig.result(1, Scope::Shared);
        let op = Op::from(QuantizeActGrad {
            x,
            dy,
            dx,
            dscale: Some(dscale),
            quant: quant(&CASES[0], scale),
            ste: StraightThrough::Clip,
        });
        let mut session = rig.session_of(op, capacity);
        session.run(SectionId(0), &rig.args).unwrap();
        results.push(session.read(dscale).unwrap());
    }
    assert_eq!(results[0], results[1]);
}
