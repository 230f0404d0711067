//! The program as a whole on the native backend: gradients of whole networks, training that
//! resumes to the same bits, the laws of self-tuning, chips that are the same in every wave.

mod cells;
mod chips;
mod codes;
mod design;
mod differences;
mod draws;
mod energy;
mod fit;
mod gradients;
mod graphs;
mod growing;
mod heads;
mod identity;
mod in_flight;
mod laws;
mod layers;
mod layouts;
mod masks;
mod noise;
mod norms;
mod part_gradients;
mod parts;
mod pictures;
mod product_energy;
mod products;
mod quantizers;
mod refused;
mod refused_parts;
mod sampled;
mod shared_gain;
mod slices;
mod snr;
mod sweeps;
mod training;
mod tuned;
mod wasm;
mod worst;

#[path = "../cases/parts.rs"]
mod all_parts;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use pimento::Result;
use pimento::backend::cpu::CpuBackend;
use pimento::config::Experiment;
use pimento::data::Split;
use pimento::progress::{Observer, SweepProgress, TrainProgress};
use pimento::setup::{self, Images};
use pimento::sweep::result::ChipRow;
use pimento::sweep::wave::Simulator;
use pimento::train::{self, Job, Model};

/// An experiment from TOML text.
pub fn experiment(text: &str) -> Experiment {
    Experiment::parse(text, "test").unwrap_or_else(|e| panic!("{e}"))
}

/// The embedded 8x8 digits.
pub fn digits() -> Split {
    pimento::data::embedded::Embedded::Digits8x8
        .load()
        .expect("the embedded set is readable")
}

/// Interrupts a training at a step, and a sweep after some waves.
pub struct Stop {
    step: usize,
    pub waves: AtomicUsize,
    at: AtomicUsize,
}

pub fn stop_at(step: usize) -> Stop {
    Stop {
        step,
        waves: AtomicUsize::new(usize::MAX),
        at: AtomicUsize::new(0),
    }
}

impl Observer for Stop {
    fn training(&self, p: &TrainProgress) {
        self.at.store(p.step, Ordering::Relaxed);
    }

    fn sweep(&self, p: &SweepProgress) {
        if p.chips_done > 0 {
            let less = |n: usize| n.checked_sub(1);
            let left = &self.waves;
            let _ = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }

    fn interrupted(&self) -> bool {
        self.at.load(Ordering::Relaxed) >= self.step || self.waves.load(Ordering::Relaxed) == 0
    }
}

/// Trains up to a step, from the checkpoint where there is one.
pub fn train_until(
    e: &Experiment,
    data: &Split,
    checkpoint: Option<PathBuf>,
    step: usize,
) -> Result<Model> {
    train::train(&Job {
        backend: &CpuBackend::new(),
        point: &setup::point(e, data, 0)?,
        label: "test".into(),
        checkpoint,
        resume: true,
        observer: &stop_at(step),
    })
}

/// A network trained to its end.
pub fn trained(e: &Experiment, data: &Split) -> Model {
    train_until(e, data, None, usize::MAX).unwrap()
}

/// Chips of the first point on the test images.
pub fn rows(e: &Experiment, m: &Model, data: &Split, chips: std::ops::Range<u32>) -> Vec<ChipRow> {
    let point = setup::point(e, data, 0).unwrap();
    let images = Images::new(&data.test, &point.inputs.normalise).unwrap();
    let backend = CpuBackend::new();
    let mut s = Simulator::new(&backend, &point, m, &images).unwrap();
    s.run(0, chips, &()).unwrap()
}

/// The network without variation on the test images.
pub fn ideal(e: &Experiment, m: &Model, data: &Split) -> ChipRow {
    let point = setup::point(e, data, 0).unwrap();
    let images = Images::new(&data.test, &point.inputs.normalise).unwrap();
    let backend = CpuBackend::new();
    let mut s = Simulator::ideal(&backend, &point, m, &images).unwrap();
    s.run(0, 0..1, &()).unwrap().swap_remove(0)
}
