//! Products of maps.

use pimento::program::*;

use crate::case::{Case, EPS, Rng, backends, close};

#[test]
fn products_of_maps_and_of_channels() {
    for seed in 0..12 {
        let mut rng = Rng(seed);
        let (c, h, w) = (rng.pick(1, 7), rng.pick(1, 9), rng.pick(1, 9));
        let shape = Shape::Image { c, h, w };
        let by_channel = seed % 2 == 0;
        let factor = match by_channel {
            true => Shape::Image { c, h: 1, w: 1 },
            false => shape,
        };
        let mut case = Case::new(seed + 3, rng.pick(1, 3), rng.pick(1, 40));
        let a = case.random(shape, rng.scope());
        let b = case.random(factor, rng.scope());
        let y = case.result(shape, Scope::PerChip);
        let mut want = Vec::new();
        for chip in 0..case.chips {
            for image in 0..case.images {
                let (a, b) = (case.at(a, chip, image), case.at(b, chip, image));
                let place = |i: usize| if by_channel { i / (h * w) } else { i };
                want.extend(a.iter().enumerate().map(|(i, a)| a * b[place(i)]));
            }
        }
        for (isa, backend) in backends() {
            let [got] = case.run(&backend, vec![Op::from(Multiply { a, b, y })], [y]);
            // One rounding of a value below 1.
            close(&format!("{isa} seed {seed}"), &got, &want, |_| EPS);
        }
    }
}

#[test]
fn a_factor_of_another_shape_is_refused() {
    let shape = Shape::Image { c: 2, h: 3, w: 1 };
    for factor in [(1, 1, 1), (2, 1, 3), (3, 1, 1)] {
        let (c, h, w) = factor;
        let mut case = Case::new(0, 1, 1);
        let a = case.random(shape, Scope::Shared);
        let b = case.random(Shape::Image { c, h, w }, Scope::Shared);
        let y = case.result(shape, Scope::Shared);
        let text = case.refusal(vec![Op::from(Multiply { a, b, y })]);
        assert!(text.contains("multiply"), "{text}");
        assert!(text.contains("2 x 1 x 1"), "{text}");
    }
}
