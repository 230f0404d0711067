use pimento::program::*;

use super::harness::*;

#[test]
fn rearrange_matches_cpu() {
    for (x, y) in [
        (Scope::Shared, Scope::Shared),
        (Scope::Shared, Scope::PerChip),
        (Scope::PerChip, Scope::PerChip),
    ] {
        let mut case = Case::new();
        let x = case.input([3, 2, 5], x);
        let y = case.output([2, 3, 7], y);
        // Repetitions, both ends of the source, no source.
        let table = (0..42).map(|j| match j % 5 {
            4 => NO_SOURCE,
            _ => j * 29 % 30,
        });
        case.section(vec![Op::from(Rearrange {
            x,
            y,
            first: 0,
            table: table.collect(),
            fill: -0.75,
        })]);
        case.compare("rearrange", 0.0);
    }
}

/// Pieces of one temporary from shared and per-chip maps, other temporaries between them, one
/// table twice.
#[test]
fn pieces_match_cpu() {
    let mut case = Case::sized(3, 40);
    case.capacity.chunk = 24;
    let a = case.input([2, 2, 3], Scope::Shared);
    let b = case.input([2, 2, 3], Scope::PerChip);
    let sum = case.temp([2, 2, 3], Scope::PerChip);
    let product = case.temp([2, 2, 3], Scope::PerChip);
    let whole = case.temp([7, 2, 3], Scope::PerChip);
    let y = case.output([7, 2, 3], Scope::PerChip);
    let table: std::sync::Arc<[u32]> = (0..12).rev().collect();
    let piece = |x, first, table: &std::sync::Arc<[u32]>| {
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
    case.runs[0].1.images = 16..40;
    // A sum and a product, each correctly rounded.
    case.compare("pieces", 0.0);
    case.runs[0].1.images = 32..35;
    case.runs[0].1.chips = 1;
    case.compare("pieces", 0.0);
}
