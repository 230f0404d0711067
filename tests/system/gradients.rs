//! The training step's gradient of a whole network against finite differences of its loss.

use pimento::backend::cpu::CpuBackend;
use pimento::backend::program::*;
use pimento::backend::{Backend, RunArgs};
use pimento::network::graph::Graph;
use pimento::network::lower::training::{self, Optimizer, TrainSpec};
use pimento::network::lower::{CellNoise, Numerics};
use pimento::network::{Parameters, zoo};
use pimento::random::TRAINING;

const IMAGES: usize = 20; // a partial last block

/// A loss of one step as a function of the parameters, and the step's own gradient: with plain
/// gradient descent of rate 1 the gradient is the difference of the parameters.
struct Network {
    graph: Graph,
    spec: TrainSpec,
    images: Vec<f32>,
    labels: Vec<f32>,
    common: f32,
}

impl Network {
    fn new(graph: Graph, noise: Option<CellNoise>, chips: usize) -> Self {
        let (c, h, w) = graph.nodes[0].shape;
        let n = IMAGES * chips;
        let images = (0..n * c * h * w)
            .map(|i| ((i * 7919 % 1000) as f32 / 500.0 - 1.0) * 0.8)
            .collect();
        let labels = (0..n).map(|i| (i * 5 % graph.classes()) as f32).collect();
        Self {
            graph,
            spec: TrainSpec {
                chips,
                batch: n,
                noise,
                optimizer: Optimizer::Sgd {
                    momentum: 0.0,
                    nesterov: false,
                },
                weight_decay: 0.0,
                smoothing: 0.1,
                norm_rate: 0.1,
            },
            images,
            labels,
            common: 0.25,
        }
    }

    /// Loss before the step and parameters after it.
    fn step(&self, parameters: &Parameters) -> (f64, Parameters) {
        let t = training::lower(&self.graph, &Numerics::FLOAT, &self.spec);
        let backend = CpuBackend::new();
        let chips = self.spec.chips;
        let capacity = Capacity {
            chips,
            images: IMAGES,
            chunk: IMAGES,
        };
        let mut s = backend.prepare(&t.program, capacity).unwrap();
        parameters.load_into(s.as_mut(), &t.states).unwrap();
        s.write(t.images, &self.images).unwrap();
        s.write(t.labels, &self.labels).unwrap();
        for &chip in &t.chips {
            let one = [self.common, 1.0, 0.0, 0.0];
            s.write(chip, &one.repeat(chips)).unwrap();
        }
        let args = RunArgs {
            purpose: TRAINING,
            lr: 1.0,
            ..RunArgs::wave(9, 4, chips, 0..IMAGES)
        };
        s.run(t.clear, &args).unwrap();
        s.run(t.step, &args).unwrap();
        let tally = s.read(t.tally).unwrap();
        let loss: f32 = tally.chunks_exact(2).map(|c| c[1]).sum();
        let mut after = Parameters::default();
        after.read_from(s.as_mut(), &t.states).unwrap();
        (f64::from(loss) / (IMAGES * chips) as f64, after)
    }

    fn check(&self, names: &[&str]) {
        let t = training::lower(&self.graph, &Numerics::FLOAT, &self.spec);
        let mut start = Parameters::initial(&self.graph, &t.states, 3);
        // Away from the symmetric start: biases and batch norm offsets are not zero.
        for (name, tensor) in &mut start.tensors {
            if name.ends_with("bias") || name.ends_with("beta") {
                for (i, v) in tensor.data.iter_mut().enumerate() {
                    *v = 0.1 * (i as f32 - 1.5);
                }
            }
        }
        let (_, after) = self.step(&start);
        for name in names {
            let before = &start.tensors[*name].data;
            let gradient: Vec<f64> = before
                .iter()
                .zip(&after.tensors[*name].data)
                .map(|(b, a)| f64::from(b - a))
                .collect();
            let scale = gradient.iter().fold(0f64, |m, g| m.max(g.abs()));
            assert!(
                scale > 1e-4,
                "{name}: gradient {scale} is too small to check"
            );
            let stride = (before.len() / 7).max(1);
            for i in (0..before.len()).step_by(stride) {
                let h = 4e-3f32;
                let at = |d: f32| {
                    let mut p = start.clone();
                    p.tensors.get_mut(*name).unwrap().data[i] += d;
                    self.step(&p).0
                };
                let numeric = (at(h) - at(-h)) / f64::from(2.0 * h);
                // Central differences in f32: rounding of the loss (2e-7 / 8e-3) and the third
                // derivative times h^2/6; relative to the largest gradient of the tensor.
                let error = (numeric - gradient[i]).abs();
                assert!(
                    error < 0.02 * scale + 1e-4,
                    "{name}[{i}]: {} by backward, {numeric} by differences",
                    gradient[i]
                );
            }
        }
    }
}

/// Smooth throughout, so that differences mean something.
fn style(batch_norm: bool) -> zoo::Style {
    zoo::Style {
        act: Activation::Tanh,
        max_pool: false,
        batch_norm,
        bias: !batch_norm,
        width: 1.0,
    }
}

fn noise(law: Law, mapping: Mapping) -> CellNoise {
    CellNoise {
        law,
        mapping,
        deviate: Deviate::Gaussian,
        sigma_w: 0.3,
        reference_columns: 0,
    }
}

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
