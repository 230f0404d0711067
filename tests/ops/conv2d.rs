//! Convolutions forward and backward.

use pimento::program::*;

use crate::case::{Case, EPS, Rng, backends, close, differences, dot};
use crate::reference;

/// Rounding errors of a sum of products behave like a random walk of one unit roundoff each; this
/// many of the sum of magnitudes is far beyond it for the lengths here, and far below any mistake.
const SUM_TOLERANCE: f64 = 8.0 * EPS;

/// A random geometry: stride, dilation, asymmetric padding, groups.
fn geometry(rng: &mut Rng) -> ConvGeometry {
    if rng.pick(0, 5) == 0 {
        return ConvGeometry::linear(rng.pick(1, 300), rng.pick(1, 40));
    }
    let groups = rng.pick(1, 3);
    let (ci, co) = match rng.pick(0, 3) {
        0 => (1, 1),
        1 => (rng.pick(1, 40), rng.pick(1, 4)),
        _ => (rng.pick(1, 5), rng.pick(1, 17)),
    };
    loop {
        let mut pad = || rng.pick(0, 2);
        let g = ConvGeometry {
            pad: [pad(), pad(), pad(), pad()],
            c_in: ci * groups,
            c_out: co * groups,
            h_in: rng.pick(1, 9),
            w_in: rng.pick(1, 9),
            kh: rng.pick(1, 4),
            kw: rng.pick(1, 4),
            stride: [rng.pick(1, 3), rng.pick(1, 3)],
            dilation: [rng.pick(1, 3), rng.pick(1, 2)],
            groups,
        };
        let reach = |k: usize, dilation: usize| dilation * (k - 1) + 1;
        if reach(g.kh, g.dilation[0]) <= g.h_in + g.pad[0] + g.pad[2]
            && reach(g.kw, g.dilation[1]) <= g.w_in + g.pad[1] + g.pad[3]
        {
            return g;
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

fn input(g: &ConvGeometry) -> Shape {
    Shape::Image {
        c: g.c_in,
        h: g.h_in,
        w: g.w_in,
    }
}

fn output(g: &ConvGeometry) -> Shape {
    Shape::Image {
        c: g.c_out,
        h: g.h_out(),
        w: g.w_out(),
    }
}

#[test]
fn forward_matches_a_plain_loop() {
    for seed in 0..60 {
        let mut rng = Rng(seed);
        let g = geometry(&mut rng);
        let mut case = Case::new(seed + 1000, rng.pick(1, 3), rng.pick(1, 40));
        let x = case.random(input(&g), rng.scope());
        let w = case.random(Shape::Flat(g.weights()), rng.scope());
        let channel = Shape::Flat(g.c_out);
        let scale = rng.coin().then(|| case.random(channel, rng.scope()));
        let shift = rng.coin().then(|| case.random(channel, rng.scope()));
        let residual = rng.coin().then(|| case.random(output(&g), rng.scope()));
        let act = reference::ACTIVATIONS[rng.pick(0, 8)];
        let y = case.result(output(&g), Scope::PerChip);
        let post = Post {
            scale,
            shift,
            residual,
            act,
            quant: None,
        };
        let op = Op::from(Conv2d {
            x,
            w,
            y,
            geo: g,
            post,
        });
        let (mut want, mut limit) = (Vec::new(), Vec::new());
        for chip in 0..case.chips {
            for image in 0..case.images {
                let (xv, wv) = (case.at(x, chip, image), case.at(w, chip, 0));
                let sums = reference::conv2d(&xv, &wv, &g, |w, x| w * x);
                let sizes = reference::conv2d(&xv, &wv, &g, |w, x| (w * x).abs());
                let of = |t: Option<TensorId>| t.map(|t| case.at(t, chip, image));
                let (scale, shift, residual) = (of(scale), of(shift), of(residual));
                for (i, (sum, size)) in sums.into_iter().zip(sizes).enumerate() {
                    let c = i / (g.h_out() * g.w_out());
                    let mut v = scale.as_ref().map_or(1.0, |s| s[c]) * sum;
                    v += shift.as_ref().map_or(0.0, |s| s[c]);
                    v += residual.as_ref().map_or(0.0, |r| r[i]);
                    want.push(reference::activation(act, v));
                    limit.push(SUM_TOLERANCE * (2.0 + size));
                }
            }
        }
        for (isa, backend) in backends() {
            let [got] = case.run(&backend, vec![op.clone()], [y]);
            close(&format!("{isa} seed {seed} {g:?}"), &got, &want, |i| {
                limit[i]
            });
        }
    }
}

/// Sums long enough to be cut, more rows than one panel, several blocks.
#[test]
fn long_sums_and_many_rows() {
    let g = ConvGeometry::linear(700, 530);
    let mut case = Case::new(5, 1, 37);
    let x = case.random(input(&g), Scope::Shared);
    let w = case.random(Shape::Flat(g.weights()), Scope::PerChip);
    let shift = case.random(Shape::Flat(g.c_out), Scope::Shared);
    let y = case.result(output(&g), Scope::PerChip);
    let post = Post {
        shift: Some(shift),
        ..Post::NONE
    };
    let op = Op::from(Conv2d {
        x,
        w,
        y,
        geo: g,
        post,
    });
    let mut want = Vec::new();
    for image in 0..case.images {
        let sums = reference::conv2d(&case.at(x, 0, image), &case.at(w, 0, 0), &g, |w, x| w * x);
        let shift = case.at(shift, 0, 0);
        want.extend(sums.iter().zip(shift).map(|(s, b)| s + b));
    }
    for (isa, backend) in backends() {
        let [got] = case.run(&backend, vec![op.clone()], [y]);
        // 700 products of magnitude 1/4 on average.
        close(isa, &got, &want, |_| SUM_TOLERANCE * 175.0);
    }
}

#[test]
fn quantized_epilogue() {
    let g = ConvGeometry::linear(20, 24);
    let mut case = Case::new(9, 2, 33);
    let x = case.random(input(&g), Scope::Shared);
    let w = case.random(Shape::Flat(g.weights()), Scope::PerChip);
    let y = case.result(output(&g), Scope::PerChip);
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

/// A step of 0 (nothing calibrated) gives 0.
#[test]
fn quantizer_without_a_step() {
    let g = ConvGeometry::linear(3, 4);
    let mut case = Case::new(9, 1, 5);
    let x = case.random(input(&g), Scope::Shared);
    let w = case.random(Shape::Flat(g.weights()), Scope::PerChip);
    let y = case.result(output(&g), Scope::PerChip);
    let scale = case.given(Shape::Flat(1), Scope::Shared, vec![0.0]);
    let post = Post {
        quant: Some(ActQuant {
            scale,
            lo: 1,
            hi: 5,
            rounding: Rounding::Nearest,
        }),
        ..Post::NONE
    };
    let op = Op::from(Conv2d {
        x,
        w,
        y,
        geo: g,
        post,
    });
    for (_, backend) in backends() {
        let [got] = case.run(&backend, vec![op.clone()], [y]);
        assert!(got.iter().all(|&v| v == 0.0));
    }
}

/// Both gradients of `sum dy * conv(x, w)` for one image of one chip, by finite differences.
fn gradients(x: &[f64], w: &[f64], dy: &[f64], g: &ConvGeometry) -> (Vec<f64>, Vec<f64>) {
    let loss = |x: &[f64], w: &[f64]| dot(&reference::conv2d(x, w, g, |w, x| w * x), dy);
    (
        differences(x, |x| loss(x, w)),
        differences(w, |w| loss(x, w)),
    )
}

/// Finite differences of a bilinear form are exact to their own rounding; products of a few
/// hundred terms, summed over all images for the weights.
const GRADIENT_TOLERANCE: f64 = 1e-5;

#[test]
fn gradients_match_finite_differences() {
    for seed in 100..150 {
        let mut rng = Rng(seed);
        let mut g = geometry(&mut rng);
        if seed >= 140 {
            // Outputs of one or two places, far smaller than the kernel.
            g = small_output(&mut rng);
        }
        if g.is_linear() {
            g = ConvGeometry::linear(g.c_in % 40 + 1, g.c_out);
        }
        // Finite differences of larger maps take long.
        let images = if seed >= 140 { 3 } else { rng.pick(1, 18) };
        let mut case = Case::new(seed + 1000, rng.pick(1, 2), images);
        let x = case.random(input(&g), rng.scope());
        let w = case.random(Shape::Flat(g.weights()), rng.scope());
        let dy = case.random(output(&g), Scope::PerChip);
        let dx = case.result(input(&g), Scope::PerChip);
        let dw = case.result(Shape::Flat(g.weights()), Scope::PerChip);
        let dw_all = case.result(Shape::Flat(g.weights()), Scope::Shared);
        let mut want_dx = Vec::new();
        let mut want_dw = vec![vec![0.0; g.weights()]; case.chips];
        let mut want_all = vec![0.0; g.weights()];
        for (chip, want_dw) in want_dw.iter_mut().enumerate() {
            for image in 0..case.images {
                let (xv, wv) = (case.at(x, chip, image), case.at(w, chip, 0));
                let (gx, gw) = gradients(&xv, &wv, &case.at(dy, chip, image), &g);
                want_dx.extend(gx);
                for ((sum, all), g) in want_dw.iter_mut().zip(&mut want_all).zip(gw) {
                    *sum += g;
                    *all += g;
                }
            }
        }
        let ops = vec![
            Op::from(Conv2dGradInput { dy, w, dx, geo: g }),
            Op::from(Conv2dGradWeight { x, dy, dw, geo: g }),
            Op::from(Conv2dGradWeight {
                x,
                dy,
                dw: dw_all,
                geo: g,
            }),
        ];
        for (isa, backend) in backends() {
            let [got_dx, got_dw, got_all] = case.run(&backend, ops.clone(), [dx, dw, dw_all]);
            let what = |name: &str| format!("{isa} {name} seed {seed} {g:?}");
            close(&what("dx"), &got_dx, &want_dx, |_| GRADIENT_TOLERANCE);
            let want = want_dw.concat();
            close(&what("dw"), &got_dw, &want, |_| GRADIENT_TOLERANCE * 10.0);
            close(&what("dw"), &got_all, &want_all, |_| {
                GRADIENT_TOLERANCE * 10.0
            });
        }
    }
}

/// Lanes of the last block beyond the last image do not reach the weights' gradient, whatever an
/// earlier, longer run left there.
#[test]
fn gradient_of_weights_counts_real_images_only() {
    let g = ConvGeometry::linear(3, 2);
    let mut case = Case::new(3, 1, 30);
    let x = case.random(input(&g), Scope::Shared);
    let dy = case.random(output(&g), Scope::PerChip);
    let dw = case.result(Shape::Flat(6), Scope::Shared);
    let (_, backend) = backends().remove(0);
    let op = Op::from(Conv2dGradWeight { x, dy, dw, geo: g });
    let (mut session, section) = case.prepare(&backend, vec![op]);
    session
        .run(section, &RunArgs::wave(1, 0, 1, 0..21))
        .unwrap();
    let got = session.read(dw).unwrap();
    let mut want = vec![0.0; 6];
    for image in 0..21 {
        let (xv, dv) = (case.at(x, 0, image), case.at(dy, 0, image));
        for o in 0..2 {
            for k in 0..3 {
                want[o * 3 + k] += dv[o] * xv[k];
            }
        }
    }
    close("dw", &got, &want, |_| GRADIENT_TOLERANCE);
}
