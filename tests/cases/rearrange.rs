//! Copies of values to other places.

use std::sync::Arc;

use pimento::program::*;

use super::case::*;

/// A map by a table, with `fill` where there is no source.
fn rearranged(mut case: Case, x: TensorId, y: TensorId, table: Arc<[u32]>) -> Case {
    let fill = 0.25;
    let scope = case.program.desc(y).scope;
    let want = case.each(scope, |chip, image| {
        let x = case.at(x, chip, image);
        let value = |&source: &u32| match source {
            NO_SOURCE => f64::from(fill),
            _ => x[source as usize],
        };
        table.iter().map(value).collect()
    });
    case.section(vec![Op::from(Rearrange {
        x,
        y,
        first: 0,
        table,
        fill,
    })]);
    case.want(y, want, 0.0);
    case
}

/// Random tables with repetitions, gaps and stretches that are copied in one piece.
fn any_table(seed: u64) -> Case {
    let mut rng = Rng(seed);
    let mut map = || [rng.pick(1, 5), rng.pick(1, 6), rng.pick(1, 6)];
    let (source, target) = (map(), map());
    let [from, to] = [source, target].map(|chw| chw.iter().product::<usize>());
    let mut table = Vec::new();
    while table.len() < to {
        let first = rng.pick(0, from - 1);
        let run = rng.pick(1, 8).min(to - table.len());
        match rng.pick(0, 3) {
            0 => table.extend(std::iter::repeat_n(NO_SOURCE, run)),
            1 => table.push(first as u32),
            _ => table.extend((first..from).take(run).map(|s| s as u32)),
        }
    }
    let mut case = Case::new(seed + 5, rng.pick(1, 3), rng.pick(1, 40));
    let x = case.random(source, rng.scope());
    let y = case.result(target, Scope::PerChip);
    rearranged(case, x, y, table.into())
}

pub fn tables() -> Vec<Case> {
    let mut cases: Vec<Case> = (0..20).map(any_table).collect();
    for (x, y) in [
        (Scope::Shared, Scope::Shared),
        (Scope::Shared, Scope::PerChip),
        (Scope::PerChip, Scope::PerChip),
    ] {
        let mut case = wave(1);
        let x = case.random([3, 2, 5], x);
        let y = case.result([2, 3, 7], y);
        // Repetitions, both ends of the source, no source.
        let table = (0..42).map(|j| match j % 5 {
            4 => NO_SOURCE,
            _ => j * 29 % 30,
        });
        cases.push(rearranged(case, x, y, table.collect()));
    }
    cases
}

/// A concatenation in pieces, out of order, from shared and per-chip maps, into a temporary: other
/// operators' temporaries must not take its place between the pieces.
pub fn pieces() -> Vec<Case> {
    let cases = [Scope::Shared, Scope::PerChip].map(|scope| {
        let mut case = Case::new(3, 2, 37);
        let a = case.random([2, 3, 3], Scope::Shared);
        let b = case.random([1, 3, 3], scope);
        let joined = case.temp([4, 3, 3], scope);
        let [t, u] = [(); 2].map(|_| case.temp([2, 3, 3], scope));
        let y = case.result([4, 3, 3], scope);
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
            let post = Post {
                act: Activation::Relu,
                ..Post::NONE
            };
            Op::from(Pointwise { x, y, post })
        };
        case.section(vec![
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
        ]);
        let want = case.each(scope, |chip, image| {
            let (a, b) = (case.at(a, chip, image), case.at(b, chip, image));
            let parts = a.iter().map(|v| v.max(0.0)).chain(a[..9].iter().copied());
            parts.chain(b).map(|v| 2.0 * v).collect()
        });
        case.want(y, want, 0.0);
        case
    });
    cases.into()
}

/// The pieces of one map are written in different phases of the schedule: a sum over images stands
/// between them.
pub fn phases() -> Vec<Case> {
    let mut case = Case::new(4, 2, 20);
    let x = case.random([3, 2, 2], Scope::PerChip);
    let joined = case.temp([6, 2, 2], Scope::PerChip);
    let sums = case.temp(3, Scope::PerChip);
    let scaled = case.temp([3, 2, 2], Scope::PerChip);
    let y = case.result([6, 2, 2], Scope::PerChip);
    let piece = |x, first| {
        Op::from(Rearrange {
            x,
            y: joined,
            first,
            table: (0..12).collect(),
            fill: 0.0,
        })
    };
    let by_sums = Post {
        scale: Some(sums),
        ..Post::NONE
    };
    case.section(vec![
        piece(x, 12),
        Op::from(ChannelSum { x, y: sums }),
        Op::from(Pointwise {
            x,
            y: scaled,
            post: by_sums,
        }),
        piece(scaled, 0),
        Op::from(Pointwise {
            x: joined,
            y,
            post: Post::NONE,
        }),
    ]);
    let want = case.each(Scope::PerChip, |chip, image| {
        let own = case.at(x, chip, image);
        let all: Vec<Vec<f64>> = (0..20).map(|image| case.at(x, chip, image)).collect();
        let channel = |i: usize| i / 4 * 4..i / 4 * 4 + 4;
        let sum = |i: usize| all.iter().flat_map(|x| &x[channel(i)]).sum::<f64>();
        let scaled = own.iter().enumerate().map(|(i, v)| v * sum(i));
        scaled.chain(own.iter().copied()).collect()
    });
    // 80 terms of at most 1, each rounded; copies are exact.
    let limit = |i: usize| if i % 24 < 12 { 1e-4 } else { 0.0 };
    case.want_within(y, want, limit);
    case.apart[0] = 1e-4;
    vec![case]
}

/// Pieces of one temporary from shared and per-chip maps, other temporaries between them, one table
/// twice; parts of a wave.
pub fn chunks() -> Vec<Case> {
    let cases = [(16..40, 3), (32..35, 1)].map(|(images, chips)| {
        let mut case = Case::new(1, 3, 40);
        case.chunk = 24;
        let chw = [2, 2, 3];
        let a = case.random(chw, Scope::Shared);
        let b = case.random(chw, Scope::PerChip);
        let sum = case.temp(chw, Scope::PerChip);
        let product = case.temp(chw, Scope::PerChip);
        let whole = case.temp([7, 2, 3], Scope::PerChip);
        let y = case.result([7, 2, 3], Scope::PerChip);
        let table: Arc<[u32]> = (0..12).rev().collect();
        let piece = |x, first, table: &Arc<[u32]>| {
            Op::from(Rearrange {
                x,
                y: whole,
                first,
                table: table.clone(),
                fill: 2.0,
            })
        };
        case.section(vec![
            piece(a, 30, &table),
            Op::from(Add { a, b, y: sum }),
            piece(sum, 0, &table),
            Op::from(Multiply {
                a: sum,
                b,
                y: product,
            }),
            piece(product, 12, &table),
            piece(b, 24, &vec![NO_SOURCE; 6].into()),
            Op::from(Pointwise {
                x: whole,
                y,
                post: Post::NONE,
            }),
        ]);
        case.runs[0].1.images = images;
        case.runs[0].1.chips = chips;
        // A sum and a product, each correctly rounded.
        case.compare(y);
        case
    });
    cases.into()
}
