//! Gradients of a whole network with parts, as those in `gradients.rs`.

use pimento::effects::Profile;
use pimento::network::graph::Graph;
use pimento::network::lower::CellNoise;
use pimento::network::lower::parts::{Bound, Clip, Transform};
use pimento::network::lower::training;
use pimento::network::{Parameters, zoo};
use pimento::program::{Law, Mapping};

use crate::gradients::{Network, noise, style};

/// Masks and clips, whose bounds follow all weights, in front of chips that deviate.
#[test]
fn masked_and_clipped_weights() {
    let g = zoo::cnn((2, 8, 8), &[3, 5], 6, 4, style(false));
    let noise = noise(Law::WeightProportional, Mapping::Ideal);
    for per_channel in [false, true] {
        let mut n = Network::new(g.clone(), Some(noise.clone()), 2);
        let clip = Clip {
            // None of the weights that are moved crosses it.
            bound: Bound::Deviations(1.3),
            per_channel,
            keeps_range: false,
        };
        n.spec.parts.weights = vec![Transform::Mask, Transform::Clip(clip)];
        n.check(&["conv1.weight", "conv2.weight", "fc3.weight", "fc4.weight"]);
    }
}

/// Deviations that depend on the weights: their slope is part of the gradient.
#[test]
fn deviations_by_a_profile() {
    let g = zoo::cnn((2, 8, 8), &[3], 6, 4, style(false));
    let offset = Mapping::Offset {
        g_min: 0.1,
        copies: 0,
    };
    // None of the weights that are moved becomes the largest of its layer, or crosses 0 where its magnitude counts.
    let magnitude: &[&str] = &["conv1.weight"];
    for (mapping, names) in [
        (Mapping::Ideal, magnitude),
        (Mapping::Differential { g_min: 0.1 }, magnitude),
        (offset, &["conv1.weight", "fc3.weight"]),
    ] {
        let noise = CellNoise {
            profile: Some(Profile::new(vec![[0.3, 1.5]])),
            ..noise(Law::WeightProportional, mapping)
        };
        Network::new(g.clone(), Some(noise), 2).check(names);
    }
}

/// With one deviation for all weights of a chip the gradient through it is that of the clean backward pass, times what
/// became of the weights.
#[test]
fn a_clean_backward_pass_knows_no_chip() {
    let mut g = Graph::new("linear", 2, 4, 4);
    g.linear("out", 0, 3, true);
    let nominal = CellNoise {
        sigma_w: 0.0,
        ..noise(Law::WeightProportional, Mapping::Ideal)
    };
    let mut n = Network::new(g, Some(nominal), 1);
    let t = training::lower(&n.graph, &n.numerics, &n.spec);
    let start = Parameters::initial(&n.graph, &t.states, 3);
    let of = |n: &Network| {
        let (loss, after) = n.step(&start);
        let gradient = |name: &str| -> Vec<f32> {
            let (before, after) = (&start.tensors[name].data, &after.tensors[name].data);
            before.iter().zip(after).map(|(b, a)| b - a).collect()
        };
        (loss, gradient("out.weight"), gradient("out.bias"))
    };
    let (loss, through, bias) = of(&n);
    n.spec.parts.clean_backward = true;
    let (same, clean, same_bias) = of(&n);
    assert_eq!((loss, bias), (same, same_bias));
    for (through, clean) in through.iter().zip(&clean) {
        // Differences of weights below 1, which the step rounds.
        assert!(
            (through - 1.25 * clean).abs() < 4.0 * f32::EPSILON,
            "{through} {clean}"
        );
    }
}
