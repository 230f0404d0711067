//! Softmax over channels.

use pimento::program::*;

use crate::case::{Case, EPS, Rng, backends, close};

#[test]
fn probabilities_of_every_pixel() {
    for seed in 0..12 {
        let mut rng = Rng(seed);
        let (c, h, w) = (rng.pick(1, 30), rng.pick(1, 4), rng.pick(1, 4));
        let shape = Shape::Image { c, h, w };
        let mut case = Case::new(seed, rng.pick(1, 3), rng.pick(1, 40));
        let size = [1.0, 10.0, 200.0][rng.pick(0, 2)];
        let scope = rng.scope();
        let chips = if scope == Scope::PerChip {
            case.chips
        } else {
            1
        };
        let values = (0..chips * case.images * c * h * w)
            .map(|_| rng.signed() * size)
            .collect();
        let x = case.given(shape, scope, values);
        let y = case.result(shape, Scope::PerChip);
        let mut want = Vec::new();
        for chip in 0..case.chips {
            for image in 0..case.images {
                let x = case.at(x, chip, image);
                let pixel = |i: usize| (0..c).map(move |k| k * h * w + i % (h * w));
                want.extend((0..x.len()).map(|i| {
                    let most = pixel(i).map(|k| x[k]).fold(f64::NEG_INFINITY, f64::max);
                    let sum: f64 = pixel(i).map(|k| (x[k] - most).exp()).sum();
                    (x[i] - most).exp() / sum
                }));
            }
        }
        for (isa, backend) in backends() {
            let [got] = case.run(&backend, vec![Op::from(Softmax { x, y })], [y]);
            // Differences of up to 400 are rounded to 400 EPS, which the exponential makes a
            // relative error; itself, the sum and the division are a few roundings more. What is
            // no normal number is 0.
            close(&format!("{isa} seed {seed}"), &got, &want, |i| {
                want[i] * (2.0 * f64::from(size) + 40.0) * EPS + f64::from(f32::MIN_POSITIVE)
            });
        }
    }
}
