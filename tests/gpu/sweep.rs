//! A whole point of a sweep on both backends: the same chips, the same accuracies; and what a lost
//! device costs.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pimento::backend::Backend;
use pimento::backend::cpu::CpuBackend;
use pimento::backend::wgpu::WgpuBackend;
use pimento::config::Experiment;
use pimento::data::Embedded;
use pimento::progress::Observer;
use pimento::setup::{self, Images};
use pimento::sweep::journal::Journal;
use pimento::sweep::outdir::Existing;
use pimento::sweep::result::ChipRow;
use pimento::sweep::rows::Rows;
use pimento::sweep::wave::Simulator;
use pimento::sweep::{self, SweepOptions};
use pimento::train::{self, Job, Model};
use pimento::{Error, report};

use crate::harness;

fn experiment(variation: &str, tuning: &str) -> Experiment {
    let text = format!(
        "[data]\nset = \"digits-8x8\"\ntrain_limit = 600\n[network]\nkind = \"cnn\"\nchannels = [6, 8]\n\
         batch_norm = true\n[quantize]\nweight_bits = 4\nactivation_bits = 8\n\
         [train]\nrecipe = \"qavat\"\nepochs = 4\nbatch = 50\nlearning_rate = 5e-3\n\
         [variation]\n{variation}\n[tuning]\nmethod = \"{tuning}\"\ntest_cells = 64\n\
         recalibration_batches = 2\nrecalibration_batch = 64\n[sweep]\nchips = 5\n\
         metrics = [\"top5\", \"brier\"]\n"
    );
    Experiment::parse(&text, "test").expect("the experiment is valid")
}

/// Rounding differs, so an activation on a quantizer's threshold may take the other code: 2 images
/// of 1,000, here of 450.
const IMAGES_APART: u32 = 1;

/// Mean losses of the same chip on both backends, nats.
const LOSS_APART: f64 = 0.01;

/// Mean Brier scores likewise: an image that takes another class changes its score by up to 2, here 2/450, and
/// rounding all others by little.
const BRIER_APART: f64 = 0.01;

fn rows(backend: &dyn Backend, e: &Experiment, m: &Model) -> Vec<ChipRow> {
    let data = Embedded::Digits8x8.load().expect("embedded");
    let point = setup::point(e, &data, 0).expect("images");
    let images = Images::new(&data.test, &point.inputs.normalise).expect("images");
    let mut s = Simulator::new(backend, &point, m, &images).expect("prepared");
    s.run(0, 3..8, &()).expect("simulated")
}

#[test]
fn every_chip_of_a_sweep_has_the_same_accuracy_on_both_backends() {
    let Some(gpu) =
        harness::gpu_or_skip("every_chip_of_a_sweep_has_the_same_accuracy_on_both_backends")
    else {
        return;
    };
    let cpu = CpuBackend::new();
    let cases = [
        (
            "law = \"weight-proportional\"\nsigma_w = 0.2\nsigma_b = 0.2",
            "self-tuning",
        ),
        (
            "law = \"layer-fixed\"\nsigma_w = 0.03\nsigma_b = 0.03",
            "reference-columns",
        ),
        (
            "law = \"layer-fixed\"\nmapping = \"offset\"\non_off_ratio = 20.0\nsigma_w = 0.02\nsigma_b = 0.02\n\
             distribution = \"lognormal\"",
            "bn-recalibration",
        ),
        (
            "law = \"layer-fixed\"\nsigma_w = 0.05\nsigma_b = 0.02",
            "bn-training",
        ),
    ];
    let data = Embedded::Digits8x8.load().expect("embedded");
    for (variation, tuning) in cases {
        let e = experiment(variation, tuning);
        let m = train::train(&Job {
            backend: &cpu,
            point: &setup::point(&e, &data, 0).unwrap(),
            label: "test".into(),
            checkpoint: None,
            resume: false,
            observer: &(),
        })
        .expect("trained");
        let (a, b) = (rows(&cpu, &e, &m), rows(gpu, &e, &m));
        assert_eq!(a.len(), 5);
        for (a, b) in a.iter().zip(&b) {
            assert_eq!(a.chip, b.chip);
            assert_eq!(a.eps_b, b.eps_b);
            assert!(
                a.correct.abs_diff(b.correct) <= IMAGES_APART,
                "{tuning}: {a:?} against {b:?}"
            );
            assert!(
                (a.loss - b.loss).abs() < LOSS_APART,
                "{tuning}: {a:?} against {b:?}"
            );
            let top5 = [a, b].map(|row| row.value("top5").unwrap() * f64::from(row.images));
            assert!(
                (top5[0] - top5[1]).abs() < f64::from(IMAGES_APART) + 0.5,
                "{tuning}: {a:?} against {b:?}"
            );
            let brier = [a, b].map(|row| row.value("brier").unwrap());
            assert!(
                (brier[0] - brier[1]).abs() < BRIER_APART,
                "{tuning}: {a:?} against {b:?}"
            );
        }
        // The GPU repeats itself to the bit, also for a chip alone.
        let point = setup::point(&e, &data, 0).expect("images");
        let images = Images::new(&data.test, &point.inputs.normalise).expect("images");
        let mut s = Simulator::new(gpu, &point, &m, &images).expect("prepared");
        let alone = s.run(0, 5..6, &()).expect("simulated");
        assert_eq!((alone[0].correct, alone[0].loss), (b[2].correct, b[2].loss));
    }
}

/// A training and its chips with and without tiles in workgroup memory: nothing tells them apart, so that
/// a run may be continued with the other kernels.
#[test]
fn all_kernels_train_the_same_network_and_make_the_same_chips() {
    let Some(gpu) =
        harness::gpu_or_skip("all_kernels_train_the_same_network_and_make_the_same_chips")
    else {
        return;
    };
    let mut e = experiment("sigma_w = 0.2\nsigma_b = 0.2", "self-tuning");
    e.train.epochs = 1;
    let data = Embedded::Digits8x8.load().expect("embedded");
    let made = [gpu, harness::tiled(gpu)].map(|backend| {
        let m = train::train(&Job {
            backend,
            point: &setup::point(&e, &data, 0).expect("a point"),
            label: "test".into(),
            checkpoint: None,
            resume: false,
            observer: &(),
        })
        .expect("trained");
        let chips = rows(backend, &e, &m);
        (m, chips)
    });
    let [(a, chips), (b, others)] = made;
    let values = |m: &Model| -> Vec<_> {
        let tensors = m.parameters.tensors.values();
        tensors.map(|t| t.data.clone()).collect()
    };
    harness::same_bits("weights", &values(&a), &values(&b));
    let told = |rows: &[ChipRow]| -> Vec<_> {
        let chip = |row: &ChipRow| (row.chip, row.correct, row.loss.to_bits());
        rows.iter().map(chip).collect()
    };
    assert_eq!(told(&chips), told(&others));
}

/// Networks on arrays whose conductances are kept in halves, with and without converters and wires:
/// every chip as good on both backends, and hardly different from one kept in floats.
#[test]
fn chips_kept_in_halves_are_the_same_on_both_backends() {
    let name = "chips_kept_in_halves_are_the_same_on_both_backends";
    let Some(gpu) = harness::gpu_or_skip(name) else {
        return;
    };
    let cpu = CpuBackend::new();
    let data = Embedded::Digits8x8.load().expect("embedded");
    let chips = [
        "[chip.adc]\nbits = 8\n[chip.read]\nproportional = 0.02\n",
        "[chip.adc]\nbits = 0\n",
        "[chip.adc]\nbits = 8\n[chip.wires]\nrow_ohm = 1\ncol_ohm = 1\nmethod = \"fast\"\n",
    ];
    for chip in chips {
        let with = |storage: &str| {
            let text = format!(
                "fidelity = \"cell\"\n[data]\nset = \"digits-8x8\"\ntrain_limit = 600\n\
                 [network]\nkind = \"mlp\"\nhidden = [24]\n[quantize]\nweight_bits = 4\n\
                 activation_bits = 4\ninput_bits = 4\n[train]\nrecipe = \"qat\"\nepochs = 4\n\
                 batch = 50\nlearning_rate = 5e-3\n[variation]\nsigma_w = 0.1\nsigma_b = 0.1\n\
                 [sweep]\nchips = 5\n[chip.array]\nrows = 40\n[chip.cells]\nslice_bits = 2\n\
                 on_off_ratio = 50.0\nstorage = \"{storage}\"\n{chip}"
            );
            Experiment::parse(&text, "test").expect("the experiment is valid")
        };
        let (floats, halves) = (with("f32"), with("f16"));
        let m = train::train(&Job {
            backend: &cpu,
            point: &setup::point(&halves, &data, 0).unwrap(),
            label: "test".into(),
            checkpoint: None,
            resume: false,
            observer: &(),
        })
        .expect("trained");
        let (a, b) = (rows(&cpu, &halves, &m), rows(gpu, &halves, &m));
        let c = rows(&cpu, &floats, &m);
        for ((a, b), c) in a.iter().zip(&b).zip(&c) {
            assert_eq!((a.chip, a.eps_b), (b.chip, b.eps_b));
            for other in [b, c] {
                assert!(
                    a.correct.abs_diff(other.correct) <= IMAGES_APART,
                    "{chip}: {a:?} against {other:?}"
                );
                assert!(
                    (a.loss - other.loss).abs() < LOSS_APART,
                    "{chip}: {a:?} against {other:?}"
                );
            }
        }
        assert!(
            a.iter().zip(&c).any(|(a, c)| a.loss != c.loss),
            "rounded at all"
        );
    }
}

/// Layers with bits, arrays and converters of their own, and digital ones, at both levels.
#[test]
fn layers_with_settings_of_their_own_are_the_same_on_both_backends() {
    let name = "layers_with_settings_of_their_own_are_the_same_on_both_backends";
    let Some(gpu) = harness::gpu_or_skip(name) else {
        return;
    };
    let cpu = CpuBackend::new();
    let data = Embedded::Digits8x8.load().expect("embedded");
    for fidelity in ["weight", "cell"] {
        let text = format!(
            "fidelity = \"{fidelity}\"\n[data]\nset = \"digits-8x8\"\ntrain_limit = 600\n\
             [network]\nkind = \"mlp\"\nhidden = [24, 16]\n[quantize]\nweight_bits = 4\n\
             activation_bits = 4\ninput_bits = 4\n[train]\nrecipe = \"qat\"\nepochs = 4\n\
             batch = 50\nlearning_rate = 5e-3\n[variation]\nsigma_w = 0.1\nsigma_b = 0.1\n\
             [tuning]\nmethod = \"self-tuning\"\ntest_cells = 64\n[sweep]\nchips = 5\n\
             [chip.array]\nrows = 40\n[chip.cells]\nslice_bits = 2\n[chip.adc]\nbits = [7, 6]\n\
             [layer.fc1]\ndigital = true\n[layer.fc3]\nweight_bits = 6\n\
             [layer.fc3.variation]\nsigma_w = 0.2\nmapping = \"differential\"\n\
             [layer.fc3.chip]\narray = {{ rows = 9 }}\n\
             adc = {{ bits = [6, 5, 4], range = \"calibrated\" }}\n"
        );
        let e = Experiment::parse(&text, "test").expect("the experiment is valid");
        let m = train::train(&Job {
            backend: &cpu,
            point: &setup::point(&e, &data, 0).unwrap(),
            label: "test".into(),
            checkpoint: None,
            resume: false,
            observer: &(),
        })
        .expect("trained");
        for (a, b) in rows(&cpu, &e, &m).iter().zip(&rows(gpu, &e, &m)) {
            let context = format!("{fidelity}: {a:?} against {b:?}");
            assert_eq!((a.chip, a.eps_b), (b.chip, b.eps_b));
            assert!(a.correct.abs_diff(b.correct) <= IMAGES_APART, "{context}");
            assert!((a.loss - b.loss).abs() < LOSS_APART, "{context}");
            assert!(a.accuracy > 0.5, "{context}");
        }
    }
}

#[test]
fn a_sweep_over_gpu_and_cpu_has_the_chips_of_either() {
    let name = "a_sweep_over_gpu_and_cpu_has_the_chips_of_either";
    let Some(gpu) = harness::gpu_or_skip(name) else {
        return;
    };
    let variation = "law = \"weight-proportional\"\nsigma_w = 0.2\nsigma_b = 0.2";
    let mut e = experiment(variation, "self-tuning");
    e.sweep.chips = 150;
    let data = Embedded::Digits8x8.load().expect("embedded");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let cpu = CpuBackend::new();
    let run = |backends: &[&dyn Backend], out: &str| {
        let out = dir.path().join(out);
        let options = SweepOptions {
            // Trained once, on whichever is asked first.
            models: Some(dir.path().join("models")),
            ..SweepOptions::new(&out, "test", |_, _, _| Ok(()))
        };
        sweep::run(backends, &e, &data, &options, &()).expect("swept");
        let journal = Journal::read(&out.join("journal.bin")).expect("a journal");
        let rows = journal.of_point(0).expect("rows");
        rows.collect::<pimento::Result<Vec<ChipRow>>>()
            .expect("rows")
    };
    let (alone, both) = (run(&[&cpu], "alone"), run(&[gpu, &cpu], "both"));
    assert_eq!(both.len(), 150);
    for (a, b) in alone.iter().zip(&both) {
        assert_eq!((a.chip, a.eps_b, a.eps_hat), (b.chip, b.eps_b, b.eps_hat));
        assert!(
            a.correct.abs_diff(b.correct) <= IMAGES_APART,
            "{a:?} against {b:?}"
        );
        assert!((a.loss - b.loss).abs() < LOSS_APART, "{a:?} against {b:?}");
    }
}

/// Counts waves as they begin, and destroys the device when the wave of a number does.
struct Destroyer<'a> {
    gpu: &'a WgpuBackend,
    at: u32,
    begun: AtomicU32,
}

impl<'a> Destroyer<'a> {
    fn new(gpu: &'a WgpuBackend, at: u32) -> Self {
        let begun = AtomicU32::new(0);
        Self { gpu, at, begun }
    }
}

impl Observer for Destroyer<'_> {
    fn wave(&self, _point: usize, _chips: &Range<u32>, _adapter: &str) {
        if self.begun.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            self.gpu.destroy();
        }
    }
}

/// So small that a wave is a small part of the chips.
const BUDGET: u64 = 4 << 20;

#[test]
fn a_device_lost_during_a_sweep_costs_no_chip_that_was_measured() {
    let name = "a_device_lost_during_a_sweep_costs_no_chip_that_was_measured";
    if harness::gpu_or_skip(name).is_none() {
        return;
    }
    // Devices of their own: they die.
    let open = || {
        WgpuBackend::open(None)
            .expect("opens")
            .with_memory_budget(BUDGET)
    };
    let variation = "law = \"weight-proportional\"\nsigma_w = 0.2\nsigma_b = 0.2";
    let mut e = experiment(variation, "self-tuning");
    (e.sweep.chips, e.sweep.images) = (700, 64);
    let data = Embedded::Digits8x8.load().expect("embedded");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let cpu = CpuBackend::new();
    let sweep = |backends: &[&dyn Backend], out: &str, observer: &dyn Observer| {
        let options = SweepOptions {
            models: Some(dir.path().join("models")),
            existing: Existing::Continue,
            ..SweepOptions::new(dir.path().join(out), "test", report::write)
        };
        sweep::run(backends, &e, &data, &options, observer)
    };
    let chips = |out: &str| std::fs::read(dir.path().join(out).join("chips.csv"));
    let journal = || Journal::read(&dir.path().join("lost/journal.bin")).expect("a journal");
    let measured = || journal().chips(0);
    // Trains, on the faster one.
    sweep(&[&cpu], "cpu", &()).expect("swept");
    sweep(&[&open()], "whole", &()).expect("swept");

    // Before the third wave, then at any moment of one.
    let gpu = open();
    let destroyer = Destroyer::new(&gpu, 3);
    let lost = |result: pimento::Result<sweep::Outcome>| match result {
        Err(Error::Device(message)) => {
            assert!(message.contains("--resume continues"), "{message}");
            assert!(message.contains("lost"), "{message}");
        }
        other => panic!("expected a device error, got {other:?}"),
    };
    lost(sweep(&[&gpu], "lost", &destroyer));
    let first = measured();
    assert!(first > 0 && first < 350, "{first} chips before the loss");
    assert!(
        chips("lost").is_err(),
        "results of a point that is not complete"
    );

    let gpu = open();
    let destroyer = Destroyer::new(&gpu, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while destroyer.begun.load(Ordering::SeqCst) == 0 {
                std::thread::sleep(Duration::from_micros(100));
            }
            gpu.destroy();
        });
        lost(sweep(&[&gpu], "lost", &destroyer));
    });
    assert!(measured() >= first && journal().dropped() == 0);

    sweep(&[&open()], "lost", &()).expect("resumed");
    assert_eq!(
        chips("lost").expect("chips"),
        chips("whole").expect("chips")
    );

    // With a second adapter nothing needs to be resumed.
    let gpu = open();
    let destroyer = Destroyer::new(&gpu, 2);
    sweep(&[&gpu, &cpu], "both", &destroyer).expect("the other one goes on");
    let both = Journal::read(&dir.path().join("both/journal.bin")).expect("a journal");
    assert_eq!(both.chips(0), 700);
}
