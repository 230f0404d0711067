//! Counts of a map's values.

use pimento::program::*;

use crate::case::{Case, Rng, backends};

#[test]
fn counts_match_a_plain_loop() {
    for seed in 0..30 {
        let mut rng = Rng(seed);
        let groups = rng.pick(1, 4);
        let shape = Shape::Image {
            c: groups * rng.pick(1, 3),
            h: rng.pick(1, 4),
            w: rng.pick(1, 4),
        };
        let bins = rng.pick(1, 9);
        let mut case = Case::new(seed, rng.pick(1, 3), rng.pick(1, 40));
        let x = case.random(shape, Scope::PerChip);
        // Some values are beyond the range.
        let limits = (0..groups).map(|_| 0.7 + 0.5 * rng.signed()).collect();
        let limit = case.given(Shape::Flat(groups), Scope::Shared, limits);
        let n = groups * bins;
        let own = case.result(Shape::Flat(n), Scope::PerChip);
        let all = case.result(Shape::Flat(n), Scope::Shared);
        let mut want = vec![0.0; n * case.chips];
        for chip in 0..case.chips {
            let limit = case.at(limit, 0, 0);
            for image in 0..case.images {
                let values = case.at(x, chip, image);
                let group = values.len() / groups;
                for (i, v) in values.iter().enumerate() {
                    // In `f32`, as stated: a value at a border is in one bin only.
                    let limit = limit[i / group] as f32;
                    let place = ((*v as f32 / limit + 1.0) / 2.0 * bins as f32).floor();
                    let bin = place.clamp(0.0, (bins - 1) as f32) as usize;
                    want[(chip * groups + i / group) * bins + bin] += 1.0;
                }
            }
        }
        let mut sum = vec![0.0; n];
        for chip in want.chunks(n) {
            for (s, c) in sum.iter_mut().zip(chip) {
                *s += c;
            }
        }
        let ops = [own, all].map(|out| {
            Op::from(Histogram {
                x,
                limit,
                out,
                bins,
            })
        });
        for (isa, backend) in backends() {
            let [got, got_all] = case.run(&backend, ops.to_vec(), [own, all]);
            assert_eq!(got, want, "{isa} seed {seed}");
            assert_eq!(got_all, sum, "{isa} seed {seed}");
        }
    }
}
