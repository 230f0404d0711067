//! Counts of a map's values.

use pimento::program::*;

use super::case::*;

/// The counts as the operator states them, in `f32`: a value at a border is in one bin only.
fn counts_of(case: &Case, [x, limit]: [TensorId; 2], bins: usize, images: usize) -> Vec<f64> {
    let limits = case.at(limit, 0, 0);
    let groups = limits.len();
    let mut counts = vec![0.0; case.chips * groups * bins];
    for chip in 0..case.chips {
        for image in 0..images {
            let values = case.at(x, chip, image);
            let group = values.len() / groups;
            for (i, v) in values.iter().enumerate() {
                let limit = limits[i / group] as f32;
                let place = ((*v as f32 / limit + 1.0) / 2.0 * bins as f32).floor();
                let bin = place.clamp(0.0, (bins - 1) as f32) as usize;
                counts[(chip * groups + i / group) * bins + bin] += 1.0;
            }
        }
    }
    counts
}

/// Sum over chips.
fn total(counts: &[f64], chips: usize) -> Vec<f64> {
    let n = counts.len() / chips;
    (0..n)
        .map(|i| counts.iter().skip(i).step_by(n).sum())
        .collect()
}

pub fn counts() -> Vec<Case> {
    let cases = (0..30).map(|seed| {
        let mut rng = Rng(seed);
        let groups = rng.pick(1, 4);
        let chw = [groups * rng.pick(1, 3), rng.pick(1, 4), rng.pick(1, 4)];
        let bins = rng.pick(1, 9);
        let mut case = Case::new(seed, rng.pick(1, 3), rng.pick(1, 40));
        let x = case.random(chw, Scope::PerChip);
        // Some values are beyond the range.
        let limit = case.drawn(groups, Scope::Shared, |rng| 0.7 + 0.5 * rng.signed());
        let own = case.result(groups * bins, Scope::PerChip);
        let all = case.result(groups * bins, Scope::Shared);
        let of = |out| {
            Op::from(Histogram {
                x,
                limit,
                out,
                bins,
            })
        };
        case.section(vec![of(own), of(all)]);
        let want = counts_of(&case, [x, limit], bins, case.images);
        let sum = total(&want, case.chips);
        case.want(own, want, 0.0);
        case.want(all, sum, 0.0);
        // A quotient of 2.5 ulp may put a value at a border into the next bin.
        case.apart[0] = 1.0;
        case
    });
    cases.collect()
}

/// Values whose places are exact (16 bits, ranges that are powers of two), so that all backends must
/// agree on every one.
pub fn fine_counts() -> Vec<Case> {
    let mut cases = Vec::new();
    for (of, to) in SCOPES {
        if (of, to) == (Scope::Shared, Scope::PerChip) {
            continue;
        }
        for (bins, images) in [(16, 37), (5000, 21)] {
            let mut case = wave(1);
            let x = case.drawn([6, 3, 2], of, Rng::coarse);
            // Wide enough, values on both sides beyond it, no range.
            let limit = case.shared(&[1.0, 0.5, 0.0]);
            let out = case.result(3 * bins, to);
            case.section(vec![Op::from(Histogram {
                x,
                limit,
                out,
                bins,
            })]);
            case.runs[0].1.images = 0..images;
            case.compare(out);
            cases.push(case);
        }
    }
    cases
}
