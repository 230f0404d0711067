//! The gradient of a loss that has a teacher, by finite differences of the loss.

use pimento::program::*;

use super::case::*;

/// Logarithms of `softmax(z / t)`.
fn log_softmax(z: &[f64], t: f64) -> Vec<f64> {
    let most = z.iter().copied().fold(f64::NEG_INFINITY, f64::max) / t;
    let log_sum = most + z.iter().map(|z| (z / t - most).exp()).sum::<f64>().ln();
    z.iter().map(|z| z / t - log_sum).collect()
}

/// `t^2 KL(softmax(teacher / t) || softmax(z / t))`.
fn distance(z: &[f64], teacher: &[f64], t: f64) -> f64 {
    let (own, aim) = (log_softmax(z, t), log_softmax(teacher, t));
    let each = own
        .iter()
        .zip(&aim)
        .map(|(own, aim)| aim.exp() * (aim - own));
    t * t * each.sum::<f64>()
}

pub fn gradients() -> Vec<Case> {
    let cases = (0..16).map(|seed| {
        let mut rng = Rng(seed);
        let classes = rng.pick(2, 20);
        let mut case = Case::new(seed, rng.pick(1, 3), rng.pick(1, 40));
        let size = [1.0, 8.0][rng.pick(0, 1)];
        let shape = [classes, 1, 1];
        let logits = case.drawn(shape, Scope::PerChip, |rng| rng.signed() * size);
        let scope = rng.scope();
        let teacher = case.drawn(shape, scope, |rng| rng.signed() * size);
        let dlogits = case.random(shape, Scope::PerChip);
        let dz = case.result(shape, Scope::PerChip);
        let (share, temperature) = ([0.25, 1.0][rng.pick(0, 1)], [1.0, 4.0][rng.pick(0, 1)]);
        case.section(vec![Op::from(DistillGrad {
            logits,
            teacher,
            dlogits,
            dz,
            share,
            temperature,
        })]);
        let n = (case.chips * case.images) as f64;
        let (a, t) = (f64::from(share), f64::from(temperature));
        let want = case.each(Scope::PerChip, |chip, i| {
            let [z, aim, d] = [logits, teacher, dlogits].map(|t| case.at(t, chip, i));
            let pull = differences(&z, |z| a * distance(z, &aim, t) / n);
            pull.iter()
                .zip(d)
                .map(|(pull, d)| (1.0 - a) * d + pull)
                .collect()
        });
        // Differences of a smooth function; exponentials of a few units in the last place, times a temperature.
        case.want(dz, want, 1e-6);
        case.apart[0] = 64.0 * ULP;
        case
    });
    cases.collect()
}
