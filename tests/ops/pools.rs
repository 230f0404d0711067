//! Pooling forward and backward.

use pimento::program::*;

use crate::case::{Case, EPS, Rng, backends, close, differences, dot};
use crate::reference::pool;

/// A random map and window.
fn window(rng: &mut Rng) -> ((usize, usize, usize), PoolGeometry) {
    let (kh, kw) = (rng.pick(1, 4), rng.pick(1, 4));
    let geo = PoolGeometry {
        kh,
        kw,
        stride: [rng.pick(1, 3), rng.pick(1, 3)],
        pad: [kh, kw, kh, kw].map(|k| rng.pick(0, k - 1)),
    };
    ((rng.pick(1, 5), rng.pick(4, 9), rng.pick(4, 9)), geo)
}

fn largest(under: &[f64]) -> f64 {
    under.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

fn mean(under: &[f64]) -> f64 {
    under.iter().sum::<f64>() / under.len() as f64
}

#[test]
fn pools_and_their_gradients() {
    for seed in 0..30 {
        let mut rng = Rng(seed);
        let (size, geo) = window(&mut rng);
        let (c, h, w) = size;
        let (ho, wo) = geo.out(h, w);
        let (input, output) = (Shape::Image { c, h, w }, Shape::Image { c, h: ho, w: wo });
        let mut case = Case::new(seed + 77, rng.pick(1, 2), rng.pick(1, 20));
        // A permutation of evenly spaced values: no two are within the step of a difference.
        let scope = rng.scope();
        let chips = if scope == Scope::PerChip {
            case.chips
        } else {
            1
        };
        let mut values = Vec::new();
        for _ in 0..chips * case.images {
            let mut order: Vec<usize> = (0..c * h * w).collect();
            order.sort_by_cached_key(|_| rng.bits());
            values.extend(order.iter().map(|&i| i as f32 / 256.0 - 0.5));
        }
        let x = case.given(input, scope, values);
        let dy = case.random(output, Scope::PerChip);
        let [y_max, y_avg] = [(); 2].map(|_| case.result(output, Scope::PerChip));
        let [dx_max, dx_avg] = [(); 2].map(|_| case.result(input, Scope::PerChip));
        let ops = vec![
            Op::from(MaxPool { x, y: y_max, geo }),
            Op::from(MaxPoolGrad {
                x,
                y: y_max,
                dy,
                dx: dx_max,
                geo,
            }),
            Op::from(AvgPool { x, y: y_avg, geo }),
            Op::from(AvgPoolGrad {
                dy,
                dx: dx_avg,
                geo,
            }),
        ];
        let mut want: [Vec<f64>; 4] = Default::default();
        for chip in 0..case.chips {
            for image in 0..case.images {
                let (x, dy) = (case.at(x, chip, image), case.at(dy, chip, image));
                for (i, f) in [largest as fn(&[f64]) -> f64, mean].into_iter().enumerate() {
                    want[i].extend(pool(&x, size, &geo, f));
                    want[i + 2].extend(differences(&x, |x| dot(&pool(x, size, &geo, f), &dy)));
                }
            }
        }
        for (isa, backend) in backends() {
            let got = case.run(&backend, ops.clone(), [y_max, y_avg, dx_max, dx_avg]);
            for (i, (got, want)) in got.iter().zip(&want).enumerate() {
                // A maximum is exact, a mean of at most 16 values rounds as often; gradients
                // as finite differences, values are further apart than the step by the seed.
                let limit = [0.0, 16.0 * EPS, 1e-5, 1e-5][i];
                close(
                    &format!("{isa} seed {seed} {geo:?} result {i}"),
                    got,
                    want,
                    |_| limit,
                );
            }
        }
    }
}

/// Among equal maxima the first one, row by row, gets the whole gradient.
#[test]
fn ties_go_to_the_first() {
    let shape = Shape::Image { c: 1, h: 2, w: 2 };
    let out = Shape::Image { c: 1, h: 1, w: 1 };
    let geo = PoolGeometry {
        kh: 2,
        kw: 2,
        stride: [2; 2],
        pad: [0; 4],
    };
    let mut case = Case::new(0, 1, 2);
    let values = vec![0.0, 3.0, 3.0, 3.0, -1.0, -2.0, -1.0, -1.0];
    let x = case.given(shape, Scope::Shared, values);
    let dy = case.given(out, Scope::Shared, vec![5.0, 7.0]);
    let (y, dx) = (
        case.result(out, Scope::Shared),
        case.result(shape, Scope::Shared),
    );
    for (isa, backend) in backends() {
        let ops = vec![
            Op::from(MaxPool { x, y, geo }),
            Op::from(MaxPoolGrad { x, y, dy, dx, geo }),
        ];
        let [dx] = case.run(&backend, ops, [dx]);
        assert_eq!(dx, [0.0, 5.0, 0.0, 0.0, 7.0, 0.0, 0.0, 0.0], "{isa}");
    }
}
