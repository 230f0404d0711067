//! What a sweep would do, and how long it would take, measured on a few steps and chips.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::identity;
use super::journal::Journal;
use super::models::{self, training_label};
use super::outdir::{self, Existing};
use super::prepare::prepare;
use super::runner::SweepOptions;
use super::tracking::share;
use super::wave::Simulator;
use crate::backend::{Backend, MemoryBudget};
use crate::config::{self, Experiment};
use crate::data::Split;
use crate::error::{Error, Result};
use crate::network::Parameters;
use crate::network::lower::inference::{self, Chips, NormMode};
use crate::network::state::Part;
use crate::progress::{Observer, TrainProgress};
use crate::setup::{self, Images, Point, setup};
use crate::train::{self, Job, Model, TrainRecord};

/// How long a training, and the chips of a point, are measured.
const MEASURE: Duration = Duration::from_millis(500);

/// A training that a sweep would do.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct PlannedTraining {
    /// In words.
    pub label: String,
    /// Expected seconds; 0 where the network is there.
    pub seconds: f64,
    /// Whether the network is there.
    pub there: bool,
}

/// A point that a sweep would simulate.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct PlannedChips {
    /// In words.
    pub label: String,
    /// Chips still to be simulated (of the shard).
    pub chips: u64,
    /// Waves of them, all adapters together.
    pub waves: u64,
    /// Bytes that the waves take, all adapters together.
    pub bytes: u64,
    /// Measured, all adapters together.
    pub chips_per_s: f64,
    /// Expected seconds.
    pub seconds: f64,
}

/// What a sweep would do.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Plan {
    /// Adapters it would use.
    pub adapters: Vec<String>,
    /// What the chips of a wave may take on each, where that is known.
    pub memory: Vec<Option<MemoryBudget>>,
    /// Images of every chip.
    pub images: usize,
    /// Trainings, each once.
    pub trainings: Vec<PlannedTraining>,
    /// Points.
    pub points: Vec<PlannedChips>,
}

impl Plan {
    /// Expected seconds of everything.
    pub fn seconds(&self) -> f64 {
        let trainings = self.trainings.iter().map(|t| t.seconds);
        trainings.chain(self.points.iter().map(|p| p.seconds)).sum()
    }
}

/// Plans a sweep; writes nothing. The speed is that of the first steps of every training, and of a
/// few chips with an untrained network at one point for every network and way of tuning.
///
/// # Errors
/// As [`super::run`], before anything is written.
pub fn plan(
    backends: &[&dyn Backend],
    experiment: &Experiment,
    data: &Split,
    options: &SweepOptions,
    observer: &dyn Observer,
) -> Result<Plan> {
    let setup = setup(experiment, data)?;
    prepare(backends, &setup.points)?;
    let images = setup.points[0].test_images()?;
    let journal = match options.existing {
        Existing::Continue => Journal::read(&options.out.join(outdir::JOURNAL)).ok(),
        _ => None,
    };
    let journal = match journal {
        Some(mut journal) => {
            let now = identity::header(backends, &setup, options)?;
            outdir::may_continue(&journal, &now)?;
            journal.adopt(now)?;
            Some(journal)
        }
        None => None,
    };
    let models = options.models.clone();
    let models = models.unwrap_or_else(|| options.out.join(outdir::MODELS));
    let mut plan = Plan {
        adapters: backends.iter().map(|b| b.info().name).collect(),
        memory: backends.iter().map(|b| b.memory()).collect(),
        images: images.len(),
        trainings: vec![],
        points: vec![],
    };
    let mut trained = Vec::new();
    let mut speeds: HashMap<(String, String), Vec<Speed>> = HashMap::new();
    for point in &setup.points {
        let e = point.experiment();
        let key = train::training_key(point, backends[0].products())?;
        let chips = share(e.sweep.most_chips() as u32, options.shard);
        let there = journal.as_ref().map_or(0, |j| j.chips(point.config.index));
        let chips = chips.saturating_sub(there);
        if chips > 0 && !trained.contains(&key) {
            let file = models.join(models::model_file(e, &key));
            plan.trainings
                .push(training(backends[0], point, file.exists(), observer)?);
            trained.push(key.clone());
        }
        let kind = (key, e.tuning.method.to_string());
        if !speeds.contains_key(&kind) {
            let model = untrained(point);
            let of = |b: &&dyn Backend| speed(*b, point, &model, &images, observer);
            let measured: Result<Vec<Speed>> = backends.iter().map(of).collect();
            speeds.insert(kind.clone(), measured?);
        }
        plan.points
            .push(planned(&point.config, chips, &speeds[&kind]));
    }
    Ok(plan)
}

fn planned(point: &config::Point, chips: u64, speeds: &[Speed]) -> PlannedChips {
    let chips_per_s: f64 = speeds.iter().map(|s| s.chips_per_s).sum();
    // Every adapter does its part of the chips, in waves of its own size.
    let waves = speeds.iter().map(|s| {
        let part = chips as f64 * s.chips_per_s / chips_per_s;
        (part / s.wave as f64).ceil() as u64
    });
    PlannedChips {
        label: point.label(),
        chips,
        waves: waves.sum(),
        bytes: speeds.iter().map(|s| s.bytes).sum(),
        chips_per_s,
        seconds: chips as f64 / chips_per_s,
    }
}

/// How fast an adapter is at a point.
struct Speed {
    wave: usize,
    bytes: u64,
    chips_per_s: f64,
}

fn speed(
    backend: &dyn Backend,
    point: &Point,
    model: &Model,
    images: &Images,
    observer: &dyn Observer,
) -> Result<Speed> {
    let mut simulator = Simulator::new(backend, point, model, images)?;
    let wave = simulator.wave_size();
    // The first wave also makes memory and kernels ready.
    simulator.run(point.config.index, 0..1, observer)?;
    let mut chips = 1;
    loop {
        let at = Instant::now();
        simulator.run(point.config.index, 0..chips as u32, observer)?;
        let seconds = at.elapsed().as_secs_f64().max(1e-9);
        if chips == wave || 2.0 * seconds >= MEASURE.as_secs_f64() {
            return Ok(Speed {
                wave,
                bytes: simulator.bytes(),
                chips_per_s: chips as f64 / seconds,
            });
        }
        let enough = (chips as f64 * MEASURE.as_secs_f64() / seconds).ceil() as usize;
        chips = enough.clamp(chips + 1, wave);
    }
}

/// The network of an experiment with the parameters that training starts from: as much work for a
/// chip as the trained one.
fn untrained(point: &Point) -> Model {
    let (experiment, graph) = (point.experiment(), &point.start.graph);
    let noise = setup::noises(&point.layers, |_| 0.0, 0);
    let lowered = inference::lower(
        graph,
        &point.numerics,
        Chips::Weight(&noise),
        NormMode::Frozen,
        false,
    );
    let mut parameters = Parameters::initial(graph, &lowered.states, experiment.seed);
    for (name, tensor) in &mut parameters.tensors {
        if Part::any(name, Part::is_chosen) {
            // Any step that is one; 0 would turn every value into 0.
            tensor.data.fill(0.1);
        }
    }
    Model {
        graph: graph.clone(),
        numerics: point.numerics.clone(),
        parameters,
        record: TrainRecord::default(),
    }
}

/// Times the first steps of a training.
fn training(
    backend: &dyn Backend,
    point: &Point,
    there: bool,
    observer: &dyn Observer,
) -> Result<PlannedTraining> {
    let label = training_label(point.experiment());
    if there {
        return Ok(PlannedTraining {
            label,
            seconds: 0.0,
            there,
        });
    }
    let watch = Stopwatch {
        observer,
        seen: Mutex::new(None),
    };
    let at = Instant::now();
    let done = train::train(&Job {
        backend,
        point,
        label: label.clone(),
        checkpoint: None,
        resume: false,
        observer: &watch,
    });
    let seconds = match done {
        Ok(_) => at.elapsed().as_secs_f64(),
        Err(Error::Interrupted(_)) if !observer.interrupted() => watch.whole(),
        Err(e) => return Err(e),
    };
    Ok(PlannedTraining {
        label,
        seconds,
        there,
    })
}

/// Watches a training for a while and then ends it.
struct Stopwatch<'a> {
    observer: &'a dyn Observer,
    seen: Mutex<Option<Seen>>,
}

/// What was seen of a training.
#[derive(Clone, Copy)]
struct Seen {
    first: usize,
    began: Instant,
    last: usize,
    ended: Instant,
    /// Steps there would be.
    steps: usize,
}

impl Stopwatch<'_> {
    fn seen(&self) -> MutexGuard<'_, Option<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seconds of the whole training, from the steps seen.
    fn whole(&self) -> f64 {
        self.seen().map_or(f64::NAN, |s| {
            let per_step = (s.ended - s.began).as_secs_f64() / (s.last - s.first).max(1) as f64;
            per_step * s.steps as f64
        })
    }
}

impl Observer for Stopwatch<'_> {
    fn training(&self, p: &TrainProgress) {
        let now = Instant::now();
        let mut seen = self.seen();
        let begin = Seen {
            first: p.step,
            began: now,
            last: p.step,
            ended: now,
            steps: p.steps,
        };
        *seen = Some(Seen {
            last: p.step,
            ended: now,
            ..seen.unwrap_or(begin)
        });
    }

    fn interrupted(&self) -> bool {
        let long = |s: Seen| s.last > s.first && s.began.elapsed() > MEASURE;
        self.seen().is_some_and(long) || self.observer.interrupted()
    }
}
