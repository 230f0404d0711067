//! Metrics of classified images against loops in `f64`.

use pimento::choice::Choice;
use pimento::program::*;

use super::case::*;

/// A map of single values.
const ONE: [usize; 3] = [1, 1, 1];

/// Exponentials of a few units in the last place and a division, squared and summed over the classes: the
/// probabilities' errors add up to a few units of 1.
const SCORE_TOLERANCE: f64 = 64.0 * EPS;

/// The metric of one image; 0 where the label is no class.
fn image(metric: Metric, z: &[f64], label: f64) -> f64 {
    if !(0.0..z.len() as f64).contains(&label) {
        return 0.0;
    }
    let label = label as usize;
    match metric {
        Metric::Top5 => {
            let mut order: Vec<usize> = (0..z.len()).collect();
            order.sort_by(|&a, &b| z[b].total_cmp(&z[a]));
            f64::from(u8::from(order[..z.len().min(5)].contains(&label)))
        }
        Metric::Brier => {
            let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = z.iter().map(|v| (v - largest).exp()).sum();
            let p = z.iter().map(|v| (v - largest).exp() / sum);
            let d = p
                .enumerate()
                .map(|(k, p)| p - f64::from(u8::from(k == label)));
            d.map(|d| d * d).sum()
        }
    }
}

/// Scores of all metrics, and the values that are wanted.
fn scored(case: &mut Case, logits: TensorId, labels: TensorId) {
    let scope = joined(&[logits, labels].map(|t| case.program.desc(t).scope));
    for &metric in Metric::ALL {
        let score = case.result(ONE, scope);
        case.section(vec![Op::from(ClassMetric {
            metric,
            logits,
            labels,
            score,
        })]);
        let values = case.each(scope, |chip, i| {
            let (z, label) = (case.at(logits, chip, i), case.at(labels, chip, i)[0]);
            vec![image(metric, &z, label)]
        });
        case.want(score, values, SCORE_TOLERANCE);
    }
    // exp to a few ulp, a division, squares and their sum.
    case.apart[0] = 64.0 * ULP;
}

pub fn scores() -> Vec<Case> {
    let cases = (0..20).map(|seed| {
        let mut rng = Rng(seed);
        let classes = rng.pick(2, 40);
        let mut case = Case::new(seed, rng.pick(1, 3), rng.pick(1, 40));
        let size = [1.0, 10.0, 200.0][rng.pick(0, 2)];
        // Sixteen bits: the order of the logits is the same in both precisions.
        let logits = case.drawn([classes, 1, 1], rng.scope(), |rng| rng.coarse() * size);
        let labels = case.drawn(ONE, rng.scope(), |rng| rng.pick(0, classes - 1) as f32);
        scored(&mut case, logits, labels);
        case
    });
    cases.collect()
}

/// Of equal logits the first is before the others: five of seven are counted.
pub fn ties() -> Vec<Case> {
    let mut case = Case::new(1, 1, 7);
    let logits = case.given([7, 1, 1], Scope::Shared, vec![0.25; 49]);
    let labels = case.given(ONE, Scope::Shared, (0..7).map(|k| k as f32).collect());
    scored(&mut case, logits, labels);
    case.want(
        case.wants[0].tensor,
        vec![1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0],
        0.0,
    );
    vec![case]
}

/// Labels that are no class.
pub fn no_class() -> Vec<Case> {
    let mut case = Case::new(1, 2, 17);
    let logits = case.drawn([6, 1, 1], Scope::PerChip, Rng::coarse);
    let labels = case.drawn(ONE, Scope::Shared, |rng| rng.pick(0, 8) as f32 - 1.0);
    scored(&mut case, logits, labels);
    vec![case]
}
