//! Results that do not depend on where they are computed: not on the number of threads, and not on
//! whether a vector of 16 is one register or two.

use pimento::backend::cpu::{CpuBackend, Isa};
use pimento::program::*;

use crate::case::{Case, Rng};

/// A random layer; every fourth one has fewer products.
fn geometry(seed: u64) -> ConvGeometry {
    let mut rng = Rng(seed);
    let groups = rng.pick(1, 2);
    let mut geo = ConvGeometry {
        c_in: groups * rng.pick(1, 20),
        h_in: rng.pick(3, 12),
        w_in: rng.pick(3, 12),
        c_out: groups * rng.pick(1, 30),
        kh: rng.pick(1, 3),
        kw: rng.pick(1, 3),
        stride: [rng.pick(1, 2), rng.pick(1, 2)],
        dilation: [1, 1],
        pad: [1, 0, rng.pick(0, 2), 1],
        groups,
    };
    if seed % 4 == 3 {
        geo = ConvGeometry {
            c_in: 16 + rng.pick(0, 9),
            h_in: rng.pick(5, 9),
            c_out: 16 + rng.pick(0, 20),
            w_in: rng.pick(5, 9),
            kh: 3,
            kw: 3,
            pad: [1, 0, 2, 1],
            stride: [1; 2],
            groups: 1,
            ..geo
        };
        assert!(Winograd::forward(&geo).is_some());
    }
    geo
}

/// Products forward and backward, and everything that sums over images, on four chips of 37 images.
fn case(seed: u64) -> (Case, Vec<Op>, [TensorId; 9]) {
    let geo = geometry(seed);
    let mut case = Case::new(seed, 4, 37);
    let input = Shape::Image {
        c: geo.c_in,
        h: geo.h_in,
        w: geo.w_in,
    };
    let output = Shape::Image {
        c: geo.c_out,
        h: geo.h_out(),
        w: geo.w_out(),
    };
    let (shared, per_chip) = (Scope::Shared, Scope::PerChip);
    let x = case.random(input, per_chip);
    let w = case.random(Shape::Flat(geo.weights()), per_chip);
    let dy = case.random(output, per_chip);
    let y = case.result(output, per_chip);
    let dx = case.result(input, per_chip);
    let dw = case.result(Shape::Flat(geo.weights()), shared);
    let channel = Shape::Flat(geo.c_out);
    let [mean, var, dgamma, dbeta, sum] = [(); 5].map(|()| case.result(channel, shared));
    let largest = case.result(Shape::Flat(1), shared);
    let eps = 1e-5;
    let ops = vec![
        Op::from(Conv2d {
            x,
            w,
            y,
            geo,
            post: Post::NONE,
            codes: None,
        }),
        Op::from(BatchNormStats { x: y, mean, var }),
        Op::from(MaxAbs {
            x: y,
            out: largest,
            divisor: 3.0,
        }),
        Op::from(BatchNormGradSums {
            x: y,
            mean,
            var,
            dy,
            dgamma,
            dbeta,
            eps,
        }),
        Op::from(ChannelSum { x: dy, y: sum }),
        Op::from(Conv2dGradWeight { x, dy, dw, geo }),
        Op::from(Conv2dGradInput { dy, w, dx, geo }),
    ];
    let results = [y, dx, dw, mean, var, dgamma, dbeta, sum, largest];
    (case, ops, results)
}

fn bits(backend: &CpuBackend, seed: u64) -> [Vec<u32>; 9] {
    let (case, ops, results) = case(seed);
    let values = case.run(backend, ops, results);
    values.map(|v| v.into_iter().map(f32::to_bits).collect())
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for isa in Isa::available() {
        for seed in 0..6 {
            let with = |threads| {
                CpuBackend::new()
                    .with_isa(isa)
                    .with_threads(threads)
                    .unwrap()
            };
            let want = bits(&with(1), seed);
            for threads in [2, 3, 7] {
                let got = bits(&with(threads), seed);
                assert!(got == want, "{} {threads} threads, seed {seed}", isa.name());
            }
        }
    }
}

/// AVX2 and AVX-512 both fuse a multiplication and an addition, and every sum has 16 lanes on both.
#[test]
fn two_registers_give_the_bits_of_one() {
    let all = Isa::available();
    let of = |name: &str| all.iter().find(|isa| isa.name() == name).copied();
    let (Some(two), Some(one)) = (of("avx2"), of("avx512")) else {
        println!("SKIPPED two_registers_give_the_bits_of_one: no AVX-512 here");
        return;
    };
    for seed in 0..12 {
        let [one, two] = [one, two].map(|isa| bits(&CpuBackend::new().with_isa(isa), seed));
        for (i, (one, two)) in one.iter().zip(&two).enumerate() {
            assert!(one == two, "result {i}, seed {seed}");
        }
    }
}
