//! The training step's gradient of whole networks against finite differences of its loss.

use pimento::backend::cpu::CpuBackend;
use pimento::backend::{Backend, RunArgs, SectionId};
use pimento::network::graph::{Graph, Layer};
use pimento::network::lower::training::{self, StepParts, TrainSpec};
use pimento::network::lower::{ActStep, Numerics};
use pimento::network::{Parameters, zoo};
use pimento::program::*;
use pimento::random::TRAINING;

use crate::differences::{IMAGES, Network, noise, style};

#[test]
fn convolutions_pooling_biases() {
    let g = zoo::cnn((2, 8, 8), &[3, 5], 6, 4, style(false));
    Network::new(g, None, 1).check(&[
        "conv1.weight",
        "conv1.bias",
        "conv2.weight",
        "fc3.weight",
        "fc4.bias",
    ]);
}

#[test]
fn batch_norm_over_two_chips_under_proportional_variation() {
    let g = zoo::cnn((2, 8, 8), &[3, 5], 0, 4, style(true));
    let n = noise(
        Law::WeightProportional,
        Mapping::Differential { g_min: 0.0 },
    );
    Network::new(g, Some(n), 2).check(&[
        "conv1.weight",
        "bn1.gamma",
        "bn2.beta",
        "conv2.weight",
        "fc3.weight",
    ]);
}

#[test]
fn residual_addition_and_shared_values() {
    let mut g = Graph::new("residual", 2, 6, 6);
    let a = g.conv("a", 0, 4, 3, 1, 1, 1, true);
    let a = g.activation("a.act", a, Activation::Tanh);
    let b = g.conv("b", a, 4, 3, 1, 1, 4, false);
    let sum = g.add("sum", a, b);
    let act = g.activation("sum.act", sum, Activation::Tanh);
    let c = g.conv("c", act, 6, 3, 2, 1, 2, false);
    let c = g.activation("c.act", c, Activation::Tanh);
    g.linear("out", c, 3, true);
    // The other mappings hold the layer's full scale constant, which a difference quotient does not.
    let n = noise(Law::WeightProportional, Mapping::Ideal);
    Network::new(g, Some(n), 1).check(&[
        "a.weight",
        "b.weight",
        "c.weight",
        "out.weight",
        "a.bias",
    ]);
}

/// Concatenation, a permutation of the values, a crop, an element-wise product, a per-channel map
/// and the activations that are smooth almost everywhere.
#[test]
fn rearrangements_products_and_activations() {
    let mut g = Graph::new("dag", 2, 4, 4);
    let a = g.conv("a", 0, 3, 3, 1, 1, 1, true);
    let swish = g.activation("a.swish", a, Activation::HardSwish);
    let gate = g.activation("a.gate", a, Activation::Sigmoid);
    let product = g.push("product", Layer::Multiply, vec![swish, gate], (3, 4, 4));
    let scaled = g.push("scaled", Layer::Affine, vec![product], (3, 4, 4));
    let both = g.push("both", Layer::Concat, vec![scaled, a], (6, 4, 4));
    // Rows become columns; then the last row is left out.
    let turned = (0..96u32).map(|i| i / 16 * 16 + i % 4 * 4 + i / 4 % 4);
    let turned = Layer::Rearrange {
        table: turned.collect(),
        fill: 0.0,
    };
    let turned = g.push("turned", turned, vec![both], (6, 4, 4));
    let cropped = Layer::Rearrange {
        table: (0..72u32).map(|i| i / 12 * 16 + i % 12).collect(),
        fill: 0.0,
    };
    let cropped = g.push("cropped", cropped, vec![turned], (6, 3, 4));
    let wide = g.push("wide", Layer::Reshape, vec![cropped], (3, 6, 4));
    let slope = Activation::LeakyRelu { slope: 0.9 };
    let leaky = g.activation("leaky", wide, slope);
    let b = g.conv("b", leaky, 4, 3, 2, 1, 1, false);
    g.linear("out", b, 3, true);
    g.check().unwrap();
    training::check_trainable(&g).unwrap();
    let n = noise(Law::WeightProportional, Mapping::Ideal);
    Network::new(g, Some(n), 1).check(&["a.weight", "a.bias", "b.weight", "out.weight"]);
}

#[test]
fn residual_network_of_the_zoo() {
    let g = zoo::resnet_cifar(
        8,
        (2, 8, 8),
        4,
        zoo::Style {
            width: 0.25,
            ..style(true)
        },
    );
    Network::new(g, None, 1).check(&[
        "conv1.weight",
        "stage1.0.conv2.weight",
        "stage2.0.shortcut.weight",
        "stage2.0.shortcut_bn.gamma",
        "stage3.0.bn2.beta",
        "fc.weight",
    ]);
}

#[test]
fn batch_norm_that_is_frozen() {
    let g = zoo::cnn((2, 8, 8), &[3, 5], 0, 4, style(true));
    let mut n = Network::new(g, None, 1);
    n.spec.frozen_norm = true;
    n.check(&["conv1.weight", "conv2.weight", "fc3.weight"]);
}

/// What has no gradient is refused by name, with what to do.
#[test]
fn networks_without_a_gradient_are_refused() {
    let mut g = Graph::new("gated", 2, 4, 4);
    let a = g.conv("a", 0, 2, 3, 1, 1, 1, true);
    let whole = PoolGeometry {
        kh: 4,
        kw: 4,
        stride: [1; 2],
        pad: [0; 4],
    };
    let mean = g.pool("mean", a, whole, false);
    let gate = g.push("gate", Layer::Softmax, vec![mean], (2, 1, 1));
    g.push("gated", Layer::Multiply, vec![a, gate], (2, 4, 4));
    g.check().unwrap();
    let text = training::check_trainable(&g).unwrap_err().to_string();
    for part in ["`gate` (softmax)", "`gated` (multiply)", "\"ptq\""] {
        assert!(text.contains(part), "{text}");
    }
}

/// A batch in two parts gives the update of the whole batch, and the running average follows it.
#[test]
fn a_batch_in_parts_is_the_batch() {
    const HALF: usize = 16; // whole blocks, so that only the order of sums differs
    let graph = zoo::cnn((2, 8, 8), &[3, 5], 6, 4, style(false));
    let n = Network::new(graph, None, 1);
    let run = |parts: usize| {
        let spec = TrainSpec {
            parts: StepParts::default(),
            accumulate: parts,
            average_rate: 0.25,
            ..n.spec.clone()
        };
        let t = training::lower(&n.graph, &Numerics::FLOAT, &spec);
        let images = 2 * HALF / parts;
        let capacity = Capacity {
            chips: 1,
            images,
            chunk: images,
        };
        let mut s = CpuBackend::new().prepare(&t.program, capacity).unwrap();
        let start = Parameters::initial(&n.graph, &t.states, 3);
        start.load_into(s.as_mut(), &t.states).unwrap();
        let pixel = |i: usize| (i * 7919 % 1000) as f32 / 500.0 - 1.0;
        let pixels: Vec<f32> = (0..2 * HALF * 128).map(pixel).collect();
        let labels: Vec<f32> = (0..2 * HALF).map(|i| (i * 5 % 4) as f32).collect();
        for step in 0..2 {
            let args = RunArgs {
                purpose: TRAINING,
                lr: 0.5,
                step,
                ..RunArgs::wave(9, 0, 1, 0..images)
            };
            for part in 0..parts {
                let pixels = &pixels[part * images * 128..][..images * 128];
                s.write(t.images, pixels).unwrap();
                s.write(t.labels, &labels[part * images..][..images])
                    .unwrap();
                s.run(t.step, &args).unwrap();
            }
            if let Some(update) = t.update {
                s.run(update, &args).unwrap();
            }
        }
        let mut after = Parameters::default();
        after.read_from(s.as_mut(), &t.states).unwrap();
        after.read_from(s.as_mut(), &t.averages).unwrap();
        after
    };
    let (whole, parts) = (run(1), run(2));
    assert_eq!(
        whole.tensors.keys().collect::<Vec<_>>(),
        parts.tensors.keys().collect::<Vec<_>>()
    );
    let mut moved = 0.0f32;
    for (name, a) in &whole.tensors {
        for (a, b) in a.data.iter().zip(&parts.tensors[name].data) {
            // Two updates of gradients up to 1, summed in another order.
            assert!((a - b).abs() < 1e-5, "{name}: {a} in one, {b} in two parts");
        }
        if let Some(average) = whole.tensors.get(&format!("{name}.average")) {
            let difference = a.data.iter().zip(&average.data).map(|(a, b)| (a - b).abs());
            moved = difference.fold(moved, f32::max);
        }
    }
    assert!(moved > 1e-3, "the average is not the parameter: {moved}");
}

/// With the mask or without: the gradient of a one-bit weight ends where its magnitude is above 1,
/// as the reference code has it, and so does no other.
#[test]
fn one_bit_weights_stay_where_their_magnitude_exceeds_one() {
    let mut g = Graph::new("one bit", 1, 4, 4);
    let x = g.conv("conv", 0, 3, 3, 1, 1, 1, false);
    g.linear("fc", x, 4, false);
    let mut n = Network::new(g, None, 1);
    for straight_through in [StraightThrough::Identity, StraightThrough::Clip] {
        n.numerics = Numerics {
            weight_bits: 1,
            binary_per_input: true,
            straight_through,
            ..Numerics::FLOAT
        };
        let t = training::lower(&n.graph, &n.numerics, &n.spec);
        let mut start = Parameters::initial(&n.graph, &t.states, 3);
        let weight = &mut start.tensors.get_mut("conv.weight").unwrap().data;
        for w in weight.iter_mut().step_by(2) {
            *w = 1.5f32.copysign(*w);
        }
        let before = weight.clone();
        let (_, after) = n.step(&start);
        for (b, a) in before.iter().zip(&after.tensors["conv.weight"].data) {
            assert_eq!(b == a, b.abs() > 1.0, "{straight_through:?}: {b} {a}");
        }
    }
}

/// A network with branches: residuals, a shared source of two quantizers, and a map put together from
/// parts that stand on both sides of a quantizer.
fn branched(norm: bool) -> Graph {
    let mut g = Graph::new("branched", 2, 6, 6);
    let mut x = g.conv("stem", 0, 4, 3, 1, 1, 1, true);
    if norm {
        x = g.batch_norm("stem.norm", x, 1e-5);
    }
    let stem = g.activation("stem.act", x, Activation::Relu);
    let short = g.conv("short", stem, 4, 1, 1, 0, 1, false);
    let mut x = g.conv("a", stem, 4, 3, 1, 1, 1, false);
    if norm {
        x = g.batch_norm("a.norm", x, 1e-5);
    }
    let x = g.activation("a.act", x, Activation::Relu);
    let x = g.conv("b", x, 4, 3, 1, 1, 1, false);
    let sum = g.push("sum", Layer::Add, vec![x, short], (4, 6, 6));
    let sum = g.activation("sum.act", sum, Activation::Relu);
    let both = g.push("both", Layer::Concat, vec![stem, sum], (8, 6, 6));
    let hidden = g.linear("hidden", both, 7, true);
    let act = g.activation("hidden.act", hidden, Activation::Relu);
    g.linear("out", act, 4, true);
    g
}

/// The parts in which activation steps are chosen are one forward pass: with the steps that they end
/// with, the whole pass leaves the same values in front of every quantizer. Statistics do not move.
#[test]
fn stages_are_one_forward_pass() {
    for norm in [false, true] {
        let mut n = Network::new(branched(norm), None, 1);
        n.numerics = Numerics {
            weight_bits: 4,
            act_bits: 4,
            act_step: ActStep::Fixed,
            input_bits: 5,
            ..Numerics::FLOAT
        };
        let t = training::lower(&n.graph, &n.numerics, &n.spec);
        assert_eq!(t.quantized_inputs.len(), 6);
        let start = Parameters::initial(&n.graph, &t.states, 3);
        let capacity = Capacity {
            chips: 1,
            images: IMAGES,
            chunk: IMAGES,
        };
        let mut s = CpuBackend::new().prepare(&t.program, capacity).unwrap();
        start.load_into(s.as_mut(), &t.states).unwrap();
        s.write(t.images, &n.images).unwrap();
        s.write(t.labels, &n.labels).unwrap();
        let args = RunArgs::wave(9, 4, 1, 0..IMAGES);
        s.run(t.freeze, &args).unwrap();
        // Every operator runs once: no more of them than the whole pass has.
        let ops = |s: SectionId| t.program.sections[s.0].ops.len();
        let staged: usize = t
            .quantized_inputs
            .iter()
            .filter_map(|q| q.section)
            .map(ops)
            .sum();
        assert!(
            staged < ops(t.calibrate),
            "{staged} of {}",
            ops(t.calibrate)
        );
        let mut seen = vec![];
        let mut kept: std::collections::HashMap<TensorId, Vec<f32>> = Default::default();
        for q in &t.quantized_inputs {
            // Another batch may have been here in between.
            for (r, values) in q.reads.iter().map(|r| (r, &kept[r])) {
                s.write(*r, values).unwrap();
            }
            if let Some(section) = q.section {
                s.run(section, &args).unwrap();
            }
            kept = q.keeps.iter().map(|&k| (k, s.read(k).unwrap())).collect();
            let source = match q.source == t.images {
                true => n.images.clone(),
                false => kept[&q.source].clone(),
            };
            let most = source.iter().fold(0f32, |m, v| m.max(v.abs()));
            assert!(most > 0.0);
            s.write(q.quant.scale, &[most / 20.0]).unwrap();
            seen.push(source);
        }
        let mut after = Parameters::default();
        after.read_from(s.as_mut(), &t.states).unwrap();
        for (name, tensor) in &start.tensors {
            if name.ends_with(".mean") || name.ends_with(".var") {
                assert_eq!(&after.tensors[name], tensor, "{name}");
            }
        }
        s.run(t.calibrate, &args).unwrap();
        for (q, seen) in t.quantized_inputs.iter().zip(&seen) {
            if q.source != t.images {
                assert!(s.read(q.source).unwrap() == *seen);
            }
        }
    }
}
