//! Copies of values to other places.

use std::sync::Arc;

use pimento::program::*;

use crate::case::{Case, Rng, backends};

fn map(c: usize, h: usize, w: usize) -> Shape {
    Shape::Image { c, h, w }
}

/// What the operator says of one image.
fn expected(x: &[f64], table: &[u32], fill: f32) -> Vec<f32> {
    let value = |&source: &u32| match source {
        NO_SOURCE => fill,
        _ => x[source as usize] as f32,
    };
    table.iter().map(value).collect()
}

/// Random tables with repetitions, gaps and stretches that are copied in one piece.
#[test]
fn any_table_is_followed() {
    for seed in 0..20 {
        let mut rng = Rng(seed);
        let source = map(rng.pick(1, 5), rng.pick(1, 6), rng.pick(1, 6));
        let target = map(rng.pick(1, 5), rng.pick(1, 6), rng.pick(1, 6));
        let mut table = Vec::new();
        while table.len() < target.len() {
            let from = rng.pick(0, source.len() - 1);
            let run = rng.pick(1, 8).min(target.len() - table.len());
            match rng.pick(0, 3) {
                0 => table.extend(std::iter::repeat_n(NO_SOURCE, run)),
                1 => table.push(from as u32),
                _ => table.extend((from..source.len()).take(run).map(|s| s as u32)),
            }
        }
        let table: Arc<[u32]> = table.into();
        let mut case = Case::new(seed + 5, rng.pick(1, 3), rng.pick(1, 40));
        let x = case.random(source, rng.scope());
        let y = case.result(target, Scope::PerChip);
        let op = Op::from(Rearrange {
            x,
            y,
            first: 0,
            table: table.clone(),
            fill: 0.25,
        });
        let mut want = Vec::new();
        for chip in 0..case.chips {
            for image in 0..case.images {
                want.extend(expected(&case.at(x, chip, image), &table, 0.25));
            }
        }
        for (isa, backend) in backends() {
            let [got] = case.run(&backend, vec![op.clone()], [y]);
            assert_eq!(got, want, "{isa} seed {seed}");
        }
    }
}

/// A concatenation in pieces, out of order, from shared and per-chip maps, into a temporary: other
/// operators' temporaries must not take its place between the pieces.
#[test]
fn pieces_make_a_concatenation() {
    for shared_target in [false, true] {
        let mut case = Case::new(3, 2, 37);
        let scope = match shared_target {
            true => Scope::Shared,
            false => Scope::PerChip,
        };
        let a = case.random(map(2, 3, 3), Scope::Shared);
        let b = case.random(map(1, 3, 3), scope);
        let joined = case.temp(map(4, 3, 3), scope);
        let [t, u] = [(); 2].map(|_| case.temp(map(2, 3, 3), scope));
        let y = case.result(map(4, 3, 3), scope);
        let piece = |x, first, table: std::ops::Range<u32>| {
            Op::from(Rearrange {
                x,
                y: joined,
                first,
                table: table.collect(),
                fill: 0.0,
            })
        };
        let relu = |x, y| {
            Op::from(Pointwise {
                x,
                y,
                post: Post {
                    act: Activation::Relu,
                    ..Post::NONE
                },
            })
        };
        let ops = vec![
            piece(b, 27, 0..9),
            relu(a, t),
            piece(t, 9, 9..18),
            relu(t, u),
            // Overwrites the last piece but one and ends what was missing.
            piece(u, 0, 0..18),
            piece(a, 18, 0..9),
            Op::from(Add {
                a: joined,
                b: joined,
                y,
            }),
        ];
        let mut want = Vec::new();
        let chips = if shared_target { 1 } else { 2 };
        for chip in 0..chips {
            for image in 0..case.images {
                let (a, b) = (case.at(a, chip, image), case.at(b, chip, image));
                let parts = a.iter().map(|v| v.max(0.0)).chain(a[..9].iter().copied());
                want.extend(parts.chain(b).map(|v| 2.0 * v as f32));
            }
        }
        for (isa, backend) in backends() {
            let [got] = case.run(&backend, ops.clone(), [y]);
            assert_eq!(got, want, "{isa} {scope:?}");
        }
    }
}

/// The pieces of one map are written in different phases of the schedule: a sum over images stands
/// between them.
#[test]
fn pieces_survive_other_phases() {
    let mut case = Case::new(4, 2, 20);
    let x = case.random(map(3, 2, 2), Scope::PerChip);
    let joined = case.temp(map(6, 2, 2), Scope::PerChip);
    let sums = case.temp(Shape::Flat(3), Scope::PerChip);
    let scaled = case.temp(map(3, 2, 2), Scope::PerChip);
    let y = case.result(map(6, 2, 2), Scope::PerChip);
    let piece = |x, first| {
        Op::from(Rearrange {
            x,
            y: joined,
            first,
            table: (0..12).collect(),
            fill: 0.0,
        })
    };
    let ops = vec![
        piece(x, 12),
        Op::from(ChannelSum { x, y: sums }),
        Op::from(Pointwise {
            x,
            y: scaled,
            post: Post {
                scale: Some(sums),
                ..Post::NONE
            },
        }),
        piece(scaled, 0),
        Op::from(Pointwise {
            x: joined,
            y,
            post: Post::NONE,
        }),
    ];
    for (isa, backend) in backends() {
        let [got] = case.run(&backend, ops.clone(), [y]);
        for chip in 0..2 {
            let images = (0..20).map(|image| case.at(x, chip, image));
            let images: Vec<Vec<f64>> = images.collect();
            for (image, x) in images.iter().enumerate() {
                let got = &got[(chip * 20 + image) * 24..][..24];
                for (i, &v) in x.iter().enumerate() {
                    let channel = i / 4 * 4..i / 4 * 4 + 4;
                    let sum: f64 = images.iter().flat_map(|x| &x[channel.clone()]).sum();
                    assert_eq!(f64::from(got[12 + i]), v, "{isa}");
                    // 80 terms of at most 1, each rounded.
                    assert!((f64::from(got[i]) - v * sum).abs() < 1e-4, "{isa}");
                }
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let attempt = |first: usize, table: Vec<u32>, reads: bool| {
        let mut case = Case::new(0, 1, 1);
        let x = case.random(map(2, 2, 1), Scope::Shared);
        let t = case.temp(map(3, 2, 1), Scope::Shared);
        let y = case.result(map(3, 2, 1), Scope::Shared);
        let mut ops = vec![Op::from(Rearrange {
            x,
            y: t,
            first,
            table: table.into(),
            fill: 0.0,
        })];
        if reads {
            ops.push(Op::from(Softmax { x: t, y }));
        }
        case.refusal(ops)
    };
    let text = attempt(0, vec![4], false);
    assert!(text.contains("takes value 4 of"), "{text}");
    for (first, len) in [(3, 4), (7, 1), (usize::MAX, 2), (0, 0)] {
        let text = attempt(first, vec![0; len], false);
        assert!(text.contains("do not fit"), "{text}");
    }
    // A place is missing before the end, at the end, at the start.
    for (first, len) in [(0, 5), (1, 5)] {
        let text = attempt(first, vec![0; len], true);
        assert!(text.contains("before it is written"), "{text}");
    }
}
