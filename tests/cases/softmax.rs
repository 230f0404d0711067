//! Softmax over channels.

use pimento::program::*;

use super::case::*;

fn probability(mut case: Case, chw: [usize; 3], size: f32, [x, y]: [Scope; 2]) -> Case {
    let [c, h, w] = chw;
    let scope = y;
    let x = case.drawn(chw, x, |rng| rng.signed() * size);
    let y = case.result(chw, scope);
    case.section(vec![Op::from(Softmax { x, y })]);
    let want = case.each(scope, |chip, image| {
        let x = case.at(x, chip, image);
        let pixel = |i: usize| (0..c).map(move |k| k * h * w + i % (h * w));
        let all = (0..x.len()).map(|i| {
            let most = pixel(i).map(|k| x[k]).fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = pixel(i).map(|k| (x[k] - most).exp()).sum();
            (x[i] - most).exp() / sum
        });
        all.collect()
    });
    // Differences of up to 400 are rounded to 400 EPS, which the exponential makes a relative error;
    // itself, the sum and the division are a few roundings more. What is no normal number is 0.
    let relative = (2.0 * f64::from(size) + 40.0) * EPS;
    let limits: Vec<f64> = want.iter().map(|w| w * relative).collect();
    case.want_within(y, want, |i| limits[i] + f64::from(f32::MIN_POSITIVE));
    // The same formula on every backend: an exponential of ten operations, a sum and a division, on
    // values of at most 1.
    case.apart[0] = 24.0 * ULP;
    case
}

pub fn probabilities() -> Vec<Case> {
    let mut cases = Vec::new();
    for seed in 0..12 {
        let mut rng = Rng(seed);
        let chw = [rng.pick(1, 30), rng.pick(1, 4), rng.pick(1, 4)];
        let case = Case::new(seed, rng.pick(1, 3), rng.pick(1, 40));
        let size = [1.0, 10.0, 200.0][rng.pick(0, 2)];
        cases.push(probability(case, chw, size, [rng.scope(), Scope::PerChip]));
    }
    for scopes in [
        [Scope::Shared, Scope::Shared],
        [Scope::Shared, Scope::PerChip],
        [Scope::PerChip, Scope::PerChip],
    ] {
        for size in [1.0, 20.0, 200.0] {
            cases.push(probability(wave(1), [11, 2, 3], size, scopes));
        }
    }
    cases
}
