//! Estimates at weight level against their closed forms.

use super::*;
use crate::chip::ChipVariation;
use crate::choice::Choice;
use crate::config::Estimator;

const CHIPS: u32 = 4_000;
const PLACE: (Purpose, u32) = (Purpose::TestCell, 0);

fn errors(cells: &TestCells, chips: &ChipVariation, estimator: Estimator) -> (f64, f64) {
    let cells = TestCells {
        estimator,
        ..*cells
    };
    let line = cells.line(chips.common_variance());
    let errors: Vec<f64> = (0..CHIPS)
        .map(|c| {
            let e = chips.deviation(5, c).total;
            line.estimate(cells.measure(5, c, PLACE, e)) - e
        })
        .collect();
    let n = f64::from(CHIPS);
    let mean = errors.iter().sum::<f64>() / n;
    let var = errors.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, var)
}

/// 6 standard errors of a variance of near-normal data.
fn close(found: f64, expected: f64) -> bool {
    (found / expected - 1.0).abs() < 6.0 * (2.0 / f64::from(CHIPS)).sqrt()
}

fn chips(sigma_b: f64) -> ChipVariation {
    ChipVariation {
        sigma_b,
        ..ChipVariation::default()
    }
}

/// Normal cells, read one by one.
fn normal(n: usize, sigma_w: f64, read_lsb: f64) -> TestCells {
    TestCells {
        n,
        per_read: 1,
        sigma_w,
        deviate: Deviate::Gaussian,
        read_noise: 0.0,
        read_lsb,
        estimator: Estimator::Mean,
    }
}

#[test]
fn the_estimators_variance_is_sigma_w_squared_over_n_plus_read_noise() {
    let chips = chips(0.3);
    for deviate in [
        Deviate::Gaussian,
        Deviate::Truncated { at: 1.5 },
        Deviate::Lognormal,
    ] {
        for (n, per_read, read_noise, read_lsb) in [
            (16, 1, 0.0, 0.0),
            (64, 1, 0.1, 0.0),
            (64, 1, 0.05, 0.1),
            (4, 16, 0.02, 0.0),
        ] {
            let cells = TestCells {
                per_read,
                deviate,
                read_noise,
                ..normal(n, 0.2, read_lsb)
            };
            let (mean, var) = errors(&cells, &chips, Estimator::Mean);
            let cell = cells.variance() / per_read as f64;
            let expected = (cell + read_noise.powi(2) + read_lsb.powi(2) / 12.0) / n as f64;
            assert!(close(var, expected), "{cells:?}: {var} against {expected}");
            let line = cells.line(0.09);
            // Pieces of the distribution.
            let apart = (line.error / expected - 1.0).abs();
            assert!(apart < 2e-3, "{cells:?}: {line:?} {expected}");
            let se = (expected / f64::from(CHIPS)).sqrt();
            assert!(mean.abs() < 6.0 * se, "{cells:?}: bias {mean}");
        }
    }
}

#[test]
fn mmse_reaches_the_posterior_variance_and_beats_the_mean() {
    let cells = normal(16, 0.2, 0.0);
    let (prior, noise) = (0.0025, 0.0025);
    let (_, var) = errors(&cells, &chips(0.05), Estimator::Mmse);
    let posterior = prior * noise / (prior + noise);
    assert!(close(var, posterior), "{var} against {posterior}");
    let line = cells.moments(prior).line(Estimator::Mmse);
    // Rounding of sums.
    assert!((line.error / posterior - 1.0).abs() < 1e-9, "{line:?}");
}

/// Cells that spread less than a step of the resolution are rounded alike, and no number of them
/// averages that away.
#[test]
fn coarse_reads_err_as_the_moments_say_at_every_resolution() {
    let lsb = 0.1;
    for ratio in [0.05, 0.1, 0.2, 0.35, 0.5, 0.8, 1.2, 5.0] {
        for (deviate, read_noise) in [
            (Deviate::Gaussian, 0.0),
            (Deviate::Lognormal, 0.0),
            (Deviate::Truncated { at: 2.0 }, 0.3 * lsb * ratio),
        ] {
            for sigma_b in [0.05, 0.3] {
                let cells = TestCells {
                    deviate,
                    read_noise,
                    ..normal(64, ratio * lsb, lsb)
                };
                let chips = chips(sigma_b);
                for &estimator in Estimator::ALL {
                    let (_, var) = errors(&cells, &chips, estimator);
                    let cells = TestCells { estimator, ..cells };
                    let line = cells.line(chips.common_variance());
                    // Half a step at most: the fourth moment is below a normal's. What a piece of
                    // the distribution is wide changes less than 1 %.
                    let bar = 6.0 * (2.0 / f64::from(CHIPS)).sqrt() + 0.01;
                    assert!(
                        (var / line.error - 1.0).abs() < bar,
                        "{ratio} {deviate:?} {sigma_b} {estimator:?}: {var}, {line:?}"
                    );
                }
            }
        }
    }
}

/// `Var(m - e)` of normal cells and a normal `e` from the Fourier series of the rounding error,
/// `round(x) - x = sum_j (-1)^j q/(pi j) sin(2 pi j x/q)`.
fn series(prior: f64, sigma: f64, q: f64, reads: f64) -> f64 {
    use std::f64::consts::PI;
    let of = |j: f64, square: f64| (-2.0 * (PI * j / q).powi(2) * square).exp();
    let sign = |j: f64| if j % 2.0 == 0.0 { 1.0 } else { -1.0 };
    let orders = || (1..80).map(f64::from);
    let bias = |j: f64| sign(j) * q / (PI * j) * of(j, sigma * sigma);
    let pair = |j: f64, k: f64| 0.5 * (of(j - k, prior) - of(j + k, prior));
    let mut common = 0.0;
    for j in orders() {
        common += orders()
            .map(|k| bias(j) * bias(k) * pair(j, k))
            .sum::<f64>();
    }
    let all = prior + sigma * sigma;
    let term = |j: f64| sign(j) * of(j, all) * ((q / (PI * j)).powi(2) + 4.0 * sigma * sigma);
    let one = q * q / 12.0 + sigma * sigma + orders().map(term).sum::<f64>();
    common + (one - common) / reads
}

#[test]
fn coarse_reads_match_the_fourier_series_of_rounding() {
    for (ratio, lsb, n) in [
        (0.05, 0.1, 256),
        (0.1, 0.1, 256),
        (0.3, 0.1, 16),
        (0.5, 0.05, 4_096),
        (0.8, 0.2, 1_000_000),
        (5.0, 0.02, 256),
    ] {
        let cells = normal(n, ratio * lsb, lsb);
        for prior in [0.0025, 0.04] {
            let found = cells.line(prior).error;
            let want = series(prior, ratio * lsb, lsb, n as f64);
            // Nodes of the sum over chips inside an edge of the staircase.
            let apart = (found / want - 1.0).abs();
            assert!(apart < 2e-3, "{ratio} {prior}: {found}, {want}");
        }
    }
    // A tenth of a step: a hundred times what independent rounding would leave.
    let moments = normal(256, 0.01, 0.1).moments(0.0025);
    assert!((moments.line(Estimator::Mean).error - 3.70e-4).abs() < 1e-6);
    assert!((moments.line(Estimator::Mmse).gain - 0.87).abs() < 0.01);
}

/// The median of many normal cells varies pi/2 times as much as their mean.
#[test]
fn the_median_of_normal_cells_has_its_law() {
    let cells = TestCells {
        estimator: Estimator::Median,
        ..normal(1_001, 0.2, 0.0)
    };
    let line = cells.line(0.01);
    let wanted = std::f64::consts::FRAC_PI_2 * 0.04 / 1_001.0;
    // Terms of the order 1/n.
    assert!((line.error / wanted - 1.0).abs() < 2e-3, "{line:?}");
    assert!(
        (line.gain - 1.0).abs() < 1e-6 && line.zero.abs() < 1e-9,
        "{line:?}"
    );
    assert_eq!(Estimator::Median.combine(&mut [3.0, -9.0, 1.0, 2.0]), 1.0);
    assert_eq!(Estimator::Median.combine(&mut [3.0, -9.0, 1.0]), 1.0);
}
