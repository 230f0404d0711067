//! The worst device variation within a bound: how bad can a chip be that passes write-verify?
//!
//! A Monte Carlo sweep says how chips *are*; no number of random chips finds the worst one, because
//! in a hundred thousand dimensions random deviations hardly ever agree on a direction. Here they
//! are made to: see [`crate::config::WorstCase`] for the search. What it finds is a lower bound of
//! the damage; a longer search may find worse.
//!
//! The accuracy reported is measured on the test images; the search looks at other images unless
//! it is told to.

mod device;
mod search;

use std::path::Path;

use serde::Serialize;

use super::models::Models;
use super::outdir;
use super::statistics::{Interval, Moments};
use crate::backend::Backend;
use crate::config::{Experiment, Fidelity, SearchImages, WorstCase};
use crate::data::Split;
use crate::error::{Error, Result};
use crate::progress::Observer;
use crate::random::Purpose;
use crate::setup::{self, Images, Point};
use crate::train::Model;
use device::{Classifier, Layer, Slope};
use search::{Search, deviate, random as random_deviations};

/// Common deviations tried on either side of 0.
const EPS_B_STEPS: i32 = 50;

/// Accuracies of chips whose deviations are uniform within the bound.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RandomChips {
    /// How many.
    pub chips: u64,
    /// Mean accuracy on the test images.
    pub mean: f64,
    /// Its Student-t 95 % interval, inside 0 to 1.
    pub mean_ci95: Interval,
    /// Sample standard deviation.
    pub std: f64,
    /// Worst of them.
    pub min: f64,
    /// Which one that is, the first of several.
    pub worst: u32,
}

/// The worst chip that is known: that of a search, or with all weights a sparse or random one that
/// is worse on the test images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Worst {
    /// Weights that may deviate; `null` for all.
    pub sparse: Option<usize>,
    /// Weights that do.
    pub deviating: usize,
    /// Which of the random chips it is, where one of them is worse on the test images than the one
    /// searched.
    pub random_chip: Option<u32>,
    /// Largest deviation, relative to the largest weight that the layer's code (with one step a channel,
    /// the channel's) represents.
    pub largest: f64,
    /// Root mean square of the deviations over all weights, likewise.
    pub rms: f64,
    /// Accuracy on the images searched on.
    pub searched: f64,
    /// Accuracy on the test images.
    pub test: f64,
}

/// The worst common deviation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WorstCommon {
    /// Largest allowed `|eps_B|`.
    pub bound: f64,
    /// The worst on the images searched on, of 101 from `-bound` to `bound`.
    pub eps_b: f64,
    /// Accuracy on the images searched on.
    pub searched: f64,
    /// Accuracy on the test images.
    pub test: f64,
}

/// Result of a search: `worst_case.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Version of Pimento.
    pub pimento: String,
    /// Name of the experiment.
    pub experiment: String,
    /// The point, in words.
    pub point: String,
    /// Seed of random starts and random chips.
    pub seed: u64,
    /// What was searched.
    pub goal: WorstCase,
    /// Weights on crossbars.
    pub weights: usize,
    /// Images that the search looked at.
    pub search_images: usize,
    /// Test images.
    pub test_images: usize,
    /// Accuracy without deviation, on the test images.
    pub ideal: f64,
    /// Chips at random.
    pub random: RandomChips,
    /// The search in all weights, then the sparse ones.
    pub worst: Vec<Worst>,
    /// The search in eps_B alone.
    pub worst_eps_b: Option<WorstCommon>,
    /// Name of the adapter or processor.
    pub adapter: String,
    /// The command line.
    pub command: String,
    /// The configuration as TOML.
    pub config_toml: String,
}

impl Report {
    /// For the terminal.
    pub fn table(&self) -> String {
        let percent = |x: f64| format!("{:.2} %", 100.0 * x);
        let goal = &self.goal;
        let mut out = format!(
            "{} weights, each within {} % of the largest that its code represents; {} test images\n\
             without deviation        {}\n\
             {} random chips       {} \u{b1} {:.2} on average, sd {:.2}, worst {}\n",
            self.weights,
            100.0 * goal.bound,
            self.test_images,
            percent(self.ideal),
            self.random.chips,
            percent(self.random.mean),
            100.0 * self.random.mean_ci95.half(),
            100.0 * self.random.std,
            percent(self.random.min),
        );
        for w in &self.worst {
            let who = match (w.sparse, w.deviating) {
                (Some(1), 0) => "worst, 1 weight".into(),
                (Some(most), 0) => format!("worst, up to {most} weights"),
                (Some(_), 1) => "worst, 1 weight".into(),
                (Some(_), n) => format!("worst, {n} weights"),
                (None, _) => "worst found".into(),
            };
            let which = match w.random_chip {
                Some(chip) => format!("random chip {chip}, which no search undercut; "),
                None if w.deviating == 0 => "none found that does damage; ".into(),
                None => String::new(),
            };
            out += &format!(
                "{who:<25}{} ({which}searched on: {})\n",
                percent(w.test),
                percent(w.searched)
            );
        }
        if let Some(w) = &self.worst_eps_b {
            out += &format!(
                "worst eps_B within {:<6}{} at {:+} (searched on: {})\n",
                w.bound,
                percent(w.test),
                w.eps_b,
                percent(w.searched)
            );
        }
        out += &format!(
            "searched on {} {} images, {} steps, best of {}; seed {}\n",
            self.search_images,
            match goal.search_on {
                SearchImages::Train => "training",
                SearchImages::Test => "test",
            },
            goal.steps,
            goal.restarts,
            self.seed
        );
        out
    }
}

/// Searches the worst chips of a point of an experiment, whose network is trained, or taken from
/// the output directory of a sweep.
///
/// # Errors
/// As [`search`]; a point that does not exist; those of training.
pub fn run(
    backend: &dyn Backend,
    experiment: &Experiment,
    data: &Split,
    point: usize,
    run: Option<&Path>,
    observer: &dyn Observer,
) -> Result<Report> {
    check_level(experiment)?;
    let point = setup::point(experiment, data, point)?;
    let models = run.map(|d| d.join(outdir::MODELS));
    let model = Models::new(backend, models, observer).get(&point)?;
    search(backend, &point, &model, observer)
}

/// Searches the worst chips of a point with its trained model.
///
/// # Errors
/// A network with a layer that has no gradient; the device's; an interruption.
pub fn search(
    backend: &dyn Backend,
    point: &Point,
    model: &Model,
    observer: &dyn Observer,
) -> Result<Report> {
    let (experiment, data) = (point.experiment(), point.inputs.data);
    check_level(experiment)?;
    let goal = experiment.worst_case.clone().unwrap_or_default();
    let layers = device::layers(model)?;
    let test = match experiment.sweep.images {
        0 => data.test.clone(),
        n => data.test.limit(n),
    };
    let searched = match goal.search_on {
        SearchImages::Train => data.train.limit(goal.search_images),
        SearchImages::Test => test.limit(goal.search_images),
    };
    let normalise = &point.inputs.normalise;
    let test = Images::new(&test, normalise)?;
    let searched = Images::new(&searched, normalise)?;
    let mut classifier = Classifier::new(backend, experiment, model)?;
    let mut slope = Slope::new(backend, model, &layers)?;
    let share = |hits: usize, images: &Images| hits as f64 / images.len() as f64;

    classifier.set_weights(&deviate(&layers, &zeros(&layers)))?;
    let ideal = share(classifier.hits(1, &test)?[0] as usize, &test);
    observer.message(&format!("without deviation: {:.2} %", 100.0 * ideal));

    let mut worst = vec![];
    for sparse in std::iter::once(None).chain(goal.sparse.iter().map(|&k| Some(k))) {
        let found = Search {
            classifier: &mut classifier,
            slope: &mut slope,
            layers: &layers,
            images: &searched,
            seed: experiment.seed,
            observer,
        }
        .run(&goal, sparse)?;
        classifier.set_weights(&deviate(&layers, &found.deviations))?;
        let hits = classifier.hits(1, &test)?[0] as usize;
        let accuracies = (share(found.hits, &searched), share(hits, &test));
        let one = Worst::new(&found.deviations, sparse, accuracies);
        let percent = |x: f64| format!("{:.2} %", 100.0 * x);
        observer.message(&match one.deviating {
            0 => format!(
                "no deviation was found that loses an image of those searched on: {}",
                percent(one.searched)
            ),
            n => format!(
                "worst with {n} deviating weights: {} on the images searched on, {} on the test images",
                percent(one.searched),
                percent(one.test)
            ),
        });
        worst.push(one);
    }
    let random = random_chips(
        &mut classifier,
        &layers,
        &goal,
        (experiment.seed, &test),
        observer,
    )?;
    // A few weights are all weights, too.
    let least = worst[1..].iter().min_by(|a, b| a.test.total_cmp(&b.test));
    if let Some(least) = least.filter(|w| w.test < worst[0].test) {
        worst[0] = Worst {
            sparse: None,
            ..*least
        };
    }
    // With few steps a random chip may do more damage than the one searched, and it is in the box too.
    if random.min < worst[0].test {
        let (bound, chip) = (goal.bound as f32, random.worst);
        let d = random_deviations(&layers, bound, experiment.seed, Purpose::BoundedChip, chip);
        classifier.set_weights(&deviate(&layers, &d))?;
        let hits = classifier.hits(1, &searched)?[0] as usize;
        worst[0] = Worst {
            random_chip: Some(chip),
            ..Worst::new(&d, None, (share(hits, &searched), random.min))
        };
    }
    let worst_eps_b = match goal.eps_b > 0.0 {
        true => Some(common(&mut classifier, goal.eps_b, &searched, &test)?),
        false => None,
    };
    Ok(Report {
        pimento: env!("CARGO_PKG_VERSION").to_string(),
        experiment: experiment.name.clone(),
        point: point.config.label(),
        seed: experiment.seed,
        weights: layers.iter().map(|l| l.weights.len()).sum(),
        search_images: searched.len(),
        test_images: test.len(),
        goal,
        ideal,
        random,
        worst,
        worst_eps_b,
        adapter: backend.info().name,
        command: String::new(),
        config_toml: experiment.to_toml()?,
    })
}

impl Worst {
    /// A chip with these deviations; accuracies on the images searched on and on the test images.
    fn new(deviations: &[Vec<f32>], sparse: Option<usize>, (searched, test): (f64, f64)) -> Self {
        let all = || deviations.iter().flatten().map(|&d| f64::from(d));
        let n = all().count() as f64;
        Self {
            sparse,
            deviating: all().filter(|d| *d != 0.0).count(),
            random_chip: None,
            largest: all().map(f64::abs).fold(0.0, f64::max),
            rms: (all().map(|d| d * d).sum::<f64>() / n).sqrt(),
            searched,
            test,
        }
    }
}

/// The search deviates weights, and arrays of cells have none.
///
/// # Errors
/// Another level.
pub fn check_level(experiment: &Experiment) -> Result<()> {
    if experiment.fidelity == Fidelity::Weight {
        return Ok(());
    }
    Err(Error::input(format!(
        "fidelity = \"{}\": the worst chip is searched among deviations of weights, not of cells; allowed: \"{}\"",
        experiment.fidelity,
        Fidelity::Weight
    )))
}

fn zeros(layers: &[Layer]) -> Vec<Vec<f32>> {
    layers.iter().map(|l| vec![0.0; l.weights.len()]).collect()
}

fn random_chips(
    classifier: &mut Classifier,
    layers: &[Layer],
    goal: &WorstCase,
    (seed, test): (u64, &Images),
    observer: &dyn Observer,
) -> Result<RandomChips> {
    let (mut moments, mut min, mut worst) = (Moments::default(), f64::INFINITY, 0);
    let mut first = 0;
    while first < goal.random_chips {
        if observer.interrupted() {
            return Err(Error::Interrupted("the search was interrupted".into()));
        }
        let chips = classifier.chips().min(goal.random_chips - first);
        let mut wave = vec![vec![]; layers.len()];
        for chip in first..first + chips {
            let d = random_deviations(
                layers,
                goal.bound as f32,
                seed,
                Purpose::BoundedChip,
                chip as u32,
            );
            for (all, own) in wave.iter_mut().zip(deviate(layers, &d)) {
                all.extend(own);
            }
        }
        classifier.set_weights(&wave)?;
        for (chip, hits) in (first..).zip(classifier.hits(chips, test)?) {
            let accuracy = f64::from(hits) / test.len() as f64;
            moments.push(accuracy);
            if accuracy < min {
                (min, worst) = (accuracy, chip as u32);
            }
        }
        first += chips;
    }
    Ok(RandomChips {
        chips: moments.n(),
        mean: moments.mean(),
        mean_ci95: moments.mean_interval().within(0.0, 1.0),
        std: moments.std(),
        min,
        worst,
    })
}

/// The worst of many common deviations, by what the search images say.
fn common(
    classifier: &mut Classifier,
    bound: f64,
    searched: &Images,
    test: &Images,
) -> Result<WorstCommon> {
    let tried: Vec<f64> = (-EPS_B_STEPS..=EPS_B_STEPS)
        .map(|i| bound * f64::from(i) / f64::from(EPS_B_STEPS))
        .collect();
    let mut worst = (u32::MAX, 0.0);
    for wave in tried.chunks(classifier.chips()) {
        classifier.set_common(wave)?;
        for (hits, &e) in classifier.hits(wave.len(), searched)?.into_iter().zip(wave) {
            if hits < worst.0 {
                worst = (hits, e);
            }
        }
    }
    classifier.set_common(&[worst.1])?;
    let hits = classifier.hits(1, test)?[0];
    Ok(WorstCommon {
        bound,
        eps_b: worst.1,
        searched: f64::from(worst.0) / searched.len() as f64,
        test: f64::from(hits) / test.len() as f64,
    })
}
