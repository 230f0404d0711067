//! A convolution that is pooled at once against the operators that it stands for, and what is refused; the rest is
//! in `tests/cases`.

use pimento::program::*;

use crate::case::{Case, Rng, backends};
use crate::cases::conv2d::{geometry, input, output};
use crate::cases::conv2d_pool::{any_window, pooled, window};

/// The operator and the operators that it stands for, with results of their own.
fn with_parts(seed: u64) -> Case {
    let mut rng = Rng(seed);
    let geo = ConvGeometry {
        groups: 1,
        ..geometry(&mut rng)
    };
    let window = any_window(&mut rng, &geo);
    let mut case = Case::new(seed + 5000, 2, rng.pick(1, 40));
    let post = Post {
        scale: rng.coin().then(|| case.random(geo.c_out, Scope::PerChip)),
        shift: Some(case.random(geo.c_out, Scope::Shared)),
        act: Activation::Tanh,
        ..Post::NONE
    };
    let quant = ActQuant {
        scale: case.shared(&[0.11]),
        lo: -3,
        hi: 4,
        rounding: Rounding::Nearest,
    };
    let x = case.random(input(&geo), Scope::Shared);
    let w = case.random(geo.weights(), Scope::PerChip);
    let y = case.output(pooled(&geo, &window), Scope::PerChip);
    let parts = case.output(pooled(&geo, &window), Scope::PerChip);
    let map = case.temp(output(&geo), Scope::PerChip);
    let mean = case.temp(pooled(&geo, &window), Scope::PerChip);
    let pooling = [Pooling::Max, Pooling::Mean][rng.pick(0, 1)];
    case.section(vec![
        Op::from(Conv2dPool {
            x,
            w,
            y,
            geo,
            post,
            pooling,
            window,
            quant: Some(quant),
        }),
        Op::from(Conv2d {
            x,
            w,
            y: map,
            geo,
            post,
            codes: None,
        }),
        match pooling {
            Pooling::Max => Op::from(MaxPool {
                x: map,
                y: mean,
                geo: window,
            }),
            Pooling::Mean => Op::from(AvgPool {
                x: map,
                y: mean,
                geo: window,
            }),
        },
        Op::from(QuantizeAct {
            x: mean,
            y: parts,
            quant,
        }),
    ]);
    case
}

/// The same bits with every instruction set: a sum has the same terms in the same order.
#[test]
fn the_same_bits_as_one_after_the_other() {
    let mut compared = 0;
    for seed in 0..60 {
        let case = with_parts(seed);
        let winograd = case.program.sections[0]
            .ops
            .iter()
            .any(|op| matches!(op, Op::Conv2d(c) if Winograd::forward(&c.geo).is_some()));
        if winograd {
            continue;
        }
        for (isa, backend) in backends() {
            let results = case.results(&backend);
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            let [at_once, parts] = [0, 1].map(|i| bits(&results[i]));
            assert!(at_once == parts, "seed {seed}, {isa:?}");
            compared += 1;
        }
    }
    assert!(compared > 50, "{compared}");
}

#[test]
fn windows_that_overlap_groups_and_residuals_are_refused() {
    let mut case = Case::new(1, 1, 3);
    let geo = ConvGeometry {
        h_in: 4,
        w_in: 4,
        ..ConvGeometry::linear(2, 2)
    };
    let x = case.random([2, 4, 4], Scope::Shared);
    let w = case.random(geo.weights(), Scope::Shared);
    let y = case.result([2, 2, 2], Scope::Shared);
    let residual = case.random([2, 4, 4], Scope::Shared);
    let op = Conv2dPool {
        x,
        w,
        y,
        geo,
        post: Post::NONE,
        pooling: Pooling::Max,
        window: window(2, 2),
        quant: None,
    };
    let refused = |change: &dyn Fn(&mut Conv2dPool), why: &str| {
        let mut op = op.clone();
        change(&mut op);
        let message = case.refusal(vec![Op::from(op)]);
        assert!(message.contains(why), "{message}");
    };
    refused(&|op| op.window.stride = [1, 2], "impossible window");
    refused(&|op| op.window.pad = [1, 0, 0, 0], "impossible window");
    refused(&|op| op.window = window(5, 2), "impossible window");
    refused(&|op| op.geo.groups = 2, "2 groups");
    refused(&|op| op.post.residual = Some(residual), "residual");
}
