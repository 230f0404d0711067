//! Rows of whole networks on random images; only the rate counts.
//!
//! * `lenet5/*`: the network of the reference study (6-16-120 convolutions of 5 x 5, tanh, average
//!   pooling, 84 and 10 outputs, no biases) on 28 x 28 images.
//! * `resnet20/*`, `resnet18/*`, `mobilenetv2/*`: the zoo's networks with batch norm on 32 x 32
//!   colour images.

use super::{Case, Class, Cost, SEED, Setup, Work, values, wave};
use crate::backend::{RunArgs, Session};
use crate::error::Result;
use crate::network::Parameters;
use crate::network::graph::Graph;
use crate::network::lower::inference::{self, Chips, NormMode};
use crate::network::lower::parts::{Groups, Penalty, Subtracted};
use crate::network::lower::training::{self, Optimizer, Pass, StepParts, TrainSpec};
use crate::network::lower::{CellNoise, Numerics};
use crate::network::state::Part;
use crate::network::zoo::{self, Style};
use crate::program::{Activation, Deviate, Law, Mapping, Role, Scope, Shape, StraightThrough};

/// `lenet5/monte-carlo`: binary weights, unquantized activations; the chips of every wave are
/// fabricated before they classify.
pub(super) const LENET5: Case = case("lenet5/monte-carlo", |s| monte_carlo(s, lenet5(), 1, 0));
/// `lenet5/monte-carlo-a1w1`: binary activations too.
pub(super) const LENET5_A1W1: Case = case("lenet5/monte-carlo-a1w1", |s| {
    monte_carlo(s, lenet5(), 1, 1)
});
/// `lenet5/training-step`: Adam on 128 images in `f32`, the images being brought from the host.
pub(super) const LENET5_STEP: Case = case("lenet5/training-step", |s| {
    let adam = Optimizer::Adam { decoupled: false };
    training_step(s, lenet5(), Step::plain(0, adam))
});
/// `resnet20/monte-carlo`: 4-bit weights, unquantized activations, batch norm frozen.
pub(super) const RESNET20: Case = large("resnet20/monte-carlo", Class::Processor, |s| {
    monte_carlo(s, resnet20(), 4, 0)
});
/// `resnet20/training-step`: momentum on 128 images in `f32`, batch norm in training.
pub(super) const RESNET20_STEP: Case = large("resnet20/training-step", Class::Processor, |s| {
    training_step(s, resnet20(), Step::plain(0, MOMENTUM))
});
/// `resnet20/training-step-qavat`: the same with 4-bit weights on a fresh chip.
pub(super) const RESNET20_QAVAT: Case =
    large("resnet20/training-step-qavat", Class::Processor, |s| {
        training_step(s, resnet20(), Step::plain(4, MOMENTUM))
    });
/// `resnet20/training-step-ovf`: that step with three passes more, under more noise, whose logits are subtracted.
pub(super) const RESNET20_OVF: Case = large("resnet20/training-step-ovf", Class::Processor, |s| {
    training_step(s, resnet20(), Step::ovf())
});
/// `resnet20/training-step-lasso`: that step with a group lasso over filters.
pub(super) const RESNET20_LASSO: Case =
    large("resnet20/training-step-lasso", Class::Processor, |s| {
        training_step(s, resnet20(), Step::lasso())
    });
/// `resnet18/monte-carlo`: as `resnet20/monte-carlo`, on hardware only.
pub(super) const RESNET18: Case = large("resnet18/monte-carlo", Class::Hardware, |s| {
    monte_carlo(s, resnet18(), 4, 0)
});
/// `resnet18/training-step`: as `resnet20/training-step`, on hardware only.
pub(super) const RESNET18_STEP: Case = large("resnet18/training-step", Class::Hardware, |s| {
    training_step(s, resnet18(), Step::plain(0, MOMENTUM))
});
/// `mobilenetv2/monte-carlo`: depthwise convolutions, 8-bit weights, on hardware only.
pub(super) const MOBILENET: Case = large("mobilenetv2/monte-carlo", Class::Hardware, |s| {
    monte_carlo(s, mobilenetv2(), 8, 0)
});

const MOMENTUM: Optimizer = Optimizer::Sgd {
    momentum: 0.9,
    nesterov: false,
};

/// Images of a training step.
const BATCH: usize = 128;

const fn case(name: &'static str, prepare: fn(&Setup) -> Result<Work>) -> Case {
    large(name, Class::Software, prepare)
}

const fn large(name: &'static str, least: Class, prepare: fn(&Setup) -> Result<Work>) -> Case {
    Case {
        name,
        least,
        prepare,
    }
}

fn lenet5() -> Graph {
    let style = Style {
        act: Activation::Tanh,
        max_pool: false,
        batch_norm: false,
        bias: false,
        width: 1.0,
    };
    zoo::lenet5((1, 28, 28), 10, style)
}

/// The style of the networks with batch norm.
fn normed(act: Activation) -> Style {
    Style {
        act,
        max_pool: true,
        batch_norm: true,
        bias: false,
        width: 1.0,
    }
}

/// Images of the networks with batch norm.
const COLOUR: (usize, usize, usize) = (3, 32, 32);

fn resnet20() -> Graph {
    zoo::resnet_cifar(20, COLOUR, 10, normed(Activation::Relu))
}

fn resnet18() -> Graph {
    zoo::resnet18(COLOUR, 100, normed(Activation::Relu))
}

fn mobilenetv2() -> Graph {
    let relu6 = Activation::Clip { lo: 0.0, hi: 6.0 };
    zoo::mobilenetv2(COLOUR, 10, normed(relu6))
}

const NOISE: CellNoise = CellNoise {
    law: Law::WeightProportional,
    mapping: Mapping::Ideal,
    deviate: Deviate::Gaussian,
    sigma_w: 0.3,
    profile: None,
    reference_columns: 0,
};

/// Values of an image.
fn pixels_of(graph: &Graph) -> usize {
    let (c, h, w) = graph.nodes[0].shape;
    c * h * w
}

/// Multiply-accumulates of one image, of the whole network and of its first layer.
fn macs(graph: &Graph) -> (usize, usize) {
    let layers: Vec<usize> = graph.crossbars().iter().map(|(_, g, _)| g.macs()).collect();
    (layers.iter().sum(), layers[0])
}

fn labels(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i % 10) as f32).collect()
}

fn monte_carlo(setup: &Setup, graph: Graph, weight_bits: u32, act_bits: u32) -> Result<Work> {
    let numerics = Numerics {
        weight_bits,
        weight_step: None,
        act_bits,
        straight_through: StraightThrough::Identity,
        linear_inputs: false,
        ..Numerics::FLOAT
    };
    let net = inference::lower(
        &graph,
        &numerics,
        Chips::Weight(&NOISE.everywhere(&graph)),
        NormMode::Frozen,
        false,
    );
    // About as long a repetition for every network.
    let light = graph.macs() < 4_000_000;
    let images = setup.pick(128, if setup.quick || !light { 256 } else { 2000 }, 2000);
    let mut p = setup.prepare(&net.program, setup.pick(2, 8, 64), images)?;
    let mut parameters = Parameters::initial(&graph, &net.states, SEED);
    for (name, tensor) in &mut parameters.tensors {
        // About the magnitude of the uniform `+-1/sqrt(rows)` weights.
        if Part::any(name, |part| part == Part::WeightStep) {
            tensor.data.fill(0.1);
        }
    }
    parameters.load_into(p.session.as_mut(), &net.states)?;
    p.session
        .write(net.images, &values(p.images * pixels_of(&graph), 1))?;
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
    let traffic = net.program.traffic(fabricate, chips, 0)
        + net.program.traffic(clear, chips, 0)
        + net.program.traffic(evaluate, chips, images);
    Ok(Work {
        session: p.session,
        step: Box::new(step),
        wait: net.tally,
        done: 0,
        sizes: format!("{chips} chips x {images} images"),
        amount: pairs,
        unit: "chip-image",
        cost: Cost::Flops(2.0 * pairs * macs(&graph).0 as f64),
        traffic,
    })
}

/// What a training step is composed of.
struct Step {
    weight_bits: u32,
    optimizer: Optimizer,
    /// What further passes have more of sigma_W.
    more: Vec<f32>,
    parts: StepParts,
}

impl Step {
    fn plain(weight_bits: u32, optimizer: Optimizer) -> Self {
        Self {
            weight_bits,
            optimizer,
            more: vec![],
            parts: StepParts::default(),
        }
    }

    fn ovf() -> Self {
        let subtracted = Subtracted {
            passes: vec![1e-2, 1e-3, 1e-4],
            heads: vec![],
        };
        Self {
            more: vec![0.15, 0.1, 0.05],
            parts: StepParts {
                subtracted: Some(subtracted),
                ..StepParts::default()
            },
            ..Self::plain(4, MOMENTUM)
        }
    }

    fn lasso() -> Self {
        let penalty = Penalty {
            groups: Groups::Filters,
            factor: 1e-4,
        };
        Self {
            parts: StepParts {
                penalties: vec![penalty],
                ..StepParts::default()
            },
            ..Self::plain(4, MOMENTUM)
        }
    }

    /// Further passes through a network.
    fn passes(&self, graph: &Graph) -> Vec<Pass> {
        let pass = |more: &f32| {
            let noise = CellNoise {
                sigma_w: NOISE.sigma_w + more,
                ..NOISE
            };
            Pass {
                noise: noise.everywhere(graph),
                layers: [].into(),
            }
        };
        self.more.iter().map(pass).collect()
    }
}

fn training_step(setup: &Setup, graph: Graph, what: Step) -> Result<Work> {
    let passes = what.passes(&graph);
    let n_passes = 1 + passes.len();
    let Step {
        weight_bits,
        optimizer,
        parts,
        ..
    } = what;
    let numerics = Numerics {
        weight_bits,
        ..Numerics::FLOAT
    };
    let spec = TrainSpec {
        parts,
        chips: 1,
        batch: BATCH,
        noise: match weight_bits {
            0 => vec![],
            _ => NOISE.everywhere(&graph),
        },
        cells: None,
        passes,
        variants: vec![],
        optimizer,
        weight_decay: 0.0,
        smoothing: 0.0,
        norm_rate: 0.1,
        frozen_norm: false,
        forward_only: false,
        accumulate: 1,
        average_rate: 0.0,
    };
    let mut net = training::lower(&graph, &numerics, &spec);
    let wait = net
        .program
        .tensor("wait", Shape::Flat(1), Scope::Shared, Role::State);
    let mut p = setup.prepare(&net.program, 1, BATCH)?;
    for &chip in &net.chips {
        p.session.write(chip, &[0.1, 1.0, 0.0, 0.0])?;
    }
    Parameters::initial(&graph, &net.states, SEED).load_into(p.session.as_mut(), &net.states)?;
    let pixels = values(p.images * pixels_of(&graph), 1);
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
        sizes: match optimizer {
            Optimizer::Adam { .. } => format!("{images} images, Adam"),
            Optimizer::Sgd { .. } => format!("{images} images, momentum"),
        },
        amount: images as f64,
        unit: "image",
        cost: Cost::Flops(2.0 * (n_passes * images * (3 * all - first)) as f64),
        traffic: net.program.traffic(section, 1, images),
    })
}
