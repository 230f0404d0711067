//! Accuracy of the activations' functions, and what is refused; the rest is in `tests/cases`.

use pimento::program::*;

use crate::case::{Case, backends};
use crate::cases::reference::activation;

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
