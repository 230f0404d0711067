//! Sums over the images of several runs.

use pimento::program::*;

use super::case::*;

/// A map of single values.
const ONE: [usize; 3] = [1, 1, 1];

/// The tally adds up over runs until it is cleared, and counts real images only; any number of values.
pub fn tallies() -> Vec<Case> {
    (1..=5).map(case).collect()
}

/// Value `v` of image `i` of chip `c` is `(v + 1) (40 c + i)`; every second value is shared by the chips.
fn case(values: usize) -> Case {
    let mut case = Case::new(values as u64, 2, 40);
    let shared = |v: usize| v % 2 == 1;
    let given = |v: usize, c: usize, i: usize| (v + 1) * (40 * c * usize::from(!shared(v)) + i);
    let tensors: Vec<TensorId> = (0..values)
        .map(|v| {
            let (scope, chips) = match shared(v) {
                true => (Scope::Shared, 1),
                false => (Scope::PerChip, 2),
            };
            let all = (0..chips).flat_map(|c| (0..40).map(move |i| (c, i)));
            let all = all.map(|(c, i)| given(v, c, i) as f32);
            case.given(ONE, scope, all.collect())
        })
        .collect();
    let tally = case.result(values, Scope::PerChip);
    let section = case.section(vec![Op::from(Tally {
        values: tensors,
        tally,
    })]);
    case.runs = [0..32, 32..37]
        .map(|images| (section, RunArgs::wave(0, 0, 2, images)))
        .into();
    let sums = (0..2).flat_map(|c| {
        (0..values).map(move |v| (0..37).map(|i| given(v, c, i)).sum::<usize>() as f64)
    });
    let sums = sums.collect();
    case.want(tally, sums, 0.0);
    case
}
