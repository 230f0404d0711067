//! Loss, hits, gradient and tally.

use pimento::program::*;

use crate::case::{Case, EPS, Rng, backends, close, differences};
use crate::reference::xent;

/// A map of single values.
const ONE: Shape = Shape::Image { c: 1, h: 1, w: 1 };

/// Exponentials and a logarithm of a few units in the last place, summed over the classes.
const LOSS_TOLERANCE: f64 = 64.0 * EPS;

#[test]
fn loss_hits_and_gradient() {
    for seed in 0..20 {
        let mut rng = Rng(seed);
        let classes = rng.pick(2, 40);
        let shape = Shape::Image {
            c: classes,
            h: 1,
            w: 1,
        };
        let (chips, images) = (rng.pick(1, 3), rng.pick(1, 40));
        let mut case = Case::new(seed, chips, images);
        let size = [1.0, 10.0, 200.0][rng.pick(0, 2)];
        let values = (0..chips * images * classes)
            .map(|_| rng.signed() * size)
            .collect();
        let logits = case.given(shape, Scope::PerChip, values);
        // One label in eight says: no image.
        let labels = (0..images).map(|_| match rng.pick(0, 7) {
            0 => -1.0,
            _ => rng.pick(0, classes - 1) as f32,
        });
        let labels: Vec<f32> = labels.collect();
        let labels = case.given(ONE, Scope::Shared, labels);
        let loss = case.result(ONE, Scope::PerChip);
        let hit = case.result(ONE, Scope::PerChip);
        let dlogits = case.result(shape, Scope::PerChip);
        let tally = case.result(Shape::Flat(2), Scope::PerChip);
        let smoothing = [0.0, 0.1][rng.pick(0, 1)];
        let ops = vec![
            Op::from(SoftmaxXent {
                logits,
                labels,
                loss,
                hit,
                dlogits: Some(dlogits),
                smoothing,
            }),
            Op::from(Tally { hit, loss, tally }),
        ];
        let (mut want_loss, mut want_hit, mut want_grad) = (Vec::new(), Vec::new(), Vec::new());
        let mut want_tally = Vec::new();
        for chip in 0..chips {
            let mut sums = [0.0, 0.0];
            for image in 0..images {
                let (z, label) = (
                    case.at(logits, chip, image),
                    case.at(labels, chip, image)[0],
                );
                if label < 0.0 {
                    want_loss.push(0.0);
                    want_hit.push(0.0);
                    want_grad.extend(vec![0.0; classes]);
                    continue;
                }
                let label = label as usize;
                let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let first = z.iter().position(|&v| v == largest).unwrap();
                let hit = if first == label { 1.0 } else { 0.0 };
                let loss = xent(&z, label, smoothing.into());
                sums[0] += hit;
                sums[1] += loss;
                want_hit.push(hit);
                want_loss.push(loss);
                let n = (chips * images) as f64;
                want_grad.extend(differences(&z, |z| xent(z, label, smoothing.into()) / n));
            }
            want_tally.extend(sums);
        }
        for (isa, backend) in backends() {
            let [l, h, d, t] = case.run(&backend, ops.clone(), [loss, hit, dlogits, tally]);
            let what = format!("{isa} seed {seed}");
            close(&what, &h, &want_hit, |_| 0.0);
            let limit = |i: usize| LOSS_TOLERANCE * (1.0 + want_loss[i].abs());
            close(&what, &l, &want_loss, limit);
            close(&what, &d, &want_grad, |_| 1e-6);
            close(&what, &t, &want_tally, |i| 1e-5 * (1.0 + want_tally[i]));
        }
    }
}

/// The tally adds up over runs until it is cleared, and counts real images only.
#[test]
fn tally_accumulates() {
    let mut case = Case::new(1, 2, 40);
    let values: Vec<f32> = (0..80).map(|i| i as f32).collect();
    let hit = case.given(ONE, Scope::PerChip, values);
    let loss = case.given(ONE, Scope::Shared, vec![0.5; 40]);
    let tally = case.result(Shape::Flat(2), Scope::PerChip);
    let (_, backend) = backends().remove(0);
    let ops = vec![Op::from(Tally { hit, loss, tally })];
    let (mut session, section) = case.prepare(&backend, ops);
    for images in [0..32, 32..37] {
        session
            .run(section, &RunArgs::wave(0, 0, 2, images))
            .unwrap();
    }
    let sum = |range: std::ops::Range<usize>| range.sum::<usize>() as f32;
    assert_eq!(
        session.read(tally).unwrap(),
        [sum(0..37), 18.5, sum(40..77), 18.5]
    );
}
