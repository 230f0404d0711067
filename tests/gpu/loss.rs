use pimento::program::*;

use super::harness::*;

fn labels(n: usize, seed: u64) -> Vec<f32> {
    // -1 is "no image".
    values(n, seed)
        .iter()
        .map(|v| ((v + 1.0) * 5.5).floor() - 1.0)
        .collect()
}

#[test]
fn softmax_xent_and_tally_match_cpu() {
    for smoothing in [0.0, 0.1] {
        for (label_scope, gradient) in [(Scope::Shared, true), (Scope::PerChip, false)] {
            let mut case = Case::new();
            let scaled = |n, seed| values(n, seed).iter().map(|v| v * 8.0).collect();
            let logits = case.input_of([10, 1, 1], Scope::PerChip, scaled);
            let labels = case.input_of([1, 1, 1], label_scope, labels);
            let loss = case.output([1, 1, 1], Scope::PerChip);
            let hit = case.output([1, 1, 1], Scope::PerChip);
            let dlogits = gradient.then(|| case.output([10, 1, 1], Scope::PerChip));
            let tally = case.result(2, Scope::PerChip);
            let section = case.section(vec![
                Op::from(SoftmaxXent {
                    logits,
                    labels,
                    loss,
                    hit,
                    dlogits,
                    smoothing,
                }),
                Op::from(Tally { hit, loss, tally }),
            ]);
            // A second run, so that the tally has something to add to.
            let mut again = case.runs[0].1.clone();
            again.images = 16..32;
            case.runs.push((section, again));
            // exp to a few ulp, sums of ten, the logarithm; tallies of 53 losses up to 16.
            case.compare("softmax_xent", 53.0 * 16.0 * 4.0 * EPS);
        }
    }
}

#[test]
fn ties_go_to_the_first_class() {
    let mut case = Case::sized(1, 16);
    let logits = case.input_of([3, 1, 1], Scope::Shared, |_, _| {
        vec![
            1.0, 1.0, 0.0, // first
            0.0, 2.0, 2.0, // second
            5.0, 5.0, 5.0, // first
            1.0, 2.0, 3.0, // third
        ]
    });
    let labels = case.input_of([1, 1, 1], Scope::Shared, |_, _| vec![0.0, 2.0, 0.0, 2.0]);
    let loss = case.output([1, 1, 1], Scope::Shared);
    let hit = case.output([1, 1, 1], Scope::Shared);
    case.section(vec![Op::from(SoftmaxXent {
        logits,
        labels,
        loss,
        hit,
        dlogits: None,
        smoothing: 0.0,
    })]);
    case.runs[0].1.images = 0..4;
    // exp and log to a few ulp.
    case.compare("ties", 16.0 * EPS);
    let Some(gpu) = gpu_or_skip("ties") else {
        return;
    };
    assert_eq!(case.run_on(gpu)[1], [1.0, 0.0, 1.0, 1.0]);
}
