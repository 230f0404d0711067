//! Chips of waves and streams on an adapter; the operators are in `tests/cases`.

use pimento::program::*;
use pimento::random::TRAINING;

use super::harness::*;
use crate::cases::fabricate_parts::*;

/// Weights of `chips` chips from `first` on, fabricated in waves of at most `wave`.
fn weights_of(spec: Fabrication, first: u32, chips: usize, capacity: usize) -> Option<Vec<f32>> {
    let gpu = gpu_or_skip("waves")?;
    let mut case = Case::new(1, capacity, 16);
    let from = inputs(&mut case, true);
    // The same constants for every chip, whatever its place in the wave.
    let constants = [0.125, 1.25, 0.0625, 0.0];
    case.values.insert(from.chip, constants.repeat(capacity));
    let op = fabricate(&mut case, &from, spec);
    case.section(vec![op]);
    let args = &mut case.runs[0].1;
    args.first_chip = first;
    args.chips = chips;
    let mut out = case.results(gpu).remove(0);
    out.truncate(chips * ROWS * COLS);
    Some(out)
}

#[test]
fn a_chip_is_the_same_alone_and_in_any_wave() {
    for mapping in MAPPINGS {
        let spec = spec(Law::WeightProportional, mapping, Deviate::Lognormal, 2);
        let Some(whole) = weights_of(spec.clone(), 10, 6, 6) else {
            return;
        };
        for (first, chips, capacity) in [(10, 1, 1), (13, 1, 5), (12, 3, 3), (14, 2, 4)] {
            let part =
                weights_of(spec.clone(), first, chips, capacity).expect("the adapter is there");
            let start = (first as usize - 10) * ROWS * COLS;
            assert_eq!(
                part,
                whole[start..start + part.len()],
                "{mapping:?} {first}"
            );
        }
    }
}

#[test]
fn seeds_layers_and_purposes_are_independent() {
    let Some(gpu) = gpu_or_skip("streams") else {
        return;
    };
    let mut all = Vec::new();
    for (seed, layer, purpose) in [
        (7, 4, 0),
        (8, 4, 0),
        (7 << 32, 4, 0),
        (7, 5, 0),
        (7, 4, TRAINING),
    ] {
        let mut case = Case::new(1, 1, 16);
        let from = inputs(&mut case, false);
        let mut spec = spec(Law::LayerFixed, Mapping::Ideal, Deviate::Gaussian, 0);
        spec.layer = layer;
        let op = fabricate(&mut case, &from, spec);
        case.section(vec![op]);
        case.runs[0].1.seed = seed;
        case.runs[0].1.purpose = purpose;
        all.push(case.results(gpu).remove(0));
    }
    for i in 0..all.len() {
        for j in 0..i {
            let equal = all[i].iter().zip(&all[j]).filter(|(a, b)| a == b).count();
            assert!(equal < 2, "{i} and {j} share {equal} weights");
        }
    }
}
