//! How work reaches the adapter changes no result: cuts between and within kernel calls, the least that WebGPU
//! offers, little memory, kernels of earlier runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use pimento::backend::cpu::CpuBackend;
use pimento::backend::wgpu::{PlannedGpu, WgpuBackend};
use pimento::backend::{Backend, Capacity, KernelStore};
use pimento::config::Experiment;
use pimento::data::Embedded;
use pimento::network::lower::inference::{self, Chips, NormMode};
use pimento::network::lower::{CellNoise, Numerics};
use pimento::network::zoo::{self, Style};
use pimento::program::*;
use pimento::setup::{self, Images};
use pimento::sweep::wave::Simulator;
use pimento::train::{self, Job};
use pimento::{Error, Result};

use crate::harness;

/// What an experiment comes to on an adapter: weights after training there, then accuracy and loss of chips.
type Outcome = (Vec<Vec<f32>>, Vec<(u32, u32, u64)>);

fn outcome(gpu: &WgpuBackend, e: &Experiment) -> Outcome {
    let data = Embedded::Digits8x8.load().expect("embedded");
    let point = setup::point(e, &data, 0).expect("a point");
    let model = train::train(&Job {
        backend: gpu,
        point: &point,
        label: "test".into(),
        checkpoint: None,
        resume: false,
        observer: &(),
    })
    .expect("trained");
    let images = Images::new(&data.test, &point.inputs.normalise).expect("images");
    let mut simulator = Simulator::new(gpu, &point, &model, &images).expect("prepared");
    let rows = simulator.run(0, 0..5, &()).expect("simulated");
    let tensors = model.parameters.tensors.values();
    (
        tensors.map(|t| t.data.clone()).collect(),
        rows.iter()
            .map(|row| (row.chip, row.correct, row.loss.to_bits()))
            .collect(),
    )
}

/// Convolutions with batch norm at weight level, and wires and converters of cells.
fn experiments() -> Vec<Experiment> {
    let common = "[data]\nset = \"digits-8x8\"\ntrain_limit = 300\n[variation]\nsigma_w = 0.1\nsigma_b = 0.1\n\
         [sweep]\nchips = 5\nimages = 100\n";
    let train = "[train]\nepochs = 1\nbatch = 50\nlearning_rate = 5e-3\n";
    let weight = "[network]\nkind = \"cnn\"\nchannels = [6, 8]\nbatch_norm = true\n[quantize]\nweight_bits = 4\n\
         activation_bits = 8\n";
    let cell = "fidelity = \"cell\"\n[network]\nkind = \"mlp\"\nhidden = [24]\n[quantize]\nweight_bits = 4\n\
         activation_bits = 4\ninput_bits = 4\n[chip.array]\nrows = 40\n[chip.cells]\nslice_bits = 2\n\
         [chip.adc]\nbits = 8\n[chip.wires]\nrow_ohm = 1\ncol_ohm = 1\n";
    [weight, cell]
        .map(|own| {
            let text = format!("{own}{train}{common}");
            Experiment::parse(&text, "test").expect("the experiment is valid")
        })
        .into()
}

fn same(what: &str, a: &Outcome, b: &Outcome) {
    harness::same_bits(what, &a.0, &b.0);
    assert_eq!(a.1, b.1, "{what}");
}

#[test]
fn training_and_chips_do_not_depend_on_cuts() {
    let Some(gpu) = harness::gpu_or_skip("training_and_chips_do_not_depend_on_cuts") else {
        return;
    };
    for e in experiments() {
        let whole = outcome(gpu, &e);
        for seed in 0..2 {
            let cut = outcome(&gpu.with_random_cuts(seed), &e);
            same(&format!("{:?}, seed {seed}", e.fidelity), &whole, &cut);
        }
    }
}

/// Bytes of a very small card.
const SMALL: u64 = 128 << 20;

#[test]
fn the_least_that_webgpu_offers_is_enough() {
    let Some(gpu) = harness::gpu_or_skip("the_least_that_webgpu_offers_is_enough") else {
        return;
    };
    let least = WgpuBackend::open_with_least(None)
        .expect("opens")
        .with_memory_budget(SMALL);
    for e in experiments() {
        same("least", &outcome(gpu, &e), &outcome(&least, &e));
    }
    // What is larger takes fewer chips at a time, and what cannot fit says so.
    let shape = Shape::Image {
        c: 64,
        h: 32,
        w: 32,
    };
    let mut program = Program::default();
    let x = program.tensor("x", shape, Scope::Shared, Role::Input);
    let y = program.tensor("y", shape, Scope::PerChip, Role::Output);
    program.section("run", vec![Op::from(Add { a: x, b: x, y })]);
    let want = Capacity {
        chips: 64,
        images: 64,
        chunk: 64,
    };
    let fits = least.fit(&program, want).expect("some chips fit");
    assert!((1..64).contains(&fits.chips), "{fits:?}");
    assert!(least.bytes(&program, fits).expect("planned") <= SMALL);
    drop(least.prepare(&program, fits).expect("there is room"));
    let huge = Shape::Flat(40 << 20);
    program.tensor("huge", huge, Scope::Shared, Role::State);
    match least.fit(&program, want) {
        Err(Error::Capacity(message)) => {
            assert!(message.contains("\"huge\""), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

/// A point whose waves are as large as a small card lets them be has the chips of the processor.
#[test]
fn a_sweep_on_a_small_card_has_the_chips_of_a_large_one() {
    let Some(gpu) = harness::gpu_or_skip("a_sweep_on_a_small_card") else {
        return;
    };
    let text = "[data]\nset = \"digits-8x8\"\ntrain_limit = 100\n[network]\nkind = \"cnn\"\nchannels = [64, 64]\n\
         [quantize]\nweight_bits = 4\nactivation_bits = 8\n[train]\nepochs = 1\nbatch = 50\n\
         [variation]\nsigma_w = 0.1\n[sweep]\nchips = 40\nimages = 64\n";
    let e = Experiment::parse(text, "test").expect("the experiment is valid");
    let data = Embedded::Digits8x8.load().expect("embedded");
    let point = setup::point(&e, &data, 0).expect("a point");
    let model = train::train(&Job {
        backend: &CpuBackend::new(),
        point: &point,
        label: "test".into(),
        checkpoint: None,
        resume: false,
        observer: &(),
    })
    .expect("trained");
    let images = Images::new(&data.test, &point.inputs.normalise).expect("images");
    let chips = |memory| {
        let gpu = gpu.with_random_cuts(3).with_memory_budget(memory);
        let mut simulator = Simulator::new(&gpu, &point, &model, &images).expect("prepared");
        let rows = simulator.run(0, 0..40, &()).expect("simulated");
        let told = rows.iter().map(|r| (r.chip, r.correct, r.loss.to_bits()));
        (simulator.wave_size(), told.collect::<Vec<_>>())
    };
    let ((large, all), (small, others)) = (chips(1 << 30), chips(16 << 20));
    assert!(
        small < 40 && large == 40,
        "waves of {small} and {large} chips"
    );
    assert_eq!(all, others);
}

/// A store in memory that counts.
#[derive(Default)]
struct Shelf {
    kept: Mutex<HashMap<String, Vec<u8>>>,
    saved: Mutex<usize>,
}

impl KernelStore for Shelf {
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.kept.lock().unwrap().get(name).cloned())
    }

    fn save(&self, name: &str, bytes: &[u8]) -> Result<()> {
        *self.saved.lock().unwrap() += 1;
        self.kept
            .lock()
            .unwrap()
            .insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }
}

#[test]
fn kept_kernels_are_taken_and_damaged_ones_left() {
    let name = "kept_kernels_are_taken_and_damaged_ones_left";
    if harness::gpu_or_skip(name).is_none() {
        return;
    }
    let shelf = Arc::new(Shelf::default());
    let mut program = Program::default();
    let one = Shape::Image { c: 1, h: 1, w: 1 };
    let x = program.tensor("x", one, Scope::Shared, Role::Input);
    let y = program.tensor("y", one, Scope::Shared, Role::Output);
    let section = program.section("run", vec![Op::from(Add { a: x, b: x, y })]);
    let capacity = Capacity {
        chips: 1,
        images: 16,
        chunk: 16,
    };
    // Prepares on a device of its own and computes; what the device remarked on its kernels.
    let run = || {
        let gpu = WgpuBackend::open(None)
            .expect("opens")
            .with_store(shelf.clone());
        let mut session = gpu.prepare(&program, capacity).expect("prepared");
        session.write(x, &[1.5; 16]).expect("written");
        let args = RunArgs::wave(1, 0, 1, 0..16);
        session.run(section, &args).expect("run");
        assert_eq!(session.read(y).expect("read"), [3.0; 16]);
        let remarks = gpu.remarks().into_iter();
        remarks
            .filter(|r| r.contains("kept kernels"))
            .collect::<Vec<_>>()
    };
    assert_eq!(run(), Vec::<String>::new());
    if *shelf.saved.lock().unwrap() == 0 {
        println!("SKIPPED {name}: the driver keeps its kernels to itself");
        return;
    }
    assert_eq!(run(), Vec::<String>::new());
    for bytes in shelf.kept.lock().unwrap().values_mut() {
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
    }
    let said = run();
    assert!(said.len() == 1 && said[0].contains("damaged"), "{said:?}");
    // Replaced by whole ones.
    assert_eq!(run(), Vec::<String>::new());
}

/// Bytes of a usual card, of which half is the budget.
const CARD: u64 = 24 << 30;

#[test]
fn a_usual_card_has_64_chips_of_resnet18_in_flight() {
    let style = Style {
        act: Activation::Relu,
        max_pool: true,
        batch_norm: true,
        bias: false,
        width: 1.0,
    };
    let graph = zoo::resnet18((3, 32, 32), 100, style);
    let numerics = Numerics {
        weight_bits: 4,
        act_bits: 8,
        ..Numerics::FLOAT
    };
    let noise = CellNoise {
        law: Law::WeightProportional,
        mapping: Mapping::Ideal,
        deviate: Deviate::Gaussian,
        sigma_w: 0.3,
        profile: None,
        reference_columns: 0,
    };
    let net = inference::lower(
        &graph,
        &numerics,
        Chips::Weight(&noise.everywhere(&graph)),
        NormMode::Frozen,
        false,
    );
    let want = Capacity {
        chips: 64,
        images: 10_000,
        chunk: 10_000,
    };
    let gpu = PlannedGpu::new(CARD / 2);
    let fits = gpu.fit(&net.program, want).expect("it fits");
    assert!(fits.chips == 64 && fits.chunk >= 64, "{fits:?}");
}
