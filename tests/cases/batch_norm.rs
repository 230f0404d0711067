//! Batch normalization: statistics, folded factors, gradients.

use pimento::program::*;

use super::case::*;

const CHW: [usize; 3] = [3, 2, 4];
const POSITIONS: usize = 8;
const STABILIZER: f32 = 1e-3;

/// A channel's values over the given chips and the first images.
fn channel(
    case: &Case,
    x: TensorId,
    chips: std::ops::Range<usize>,
    images: usize,
    c: usize,
) -> Vec<f64> {
    let (_, h, w) = case.program.desc(x).shape.chw();
    let maps = chips.flat_map(|chip| (0..images).map(move |image| (chip, image)));
    maps.flat_map(|(chip, image)| case.at(x, chip, image)[c * h * w..(c + 1) * h * w].to_vec())
        .collect()
}

/// Biased mean and variance.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let var = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    (mean, var)
}

/// Statistics of each chip or of all, of the first images of the run.
fn statistic(mut case: Case, x: TensorId, to: Scope, images: usize) -> Case {
    let (c, ..) = case.program.desc(x).shape.chw();
    let (mean, var) = (case.result(c, to), case.result(c, to));
    case.section(vec![Op::from(BatchNormStats { x, mean, var })]);
    case.runs[0].1.images = 0..images;
    let size = if to == Scope::Shared { case.chips } else { 1 };
    let firsts = (0..case.chips).step_by(size);
    let all = firsts.flat_map(|first| (0..c).map(move |c| (first..first + size, c)));
    let (means, vars): (Vec<f64>, Vec<f64>) = all
        .map(|(chips, c)| moments(&channel(&case, x, chips, images, c)))
        .unzip();
    let limits: Vec<f64> = means.iter().map(|m| m.abs() * EPS).collect();
    case.want_within(mean, means, |i| limits[i]);
    // Eight squares and their sum in `f32`.
    let limits: Vec<f64> = vars.iter().map(|v| v * 8.0 * EPS + 1e-12).collect();
    case.want_within(var, vars, |i| limits[i]);
    case
}

/// Maps far from zero mean: a variance from sums of squares in `f32` would fail.
pub fn statistics() -> Vec<Case> {
    let mut cases = Vec::new();
    for to in [Scope::PerChip, Scope::Shared] {
        for images in [1, 16, 18, 21] {
            let mut case = Case::new(1, 2, 21);
            let values = normals(1, case.count(CHW, Scope::PerChip));
            let values = values.iter().map(|v| 100.0 + 0.5 * v).collect();
            let x = case.given(CHW, Scope::PerChip, values);
            let mut case = statistic(case, x, to, images);
            // Means of values about 100, in f32 against f64.
            case.apart[0] = 100.0 * 4.0 * ULP;
            cases.push(case);
        }
    }
    for (of, to) in [
        (Scope::Shared, Scope::Shared),
        (Scope::PerChip, Scope::Shared),
        (Scope::PerChip, Scope::PerChip),
    ] {
        let mut case = wave(1);
        let x = case.drawn([3, 2, 5], of, |rng| 3.0 + rng.coarse());
        let mut case = statistic(case, x, to, 37);
        // Means of values up to 4, in f32 against f64.
        case.apart[0] = 4.0 * 4.0 * ULP;
        cases.push(case);
    }
    cases
}

/// Factors of exact roots.
pub fn folding_exact() -> Vec<Case> {
    let mut case = Case::new(1, 2, 0);
    let mean = case.given(2, Scope::PerChip, vec![1.0, 2.0, 3.0, 4.0]);
    let var = case.given(2, Scope::PerChip, vec![4.0, 1.0, 0.25, 9.0]);
    let (gamma, beta) = (case.shared(&[2.0, -1.0]), case.shared(&[0.5, 0.0]));
    let scale = case.result(2, Scope::PerChip);
    let shift = case.result(2, Scope::PerChip);
    case.section(vec![Op::from(BatchNormFold {
        mean,
        var,
        gamma,
        beta,
        scale,
        shift,
        eps: 0.0,
    })]);
    let third = f64::from(-1.0f32 / 3.0);
    case.want(scale, vec![1.0, -1.0, 4.0, third], 0.0);
    let want = [-0.5, 2.0, -11.5, 4.0 / 3.0];
    case.want_within(shift, want.into(), |i| 2.0 * EPS * want[i].abs());
    // A root and a division of values up to 12.
    case.apart[1] = 8.0 * ULP;
    vec![case]
}

pub fn folding() -> Vec<Case> {
    let scopes = [
        [Scope::Shared; 2],
        [Scope::PerChip, Scope::Shared],
        [Scope::PerChip; 2],
    ];
    let cases = scopes.map(|[scope, trained]| {
        let mut case = wave(1);
        let mean = case.random(70, scope);
        let var = case.drawn(70, scope, |rng| 3.0 + rng.coarse());
        let gamma = case.random(70, trained);
        let beta = case.random(70, trained);
        let scale = case.result(70, scope);
        let shift = case.result(70, scope);
        case.section(vec![Op::from(BatchNormFold {
            mean,
            var,
            gamma,
            beta,
            scale,
            shift,
            eps: 1e-5,
        })]);
        case.compare(scale);
        case.compare(shift);
        // A root and a division of values about 1.
        case.apart[0] = 8.0 * ULP;
        case
    });
    cases.into()
}

/// Operands and results of the gradient.
struct Gradient {
    x: TensorId,
    dy: TensorId,
    gamma: TensorId,
    dx: TensorId,
    dgamma: TensorId,
    dbeta: TensorId,
}

/// The chips whose maps a sum is over.
fn groups(scope: Scope, chips: usize) -> Vec<std::ops::Range<usize>> {
    let size = match scope {
        Scope::Shared => chips,
        Scope::PerChip => 1,
    };
    let firsts = (0..chips).step_by(size);
    firsts.map(|first| first..first + size).collect()
}

/// A gradient with the given statistics, of all chips or of each.
fn gradient(
    case: &mut Case,
    [x, dy, gamma]: [TensorId; 3],
    stats: &[(f64, f64)],
    to: Scope,
) -> Gradient {
    let of = |f: fn(&(f64, f64)) -> f64| stats.iter().map(|s| f(s) as f32).collect::<Vec<_>>();
    let (mean, var) = (
        case.given(3, to, of(|s| s.0)),
        case.given(3, to, of(|s| s.1)),
    );
    let desc = case.program.desc(x);
    let (shape, scope) = (desc.shape, desc.scope);
    let dx = case.result(shape, scope);
    let (dgamma, dbeta) = (case.result(3, to), case.result(3, to));
    let eps = STABILIZER;
    case.section(vec![
        Op::from(BatchNormGradSums {
            x,
            mean,
            var,
            dy,
            dgamma,
            dbeta,
            eps,
        }),
        Op::from(BatchNormGrad {
            x,
            mean,
            var,
            gamma,
            dy,
            dgamma,
            dbeta,
            dx,
            eps,
        }),
    ]);
    Gradient {
        x,
        dy,
        gamma,
        dx,
        dgamma,
        dbeta,
    }
}

/// Wants the finite differences of `sum dy (gamma (x - mean)/sqrt(var + eps) + beta)` with the
/// statistics made of `x`.
fn want_differences(case: &mut Case, g: &Gradient) {
    let images = case.images;
    let groups = groups(case.program.desc(g.dgamma).scope, case.chips);
    let mut dx = vec![0.0; case.chips * images * POSITIONS * 3];
    let (mut dgamma, mut dbeta) = (Vec::new(), Vec::new());
    for (chips, c) in groups.iter().flat_map(|g| (0..3).map(move |c| (g, c))) {
        let gammas = case.at(g.gamma, chips.start, 0);
        let first = chips.start * images;
        let x = channel(case, g.x, chips.clone(), images, c);
        let dy = channel(case, g.dy, chips.clone(), images, c);
        let loss = |x: &[f64], gamma: f64, beta: f64| {
            let (mean, var) = moments(x);
            let inverse = 1.0 / (var + f64::from(STABILIZER)).sqrt();
            let y: Vec<f64> = x
                .iter()
                .map(|x| gamma * (x - mean) * inverse + beta)
                .collect();
            dot(&dy, &y)
        };
        let by_x = differences(&x, |x| loss(x, gammas[c], 0.0));
        for (i, d) in by_x.into_iter().enumerate() {
            dx[((first + i / POSITIONS) * 3 + c) * POSITIONS + i % POSITIONS] = d;
        }
        dgamma.extend(differences(&[gammas[c]], |v| loss(&x, v[0], 0.0)));
        dbeta.extend(differences(&[0.0], |v| loss(&x, gammas[c], v[0])));
    }
    let limits: Vec<f64> = dx.iter().map(|d| 2e-6 * d.abs() + 2e-6).collect();
    case.want_within(g.dx, dx, |i| limits[i]);
    for (t, want) in [(g.dgamma, dgamma), (g.dbeta, dbeta)] {
        let limits: Vec<f64> = want.iter().map(|d| 2e-6 * d.abs() + 1e-5).collect();
        case.want_within(t, want, |i| limits[i]);
    }
}

pub fn gradients() -> Vec<Case> {
    // Sums over up to 1,110 values of gradients up to 1 and of normalized inputs up to 2.
    let apart = 512.0 * ULP;
    let mut cases = vec![];
    for to in [Scope::Shared, Scope::PerChip] {
        let mut case = Case::new(1, 2, 21);
        let n = case.count(CHW, Scope::PerChip);
        let x = case.given(CHW, Scope::PerChip, normals(1, n));
        let dy = case.given(CHW, Scope::PerChip, normals(2, n));
        let gammas = vec![1.5, -0.7, 0.3, 0.4, 2.0, -1.1];
        let gamma = match to {
            Scope::Shared => case.shared(&gammas[..3]),
            Scope::PerChip => case.given(3, to, gammas),
        };
        let groups = groups(to, 2);
        let all = groups.iter().flat_map(|g| (0..3).map(move |c| (g, c)));
        let stats: Vec<(f64, f64)> = all
            .map(|(chips, c)| moments(&channel(&case, x, chips.clone(), 21, c)))
            .collect();
        let g = gradient(&mut case, [x, dy, gamma], &stats, to);
        want_differences(&mut case, &g);
        case.apart[0] = apart;
        cases.push(case);
    }
    for scope in [Scope::Shared, Scope::PerChip] {
        let mut case = wave(1);
        let x = case.random([3, 2, 5], scope);
        let dy = case.random([3, 2, 5], scope);
        let gamma = case.random(3, Scope::Shared);
        let stats = [(0.01, 0.3), (-0.02, 0.35), (0.03, 0.32)];
        let g = gradient(&mut case, [x, dy, gamma], &stats, Scope::Shared);
        for t in [g.dx, g.dgamma, g.dbeta] {
            case.compare(t);
        }
        case.apart[0] = apart;
        cases.push(case);
    }
    cases
}
