use crate::harness::*;
use pimento::program::*;

const SHAPE: [usize; 3] = [3, 2, 4];
const VALUES: usize = 24;
const POSITIONS: usize = 8;
const IMAGES: usize = 21;
const CHIPS: usize = 2;
const EPS: f32 = 1e-3;

/// Maps far from zero mean: a variance from sums of squares in `f32` would fail.
fn maps() -> Vec<f32> {
    let x = normals(1, CHIPS * IMAGES * VALUES);
    x.iter().map(|v| 100.0 + 0.5 * v).collect()
}

/// Biased mean and variance of a channel over the given chips and the first `images`.
fn reference(x: &[f64], chips: std::ops::Range<usize>, images: usize, c: usize) -> (f64, f64) {
    let values: Vec<f64> = chips
        .flat_map(|chip| (0..images).map(move |i| (chip * IMAGES + i) * VALUES + c * POSITIONS))
        .flat_map(|start| x[start..start + POSITIONS].to_vec())
        .collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let var = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    (mean, var)
}

#[test]
fn statistics_per_chip_and_over_all_chips_count_real_images() {
    let x0 = maps();
    for scope in [Scope::PerChip, Scope::Shared] {
        for images in [1, 16, 18, IMAGES] {
            let mut rig = Rig::new(CHIPS, images);
            let x = rig.map(SHAPE, Scope::PerChip, &x0);
            let (mean, var) = (rig.result(3, scope), rig.result(3, scope));
            let mut session = rig.session_of(Op::from(BatchNormStats { x, mean, var }), IMAGES);
            session.run(SectionId(0), &rig.args).unwrap();
            let size = if scope == Scope::Shared { CHIPS } else { 1 };
            let wide = wide(&x0);
            let want: Vec<(f64, f64)> = (0..CHIPS)
                .step_by(size)
                .flat_map(|first| (0..3).map(move |c| (first..first + size, c)))
                .map(|(chips, c)| reference(&wide, chips, images, c))
                .collect();
            let (means, vars): (Vec<f64>, Vec<f64>) = want.into_iter().unzip();
            close(&session.read(mean).unwrap(), &means, ROUNDING, 0.0);
            // Eight squares and their sum in `f32`.
            close(&session.read(var).unwrap(), &vars, 8.0 * ROUNDING, 1e-12);
        }
    }
}

#[test]
fn folding_gives_scale_and_shift() {
    let mut rig = Rig::new(CHIPS, 0);
    let mean = rig.flat(2, Scope::PerChip, &[1.0, 2.0, 3.0, 4.0]);
    let var = rig.flat(2, Scope::PerChip, &[4.0, 1.0, 0.25, 9.0]);
    let (gamma, beta) = (rig.shared(&[2.0, -1.0]), rig.shared(&[0.5, 0.0]));
    let (scale, shift) = (rig.result(2, Scope::PerChip), rig.result(2, Scope::PerChip));
    let op = Op::from(BatchNormFold {
        mean,
        var,
        gamma,
        beta,
        scale,
        shift,
        eps: 0.0,
    });
    let [scale, shift] = rig.run(op, [scale, shift]);
    assert_eq!(scale, [1.0, -1.0, 4.0, -1.0 / 3.0]);
    close(&shift, &[-0.5, 2.0, -11.5, 4.0 / 3.0], 2.0 * ROUNDING, 0.0);
}

/// `sum dy (gamma (x - mean)/sqrt(var + eps) + beta)` with the statistics made of `x`.
fn loss(x: &[f64], gamma: &[f64], beta: &[f64], dy: &[f64]) -> f64 {
    let mut sum = 0.0;
    for c in 0..3 {
        let (mean, var) = reference(x, 0..CHIPS, IMAGES, c);
        let inverse = 1.0 / (var + f64::from(EPS)).sqrt();
        for image in 0..CHIPS * IMAGES {
            let start = image * VALUES + c * POSITIONS;
            for i in start..start + POSITIONS {
                sum += dy[i] * (gamma[c] * (x[i] - mean) * inverse + beta[c]);
            }
        }
    }
    sum
}

#[test]
fn backward_agrees_with_finite_differences() {
    let x0: Vec<f32> = normals(1, CHIPS * IMAGES * VALUES);
    let dy0 = normals(2, CHIPS * IMAGES * VALUES);
    let (gamma0, beta0) = ([1.5f32, -0.7, 0.3], [0.1f32, 0.2, 0.3]);
    let x64 = wide(&x0);
    let stats: Vec<(f64, f64)> = (0..3)
        .map(|c| reference(&x64, 0..CHIPS, IMAGES, c))
        .collect();
    let mut rig = Rig::new(CHIPS, IMAGES);
    let x = rig.map(SHAPE, Scope::PerChip, &x0);
    let dy = rig.map(SHAPE, Scope::PerChip, &dy0);
    let mean = rig.shared(&stats.iter().map(|s| s.0 as f32).collect::<Vec<_>>());
    let var = rig.shared(&stats.iter().map(|s| s.1 as f32).collect::<Vec<_>>());
    let gamma = rig.shared(&gamma0);
    let dx = rig.map_result(SHAPE, Scope::PerChip);
    let (dgamma, dbeta) = (rig.result(3, Scope::Shared), rig.result(3, Scope::Shared));
    let sums = Op::from(BatchNormGradSums {
        x,
        mean,
        var,
        dy,
        dgamma,
        dbeta,
        eps: EPS,
    });
    let grad = Op::from(BatchNormGrad {
        x,
        mean,
        var,
        gamma,
        dy,
        dgamma,
        dbeta,
        dx,
        eps: EPS,
    });
    let [dx, dgamma, dbeta] = rig.run_all(vec![sums, grad], [dx, dgamma, dbeta]);

    let (gamma, beta, dy) = (wide(&gamma0), wide(&beta0), wide(&dy0));
    // Central differences in f64: truncation h^2, cancellation 1e-16 / h.
    let h = 1e-4;
    let difference = |at: &dyn Fn(f64) -> f64| (at(h) - at(-h)) / (2.0 * h);
    let with = |v: &[f64], i: usize, d: f64| {
        let mut v = v.to_vec();
        v[i] += d;
        v
    };
    for i in (0..x64.len()).step_by(37) {
        let want = difference(&|d| loss(&with(&x64, i, d), &gamma, &beta, &dy));
        close(&dx[i..=i], &[want], 2e-6, 2e-6);
    }
    for c in 0..3 {
        let g = difference(&|d| loss(&x64, &with(&gamma, c, d), &beta, &dy));
        let b = difference(&|d| loss(&x64, &gamma, &with(&beta, c, d), &dy));
        close(&dgamma[c..=c], &[g], 2e-6, 1e-5);
        close(&dbeta[c..=c], &[b], 2e-6, 1e-5);
    }
}
