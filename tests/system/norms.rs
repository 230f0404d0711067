//! Batch norm that every chip has of its own: what its training computes, and what it is worth.

use pimento::backend::cpu::CpuBackend;
use pimento::backend::{Backend, Capacity, RunArgs};
use pimento::config::Experiment;
use pimento::network::graph::Graph;
use pimento::network::lower::inference::{self, Chips, NormMode, NormSgd};
use pimento::network::lower::training::{self, Optimizer, StepParts, TrainSpec};
use pimento::network::lower::{ActStep, CellNoise, Numerics};
use pimento::network::{Parameters, zoo};
use pimento::program::*;
use pimento::sweep::result::ChipRow;

use crate::{digits, experiment, rows, trained};

const IMAGES: usize = 20; // a partial last block
const CHIPS: usize = 3;
const FIRST: u32 = 4;
const COMMON: f32 = 0.25;

/// Gains and offsets of all batch norms after a step of rate 1.
type Norms = Vec<Vec<f32>>;

struct Case {
    graph: Graph,
    numerics: Numerics,
    noise: CellNoise,
    images: Vec<f32>,
    labels: Vec<f32>,
    parameters: Parameters,
}

impl Case {
    fn new(graph: Graph, act_bits: u32) -> Self {
        let (c, h, w) = graph.nodes[0].shape;
        let pixel = |i: usize| ((i * 7919 % 1000) as f32 / 500.0 - 1.0) * 0.8;
        let images = (0..IMAGES * c * h * w).map(pixel).collect();
        let labels = (0..IMAGES).map(|i| (i * 5 % graph.classes()) as f32);
        let numerics = Numerics {
            act_bits,
            act_step: ActStep::Fixed,
            ..Numerics::FLOAT
        };
        let mut case = Self {
            labels: labels.collect(),
            images,
            graph,
            numerics,
            noise: CellNoise {
                sigma_w: 0.2,
                ..CellNoise::NONE
            },
            parameters: Parameters::default(),
        };
        let states = training::lower(&case.graph, &case.numerics, &case.spec()).states;
        case.parameters = Parameters::initial(&case.graph, &states, 3);
        for (name, tensor) in &mut case.parameters.tensors {
            if name.ends_with("beta") {
                for (i, v) in tensor.data.iter_mut().enumerate() {
                    *v = 0.1 * (i as f32 - 1.5);
                }
            }
            if name.ends_with("input_step") {
                tensor.data.fill(0.1);
            }
        }
        case
    }

    fn spec(&self) -> TrainSpec {
        TrainSpec {
            parts: StepParts::default(),
            chips: 1,
            batch: IMAGES,
            noise: self.noise.clone().everywhere(&self.graph),
            cells: None,
            optimizer: Optimizer::Sgd {
                momentum: 0.0,
                nesterov: false,
            },
            weight_decay: 0.0,
            smoothing: 0.0,
            norm_rate: 0.1,
            frozen_norm: false,
            forward_only: false,
            accumulate: 1,
            passes: vec![],
            variants: vec![],
            average_rate: 0.0,
        }
    }

    /// By the step of a training, whose gradients are tested by finite differences, on one chip.
    fn by_training(&self, chip: u32) -> Norms {
        let t = training::lower(&self.graph, &self.numerics, &self.spec());
        let mut s = CpuBackend::new().prepare(&t.program, capacity(1)).unwrap();
        self.parameters.load_into(s.as_mut(), &t.states).unwrap();
        s.write(t.images, &self.images).unwrap();
        s.write(t.labels, &self.labels).unwrap();
        for &common in &t.chips {
            s.write(common, &[COMMON, 1.0, 0.0, 0.0]).unwrap();
        }
        let args = RunArgs {
            lr: 1.0,
            ..RunArgs::wave(9, chip, 1, 0..IMAGES)
        };
        s.run(t.step, &args).unwrap();
        let of_norm = |part: &'static str| t.states.iter().filter(move |s| s.name.ends_with(part));
        let pairs = of_norm(".gamma").zip(of_norm(".beta"));
        let both = pairs.flat_map(|(gamma, beta)| [gamma.tensor, beta.tensor]);
        both.map(|t| s.read(t).unwrap()).collect()
    }

    /// By the step on chips.
    fn on_chips(&self, nominal: bool) -> Norms {
        let sgd = NormSgd {
            momentum: 0.0,
            nominal,
        };
        let noise = self.noise.clone().everywhere(&self.graph);
        let chips = Chips::Weight(&noise);
        let net = inference::lower(
            &self.graph,
            &self.numerics,
            chips,
            NormMode::Trained(sgd),
            false,
        );
        let mut s = CpuBackend::new()
            .prepare(&net.program, capacity(CHIPS))
            .unwrap();
        self.parameters.load_into(s.as_mut(), &net.states).unwrap();
        let training = net.training.expect("a training");
        s.write(net.calibration.expect("images"), &self.images)
            .unwrap();
        s.write(training.labels, &self.labels).unwrap();
        for &common in &net.chips {
            let one = [COMMON, 1.0, 0.0, 0.0];
            s.write(common, &one.repeat(CHIPS)).unwrap();
        }
        let args = RunArgs {
            lr: 1.0,
            ..RunArgs::wave(9, FIRST, CHIPS, 0..IMAGES)
        };
        for section in [net.fabricate, training.begin, training.step] {
            s.run(section, &args).unwrap();
        }
        let both = training.norms.iter().flat_map(|n| [n.gamma, n.beta]);
        both.map(|t| s.read(t).unwrap()).collect()
    }

    fn check(&self) {
        let found = self.on_chips(false);
        for chip in 0..CHIPS {
            let wanted = self.by_training(FIRST + chip as u32);
            assert_eq!(found.len(), wanted.len());
            for (i, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
                let n = wanted.len();
                for (f, w) in found[chip * n..][..n].iter().zip(wanted) {
                    // Sums of some hundred products in another order.
                    let off = (f - w).abs();
                    assert!(
                        off < 1e-5 * (1.0 + w.abs()),
                        "chip {chip}, {i}: {f} for {w}"
                    );
                }
            }
        }
        let nominal = self.on_chips(true);
        assert_ne!(found[0], nominal[0], "gradients through other weights");
        // Deviations of a fifth turn a gradient little.
        let moved = found.iter().flatten().zip(nominal.iter().flatten());
        let cosine = {
            let (mut dot, mut a, mut b) = (0.0, 0.0, 0.0);
            for (x, y) in moved {
                (dot, a, b) = (dot + x * y, a + x * x, b + y * y);
            }
            dot / (a * b).sqrt()
        };
        assert!(cosine > 0.9, "{cosine}");
    }
}

fn capacity(chips: usize) -> Capacity {
    Capacity {
        chips,
        images: IMAGES,
        chunk: IMAGES,
    }
}

fn style() -> zoo::Style {
    zoo::Style {
        act: Activation::Relu,
        max_pool: true,
        batch_norm: true,
        bias: false,
        width: 1.0,
    }
}

#[test]
fn the_step_on_chips_is_that_of_a_training() {
    for bits in [0, 4] {
        Case::new(zoo::cnn((1, 8, 8), &[3, 4], 5, 4, style()), bits).check();
    }
}

/// Sums and branches: a residual network.
#[test]
fn the_step_on_chips_passes_sums() {
    Case::new(zoo::resnet_cifar(8, (1, 8, 8), 4, style()), 0).check();
}

fn of(tuning: &str, level: &str) -> Experiment {
    experiment(&format!(
        "{level}[data]\nset = \"digits-8x8\"\ntrain_limit = 600\n[network]\nkind = \"cnn\"\nchannels = [6, 8]\n\
         batch_norm = true\n[train]\nrecipe = \"qat\"\nepochs = 4\nbatch = 50\nlearning_rate = 5e-3\n\
         [quantize]\nweight_bits = 4\nactivation_bits = 6\ninput_bits = 6\n\
         [variation]\nsigma_w = 0.35\nsigma_b = 0.2\n[sweep]\nchips = 6\n\
         [tuning]\nrecalibration_batches = 3\nrecalibration_batch = 32\n{tuning}\n"
    ))
}

fn text(rows: &[ChipRow]) -> Vec<String> {
    rows.iter().map(|r| format!("{r:?}")).collect()
}

fn loss(rows: &[ChipRow]) -> f64 {
    rows.iter().map(|r| r.loss).sum::<f64>() / rows.len() as f64
}

const CELLS: &str = "fidelity = \"cell\"\n[chip.array]\nrows = 40\n[chip.cells]\nslice_bits = 2\n[chip.dac]\nbits = 6\n[chip.adc]\nbits = 8\n\
                     [chip.read]\nproportional = 0.05\n";

/// Training is worth more than measuring, which is worth more than nothing, at both levels; with rate 0 it is
/// measuring.
#[test]
fn trained_norms_are_better_than_measured_ones() {
    let data = digits();
    for level in ["", CELLS] {
        let m = trained(&of("", level), &data);
        let chips = if level.is_empty() { 6 } else { 2 };
        let rows = |tuning: &str| rows(&of(tuning, level), &m, &data, 0..chips);
        let measured = rows("method = \"bn-recalibration\"");
        let still = rows("method = \"bn-training\"\ntraining_rate = 0\ntraining_steps = 2");
        assert_eq!(text(&measured), text(&still));
        let none = rows("method = \"none\"");
        let training = "method = \"bn-training\"\ntraining_steps = 20\ntraining_rate = 0.03\n";
        let chip = rows(training);
        let nominal = rows(&format!("{training}training_backward = \"nominal\""));
        let all = [&none, &measured, &nominal, &chip].map(|rows| loss(rows));
        assert!(all[1] < all[0], "{level}{all:?}");
        assert!(all[2] < 0.95 * all[1], "{level}{all:?}");
        assert!(all[3] < 0.95 * all[1], "{level}{all:?}");
    }
}

/// The number of threads decides nothing.
#[test]
fn threads_change_no_bit() {
    let data = digits();
    let e = of("method = \"bn-training\"\ntraining_steps = 6", "");
    let m = trained(&e, &data);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| text(&rows(&e, &m, &data, 0..4)))
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn what_has_no_batch_norm_is_refused() {
    let text = "[network]\nkind = \"mlp\"\n[tuning]\nmethod = \"bn-training\"\n";
    let error = Experiment::parse(text, "x.toml").unwrap_err().to_string();
    assert!(
        error.contains(
            "x.toml:4: field `tuning.method`: \"bn-training\" needs a network with batch norm"
        ),
        "{error}"
    );
}
