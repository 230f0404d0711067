//! Training steps with quantizers against JAX (`scripts/quantizer_vectors.py`), and laws that hold for
//! whole trainings with them.

use std::collections::BTreeMap;

use pimento::backend::cpu::CpuBackend;
use pimento::backend::{Backend, RunArgs};
use pimento::data::{Dataset, Split};
use pimento::network::Parameters;
use pimento::network::graph::Graph;
use pimento::network::lower::inference::{self, Chips, NormMode};
use pimento::network::lower::training::{self, Optimizer, StepParts, TrainSpec};
use pimento::network::lower::{ActStep, Numerics};
use pimento::program::*;
use pimento::random::TRAINING;
use pimento::setup;
use pimento::train::{self, Model};
use serde::Deserialize;

use crate::{digits, experiment, ideal, rows, trained};

/// Four steps of f32 on values up to 2 with learning rates up to 0.1; Adam divides by the root of
/// a second moment whose factor 1 - 0.999 carries 3e-5 of itself.
const TOLERANCE: f32 = 4e-6;

#[derive(Deserialize)]
struct Case {
    name: String,
    weight_bits: u32,
    act_bits: u32,
    per_channel: bool,
    learned: bool,
    optimizer: String,
    lr: f32,
    images: Vec<f32>,
    labels: Vec<f32>,
    start: BTreeMap<String, Vec<f32>>,
    losses: Vec<f64>,
    end: BTreeMap<String, Vec<f32>>,
}

#[test]
fn steps_are_those_of_another_framework() {
    let text = include_str!("../../assets/golden/quantizers/steps.json");
    let cases: Vec<Case> = serde_json::from_str(text).unwrap();
    assert_eq!(cases.len(), 5);
    for case in &cases {
        check(case);
    }
}

impl Case {
    /// Images of the one batch.
    fn batch(&self) -> usize {
        self.labels.len()
    }

    fn graph(&self) -> Graph {
        let mut g = Graph::new("perceptron", self.images.len() / self.batch(), 1, 1);
        let hidden = g.linear("hidden", 0, self.start["hidden.bias"].len(), true);
        let act = g.activation("act", hidden, Activation::Relu);
        g.linear("out", act, self.start["out.bias"].len(), true);
        g
    }

    fn numerics(&self) -> Numerics {
        let (weight_step, act_step) = match self.learned {
            true => (None, ActStep::Learned),
            false => (Some(Step::MaxAbs), ActStep::MovingMax),
        };
        Numerics {
            weight_bits: self.weight_bits,
            weight_step,
            weight_step_learned: self.learned,
            per_channel: self.per_channel,
            act_bits: self.act_bits,
            act_step,
            ..Numerics::FLOAT
        }
    }

    fn spec(&self) -> TrainSpec {
        TrainSpec {
            parts: StepParts::default(),
            chips: 1,
            batch: self.batch(),
            noise: vec![],
            cells: None,
            passes: vec![],
            variants: vec![],
            optimizer: match self.optimizer.as_str() {
                "sgd" => Optimizer::Sgd {
                    momentum: 0.9,
                    nesterov: false,
                },
                _ => Optimizer::Adam { decoupled: false },
            },
            weight_decay: 0.0,
            smoothing: 0.0,
            norm_rate: 0.1,
            frozen_norm: false,
            forward_only: false,
            accumulate: 1,
            average_rate: 0.0,
        }
    }
}

fn check(case: &Case) {
    let images = case.batch();
    let g = case.graph();
    let t = training::lower(&g, &case.numerics(), &case.spec());
    let capacity = Capacity {
        chips: 1,
        images,
        chunk: images,
    };
    let mut s = CpuBackend::new().prepare(&t.program, capacity).unwrap();
    let mut start = Parameters::initial(&g, &t.states, 1);
    for (name, values) in &case.start {
        start.tensors.get_mut(name).unwrap().data.clone_from(values);
    }
    start.load_into(s.as_mut(), &t.states).unwrap();
    s.write(t.images, &case.images).unwrap();
    s.write(t.labels, &case.labels).unwrap();
    for (step, loss) in case.losses.iter().enumerate() {
        let args = RunArgs {
            purpose: TRAINING,
            step: step as u32,
            lr: case.lr,
            ..RunArgs::wave(1, 0, 1, 0..images)
        };
        s.run(t.clear, &args).unwrap();
        s.run(t.step, &args).unwrap();
        let found = f64::from(s.read(t.tally).unwrap()[1]) / images as f64;
        assert!(
            (found - loss).abs() < 1e-6,
            "{}, step {step}: {found}, not {loss}",
            case.name
        );
    }
    let mut end = Parameters::default();
    end.read_from(s.as_mut(), &t.states).unwrap();
    for (name, values) in &case.end {
        for (i, (got, want)) in end.tensors[name].data.iter().zip(values).enumerate() {
            let near = (got - want).abs() <= TOLERANCE * (1.0 + want.abs());
            assert!(near, "{}: {name}[{i}] is {got}, not {want}", case.name);
        }
    }
}

/// A perceptron on the digits, quantized.
fn perceptron(quantize: &str, rest: &str) -> pimento::config::Experiment {
    experiment(&format!(
        "[data]\nset = \"digits-8x8\"\n[network]\nkind = \"mlp\"\nhidden = [32, 24]\n\
         [quantize]\n{quantize}\n[train]\nepochs = 3\nbatch = 64\nlearning_rate = 3e-3\n{rest}"
    ))
}

/// Right images without variation.
fn right(e: &pimento::config::Experiment, m: &Model, data: &Split, of: &Dataset) -> u32 {
    let data = Split {
        train: data.train.clone(),
        test: of.clone(),
    };
    ideal(e, m, &data).correct
}

/// At rates at which a step would run below 0 within an epoch, learned steps stay positive and the
/// network learns; cells then hold what the weight level computes with.
#[test]
fn learned_steps_stay_positive() {
    let quantize = "weight_bits = 8\nactivation_bits = 8\ninput_bits = 8\nweight_step = \"lsq\"\n\
                    activation_step = \"lsq\"";
    for optimizer in ["adam", "sgd"] {
        let rest = format!("recipe = \"qat\"\noptimizer = \"{optimizer}\"\n[chip.adc]\nbits = 0\n");
        let mut e = perceptron(quantize, &rest);
        e.train.learning_rate = 0.03;
        let data = digits();
        let m = trained(&e, &data);
        for (name, t) in m
            .parameters
            .tensors
            .iter()
            .filter(|(n, _)| n.ends_with("_step"))
        {
            assert!(
                t.data.iter().all(|d| *d > 0.0),
                "{optimizer}: {name} {:?}",
                t.data
            );
        }
        // Chance is 0.1; gradient descent is slow at this rate.
        assert!(
            m.record.accuracy > 0.4,
            "{optimizer}: {}",
            m.record.accuracy
        );
        let digital = right(&e, &m, &data, &data.test);
        e.fidelity = pimento::config::Fidelity::Cell;
        let cells = rows(&e, &m, &data, 0..1)[0].correct;
        // Sums of another order round differently: two images may lie on a threshold.
        assert!(
            digital.abs_diff(cells) <= 2,
            "{optimizer}: {digital} and {cells}"
        );
    }
}

/// What held-out images are classified with is what is deployed, and looking changes nothing.
#[test]
fn held_out_images_see_the_network_that_is_deployed() {
    let cases = [
        "weight_bits = 2\nactivation_bits = 4",
        "weight_bits = 2\nactivation_bits = 4\nactivation_step = \"percentile\"",
        "weight_bits = 3\nactivation_bits = 4\nweight_step = \"max-abs\"\nper_channel = true",
    ];
    let data = digits();
    for quantize in cases {
        let rest = "recipe = \"qat\"\naverage = 0.95\n";
        let mut e = perceptron(quantize, rest);
        e.data.validation = 300;
        let blind = trained(&e, &data);
        e.train.evaluate_every = 1;
        e.train.evaluate_chips = 1;
        let m = trained(&e, &data);
        assert_eq!(m.parameters, blind.parameters, "{quantize}");
        let seen = m.record.history.last().unwrap().validation.unwrap();
        let point = setup::point(&e, &data, 0).unwrap();
        let held_out = point.inputs.held_out().validation.unwrap();
        let deployed = right(&e, &m, &data, &held_out);
        assert_eq!(
            (300.0 * seen.ideal).round(),
            f64::from(deployed),
            "{quantize}"
        );
        // Before the last epoch too: what a training of that length would deploy. The rate of a
        // constant schedule does not know how long it goes on.
        e.train.schedule = pimento::config::Schedule::Constant;
        let long = trained(&e, &data);
        e.train.epochs = 2;
        let short = trained(&e, &data);
        let at = |m: &Model| m.record.history[1].validation;
        assert_eq!(at(&long), at(&short), "{quantize}");
        let deployed = right(&e, &short, &data, &held_out);
        assert_eq!(
            (300.0 * at(&short).unwrap().ideal).round(),
            f64::from(deployed)
        );
    }
}

/// One magnitude for the image in front of fully connected layers and where channels are single
/// values; there a magnitude of each channel would change nothing.
#[test]
fn one_bit_in_front_of_fully_connected_layers_is_of_the_image() {
    let mut g = Graph::new("one bit", 1, 4, 4);
    let x = g.conv("a", 0, 3, 3, 1, 1, 1, false);
    let x = g.activation("a.act", x, Activation::Tanh);
    let x = g.conv("b", x, 5, 4, 1, 0, 1, false);
    let x = g.activation("b.act", x, Activation::Tanh);
    let x = g.conv("c", x, 5, 1, 1, 0, 1, false);
    let x = g.activation("c.act", x, Activation::Tanh);
    g.linear("d", x, 4, false);
    let numerics = Numerics {
        act_bits: 1,
        ..Numerics::FLOAT
    };
    let noise = pimento::network::lower::CellNoise::NONE.everywhere(&g);
    let chips = Chips::Weight(&noise);
    let net = inference::lower(&g, &numerics, chips, NormMode::Frozen, false);
    let ops = &net.program.sections[net.evaluate.0].ops;
    let groups: Vec<BinaryGroup> = ops
        .iter()
        .filter_map(|op| match op {
            Op::BinarizeAct(BinarizeAct { group, .. }) => Some(*group),
            _ => None,
        })
        .collect();
    use BinaryGroup::{Channel, Image};
    assert_eq!(groups, [Channel, Image, Image]);
    // And a training with one bit there is another one than without.
    let data = digits();
    let of = |bits: u32| {
        let q = format!("weight_bits = 8\nactivation_bits = {bits}");
        trained(&perceptron(&q, "recipe = \"qat\"\n"), &data).parameters
    };
    assert_ne!(of(1).tensors["fc3.weight"], of(0).tensors["fc3.weight"]);
}

/// A layer or channel of zeros is not the end of its training.
#[test]
fn weights_that_are_all_zero_move() {
    let data = digits();
    let lsq = "weight_bits = 4\nactivation_bits = 4\nweight_step = \"lsq\"\nper_channel = true";
    let uniform =
        "weight_bits = 4\nactivation_bits = 4\nweight_step = \"max-abs\"\nper_channel = true";
    let dir = tempfile::tempdir().unwrap();
    for quantize in [lsq, uniform] {
        let mut e = perceptron(quantize, "recipe = \"float\"\n");
        let mut start = trained(&e, &data);
        // Behind a ReLU: in front of one nothing would pass, whatever quantizers do.
        let weight = "fc3.weight";
        // The first two outputs of a layer.
        let tensor = start.parameters.tensors.get_mut(weight).unwrap();
        let row = tensor.data.len() / tensor.shape[0];
        tensor.data[..2 * row].fill(0.0);
        let file = dir.path().join("start.safetensors");
        train::save_model(&file, &start, "start").unwrap();
        e.network.kind = pimento::config::NetworkKind::File;
        e.network.hidden.clear();
        e.network.file = Some(file);
        e.train.recipe = pimento::config::Recipe::Qat;
        e.train.epochs = 1;
        let m = trained(&e, &data);
        for channel in 0..2 {
            let after = &m.parameters.tensors[weight].data[channel * row..][..row];
            assert!(
                after.iter().any(|w| *w != 0.0),
                "{quantize}: channel {channel}"
            );
        }
    }
}

/// Images that cannot be negative have all codes, at both levels, whatever activations have.
#[test]
fn images_have_the_codes_of_their_sign() {
    let data = digits();
    let code = |e: &pimento::config::Experiment, train: &Dataset, bits| {
        let split = Split {
            train: train.clone(),
            test: train.clone(),
        };
        let point = setup::point(e, &split, 0).unwrap();
        let range = point.numerics.code_range(&point.start.graph, 0, bits);
        (range, point.cell_layers().unwrap())
    };
    for range in ["unsigned", "signed"] {
        for bits in [2u32, 4] {
            let top = (1 << bits) - 1;
            let half = (1 << (bits - 1)) - 1;
            let quantize = format!(
                "weight_bits = 4\nactivation_bits = 4\ninput_bits = {bits}\nactivation_range = \"{range}\""
            );
            let mut e = perceptron(&quantize, "recipe = \"qat\"\n");
            assert_eq!(
                code(&e, &data.train, bits).0,
                (-half, half),
                "a mean is subtracted"
            );
            e.data.mean = 0.0.into();
            let (found, cells) = code(&e, &data.train, bits);
            assert_eq!(found, (0, top));
            let dac = &cells[0].reading.dac;
            assert_eq!((dac.signs, dac.input_bits), (None, bits));
            e.data.mean = pimento::config::Constants::Auto;
            assert_eq!(code(&e, &data.train, bits).0, (-half, half));
            // Floats stand for themselves: they may be negative without a mean.
            e.data.mean = 0.0.into();
            for (low, want) in [(-0.25f32, (-half, half)), (0.0, (0, top))] {
                let values: Vec<f32> = (0..128).map(|i| i as f32 / 128.0 + low).collect();
                let floats = Dataset::new("floats", values, vec![0, 1], (1, 8, 8), 10, 1).unwrap();
                assert_eq!(code(&e, &floats, bits).0, want);
            }
        }
    }
    // The largest code is used.
    let mut e = perceptron("weight_bits = 8\ninput_bits = 2", "recipe = \"qat\"\n");
    e.data.mean = 0.0.into();
    e.data.std = 1.0.into();
    let m = trained(&e, &data);
    let step = m.parameters.tensors["fc1.input_step"].data[0];
    assert!((step - 1.0 / 3.0).abs() < 1e-3, "{step}");
}

/// Nothing of what is measured before deployment depends on held-out images.
#[test]
fn held_out_images_are_seen_by_nothing_that_is_deployed() {
    let rest = "recipe = \"qat\"\n[chip.adc]\nbits = 5\nrange = \"calibrated\"\ncalibration_images = 1000\n";
    let quantize = "weight_bits = 4\nactivation_bits = 4\ninput_bits = 4";
    let mut e = perceptron(quantize, rest);
    e.data.mean = pimento::config::Constants::Auto;
    e.data.std = pimento::config::Constants::Auto;
    e.data.validation = 500;
    e.train.epochs = 1;
    let data = digits();
    let inputs = setup::Inputs::new(&e, &data).unwrap();
    let kept = inputs.kept();
    let mut white = data.clone();
    if let pimento::data::Pixels::Bytes(pixels) = &mut white.train.images {
        for i in (0..data.train.len()).filter(|i| kept.binary_search(i).is_err()) {
            pixels.to_mut()[data.train.range(i)].fill(16);
        }
    }
    let constants = |d: &Split| {
        let inputs = setup::Inputs::new(&e, d).unwrap();
        inputs.normalise.constants().to_vec()
    };
    assert_eq!(constants(&data), constants(&white));
    let model = trained(&e, &data);
    assert_eq!(model.parameters, trained(&e, &white).parameters);
    e.fidelity = pimento::config::Fidelity::Cell;
    let loss = |d: &Split| -> Vec<f64> {
        let rows = rows(&e, &model, d, 0..2);
        rows.iter().map(|r| r.loss).collect()
    };
    assert_eq!(loss(&data), loss(&white));
}
