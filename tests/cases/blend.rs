//! Weighted sums of maps.

use pimento::program::*;

use super::case::*;

/// One or two maps of any scopes with factors of either sign.
pub fn sums() -> Vec<Case> {
    let cases = (0..12).map(|seed| {
        let mut rng = Rng(seed);
        let chw = map(&mut rng);
        let (first, second) = SCOPES[rng.pick(0, 3)];
        let two = seed % 3 > 0;
        let scope = match two {
            true => joined(&[first, second]),
            false => first,
        };
        let mut case = wave(seed + 9);
        let a = (case.random(chw, first), rng.signed());
        let b = two.then(|| (case.random(chw, second), 10.0 * rng.signed()));
        let y = case.result(chw, scope);
        case.section(vec![Op::from(Blend { a, b, y })]);
        let want = case.each(scope, |chip, image| {
            let times = |(t, factor): (TensorId, f32)| -> Vec<f64> {
                let of = case.at(t, chip, image).into_iter();
                of.map(|v| f64::from(factor) * v).collect()
            };
            let mut sum = times(a);
            for (sum, more) in sum.iter_mut().zip(b.map(times).unwrap_or_default()) {
                *sum += more;
            }
            sum
        });
        // Three roundings of values below 11; a product and a sum may be one rounding.
        case.want(y, want, 3.0 * 16.0 * EPS);
        case.apart[0] = 3.0 * 16.0 * ULP;
        case
    });
    cases.collect()
}
