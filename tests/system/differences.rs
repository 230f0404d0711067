//! A training step's gradient of a network, and finite differences of its loss.

use pimento::backend::cpu::CpuBackend;
use pimento::backend::{Backend, RunArgs};
use pimento::network::graph::Graph;
use pimento::network::lower::cells::write_ranges;
use pimento::network::lower::training::{self, Optimizer, StepParts, TrainSpec};
use pimento::network::lower::{CellNoise, Numerics};
use pimento::network::{Parameters, zoo};
use pimento::program::*;
use pimento::random::TRAINING;

pub const IMAGES: usize = 20; // a partial last block

/// A loss of one step as a function of the parameters, and the step's own gradient: with plain
/// gradient descent of rate 1 the gradient is the difference of the parameters.
pub struct Network {
    pub graph: Graph,
    pub numerics: Numerics,
    pub spec: TrainSpec,
    pub images: Vec<f32>,
    pub labels: Vec<f32>,
    /// What the cells of each chip have in common.
    pub common: f32,
}

impl Network {
    pub fn new(graph: Graph, noise: Option<CellNoise>, chips: usize) -> Self {
        let (c, h, w) = graph.nodes[0].shape;
        let n = IMAGES * chips;
        let images = (0..n * c * h * w)
            .map(|i| ((i * 7919 % 1000) as f32 / 500.0 - 1.0) * 0.8)
            .collect();
        let labels = (0..n).map(|i| (i * 5 % graph.classes()) as f32).collect();
        let noise = noise.map_or(vec![], |noise| noise.everywhere(&graph));
        Self {
            graph,
            numerics: Numerics::FLOAT,
            spec: TrainSpec {
                parts: StepParts::default(),
                chips,
                batch: n,
                noise,
                cells: None,
                passes: vec![],
                variants: vec![],
                optimizer: Optimizer::Sgd {
                    momentum: 0.0,
                    nesterov: false,
                },
                weight_decay: 0.0,
                smoothing: 0.1,
                norm_rate: 0.1,
                frozen_norm: false,
                forward_only: false,
                accumulate: 1,
                average_rate: 0.0,
            },
            images,
            labels,
            common: 0.25,
        }
    }

    /// Loss before the step and parameters after it.
    pub fn step(&self, parameters: &Parameters) -> (f64, Parameters) {
        let mut t = training::lower(&self.graph, &self.numerics, &self.spec);
        let losses = losses(&mut t);
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
        if let Some(cells) = &self.spec.cells {
            write_ranges(s.as_mut(), &t.cells, &cells.layers).unwrap();
        }
        for mask in &t.parts.masks {
            let n: usize = mask.shape.iter().product();
            let stays = |i: usize| if i % 3 == 1 { 0.0 } else { 1.0 };
            let mask_of: Vec<f32> = (0..n).map(stays).collect();
            s.write(mask.tensor, &mask_of).unwrap();
        }
        if let Some(teacher) = t.parts.teacher {
            let says = vec![0.1; IMAGES * chips * self.graph.classes()];
            s.write(teacher, &says).unwrap();
        }
        let args = RunArgs {
            purpose: TRAINING,
            lr: 1.0,
            ..RunArgs::wave(9, 4, chips, 0..IMAGES)
        };
        s.run(t.clear, &args).unwrap();
        s.run(t.step, &args).unwrap();
        let tally = s.read(t.tally).unwrap();
        let mut loss: f32 = tally.chunks_exact(2).map(|c| c[1]).sum();
        let parts = &self.spec.parts;
        if parts.subtracted.is_some() || parts.heads.is_some() {
            // What is told is another loss.
            let mut sum = |(t, factor)| -> f32 {
                let each = s.read(t).unwrap();
                each.iter().map(|loss| factor * loss).sum()
            };
            let of_heads = losses[1..].iter().map(|&t| (t, parts.heads.unwrap_or(0.0)));
            loss = std::iter::once((losses[0], 1.0))
                .chain(of_heads)
                .map(&mut sum)
                .sum();
        }
        let mut after = Parameters::default();
        after.read_from(s.as_mut(), &t.states).unwrap();
        (f64::from(loss) / (IMAGES * chips) as f64, after)
    }

    pub fn check(&self, names: &[&str]) {
        let t = training::lower(&self.graph, &self.numerics, &self.spec);
        let mut start = Parameters::initial(&self.graph, &t.states, 3);
        // Away from the symmetric start: biases and batch norm offsets are not zero.
        for (name, tensor) in &mut start.tensors {
            if name.ends_with(".scale") {
                tensor.data.fill(0.7);
            }
            if name.ends_with("bias") || name.ends_with("beta") || name.ends_with(".shift") {
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

/// The cross-entropies whose gradients go on, made readable: the network's, then those of heads.
fn losses(t: &mut training::Training) -> Vec<TensorId> {
    let of = |op: &Op| match op {
        Op::SoftmaxXent(op) => op.dlogits.map(|_| op.loss),
        _ => None,
    };
    let found: Vec<TensorId> = t.program.sections[t.step.0]
        .ops
        .iter()
        .filter_map(of)
        .collect();
    for loss in &found {
        t.program.tensors[loss.index()].role = Role::Output;
    }
    found
}

/// Smooth throughout, so that differences mean something.
pub fn style(batch_norm: bool) -> zoo::Style {
    zoo::Style {
        act: Activation::Tanh,
        max_pool: false,
        batch_norm,
        bias: !batch_norm,
        width: 1.0,
    }
}

pub fn noise(law: Law, mapping: Mapping) -> CellNoise {
    CellNoise {
        law,
        mapping,
        deviate: Deviate::Gaussian,
        sigma_w: 0.3,
        profile: None,
        reference_columns: 0,
    }
}
