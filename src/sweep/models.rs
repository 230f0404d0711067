//! Trained networks: in memory, on disk, and shared between processes.

use std::collections::{BTreeMap, HashMap};
use std::fs::TryLockError;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::columns;
use super::finite;
use super::hex;
use super::wave::Simulator;
use crate::backend::Backend;
use crate::config::{self, Experiment};
use crate::error::{Error, Result};
use crate::files;
use crate::progress::Observer;
use crate::setup::{Images, Point};
use crate::train::settings::Course;
use crate::train::{self, Job, Model};

/// How often a process looks whether another one has finished its training.
const POLL: Duration = Duration::from_millis(200);

/// What a network does without variation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ideal {
    /// Its accuracy.
    pub accuracy: f64,
    /// Metrics that the experiment asks for, by name.
    pub metrics: BTreeMap<String, f64>,
}

/// Trained networks by training key, in memory and in a directory, which several processes may
/// share: one trains a network, the others wait for it.
pub(super) struct Models<'a> {
    backend: &'a dyn Backend,
    dir: Option<PathBuf>,
    observer: &'a dyn Observer,
    models: HashMap<String, Arc<Model>>,
    ideals: HashMap<String, Ideal>,
    /// SHA-256 of the parameters that every training has led to, for points that share it.
    parameters: HashMap<String, String>,
}

impl<'a> Models<'a> {
    pub fn new(backend: &'a dyn Backend, dir: Option<PathBuf>, observer: &'a dyn Observer) -> Self {
        Self {
            backend,
            dir,
            observer,
            models: HashMap::new(),
            ideals: HashMap::new(),
            parameters: HashMap::new(),
        }
    }

    /// Notes which parameters the training of a point has led to: whatever shares it must have the
    /// same. `place` names who says so.
    ///
    /// # Errors
    /// Others were noted before.
    pub fn expect(&mut self, point: &Point, sha256: &str, place: &str) -> Result<()> {
        let key = self.key(point)?;
        let known = self.parameters.entry(key).or_insert_with(|| sha256.into());
        if known != sha256 {
            return Err(Error::input(format!(
                "{place}: the trained network is another one than points with the same training were \
                 measured on: parameters with SHA-256 {known} there, {sha256} now; allowed: one \
                 network for all of them"
            )));
        }
        Ok(())
    }

    fn key(&self, point: &Point) -> Result<String> {
        train::training_key(point, self.backend.products())
    }

    /// Trains on `backend` from here on.
    pub fn train_on(&mut self, backend: &'a dyn Backend) {
        self.backend = backend;
    }

    /// The model of a point: from memory, from the directory, or trained now.
    pub fn get(&mut self, point: &Point) -> Result<Arc<Model>> {
        let key = self.key(point)?;
        if let Some(model) = self.models.get(&key) {
            return Ok(model.clone());
        }
        let path = self.dir.as_ref();
        let path = path.map(|d| d.join(model_file(point.experiment(), &key)));
        let model = match &path {
            Some(path) if path.exists() => self.load(point, path, &key)?,
            Some(path) => self.load_or_train(point, path, &key)?,
            None => self.train(point, &key, None)?,
        };
        let place = match &path {
            Some(path) => path.display().to_string(),
            None => training_label(point.experiment()),
        };
        self.expect(point, &digest(&model)?, &place)?;
        let model = Arc::new(model);
        self.models.insert(key, model.clone());
        Ok(model)
    }

    fn load(&self, point: &Point, path: &Path, key: &str) -> Result<Model> {
        let course = Course::new(point.experiment(), point.inputs.n_trained_on())?;
        let (parameters, record) = train::load_model(path, key, &course)?;
        remove_leftovers(path);
        Ok(Model {
            graph: point.start.graph.clone(),
            numerics: point.numerics.clone(),
            parameters,
            record,
        })
    }

    /// Trains, unless another process does: then its result is waited for.
    fn load_or_train(&self, point: &Point, path: &Path, key: &str) -> Result<Model> {
        let dir = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(dir).map_err(|e| Error::io(dir, e))?;
        let ours = |name: &str| name.ends_with(".safetensors") || name.ends_with(".partial");
        files::remove_abandoned_in(dir, ours);
        files::remove_abandoned_locks(dir);
        let lock = path.with_extension("lock");
        let held = files::open_lock(&lock).map_err(|e| Error::io(&lock, e))?;
        let mut told = false;
        while let Err(e) = held.try_lock() {
            match e {
                // Without locks every process trains for itself, to the same network.
                TryLockError::Error(_) => break,
                TryLockError::WouldBlock if self.observer.interrupted() => {
                    return Err(Error::Interrupted(format!(
                        "interrupted while another process trained {}",
                        path.display()
                    )));
                }
                TryLockError::WouldBlock => {}
            }
            if !told {
                told = true;
                let label = training_label(point.experiment());
                self.observer
                    .message(&format!("{label}: waiting for the process that trains it"));
            }
            std::thread::sleep(POLL);
        }
        let model = match path.exists() {
            true => self.load(point, path, key),
            false => self.train(point, key, Some(path)),
        };
        // Whoever waits for the lock finds the network, or trains it where this process was
        // interrupted; a file that is gone already is fine.
        let _ = std::fs::remove_file(&lock);
        model
    }

    fn train(&self, point: &Point, key: &str, path: Option<&Path>) -> Result<Model> {
        let checkpoint = path.map(|p| p.with_extension("partial"));
        let model = train::train(&Job {
            backend: self.backend,
            point,
            label: training_label(point.experiment()),
            checkpoint: checkpoint.clone(),
            resume: true,
            observer: self.observer,
        })?;
        if let Some(path) = path {
            train::keep_model(path, &model, key)?;
        }
        if let Some(p) = checkpoint.filter(|p| p.exists()) {
            std::fs::remove_file(&p).map_err(|e| Error::io(&p, e))?;
        }
        Ok(model)
    }

    /// The model without variation.
    pub fn ideal(&mut self, point: &Point, model: &Model, images: &Images) -> Result<Ideal> {
        let key = self.key(point)?;
        if let Some(ideal) = self.ideals.get(&key) {
            return Ok(ideal.clone());
        }
        let mut simulator = Simulator::ideal(self.backend, point, model, images)?;
        let rows = simulator.run(0, 0..1, self.observer).map_err(|e| {
            let chip = simulator.not_finite();
            finite::explain(e, chip, model, images, &|model, images| {
                Simulator::ideal(self.backend, point, model, images)
            })
        })?;
        let metrics = columns::of_metrics(point.experiment()).into_iter();
        let metrics = metrics.filter_map(|c| Some((c.name.to_string(), rows[0].value(c.name)?)));
        let ideal = Ideal {
            accuracy: rows[0].accuracy,
            metrics: metrics.collect(),
        };
        self.ideals.insert(key, ideal.clone());
        Ok(ideal)
    }
}

/// Removes what a process that was killed after it wrote a model left beside it. A lock that somebody
/// holds stays: its owner removes it.
fn remove_leftovers(model: &Path) {
    let (partial, lock) = (
        model.with_extension("partial"),
        model.with_extension("lock"),
    );
    if !partial.exists() && !lock.exists() {
        return;
    }
    if let Ok(file) = files::open_lock(&lock)
        && file.try_lock().is_ok()
    {
        // What cannot be removed does no harm but take room.
        let _ = std::fs::remove_file(&partial);
        let _ = std::fs::remove_file(&lock);
    }
}

/// A training in words.
pub fn training_label(experiment: &Experiment) -> String {
    let recipe = experiment.training_name();
    let noisy = experiment.any_stage(|t| t.composition().sees_variation());
    let (w, b) = (experiment.training_sigma_w(), experiment.training_sigma_b());
    match recipe {
        _ if !noisy => recipe.to_string(),
        _ if b > 0.0 => format!("{recipe} at sigma_W {w}, sigma_B {b}"),
        _ => format!("{recipe} at sigma_W {w}"),
    }
}

/// A point's training in words, with the axes that its label does not tell.
pub(super) fn training_of_point(point: &config::Point) -> String {
    let mut label = training_label(&point.experiment);
    for (axis, value) in &point.axes {
        let part = axis.split('.').next();
        let trains = part.is_some_and(|p| ["network", "quantize", "train"].contains(&p));
        if trains && axis != "train.recipe" {
            label += &format!(", {axis} {value}");
        }
    }
    label
}

/// SHA-256 of a network's parameters, hexadecimal: the same however often it was trained.
pub(super) fn digest(model: &Model) -> Result<String> {
    let bytes = model.parameters.to_bytes(&Default::default())?;
    Ok(hex(&Sha256::digest(bytes)))
}

pub(super) fn model_file(experiment: &Experiment, key: &str) -> String {
    let digest = hex(&Sha256::digest(key.as_bytes()));
    format!(
        "{}-{}.safetensors",
        experiment.training_name(),
        &digest[..16]
    )
}
