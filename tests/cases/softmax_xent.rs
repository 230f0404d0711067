//! Loss, hits and gradient, and their tally.

use pimento::program::*;

use super::case::*;
use super::reference::xent;

/// A map of single values.
const ONE: [usize; 3] = [1, 1, 1];

/// Exponentials and a logarithm of a few units in the last place, summed over the classes.
const LOSS_TOLERANCE: f64 = 64.0 * EPS;

/// Operands and results.
struct Tensors {
    logits: TensorId,
    labels: TensorId,
    loss: TensorId,
    hit: TensorId,
    dlogits: Option<TensorId>,
    tally: TensorId,
}

/// Results for logits and labels, and the section that makes them.
fn tensors(
    case: &mut Case,
    [logits, labels]: [TensorId; 2],
    gradient: bool,
    (smoothing, apart): (f32, bool),
) -> Tensors {
    let shape = case.program.desc(logits).shape;
    let loss = case.result(ONE, Scope::PerChip);
    let hit = case.result(ONE, Scope::PerChip);
    let dlogits = gradient.then(|| case.result(shape, Scope::PerChip));
    let tally = case.result(2, Scope::PerChip);
    case.section(vec![
        Op::from(SoftmaxXent {
            logits,
            labels,
            loss,
            hit,
            dlogits,
            smoothing,
            apart,
        }),
        Op::from(Tally {
            values: vec![hit, loss],
            tally,
        }),
    ]);
    Tensors {
        logits,
        labels,
        loss,
        hit,
        dlogits,
        tally,
    }
}

/// Loss, hit and gradient of one image; no image where the label is below 0.
fn image(z: &[f64], label: f64, smoothing: f64, n: f64) -> (f64, f64, Vec<f64>) {
    if label < 0.0 {
        return (0.0, 0.0, vec![0.0; z.len()]);
    }
    let label = label as usize;
    let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let first = z.iter().position(|&v| v == largest).expect("a class");
    let hit = if first == label { 1.0 } else { 0.0 };
    let gradient = differences(z, |z| xent(z, label, smoothing) / n);
    (xent(z, label, smoothing), hit, gradient)
}

fn want(case: &mut Case, t: &Tensors, (smoothing, apart): (f32, bool)) {
    let chips = if apart { 1 } else { case.chips };
    let n = (chips * case.images) as f64;
    let (mut losses, mut hits, mut gradients) = (Vec::new(), Vec::new(), Vec::new());
    let mut tallies = Vec::new();
    for chip in 0..case.chips {
        let mut sums = [0.0, 0.0];
        for i in 0..case.images {
            let (z, label) = (case.at(t.logits, chip, i), case.at(t.labels, chip, i)[0]);
            let (loss, hit, gradient) = image(&z, label, smoothing.into(), n);
            sums[0] += hit;
            sums[1] += loss;
            hits.push(hit);
            losses.push(loss);
            gradients.extend(gradient);
        }
        tallies.extend(sums);
    }
    let limits: Vec<f64> = losses
        .iter()
        .map(|l| LOSS_TOLERANCE * (1.0 + l.abs()))
        .collect();
    case.want(t.hit, hits, 0.0);
    case.want_within(t.loss, losses, |i| limits[i]);
    case.want(t.dlogits.expect("a gradient"), gradients, 1e-6);
    let limits: Vec<f64> = tallies.iter().map(|t| 1e-5 * (1.0 + t)).collect();
    case.want_within(t.tally, tallies, |i| limits[i]);
}

pub fn losses() -> Vec<Case> {
    let cases = (0..20).map(|seed| {
        let mut rng = Rng(seed);
        let classes = rng.pick(2, 40);
        let mut case = Case::new(seed, rng.pick(1, 3), rng.pick(1, 40));
        let size = [1.0, 10.0, 200.0][rng.pick(0, 2)];
        let logits = case.drawn([classes, 1, 1], Scope::PerChip, |rng| rng.signed() * size);
        // One label in eight says: no image.
        let labels = case.drawn(ONE, Scope::Shared, |rng| match rng.pick(0, 7) {
            0 => -1.0,
            _ => rng.pick(0, classes - 1) as f32,
        });
        let smoothing = [0.0, 0.1][rng.pick(0, 1)];
        let how = (smoothing, seed % 2 == 1);
        let t = tensors(&mut case, [logits, labels], true, how);
        want(&mut case, &t, how);
        // exp to a few ulp, sums of the classes, the logarithm; tallies of 40 losses.
        case.apart[0] = 40.0 * (2.0 * f64::from(size) + 4.0) * 4.0 * ULP;
        case
    });
    cases.collect()
}

/// A second run, so that the tally has something to add to.
pub fn two_runs() -> Vec<Case> {
    let mut cases = Vec::new();
    for smoothing in [0.0, 0.1] {
        for (scope, gradient) in [(Scope::Shared, true), (Scope::PerChip, false)] {
            let mut case = wave(1);
            let logits = case.drawn([10, 1, 1], Scope::PerChip, |rng| rng.coarse() * 8.0);
            // -1 is "no image".
            let labels = case.drawn(ONE, scope, |rng| ((rng.coarse() + 1.0) * 5.5).floor() - 1.0);
            let t = tensors(&mut case, [logits, labels], gradient, (smoothing, false));
            let (section, mut again) = case.runs[0].clone();
            again.images = 16..32;
            case.runs.push((section, again));
            for t in [t.loss, t.hit, t.tally].into_iter().chain(t.dlogits) {
                case.compare(t);
            }
            // exp to a few ulp, sums of ten, the logarithm; tallies of 53 losses up to 16.
            case.apart[0] = 53.0 * 16.0 * 4.0 * ULP;
            cases.push(case);
        }
    }
    cases
}

/// The first of the largest classes counts.
pub fn ties() -> Vec<Case> {
    let mut case = Case::new(1, 1, 4);
    let logits = vec![
        1.0, 1.0, 0.0, // first
        0.0, 2.0, 2.0, // second
        5.0, 5.0, 5.0, // first
        1.0, 2.0, 3.0, // third
    ];
    let logits = case.given([3, 1, 1], Scope::Shared, logits);
    let labels = case.given(ONE, Scope::Shared, vec![0.0, 2.0, 0.0, 2.0]);
    let loss = case.result(ONE, Scope::Shared);
    let hit = case.result(ONE, Scope::Shared);
    case.section(vec![Op::from(SoftmaxXent {
        logits,
        labels,
        loss,
        hit,
        dlogits: None,
        smoothing: 0.0,
        apart: false,
    })]);
    case.want(hit, vec![1.0, 0.0, 1.0, 1.0], 0.0);
    case.compare(loss);
    // exp and log to a few ulp.
    case.apart[0] = 16.0 * ULP;
    vec![case]
}
