//! Rows `lenet5/*`: the network of the reference study (6-16-120 convolutions of 5 x 5, tanh,
//! average pooling, 84 and 10 outputs, no biases) on random 28 x 28 images; only the rate counts.

use super::{Case, Class, Cost, SEED, Setup, Work, values, wave};
use crate::backend::program::{
    Activation, Deviate, Law, Mapping, Role, Scope, Shape, StraightThrough, WeightStep,
};
use crate::backend::{RunArgs, Session};
use crate::error::Result;
use crate::network::Parameters;
use crate::network::graph::Graph;
use crate::network::lower::inference::{self, NormMode};
use crate::network::lower::training::{self, Optimizer, TrainSpec};
use crate::network::lower::{CellNoise, Numerics};
use crate::network::zoo::{self, Style};

/// `lenet5/monte-carlo`: binary weights, unquantized activations; the chips of every wave are
/// fabricated before they classify.
pub(super) const MONTE_CARLO: Case = case("lenet5/monte-carlo", |s| monte_carlo(s, 0));
/// `lenet5/monte-carlo-a1w1`: binary activations too.
pub(super) const MONTE_CARLO_A1W1: Case = case("lenet5/monte-carlo-a1w1", |s| monte_carlo(s, 1));
/// `lenet5/training-step`: Adam on 128 images in `f32`, the images being brought from the host.
pub(super) const TRAINING_STEP: Case = case("lenet5/training-step", training_step);

/// Images of a training step.
const BATCH: usize = 128;
/// Inputs of the network.
const IMAGE: (usize, usize, usize) = (1, 28, 28);

const fn case(name: &'static str, prepare: fn(&Setup) -> Result<Work>) -> Case {
    Case {
        name,
        least: Class::Software,
        prepare,
    }
}

fn network() -> Graph {
    let style = Style {
        act: Activation::Tanh,
        max_pool: false,
        batch_norm: false,
        bias: false,
        width: 1.0,
    };
    zoo::lenet5(IMAGE, 10, style)
}

/// Multiply-accumulates of one image, of the whole network and of its first layer.
fn macs(graph: &Graph) -> (usize, usize) {
    let layers: Vec<usize> = graph.crossbars().iter().map(|(_, g, _)| g.macs()).collect();
    (layers.iter().sum(), layers[0])
}

fn labels(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i % 10) as f32).collect()
}

fn monte_carlo(setup: &Setup, act_bits: u32) -> Result<Work> {
    let graph = network();
    let numerics = Numerics {
        weight_bits: 1,
        weight_step: WeightStep::Keep,
        act_bits,
        straight_through: StraightThrough::Identity,
        linear_inputs: false,
        ..Numerics::FLOAT
    };
    let noise = CellNoise {
        law: Law::WeightProportional,
        mapping: Mapping::Ideal,
        deviate: Deviate::Gaussian,
        sigma_w: 0.3,
        reference_columns: 0,
    };
    let net = inference::lower(&graph, &numerics, &noise, NormMode::Frozen, false);
    let images = setup.pick(128, if setup.quick { 512 } else { 2000 }, 2000);
    let mut p = setup.prepare(&net.program, setup.pick(2, 8, 64), images)?;
    let mut parameters = Parameters::initial(&graph, &net.states, SEED);
    for (name, tensor) in &mut parameters.tensors {
        // The mean magnitude of `+-1/sqrt(rows)` uniform weights is about this.
        if name.ends_with(".weight_step") {
            tensor.data.fill(0.1);
        }
    }
    parameters.load_into(p.session.as_mut(), &net.states)?;
    p.session
        .write(net.images, &values(p.images * IMAGE.1 * IMAGE.2, 1))?;
    p.session.write(net.labels, &labels(p.images))?;
    for &chip in &net.chips {
        p.session
            .write(chip, &[0.1, 1.0, 0.0, 0.0].repeat(p.chips))?;
    }
    let (fabricate, clear, evaluate) = (net.fabricate, net.clear, net.evaluate);
    let (chips, images) = (p.chips, p.images);
    let step = move |session: &mut dyn Session, k: u32| {
        session.run(fabricate, &wave(chips, 0, k))?;
        session.run(clear, &wave(chips, 0, k))?;
        session.run(evaluate, &wave(chips, images, k))
    };
    let pairs = (chips * images) as f64;
    Ok(Work {
        session: p.session,
        step: Box::new(step),
        wait: net.tally,
        done: 0,
        sizes: format!("{chips} chips x {images} images"),
        amount: pairs,
        unit: "chip-image",
        cost: Cost::Flops(2.0 * pairs * macs(&graph).0 as f64),
    })
}

fn training_step(setup: &Setup) -> Result<Work> {
    let graph = network();
    let spec = TrainSpec {
        chips: 1,
        batch: BATCH,
        noise: None,
        optimizer: Optimizer::Adam { decoupled: false },
        weight_decay: 0.0,
        smoothing: 0.0,
        norm_rate: 0.1,
        frozen_norm: false,
    };
    let mut net = training::lower(&graph, &Numerics::FLOAT, &spec);
    let wait = net
        .program
        .tensor("wait", Shape::Flat(1), Scope::Shared, Role::State);
    let mut p = setup.prepare(&net.program, 1, BATCH)?;
    Parameters::initial(&graph, &net.states, SEED).load_into(p.session.as_mut(), &net.states)?;
    let pixels = values(p.images * IMAGE.1 * IMAGE.2, 1);
    let classes = labels(p.images);
    let images = p.images;
    let (input, label, section) = (net.images, net.labels, net.step);
    let step = move |session: &mut dyn Session, k: u32| {
        session.write(input, &pixels)?;
        session.write(label, &classes)?;
        let args = RunArgs {
            step: k,
            lr: 1e-3,
            ..wave(1, images, 0)
        };
        session.run(section, &args)
    };
    // Forward, gradient of the inputs (but not of the image), gradient of the weights.
    let (all, first) = macs(&graph);
    Ok(Work {
        session: p.session,
        step: Box::new(step),
        wait,
        done: 0,
        sizes: format!("{images} images, Adam"),
        amount: images as f64,
        unit: "image",
        cost: Cost::Flops(2.0 * (images * (3 * all - first)) as f64),
    })
}
