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
mod report;
mod search;

use std::path::Path;

use super::models::Models;
use super::outdir;
use super::statistics::Moments;
use crate::backend::Backend;
use crate::config::{Experiment, Fidelity, SearchImages, WorstCase};
use crate::data::Split;
use crate::error::{Error, Result};
use crate::progress::Observer;
use crate::random::Purpose;
use crate::setup::{self, Images, Point};
use crate::train::Model;
use device::{Classifier, Layer, Slope};
use report::percent;
use search::{Search, deviate, random as random_deviations};

pub use report::{RandomChips, Report, Worst, WorstCommon};

/// Common deviations tried on either side of 0.
const EPS_B_STEPS: i32 = 50;

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
    let experiment = point.experiment();
    check_level(experiment)?;
    if let Some(layer) = point.layers.iter().find(|layer| layer.digital) {
        return Err(Error::input(format!(
            "layer `{}` is digital: the worst chip is searched among deviations of all weights; allowed: no \
             digital layer",
            layer.name
        )));
    }
    let mut hunt = Hunt::new(backend, point, model, observer)?;
    let ideal = hunt.ideal()?;
    let goal = hunt.goal.clone();
    let mut worst = vec![hunt.worst(None)?];
    for &weights in &goal.sparse {
        worst.push(hunt.worst(Some(weights))?);
    }
    let random = hunt.random_chips()?;
    hunt.correct_worst(&mut worst, &random)?;
    let worst_eps_b = match goal.eps_b > 0.0 {
        true => Some(hunt.common(goal.eps_b)?),
        false => None,
    };
    Ok(Report {
        pimento: env!("CARGO_PKG_VERSION").to_string(),
        experiment: experiment.name.clone(),
        point: point.config.label(),
        seed: experiment.seed,
        weights: hunt.layers.iter().map(|l| l.weights.len()).sum(),
        search_images: hunt.searched.len(),
        test_images: hunt.test.len(),
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

/// A network on chips whose deviations are chosen, and the images that decide.
struct Hunt<'a> {
    classifier: Classifier,
    slope: Slope,
    layers: Vec<Layer>,
    goal: WorstCase,
    /// Images that the search looks at.
    searched: Images,
    test: Images,
    seed: u64,
    observer: &'a dyn Observer,
}

impl<'a> Hunt<'a> {
    fn new(
        backend: &dyn Backend,
        point: &Point,
        model: &Model,
        observer: &'a dyn Observer,
    ) -> Result<Self> {
        let (experiment, data) = (point.experiment(), point.inputs.data);
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
        Ok(Self {
            test: Images::new(&test, normalise)?,
            searched: Images::new(&searched, normalise)?,
            classifier: Classifier::new(backend, point, model)?,
            slope: Slope::new(backend, model, &layers)?,
            layers,
            goal,
            seed: experiment.seed,
            observer,
        })
    }

    /// Accuracy of the chip without deviations.
    fn ideal(&mut self) -> Result<f64> {
        let none: Vec<Vec<f32>> = self
            .layers
            .iter()
            .map(|l| vec![0.0; l.weights.len()])
            .collect();
        self.set(&none)?;
        let ideal = self.test_accuracy()?;
        let message = format!("without deviation: {}", percent(ideal));
        self.observer.message(&message);
        Ok(ideal)
    }

    /// Makes all chips the one with these deviations.
    fn set(&mut self, deviations: &[Vec<f32>]) -> Result<()> {
        let weights = deviate(&self.layers, deviations);
        self.classifier.set_weights(&weights)
    }

    fn test_accuracy(&mut self) -> Result<f64> {
        let hits = self.classifier.hits(1, &self.test)?[0];
        Ok(share(hits as usize, &self.test))
    }

    /// The worst chip that a search finds, with at most `sparse` weights that deviate, or with all.
    fn worst(&mut self, sparse: Option<usize>) -> Result<Worst> {
        let found = Search {
            classifier: &mut self.classifier,
            slope: &mut self.slope,
            layers: &self.layers,
            images: &self.searched,
            seed: self.seed,
            observer: self.observer,
        }
        .run(&self.goal, sparse)?;
        self.set(&found.deviations)?;
        let searched = share(found.hits, &self.searched);
        let worst = Worst {
            sparse,
            ..Worst::new(&found.deviations, searched, self.test_accuracy()?)
        };
        self.observer.message(&match worst.deviating {
            0 => format!(
                "no deviation was found that loses an image of those searched on: {}",
                percent(worst.searched)
            ),
            n => format!(
                "worst with {n} deviating weights: {} on the images searched on, {} on the test images",
                percent(worst.searched),
                percent(worst.test)
            ),
        });
        Ok(worst)
    }

    /// Deviations of a chip at random.
    fn random(&self, chip: u32) -> Vec<Vec<f32>> {
        let bound = self.goal.bound as f32;
        random_deviations(&self.layers, bound, self.seed, Purpose::BoundedChip, chip)
    }

    fn random_chips(&mut self) -> Result<RandomChips> {
        let (mut moments, mut min, mut worst) = (Moments::default(), f64::INFINITY, 0);
        let mut first = 0;
        while first < self.goal.random_chips {
            if self.observer.interrupted() {
                return Err(Error::Interrupted("the search was interrupted".into()));
            }
            let chips = self.classifier.chips().min(self.goal.random_chips - first);
            let mut wave = vec![vec![]; self.layers.len()];
            for chip in first..first + chips {
                let own = deviate(&self.layers, &self.random(chip as u32));
                for (all, own) in wave.iter_mut().zip(own) {
                    all.extend(own);
                }
            }
            self.classifier.set_weights(&wave)?;
            let hits = self.classifier.hits(chips, &self.test)?;
            for (chip, hits) in (first..).zip(hits) {
                let accuracy = share(hits as usize, &self.test);
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

    /// Replaces the worst chip with all weights, the first one, by a sparse or random chip that is
    /// worse on the test images.
    fn correct_worst(&mut self, worst: &mut [Worst], random: &RandomChips) -> Result<()> {
        // A few weights are all weights, too.
        let least = worst[1..].iter().min_by(|a, b| a.test.total_cmp(&b.test));
        if let Some(least) = least.filter(|w| w.test < worst[0].test) {
            worst[0] = Worst {
                sparse: None,
                ..*least
            };
        }
        // With few steps a random chip may do more damage than the one searched, and it is in the
        // box too.
        if random.min < worst[0].test {
            let deviations = self.random(random.worst);
            self.set(&deviations)?;
            let hits = self.classifier.hits(1, &self.searched)?[0];
            let searched = share(hits as usize, &self.searched);
            worst[0] = Worst {
                random_chip: Some(random.worst),
                ..Worst::new(&deviations, searched, random.min)
            };
        }
        Ok(())
    }

    /// The worst of many common deviations, by what the search images say.
    fn common(&mut self, bound: f64) -> Result<WorstCommon> {
        let tried: Vec<f64> = (-EPS_B_STEPS..=EPS_B_STEPS)
            .map(|i| bound * f64::from(i) / f64::from(EPS_B_STEPS))
            .collect();
        let (mut least, mut eps_b) = (u32::MAX, 0.0);
        for wave in tried.chunks(self.classifier.chips()) {
            self.classifier.set_common(wave)?;
            let hits = self.classifier.hits(wave.len(), &self.searched)?;
            for (hits, &e) in hits.into_iter().zip(wave) {
                if hits < least {
                    (least, eps_b) = (hits, e);
                }
            }
        }
        self.classifier.set_common(&[eps_b])?;
        Ok(WorstCommon {
            bound,
            eps_b,
            searched: share(least as usize, &self.searched),
            test: self.test_accuracy()?,
        })
    }
}

/// Share of the images that `hits` are.
fn share(hits: usize, images: &Images) -> f64 {
    hits as f64 / images.len() as f64
}
