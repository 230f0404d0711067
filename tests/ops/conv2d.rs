//! Codes of convolutions near the thresholds, and gradients against finite differences, which take long;
//! the rest is in `tests/cases`.

use pimento::program::*;

use crate::case::{Case, EPS, Rng, backends, differences, dot, walk};
use crate::cases::conv2d::{geometry, input, output};
use crate::cases::reference;

#[test]
fn quantized_epilogue() {
    let g = ConvGeometry::linear(20, 24);
    let mut case = Case::new(9, 2, 33);
    let x = case.random([g.c_in, 1, 1], Scope::Shared);
    let w = case.random(Shape::Flat(g.weights()), Scope::PerChip);
    let y = case.result([g.c_out, 1, 1], Scope::PerChip);
    let step = 0.3f32;
    let d = case.given(Shape::Flat(1), Scope::Shared, vec![step]);
    for rounding in [Rounding::Nearest, Rounding::Floor] {
        let post = Post {
            quant: Some(ActQuant {
                scale: d,
                lo: -3,
                hi: 5,
                rounding,
            }),
            ..Post::NONE
        };
        let op = Op::from(Conv2d {
            x,
            w,
            y,
            geo: g,
            post,
            codes: None,
        });
        for (isa, backend) in backends() {
            let [got] = case.run(&backend, vec![op.clone()], [y]);
            let mut near_threshold = 0;
            for chip in 0..case.chips {
                for image in 0..case.images {
                    let (xv, wv) = (case.at(x, chip, image), case.at(w, chip, 0));
                    let sums = reference::conv2d(&xv, &wv, &g, |w, x| w * x);
                    for (o, v) in sums.iter().enumerate() {
                        let ratio = v / f64::from(step);
                        let code = match rounding {
                            Rounding::Nearest => ratio.round_ties_even(),
                            Rounding::Floor => ratio.floor(),
                        };
                        let want = code.clamp(-3.0, 5.0) * f64::from(step);
                        let got = got[(chip * case.images + image) * g.c_out + o];
                        if (f64::from(got) - want).abs() > 4.0 * EPS {
                            near_threshold += 1;
                            let edge = match rounding {
                                Rounding::Nearest => (ratio - ratio.floor() - 0.5).abs(),
                                Rounding::Floor => (ratio - ratio.round()).abs(),
                            };
                            assert!(edge < 1e-5, "{isa} {rounding:?}: {got} for {v}");
                        }
                    }
                }
            }
            assert!(
                near_threshold <= 2,
                "{isa}: {near_threshold} codes at a threshold"
            );
        }
    }
}

/// A geometry whose output has one or two places in each direction.
fn small_output(rng: &mut Rng) -> ConvGeometry {
    let mut axis = || {
        let (kernel, stride, dilation) = (rng.pick(2, 4), rng.pick(1, 3), rng.pick(1, 2));
        let reach = dilation * (kernel - 1) + 1 + stride * rng.pick(0, 1);
        let before = rng.pick(0, 1);
        (kernel, stride, dilation, before, reach - before)
    };
    let (kh, stride_y, dilation_y, top, h_in) = axis();
    let (kw, stride_x, dilation_x, left, w_in) = axis();
    ConvGeometry {
        h_in,
        w_in,
        kh,
        kw,
        stride: [stride_y, stride_x],
        dilation: [dilation_y, dilation_x],
        pad: [top, left, 0, 0],
        groups: 2,
        ..ConvGeometry::linear(4, 4)
    }
}

/// Finite differences of a bilinear form are exact to their own rounding; products of a few
/// hundred terms, summed over all images for the weights.
const GRADIENT_TOLERANCE: f64 = 1e-5;

/// Both gradients of `sum dy * conv(x, w)` for one image of one chip, by finite differences.
fn gradients_of(x: &[f64], w: &[f64], dy: &[f64], geo: &ConvGeometry) -> [Vec<f64>; 2] {
    let loss = |x: &[f64], w: &[f64]| dot(&reference::conv2d(x, w, geo, |w, x| w * x), dy);
    [
        differences(x, |x| loss(x, w)),
        differences(w, |w| loss(x, w)),
    ]
}

/// A geometry whose finite differences do not take long, and the number of images.
fn small(seed: u64, rng: &mut Rng) -> (ConvGeometry, usize) {
    let geo = match (geometry(rng), seed >= 140) {
        // Outputs of one or two places, far smaller than the kernel.
        (_, true) => small_output(rng),
        (geo, false) if geo.is_linear() => ConvGeometry::linear(geo.c_in % 40 + 1, geo.c_out),
        (geo, false) => geo,
    };
    (geo, if seed >= 140 { 3 } else { rng.pick(1, 18) })
}

fn gradient(seed: u64) -> Case {
    let mut rng = Rng(seed);
    let (geo, images) = small(seed, &mut rng);
    let mut case = Case::new(seed + 1000, rng.pick(1, 2), images);
    let x = case.random(input(&geo), rng.scope());
    let w = case.random(geo.weights(), rng.scope());
    let dy = case.random(output(&geo), Scope::PerChip);
    let dx = case.result(input(&geo), Scope::PerChip);
    let dw = case.result(geo.weights(), Scope::PerChip);
    let all = case.result(geo.weights(), Scope::Shared);
    let by_weight = |dw| Op::from(Conv2dGradWeight { x, dy, dw, geo });
    case.section(vec![
        Op::from(Conv2dGradInput { dy, w, dx, geo }),
        by_weight(dw),
        by_weight(all),
    ]);
    let n = geo.weights();
    let mut want_dw = vec![0.0; n * case.chips];
    let mut want_all = vec![0.0; n];
    let want_dx = case.each(Scope::PerChip, |chip, image| {
        let [x, w, dy] = [
            case.at(x, chip, image),
            case.at(w, chip, 0),
            case.at(dy, chip, image),
        ];
        let [by_x, by_w] = gradients_of(&x, &w, &dy, &geo);
        for (i, g) in by_w.into_iter().enumerate() {
            want_dw[chip * n + i] += g;
            want_all[i] += g;
        }
        by_x
    });
    case.want(dx, want_dx, GRADIENT_TOLERANCE);
    case.want(dw, want_dw, 10.0 * GRADIENT_TOLERANCE);
    case.want(all, want_all, 10.0 * GRADIENT_TOLERANCE);
    case
}

#[test]
fn gradients() {
    walk((100..150).map(gradient).collect());
}
