//! Signs times mean magnitudes.

use pimento::program::*;

use super::case::*;

fn sign(mut case: Case, chw: [usize; 3], scope: Scope, group: BinaryGroup) -> Case {
    let [c, h, w] = chw;
    let mut values = normals(1, case.count(chw, scope));
    // No sign at 0.
    values.iter_mut().step_by(7).for_each(|v| *v = 0.0);
    let x = case.given(chw, scope, values);
    let y = case.result(chw, scope);
    case.section(vec![Op::from(BinarizeAct { x, y, group })]);
    let n = match group {
        BinaryGroup::Channel => h * w,
        BinaryGroup::Image => c * h * w,
    };
    let want = case.each(scope, |chip, image| {
        let x = case.at(x, chip, image);
        let parts = x.chunks(n).flat_map(|part| {
            let mean = part.iter().map(|v| v.abs()).sum::<f64>() / n as f64;
            part.iter().map(move |&v| match v {
                0.0 => 0.0,
                v => mean * v.signum(),
            })
        });
        parts.collect()
    });
    let limits: Vec<f64> = want.iter().map(|w| w.abs() * EPS).collect();
    case.want_within(y, want, |i| limits[i]);
    // A mean of magnitudes about 1, in f32 against f64.
    case.apart[0] = 4.0 * ULP;
    case
}

/// By channel and by image.
pub fn signs() -> Vec<Case> {
    let mut cases = Vec::new();
    for group in [BinaryGroup::Channel, BinaryGroup::Image] {
        cases.push(sign(Case::new(1, 1, 19), [3, 2, 5], Scope::Shared, group));
        for chw in [[3, 2, 5], [4, 1, 1], [2, 9, 9]] {
            cases.push(sign(wave(1), chw, Scope::PerChip, group));
        }
    }
    cases
}

/// The gradient passes where the input is at most one.
pub fn gradients() -> Vec<Case> {
    let cases = [Scope::Shared, Scope::PerChip].map(|scope| {
        let mut case = wave(1);
        let chw = [3, 2, 5];
        let x = case.drawn(chw, scope, |rng| (rng.coarse() * 8.0).round() / 4.0);
        let dy = case.random(chw, Scope::Shared);
        let dx = case.result(chw, scope);
        case.section(vec![Op::from(BinarizeActGrad { x, dy, dx })]);
        let want = case.each(scope, |chip, image| {
            let (x, dy) = (case.at(x, chip, image), case.at(dy, chip, image));
            let pass = |(x, dy): (&f64, &f64)| if x.abs() <= 1.0 { *dy } else { 0.0 };
            x.iter().zip(&dy).map(pass).collect()
        });
        case.want(dx, want, 0.0);
        case
    });
    cases.into()
}
