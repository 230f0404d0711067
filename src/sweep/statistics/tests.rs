use super::*;

/// Relative tolerance against constants printed by SciPy 1.17 with all digits: the inverse
/// functions of both sides are good to about 1e-11.
const SCIPY: f64 = 1e-9;

/// Bar of the statistical tests in standard errors.
const Z: f64 = 6.0;

const X: [f64; 10] = [
    0.91, 0.89, 0.935, 0.87, 0.902, 0.913, 0.76, 0.95, 0.881, 0.9,
];

#[track_caller]
fn close(got: f64, want: f64) {
    assert!(
        (got - want).abs() <= SCIPY * want.abs().max(1e-3),
        "{got} is not {want}"
    );
}

#[track_caller]
fn close_interval(got: Interval, lo: f64, hi: f64) {
    close(got.lo, lo);
    close(got.hi, hi);
}

/// Deterministic uniform numbers (SplitMix64, Steele et al. 2014).
struct Uniform(u64);

impl Uniform {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

// numpy.mean, numpy.var(ddof=1), scipy.stats.t.interval, scipy.stats.chi2.ppf on X.
#[test]
fn mean_and_variance_agree_with_scipy() {
    let m: Moments = X.into_iter().collect();
    close(m.mean(), 0.891_1);
    close(m.variance(), 0.002_685_211_111_111_111_5);
    close_interval(
        m.mean_interval(),
        0.854_030_904_267_967_4,
        0.928_169_095_732_032_9,
    );
    close_interval(
        m.variance_interval(),
        0.001_270_419_754_675_537,
        0.008_949_412_668_126_5,
    );
}

// scipy.stats.t.ppf(0.975, freedom).
#[test]
fn student_quantiles_agree_with_scipy() {
    for (freedom, want) in [
        (1, 12.706_204_736_174_694),
        (2, 4.302_652_729_749_462),
        (5, 2.570_581_835_636_314_6),
        (29, 2.045_229_642_132_703),
        (199, 1.971_956_544_251_753_3),
        (9999, 1.960_201_263_621_357),
    ] {
        close(student_t975(freedom), want);
    }
}

#[test]
fn a_merged_stream_is_the_whole_stream() {
    let whole: Moments = X.into_iter().collect();
    let mut parts = Moments::default();
    for part in [&X[..0], &X[..3], &X[3..4], &X[4..]] {
        parts.merge(&part.iter().copied().collect());
    }
    assert_eq!(parts.n(), whole.n());
    close(parts.mean(), whole.mean());
    close(parts.variance(), whole.variance());
}

#[test]
fn accuracy_moments_do_not_depend_on_the_order() {
    let mut correct: Vec<u32> = (0..1000u32).map(|i| i * 7919 % 2001).collect();
    let forward = accuracy_moments(correct.iter().map(|&c| (c, 1)), 2000);
    let streamed: Moments = correct.iter().map(|&c| f64::from(c) / 2000.0).collect();
    correct.reverse();
    assert_eq!(
        accuracy_moments(correct.into_iter().map(|c| (c, 1)), 2000),
        forward
    );
    close(streamed.mean(), forward.mean());
    close(streamed.std(), forward.std());
}

// numpy.quantile(X, p).
#[test]
fn quantiles_agree_with_numpy() {
    let mut sorted = X;
    sorted.sort_by(f64::total_cmp);
    for (p, want) in [
        (0.0, 0.76),
        (0.05, 0.8095),
        (0.25, 0.88325),
        (0.5, 0.901),
        (0.75, 0.91225),
        (0.95, 0.94325),
        (1.0, 0.95),
    ] {
        close(quantile(&sorted, p), want);
    }
    assert_eq!(quantile(&[0.5], 0.05), 0.5);
}

// Zero-based ends by direct search over scipy.stats.binom.cdf; (200, 0.5) -> 86th and 115th is
// in the printed tables.
#[test]
fn order_statistics_agree_with_scipy() {
    for (n, p, want) in [
        (5, 0.5, (None, None)),
        (6, 0.5, (Some(0), Some(5))),
        (10, 0.5, (Some(1), Some(8))),
        (71, 0.05, (None, Some(8))),
        (72, 0.05, (Some(0), Some(8))),
        (200, 0.05, (Some(3), Some(16))),
        (200, 0.5, (Some(85), Some(114))),
        (1000, 0.05, (Some(36), Some(64))),
        (1000, 0.95, (Some(935), Some(963))),
        (10000, 0.25, (Some(2414), Some(2585))),
    ] {
        assert_eq!(order_statistics(n, p), want, "n = {n}, p = {p}");
    }
}

// Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3 (four digits there):
// 81/263 -> .2553 .3662, 15/148 -> .0624 .1605. All digits and the others:
// scipy.stats.binomtest(k, n).proportion_ci(0.95, "wilson").
#[test]
fn wilson_agrees_with_newcombe_and_scipy() {
    for (k, n, lo, hi) in [
        (81, 263, 0.255_288_519_878_274_2, 0.366_209_576_982_800_04),
        (15, 148, 0.062_386_399_530_736_29, 0.160_487_241_723_308_03),
        (3, 10, 0.107_791_267_406_301_02, 0.603_221_852_538_854_6),
        (998, 1000, 0.992_737_192_136_507_8, 0.999_451_356_411_879_2),
    ] {
        close_interval(wilson_interval(k, n), lo, hi);
    }
    assert_eq!(wilson_interval(0, 10).lo, 0.0);
    assert_eq!(wilson_interval(10, 10).hi, 1.0);
    close(wilson_interval(0, 10).hi, 0.277_532_799_862_889_26);
}

#[test]
fn binomial_error_of_the_images() {
    close(image_standard_error(0.9, 1000), 0.3 / 1000f64.sqrt());
    assert_eq!(image_standard_error(1.0, 10), 0.0);
}

#[test]
fn too_little_is_said_to_be_unknown() {
    let none = Moments::default();
    assert!(none.mean().is_nan() && none.mean_interval().lo.is_nan());
    let one: Moments = [0.5].into_iter().collect();
    assert_eq!(one.mean(), 0.5);
    assert!(one.std().is_nan() && one.variance_interval().hi.is_nan());
    assert!(accuracy_moments([], 0).mean().is_nan());
    assert!(quantile(&[0.0; 0], 0.5).is_nan());
    assert!(quantile_interval(&[0.0; 0], 0.5).lo.is_nan());
    assert!(wilson_interval(0, 0).hi.is_nan());
    let nothing = paired::Paired::default().summary(10, false);
    assert!(nothing.mean.is_nan() && nothing.better.is_nan());
    assert_eq!((nothing.sign_p, nothing.wilcoxon_p), (1.0, 1.0));
}

#[test]
fn an_interval_is_an_array_with_null_for_an_open_side() {
    let open = Interval {
        lo: f64::NAN,
        hi: 0.5,
    };
    let json = serde_json::to_string(&open).unwrap();
    assert_eq!(json, "[null,0.5]");
    let back: Interval = serde_json::from_str(&json).unwrap();
    assert!(back.lo.is_nan() && back.hi == 0.5);
}

/// Fraction of `runs` samples of `n` chips whose interval encloses `truth`. Chips are `1 - u^2`
/// scaled to 0.5..1: as skewed to the left as accuracies are (skewness -0.64).
fn coverage(n: usize, truth: f64, interval: impl Fn(&[f64]) -> Interval) -> (f64, f64) {
    let runs = 4000;
    let mut u = Uniform(n as u64);
    let mut inside = 0;
    for _ in 0..runs {
        let mut x: Vec<f64> = (0..n).map(|_| 1.0 - 0.5 * u.next().powi(2)).collect();
        x.sort_by(f64::total_cmp);
        let i = interval(&x);
        let below = i.lo.is_nan() || i.lo <= truth;
        let above = i.hi.is_nan() || truth <= i.hi;
        inside += usize::from(below && above);
    }
    let c = inside as f64 / runs as f64;
    (c, (0.95 * 0.05 / runs as f64).sqrt())
}

#[test]
fn mean_interval_covers() {
    // E(1 - u^2 / 2) = 5/6. Skewness costs the t interval less than 1 % of coverage here.
    for n in [20, 200] {
        let (c, se) = coverage(n, 5.0 / 6.0, |x| {
            x.iter().copied().collect::<Moments>().mean_interval()
        });
        assert!((c - 0.95).abs() < Z * se + 0.01, "n = {n}: {c}");
    }
}

#[test]
fn quantile_interval_covers() {
    // Quantile p of 1 - u^2 / 2 is 1 - (1-p)^2 / 2; coverage is at least, not exactly, 95 %.
    for (n, p) in [(30, 0.05), (200, 0.05), (200, 0.5), (200, 0.95)] {
        let truth = 1.0 - 0.5 * (1.0 - p) * (1.0 - p);
        let (c, se) = coverage(n, truth, |x| quantile_interval(x, p));
        assert!(c > 0.95 - Z * se, "n = {n}, p = {p}: {c}");
    }
}

#[test]
fn wilson_interval_covers() {
    // P(1 - u^2 / 2 >= 0.6) = sqrt(0.8). Wilson's coverage swings around 95 % by about 1.5 %.
    let (c, se) = coverage(200, 0.8f64.sqrt(), |x| {
        wilson_interval(x.iter().filter(|&&a| a >= 0.6).count(), x.len())
    });
    assert!((c - 0.95).abs() < Z * se + 0.015, "{c}");
}

/// Vectors of `scripts/statistics_vectors.py`.
fn scipy() -> serde_json::Value {
    let text = include_str!("../../../assets/golden/statistics/scipy.json");
    serde_json::from_str(text).unwrap()
}

fn numbers(value: &serde_json::Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap())
        .collect()
}

#[test]
fn fractions_agree_with_scipy() {
    for case in scipy()["fractions"].as_array().unwrap() {
        let [k, n] = ["k", "n"].map(|key| case[key].as_u64().unwrap());
        let exact = numbers(&case["exact"]);
        let got = binomial::clopper_pearson_interval(k as usize, n as usize);
        close_interval(got, exact[0], exact[1]);
        let wilson = numbers(&case["wilson"]);
        close_interval(
            wilson_interval(k as usize, n as usize),
            wilson[0],
            wilson[1],
        );
        close(
            binomial::sign_test(k, n - k),
            case["sign_p"].as_f64().unwrap(),
        );
    }
    assert_eq!(binomial::sign_test(0, 0), 1.0);
    assert!(binomial::clopper_pearson_interval(0, 0).lo.is_nan());
}

/// Score statistic of a difference of paired proportions, the probability of `lost` found by search instead of a formula.
fn paired_score(won: f64, lost: f64, n: f64, d: f64) -> f64 {
    // The likelihood of lost = q, won = q + d, and the rest.
    let part = |count: f64, p: f64| if count == 0.0 { 0.0 } else { count * p.ln() };
    let likelihood =
        |q: f64| part(lost, q) + part(won, q + d) + part(n - won - lost, 1.0 - 2.0 * q - d);
    let (mut lo, mut hi) = ((-d).max(0.0), (1.0 - d) / 2.0);
    for _ in 0..300 {
        let (a, b) = (lo + (hi - lo) / 3.0, hi - (hi - lo) / 3.0);
        match likelihood(a) < likelihood(b) {
            true => lo = a,
            false => hi = b,
        }
    }
    (won - lost - n * d) / (n * (lo + hi + d - d * d)).sqrt()
}

#[test]
fn paired_proportions_are_not_rejected_inside_their_interval() {
    for (won, lost, n) in [
        (12, 2, 40),
        (0, 5, 200),
        (7, 7, 30),
        (3, 0, 3),
        (1, 40, 10_000),
    ] {
        let got = binomial::paired_proportions_interval(won, lost, n);
        let [b, c, n] = [won, lost, n].map(|x| x as f64);
        assert!(got.lo <= (b - c) / n && (b - c) / n <= got.hi, "{got:?}");
        for end in [got.lo, got.hi].into_iter().filter(|d| d.abs() < 1.0) {
            let score = paired_score(b, c, n, end).abs();
            assert!(
                (score - Z975).abs() < 1e-4,
                "{won} {lost} {n}: {score} at {end}"
            );
        }
        let other = binomial::paired_proportions_interval(lost, won, n as u64);
        close_interval(other, -got.hi, -got.lo);
    }
    // In closed form where no pair differs.
    let none = binomial::paired_proportions_interval(0, 0, 100);
    let end = Z975 * Z975 / (100.0 + Z975 * Z975);
    close_interval(none, -end, end);
    assert!(binomial::paired_proportions_interval(0, 0, 0).lo.is_nan());
}

#[test]
fn paired_chips_agree_with_scipy() {
    for case in scipy()["pairs"].as_array().unwrap() {
        let images = case["images"].as_u64().unwrap() as u32;
        let limit = case["limit"].as_f64().unwrap();
        let [a, b] = ["a", "b"].map(|key| numbers(&case[key]));
        let mut paired = paired::Paired::default();
        for (chip, (&a, &b)) in (0..).zip(a.iter().zip(&b)) {
            let yields = [a, b].map(|c| c / f64::from(images) >= limit);
            paired.push(chip, [a as u32, b as u32], yields);
        }
        let s = paired.summary(images, false);
        let want = |key: &str| case[key].as_f64().unwrap();
        close(s.mean, want("mean"));
        close(s.std, want("std"));
        let ci = numbers(&case["ci"]);
        close_interval(s.mean_ci95, ci[0], ci[1]);
        let n = a.len() as f64;
        assert_eq!((s.better * n).round(), want("better"));
        assert_eq!((s.worse * n).round(), want("worse"));
        close(s.sign_p, want("sign_p"));
        close(s.wilcoxon_p, want("wilcoxon_p"));
        assert_eq!(
            [s.yield_gained as f64, s.yield_lost as f64],
            [want("gained"), want("lost")]
        );
        close(s.mcnemar_p, want("mcnemar_p"));
    }
}

#[test]
fn replicates_agree_with_scipy() {
    let case = &scipy()["replicates"];
    let mut replicates = replicates::Replicates::default();
    for (chip, correct) in (0..).zip(numbers(&case["correct"])) {
        replicates.push(chip, correct as i64);
    }
    let (se, interval) = replicates.interval(case["images"].as_u64().unwrap() as u32, 0.0);
    close(se, case["se"].as_f64().unwrap());
    let ci = numbers(&case["ci"]);
    close_interval(interval, ci[0], ci[1]);
    let mut few = replicates::Replicates::default();
    few.push(3, 1);
    assert!(few.interval(1, 0.0).0.is_nan());
}
