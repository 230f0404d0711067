//! Gradients of a whole network with parts, as those in `gradients.rs`.

use pimento::effects::Profile;
use pimento::network::graph::Graph;
use pimento::network::lower::CellNoise;
use pimento::network::lower::parts::{Bound, Clip, Subtracted, Teaching, Transform};
use pimento::network::lower::training::{self, Pass};
use pimento::network::{Parameters, zoo};
use pimento::program::{Activation, Law, Mapping, PoolGeometry};

use crate::differences::{Network, noise, style};

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

/// A network with two heads of different depth.
fn headed(batch_norm: bool) -> Graph {
    let mut g = zoo::cnn((2, 8, 8), &[3, 5], 6, 4, style(batch_norm));
    let at = |g: &Graph, name: &str| g.nodes.iter().position(|n| n.name == name).unwrap();
    let (early, late) = (at(&g, "act1"), at(&g, "pool2"));
    g.add_head(early, |g, at| {
        let pool = PoolGeometry {
            kh: 4,
            kw: 4,
            stride: [4; 2],
            pad: [0; 4],
        };
        let x = g.pool("early.pool", at, pool, false);
        let x = g.linear("early.fc1", x, 5, true);
        let x = g.activation("early.act1", x, Activation::Tanh);
        g.linear("early.fc2", x, 4, true)
    });
    g.add_head(late, |g, at| g.linear("late.fc1", at, 4, false));
    g
}

/// Logits of heads that are subtracted, and losses of their own, on two chips.
#[test]
fn heads_that_are_subtracted_and_learn() {
    let noise = noise(Law::WeightProportional, Mapping::Ideal);
    for (irs, own) in [(true, false), (false, true), (true, true)] {
        let mut n = Network::new(headed(true), Some(noise.clone()), 2);
        n.spec.parts.subtracted = irs.then(|| Subtracted {
            passes: vec![],
            heads: vec![0.8, 0.4],
        });
        n.spec.parts.heads = own.then_some(0.7);
        n.check(&[
            "conv1.weight",
            "bn1.gamma",
            "conv2.weight",
            "fc3.weight",
            "fc4.weight",
            "early.fc1.weight",
            "early.fc1.bias",
            "early.fc2.weight",
            "late.fc1.weight",
        ]);
    }
}

/// Passes under more noise, whose logits are subtracted, with heads or alone.
#[test]
fn passes_under_more_noise() {
    let law = noise(Law::WeightProportional, Mapping::Ideal);
    for with_heads in [false, true] {
        let graph = match with_heads {
            true => headed(true),
            false => zoo::cnn((2, 8, 8), &[3, 5], 6, 4, style(true)),
        };
        let mut n = Network::new(graph, Some(law.clone()), 2);
        let pass = |more: f32| Pass {
            noise: CellNoise {
                sigma_w: law.sigma_w + more,
                ..law.clone()
            }
            .everywhere(&n.graph),
            layers: [].into(),
        };
        n.spec.passes = vec![pass(0.15), pass(0.1)];
        n.spec.parts.subtracted = Some(Subtracted {
            passes: vec![0.9, 0.5],
            heads: if with_heads { vec![0.3, 0.6] } else { vec![] },
        });
        n.check(&[
            "conv1.weight",
            "bn1.gamma",
            "bn2.beta",
            "conv2.weight",
            "fc3.weight",
            "fc4.weight",
        ]);
    }
}

/// A factor of 0 leaves the cross-entropy of the logits over one more than outputs; what a teacher says is left alone.
#[test]
fn a_factor_of_0_subtracts_nothing() {
    let law = noise(Law::WeightProportional, Mapping::Ideal);
    let step = |factor: f32, teaching: f32| {
        let mut n = Network::new(headed(false), Some(law.clone()), 1);
        n.spec.parts.subtracted = Some(Subtracted {
            passes: vec![],
            heads: vec![factor, 0.0],
        });
        n.spec.parts.teaching = (teaching > 0.0).then_some(Teaching {
            share: teaching,
            temperature: 2.0,
        });
        let t = training::lower(&n.graph, &n.numerics, &n.spec);
        let start = Parameters::initial(&n.graph, &t.states, 3);
        let after = n.step(&start).1;
        let moved = |name: &str| start.tensors[name] != after.tensors[name];
        (
            moved("fc4.weight"),
            moved("early.fc2.weight"),
            moved("late.fc1.weight"),
        )
    };
    assert_eq!(step(0.0, 0.0), (true, false, false));
    assert_eq!(step(0.5, 0.0), (true, true, false));
    // The teacher counts for all: nothing is left of the cross-entropy, also at heads.
    assert_eq!(step(0.5, 1.0), (true, false, false));
}
