//! Point-wise maps, their gradients, sums.

use pimento::program::*;

use crate::case::{Case, EPS, Rng, backends, close, differences, dot};
use crate::reference::{ACTIVATIONS, activation};

/// Values are below 4 and pass through at most four roundings, or through tanh (6 ulp of 1).
const VALUE_TOLERANCE: f64 = 16.0 * EPS;

/// `1 - tanh^2` from a `tanh` that is 6 ulp off; finite differences are exact to `1e-9`.
const GRADIENT_TOLERANCE: f64 = 2e-6;

fn map(rng: &mut Rng) -> Shape {
    Shape::Image {
        c: rng.pick(1, 7),
        h: rng.pick(1, 12),
        w: rng.pick(1, 12),
    }
}

#[test]
fn pointwise() {
    for seed in 0..36 {
        let mut rng = Rng(seed);
        let shape = map(&mut rng);
        let mut case = Case::new(seed + 50, rng.pick(1, 3), rng.pick(1, 40));
        let x = case.random(shape, rng.scope());
        let channel = Shape::Flat(shape.chw().0);
        let scale = rng.coin().then(|| case.random(channel, rng.scope()));
        let shift = rng.coin().then(|| case.random(channel, rng.scope()));
        let residual = rng.coin().then(|| case.random(shape, rng.scope()));
        let act = ACTIVATIONS[seed as usize % ACTIVATIONS.len()];
        // Where the result jumps, a rounding in front of it would count as much as the jump.
        let smooth = |t: Option<TensorId>| t.filter(|_| !act.is_step());
        let (scale, shift, residual) = (smooth(scale), smooth(shift), smooth(residual));
        let y = case.result(shape, Scope::PerChip);
        let post = Post {
            scale,
            shift,
            residual,
            act,
            quant: None,
        };
        let (_, h, w) = shape.chw();
        let mut want = Vec::new();
        for chip in 0..case.chips {
            for image in 0..case.images {
                let of = |t: Option<TensorId>| t.map(|t| case.at(t, chip, image));
                let (scale, shift, residual) = (of(scale), of(shift), of(residual));
                for (i, v) in case.at(x, chip, image).into_iter().enumerate() {
                    let c = i / (h * w);
                    let v = scale.as_ref().map_or(1.0, |s| s[c]) * v
                        + shift.as_ref().map_or(0.0, |s| s[c])
                        + residual.as_ref().map_or(0.0, |r| r[i]);
                    want.push(activation(act, v));
                }
            }
        }
        for (isa, backend) in backends() {
            let [got] = case.run(&backend, vec![Op::from(Pointwise { x, y, post })], [y]);
            close(&format!("{isa} seed {seed}"), &got, &want, |_| {
                VALUE_TOLERANCE
            });
        }
    }
}

/// The own tanh over its whole range: at most 6 units in the last place (3.6e-7 near 1, where each
/// of its two polynomials loses two without fused multiply-add), never beyond 1.
#[test]
fn tanh_is_accurate_everywhere() {
    let n = 60_000;
    let shape = Shape::Image { c: 1, h: 1, w: 1 };
    let mut case = Case::new(0, 1, 2 * n);
    let mut values: Vec<f32> = (0..n).map(|i| (i as f32 / n as f32 - 0.5) * 24.0).collect();
    // Magnitudes down to the denormals.
    values.extend((0..n).map(|i| f32::from_bits((i as u32) * 18_900)));
    let x = case.given(shape, Scope::Shared, values.clone());
    let y = case.result(shape, Scope::Shared);
    let post = Post {
        act: Activation::Tanh,
        ..Post::NONE
    };
    for (isa, backend) in backends() {
        let [got] = case.run(&backend, vec![Op::from(Pointwise { x, y, post })], [y]);
        let mut worst = 0.0f64;
        for (&x, &y) in values.iter().zip(&got) {
            let want = f64::from(x).tanh();
            let near = (want as f32).abs();
            let ulp = f64::from(f32::from_bits(near.to_bits() + 1) - near);
            worst = worst.max((f64::from(y) - want).abs() / ulp);
            assert!(y.abs() <= 1.0, "{isa}: tanh({x}) = {y}");
        }
        assert!(worst <= 6.0, "{isa}: {worst} units in the last place");
    }
}

/// The own sigmoid over its whole range: at most 4 units in the last place wherever the result is
/// a normal number, 0 where it is none, never beyond 1.
#[test]
fn sigmoid_is_accurate_everywhere() {
    let n = 60_000;
    let shape = Shape::Image { c: 1, h: 1, w: 1 };
    let mut case = Case::new(0, 1, 2 * n);
    let mut values: Vec<f32> = (0..n)
        .map(|i| (i as f32 / n as f32 - 0.5) * 200.0)
        .collect();
    // Magnitudes down to the denormals.
    values.extend((0..n).map(|i| f32::from_bits((i as u32) * 18_900)));
    let x = case.given(shape, Scope::Shared, values.clone());
    let y = case.result(shape, Scope::Shared);
    let post = Post {
        act: Activation::Sigmoid,
        ..Post::NONE
    };
    for (isa, backend) in backends() {
        let [got] = case.run(&backend, vec![Op::from(Pointwise { x, y, post })], [y]);
        let mut worst = 0.0f64;
        for (&x, &y) in values.iter().zip(&got) {
            let want = activation(Activation::Sigmoid, x.into());
            let near = want as f32;
            let ulp = f64::from(f32::from_bits(near.to_bits() + 1) - near);
            assert!((0.0..=1.0).contains(&y), "{isa}: sigmoid({x}) = {y}");
            match x < -87.33 {
                true => assert_eq!(y, 0.0, "{isa}: sigmoid({x})"),
                false => worst = worst.max((f64::from(y) - want).abs() / ulp),
            }
        }
        assert!(worst <= 4.0, "{isa}: {worst} units in the last place");
    }
}

#[test]
fn special_values_pass_through() {
    let shape = Shape::Image { c: 1, h: 1, w: 1 };
    let values = vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0];
    for act in ACTIVATIONS {
        let mut case = Case::new(0, 1, 4);
        let x = case.given(shape, Scope::Shared, values.clone());
        let y = case.result(shape, Scope::Shared);
        let post = Post { act, ..Post::NONE };
        for (isa, backend) in backends() {
            let [got] = case.run(&backend, vec![Op::from(Pointwise { x, y, post })], [y]);
            assert!(got[0].is_nan(), "{isa} {act:?}: NaN became {}", got[0]);
            for (&got, &x) in got.iter().zip(&values).skip(1) {
                let want = activation(act, x.into()) as f32;
                // Hard swish is 0 times infinity there.
                let same = got == want || (got.is_nan() && want.is_nan());
                assert!(same, "{isa} {act:?} of {x}: {got}, expected {want}");
            }
        }
    }
}

#[test]
fn activation_gradient() {
    for (seed, act) in ACTIVATIONS.into_iter().enumerate() {
        let mut rng = Rng(seed as u64);
        let shape = map(&mut rng);
        let mut case = Case::new(7, 2, 20);
        // Odd multiples of 1/256 between -4 and 4: none is within 1e-3 of a kink.
        let values = (0..2 * 20 * shape.len())
            .map(|_| (2 * rng.pick(0, 1023) + 1) as f32 / 256.0 - 4.0)
            .collect();
        let x = case.given(shape, Scope::PerChip, values);
        let dy = case.random(shape, Scope::PerChip);
        let channel = Shape::Flat(shape.chw().0);
        let scale = case.random(channel, Scope::Shared);
        let y = case.temp(shape, Scope::PerChip);
        let dx = case.result(shape, Scope::PerChip);
        let scaled = case.result(shape, Scope::PerChip);
        let post = Post { act, ..Post::NONE };
        let from = if act.derivative_from_input() { x } else { y };
        let grad = |dx, scale| {
            Op::from(ActivationGrad {
                y: from,
                dy,
                dx,
                act,
                scale,
            })
        };
        let ops = vec![
            Op::from(Pointwise { x, y, post }),
            grad(dx, None),
            grad(scaled, Some(scale)),
        ];
        let (_, h, w) = shape.chw();
        let (mut want, mut want_scaled) = (Vec::new(), Vec::new());
        for chip in 0..2 {
            for image in 0..20 {
                let dy = case.at(dy, chip, image);
                let g = differences(&case.at(x, chip, image), |x| {
                    let y: Vec<f64> = x.iter().map(|&v| activation(act, v)).collect();
                    dot(&y, &dy)
                });
                let scale = case.at(scale, 0, 0);
                want_scaled.extend(g.iter().enumerate().map(|(i, g)| g * scale[i / (h * w)]));
                want.extend(g);
            }
        }
        for (isa, backend) in backends() {
            let [got, got_scaled] = case.run(&backend, ops.clone(), [dx, scaled]);
            close(&format!("{isa} {act:?}"), &got, &want, |_| {
                GRADIENT_TOLERANCE
            });
            close(
                &format!("{isa} {act:?} scaled"),
                &got_scaled,
                &want_scaled,
                |_| GRADIENT_TOLERANCE,
            );
        }
    }
}

#[test]
fn impossible_activations_are_refused() {
    let shape = Shape::Image { c: 1, h: 1, w: 1 };
    for act in [
        Activation::LeakyRelu { slope: -0.1 },
        Activation::LeakyRelu { slope: f32::NAN },
        Activation::Clip { lo: 1.0, hi: 1.0 },
        Activation::Clip {
            lo: f32::NAN,
            hi: 1.0,
        },
        Activation::HardSigmoid {
            slope: 0.0,
            offset: 0.5,
        },
        Activation::HardSigmoid {
            slope: 0.2,
            offset: f32::INFINITY,
        },
    ] {
        let mut case = Case::new(0, 1, 1);
        let x = case.random(shape, Scope::Shared);
        let y = case.result(shape, Scope::Shared);
        let post = Post { act, ..Post::NONE };
        let text = case.refusal(vec![Op::from(Pointwise { x, y, post })]);
        assert!(text.contains("impossible activation"), "{text}");
        let grad = Op::from(ActivationGrad {
            y: x,
            dy: x,
            dx: y,
            act,
            scale: None,
        });
        let text = case.refusal(vec![grad]);
        assert!(text.contains("impossible activation"), "{text}");
    }
}

#[test]
fn add_and_channel_sum() {
    for seed in 0..6 {
        let mut rng = Rng(seed);
        let shape = map(&mut rng);
        let (c, h, w) = shape.chw();
        let mut case = Case::new(seed + 9, 2, 21);
        let (a, b) = (
            case.random(shape, Scope::PerChip),
            case.random(shape, Scope::Shared),
        );
        let y = case.result(shape, Scope::PerChip);
        let per_chip = case.result(Shape::Flat(c), Scope::PerChip);
        let all = case.result(Shape::Flat(c), Scope::Shared);
        let ops = vec![
            Op::from(Add { a, b, y }),
            Op::from(ChannelSum { x: y, y: per_chip }),
            Op::from(ChannelSum { x: y, y: all }),
        ];
        let mut want = Vec::new();
        let mut sums = vec![0.0; 2 * c];
        let mut total = vec![0.0; c];
        for chip in 0..2 {
            for image in 0..case.images {
                let (a, b) = (case.at(a, chip, image), case.at(b, chip, image));
                for (i, (a, b)) in a.into_iter().zip(b).enumerate() {
                    want.push(a + b);
                    sums[chip * c + i / (h * w)] += a + b;
                    total[i / (h * w)] += a + b;
                }
            }
        }
        for (isa, backend) in backends() {
            let [got, got_sums, got_total] = case.run(&backend, ops.clone(), [y, per_chip, all]);
            close(isa, &got, &want, |_| VALUE_TOLERANCE);
            // Each of a few thousand terms was rounded once.
            close(isa, &got_sums, &sums, |_| 3e-5);
            close(isa, &got_total, &total, |_| 3e-5);
        }
    }
}
