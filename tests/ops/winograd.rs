//! The error of convolutions with fewer products in units of the direct sum's, and which layers have them.

use pimento::backend::cpu::{CpuBackend, Isa};
use pimento::program::*;

use crate::case::{Case, Rng};
use crate::cases::conv2d::{input, output};
use crate::cases::reference;
use crate::cases::winograd::{layer, turned};

/// Root mean square and largest distance.
fn errors(got: &[f32], want: &[f64]) -> [f64; 2] {
    let errors = got.iter().zip(want).map(|(&g, w)| (f64::from(g) - w).abs());
    let (mut sum, mut most) = (0.0, 0.0);
    for e in errors {
        sum += e * e;
        most = f64::max(most, e);
    }
    [(sum / want.len() as f64).sqrt(), most]
}

/// A layer as networks have them: weights of both signs of about `sqrt(2/rows)`, what a ReLU leaves of the
/// map before, and gradients of both signs.
fn real_layer(
    seed: u64,
    geo: ConvGeometry,
    images: usize,
) -> (Case, Vec<Op>, [TensorId; 2], [Vec<f64>; 2]) {
    let mut case = Case::new(seed, 1, images);
    let normal = |rng: &mut Rng| (0..12).map(|_| rng.signed()).sum::<f32>() / 2.0;
    let x = case.drawn(input(&geo), Scope::Shared, |rng| normal(rng).max(0.0));
    let size = (2.0 / geo.rows() as f32).sqrt();
    let w = case.drawn(geo.weights(), Scope::PerChip, |rng| size * normal(rng));
    let dy = case.drawn(output(&geo), Scope::PerChip, normal);
    let y = case.result(output(&geo), Scope::PerChip);
    let dx = case.result(input(&geo), Scope::PerChip);
    let post = Post::NONE;
    let ops = vec![
        Op::from(Conv2d {
            x,
            w,
            y,
            geo,
            post,
            codes: None,
        }),
        Op::from(Conv2dGradInput { dy, w, dx, geo }),
    ];
    let sums =
        |x: &[f64], w: &[f64], geo: &ConvGeometry| reference::conv2d(x, w, geo, |w, x| w * x);
    let forward = case.each(Scope::PerChip, |chip, image| {
        sums(&case.at(x, chip, image), &case.at(w, chip, 0), &geo)
    });
    let (back, weights) = turned(&geo, &case.at(w, 0, 0));
    let backward = case.each(Scope::PerChip, |chip, image| {
        sums(&case.at(dy, chip, image), &weights, &back)
    });
    (case, ops, [y, dx], [forward, backward])
}

/// Most by which the largest error may exceed the direct sum's largest: extremes of a few thousand
/// values scatter more than their root mean squares.
const LARGEST: f64 = 1.5 * ERROR_FACTOR;

#[test]
fn errors_are_at_most_four_times_the_direct_sums() {
    let layers = [
        (layer([16, 16], [9, 8], [1; 4]), 18),
        (layer([16, 64], [7, 6], [0; 4]), 5),
        (layer([64, 16], [6, 6], [1; 4]), 5),
        (layer([32, 32], [11, 6], [0, 1, 1, 0]), 5),
        (layer([64, 64], [8, 8], [1; 4]), 3),
        (layer([300, 16], [4, 4], [1; 4]), 2),
    ];
    for (i, (geo, images)) in layers.into_iter().enumerate() {
        assert!(Winograd::forward(&geo).is_some() && Winograd::grad_input(&geo).is_some());
        let (case, ops, results, want) = real_layer(i as u64, geo, images);
        for isa in Isa::available() {
            let of = |products| {
                let backend = CpuBackend::new().with_isa(isa).with_products(products);
                case.run(&backend, ops.clone(), results)
            };
            let (few, direct) = (of(Products::Winograd), of(Products::Direct));
            for ((few, direct), want) in few.iter().zip(&direct).zip(&want) {
                let ([rms, most], [rms_direct, most_direct]) =
                    (errors(few, want), errors(direct, want));
                let ratios = [rms / rms_direct, most / most_direct];
                println!("{} {geo:?}: {ratios:.2?}", isa.name());
                assert!(
                    few != direct && ratios[0] <= ERROR_FACTOR && ratios[1] <= LARGEST,
                    "{} {geo:?}: {rms:e} and {most:e}, directly {rms_direct:e} and {most_direct:e}",
                    isa.name()
                );
            }
        }
    }
}

/// Layers that are summed term by term whatever is asked for.
#[test]
fn other_layers_do_not_take_the_route() {
    let base = layer([32, 32], [8, 8], [1; 4]);
    let others = [
        ConvGeometry { groups: 2, ..base },
        ConvGeometry {
            stride: [2, 1],
            ..base
        },
        ConvGeometry {
            dilation: [1, 2],
            ..base
        },
        ConvGeometry { kh: 5, ..base },
        ConvGeometry {
            kw: 1,
            pad: [1, 0, 1, 0],
            ..base
        },
        ConvGeometry {
            pad: [3, 1, 1, 1],
            ..base
        },
        layer([15, 32], [8, 8], [1; 4]),
        layer([32, 15], [8, 8], [1; 4]),
        layer([32, 32], [3, 8], [1; 4]),
        ConvGeometry::linear(32, 32),
    ];
    for (i, geo) in others.into_iter().enumerate() {
        assert_eq!(Winograd::forward(&geo), None, "{geo:?}");
        assert_eq!(Winograd::grad_input(&geo), None, "{geo:?}");
        let mut case = Case::new(i as u64, 1, 3);
        let x = case.random(input(&geo), Scope::Shared);
        let w = case.random(geo.weights(), Scope::Shared);
        let y = case.result(output(&geo), Scope::Shared);
        let post = Post::NONE;
        let op = vec![Op::from(Conv2d {
            x,
            w,
            y,
            geo,
            post,
            codes: None,
        })];
        let of = |products| {
            let backend = CpuBackend::new().with_products(products);
            case.run(&backend, op.clone(), [y])
        };
        assert_eq!(of(Products::Winograd), of(Products::Direct), "{geo:?}");
    }
    // The input of a layer may be large enough where its output is not.
    let edge = layer([16, 16], [5, 5], [0; 4]);
    assert_eq!(Winograd::forward(&edge), None);
    assert!(Winograd::grad_input(&edge).is_some());
}
