//! Sums of maps by channel, over images and places.

use pimento::program::*;

use super::case::*;

pub fn sums() -> Vec<Case> {
    let scopes = [
        (Scope::Shared, Scope::Shared),
        (Scope::PerChip, Scope::Shared),
        (Scope::PerChip, Scope::PerChip),
    ];
    let random = (0..6).map(|seed| (Case::new(seed + 9, 2, 21), map(&mut Rng(seed))));
    let fixed = std::iter::once((wave(1), [3, 4, 5]));
    let mut cases = Vec::new();
    for (i, (sized, [c, h, w])) in random.chain(fixed).enumerate() {
        for (of, to) in scopes {
            let mut case = Case::new(i as u64, sized.chips, sized.images);
            let x = case.random([c, h, w], of);
            let y = case.result(c, to);
            case.section(vec![Op::from(ChannelSum { x, y })]);
            let mut want = vec![0.0; case.count(c, to)];
            let per_chip = to == Scope::PerChip;
            // A shared sum is over the chips of the map.
            let chips = if of == Scope::PerChip { case.chips } else { 1 };
            for chip in 0..chips {
                for image in 0..case.images {
                    for (i, v) in case.at(x, chip, image).iter().enumerate() {
                        want[if per_chip { chip * c } else { 0 } + i / (h * w)] += v;
                    }
                }
            }
            // Partial sums of a few thousand terms, each rounded once.
            case.want(y, want, 3e-5);
            // Values of at most 1, whose partial sums stay below a tenth of their number.
            let terms = (h * w * case.images * case.chips) as f64;
            case.apart[0] = terms * 0.1 * terms.sqrt() * ULP;
            cases.push(case);
        }
    }
    cases
}
