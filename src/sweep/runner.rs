//! A whole experiment: train what is needed, simulate every point, write the results.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use sha2::{Digest, Sha256};

use super::compare::comparisons;
use super::cost::costs;
use super::outdir::{self, Existing};
use super::result::{Axes, ChipRow, PointInputs, PointSummary, Provenance, SweepResult};
use super::wave::{Images, Simulator};
use crate::backend::Backend;
use crate::chip::ChipVariation;
use crate::config::{Experiment, Point, Sampling};
use crate::data::Split;
use crate::error::{Error, Result};
use crate::network::Parameters;
use crate::progress::{Observer, SweepProgress};
use crate::train::{self, Job, Model, TrainRecord, settings};

/// How a sweep is run, apart from what is simulated.
#[derive(Debug, Clone)]
pub struct SweepOptions {
    /// Output directory.
    pub out: PathBuf,
    /// What to do if it holds another run.
    pub existing: Existing,
    /// The command line, for provenance.
    pub command: String,
    /// Writes the results so far into the output directory, after every point
    /// (`report::write`).
    pub write: fn(&Path, &SweepResult, &[ChipRow]) -> Result<()>,
}

/// A sweep's results in memory.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What `summary.json` holds.
    pub result: SweepResult,
    /// What `chips.csv` holds.
    pub rows: Vec<ChipRow>,
    /// The output directory.
    pub out: PathBuf,
}

/// Runs an experiment. Results are written after every point, so an interruption keeps the points
/// that are complete.
pub fn run(
    backend: &dyn Backend,
    experiment: &Experiment,
    data: &Split,
    options: &SweepOptions,
    observer: &dyn Observer,
) -> Result<Outcome> {
    let started = Instant::now();
    let toml = experiment.to_toml()?;
    let points = experiment.points()?;
    // Everything that can be wrong with the input is found before anything is written.
    for point in &points {
        settings::start(&point.experiment, &data.train)?;
        ChipVariation::new(&point.experiment.variation)?;
    }
    outdir::claim(&options.out, &toml, options.existing)?;
    let info = backend.info();
    let mut result = SweepResult {
        pimento: env!("CARGO_PKG_VERSION").to_string(),
        experiment: experiment.name.clone(),
        title: experiment.title.clone(),
        seed: experiment.seed,
        backend: info.backend.clone(),
        adapter: info.name.clone(),
        elapsed_s: 0.0,
        config: serde_json::to_value(experiment)
            .map_err(|e| Error::Internal(format!("experiment to JSON: {e}")))?,
        points: vec![],
        comparisons: vec![],
        provenance: provenance(options, &toml, &info, data),
    };
    let mut rows: Vec<ChipRow> = vec![];
    let mut models = Models::new(backend, data, Some(&options.out), observer);
    let test = match experiment.sweep.images {
        0 => data.test.clone(),
        n => data.test.limit(n),
    };
    let images = Images::new(&test, &data.train, experiment)?;
    for point in &points {
        let model = models.get(&point.experiment)?;
        let at = Instant::now();
        let ideal = models.ideal(&point.experiment, &model, &images)?;
        let mut simulator =
            Simulator::new(backend, &point.experiment, &model, &images, &data.train)?;
        let chips = point.experiment.sweep.chips;
        let progress = |rows: &[ChipRow]| {
            let m: super::statistics::Moments = rows.iter().map(|r| r.accuracy).collect();
            observer.sweep(&SweepProgress {
                point: point.index,
                points: points.len(),
                label: point.label(),
                chips_done: rows.len(),
                chips,
                mean: m.mean(),
                se: m.se(),
            });
        };
        progress(&[]);
        let of_point = simulator.run(point.index, 0..chips as u32, observer, progress)?;
        let inputs = PointInputs {
            ideal,
            yield_limit: point.experiment.sweep.yield_limit,
            tuning_cost: simulator.cost(),
            costs: costs(&point.experiment, &model.graph, simulator.cost()),
            stratified: point.experiment.variation.sampling == Sampling::Stratified,
            predicted_variance: simulator.predicted_variance(),
            elapsed_s: at.elapsed().as_secs_f64(),
        };
        result
            .points
            .push(PointSummary::new(axes(point, &model), &of_point, &inputs));
        rows.extend(of_point);
        result.comparisons = comparisons(&result.points, |point| {
            Ok(rows
                .iter()
                .filter(move |r| r.point == point)
                .copied()
                .map(Ok))
        })?;
        result.elapsed_s = started.elapsed().as_secs_f64();
        (options.write)(&options.out, &result, &rows)?;
    }
    Ok(Outcome {
        result,
        rows,
        out: options.out.clone(),
    })
}

/// Simulates one chip of one point alone; the row equals that of the sweep.
pub fn one_chip(
    backend: &dyn Backend,
    experiment: &Experiment,
    data: &Split,
    (point, chip): (usize, u32),
    models: Option<&Path>,
    observer: &dyn Observer,
) -> Result<(PointSummary, ChipRow)> {
    let points = experiment.points()?;
    let Some(p) = points.get(point) else {
        return Err(Error::input(format!(
            "point {point} does not exist; the experiment has points 0 to {}",
            points.len() - 1
        )));
    };
    let at = Instant::now();
    let mut store = Models::new(backend, data, models, observer);
    let model = store.get(&p.experiment)?;
    let test = match experiment.sweep.images {
        0 => data.test.clone(),
        n => data.test.limit(n),
    };
    let images = Images::new(&test, &data.train, experiment)?;
    let ideal = store.ideal(&p.experiment, &model, &images)?;
    let mut alone = p.experiment.clone();
    alone.sweep.chips = 1;
    let mut simulator = Simulator::new(backend, &alone, &model, &images, &data.train)?;
    let rows = simulator.run(point, chip..chip + 1, observer, |_| ())?;
    let inputs = PointInputs {
        ideal,
        yield_limit: p.experiment.sweep.yield_limit,
        tuning_cost: simulator.cost(),
        costs: costs(&p.experiment, &model.graph, simulator.cost()),
        stratified: p.experiment.variation.sampling == Sampling::Stratified,
        predicted_variance: simulator.predicted_variance(),
        elapsed_s: at.elapsed().as_secs_f64(),
    };
    let summary = PointSummary::new(axes(p, &model), &rows, &inputs);
    Ok((summary, rows[0]))
}

/// Trained networks by training key, in memory and on disk.
pub(super) struct Models<'a> {
    backend: &'a dyn Backend,
    data: &'a Split,
    dir: Option<PathBuf>,
    observer: &'a dyn Observer,
    models: HashMap<String, Rc<Model>>,
    ideals: HashMap<String, f64>,
}

impl<'a> Models<'a> {
    pub(super) fn new(
        backend: &'a dyn Backend,
        data: &'a Split,
        out: Option<&Path>,
        observer: &'a dyn Observer,
    ) -> Self {
        Self {
            backend,
            data,
            dir: out.map(|d| d.join(outdir::MODELS)),
            observer,
            models: HashMap::new(),
            ideals: HashMap::new(),
        }
    }

    /// The model of a point: from memory, from the directory, or trained now.
    pub(super) fn get(&mut self, experiment: &Experiment) -> Result<Rc<Model>> {
        let key = train::training_key(experiment)?;
        if let Some(model) = self.models.get(&key) {
            return Ok(model.clone());
        }
        let path = self
            .dir
            .as_ref()
            .map(|d| d.join(model_file(experiment, &key)));
        let model = match path.as_ref().filter(|p| p.exists()) {
            Some(path) => {
                let (parameters, record) = train::load_model(path, &key)?;
                self.assemble(experiment, parameters, record)?
            }
            None => self.train(experiment, &key, path.as_deref())?,
        };
        let model = Rc::new(model);
        self.models.insert(key, model.clone());
        Ok(model)
    }

    fn assemble(
        &self,
        experiment: &Experiment,
        parameters: Parameters,
        record: TrainRecord,
    ) -> Result<Model> {
        Ok(Model {
            graph: settings::start(experiment, &self.data.train)?.graph,
            numerics: settings::inference_numerics(experiment),
            parameters,
            record,
        })
    }

    fn train(&self, experiment: &Experiment, key: &str, path: Option<&Path>) -> Result<Model> {
        if let Some(dir) = &self.dir {
            std::fs::create_dir_all(dir).map_err(|e| Error::io(dir, e))?;
        }
        let checkpoint = path.map(|p| p.with_extension("partial"));
        let model = train::train(&Job {
            backend: self.backend,
            experiment,
            data: self.data,
            label: training_label(experiment),
            checkpoint: checkpoint.clone(),
            resume: true,
            observer: self.observer,
        })?;
        if let Some(path) = path {
            train::save_model(path, &model, key)?;
        }
        if let Some(p) = checkpoint.filter(|p| p.exists()) {
            std::fs::remove_file(&p).map_err(|e| Error::io(&p, e))?;
        }
        Ok(model)
    }

    /// Accuracy of the model without variation.
    fn ideal(&mut self, experiment: &Experiment, model: &Model, images: &Images) -> Result<f64> {
        let key = train::training_key(experiment)?;
        if let Some(&a) = self.ideals.get(&key) {
            return Ok(a);
        }
        let mut nominal = experiment.clone();
        nominal.sweep.chips = 1;
        let mut simulator = Simulator::ideal(self.backend, &nominal, model, images)?;
        let rows = simulator.run(0, 0..1, self.observer, |_| ())?;
        let accuracy = rows[0].accuracy;
        self.ideals.insert(key, accuracy);
        Ok(accuracy)
    }
}

/// A training in words.
pub fn training_label(experiment: &Experiment) -> String {
    let recipe = experiment.train.recipe;
    let (w, b) = (experiment.training_sigma_w(), experiment.training_sigma_b());
    match recipe {
        _ if !recipe.sees_variation() => recipe.to_string(),
        _ if b > 0.0 => format!("{recipe} at sigma_W {w}, sigma_B {b}"),
        _ => format!("{recipe} at sigma_W {w}"),
    }
}

fn model_file(experiment: &Experiment, key: &str) -> String {
    let digest = hex(&Sha256::digest(key.as_bytes()));
    format!("{}-{}.safetensors", experiment.train.recipe, &digest[..16])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn axes(point: &Point, model: &Model) -> Axes {
    let e = &point.experiment;
    let n = &model.numerics;
    let bits = |b: u32| if b == 0 { 32 } else { b };
    let mut extra = serde_json::Map::new();
    let named = [
        "recipe",
        "law",
        "mapping",
        "distribution",
        "sigma_w",
        "sigma_b",
        "weight_bits",
        "activation_bits",
        "tuning",
        "test_cells",
        "train_variation",
        "train_seed",
    ];
    for (axis, value) in &point.axes {
        if !named.contains(&axis.as_str()) {
            let value = serde_json::to_value(value).unwrap_or_default();
            extra.insert(axis.clone(), value);
        }
    }
    let self_tuned = e.tuning.method == crate::config::TuningMethod::SelfTuning;
    let noisy = e.train.recipe.sees_variation();
    Axes {
        recipe: e.train.recipe.to_string(),
        law: e.variation.law.to_string(),
        mapping: e.variation.mapping.to_string(),
        sigma_w: e.variation.sigma_w,
        sigma_b: e.variation.sigma_b,
        tuning: e.tuning.method.to_string(),
        weight_bits: bits(n.weight_bits),
        activation_bits: bits(n.act_bits),
        train_variation: if noisy {
            e.train.variation.to_string()
        } else {
            "none".into()
        },
        train_seed: e.training_seed(),
        distribution: e.variation.distribution.to_string(),
        test_cells: if self_tuned {
            e.tuning.test_cells as u32
        } else {
            0
        },
        extra,
    }
}

fn provenance(
    options: &SweepOptions,
    toml: &str,
    info: &crate::backend::DeviceInfo,
    data: &Split,
) -> Provenance {
    let mut more = serde_json::Map::new();
    let digest = |d: &crate::data::Dataset| {
        let mut h = Sha256::new();
        d.images.for_each_chunk(|bytes| h.update(bytes));
        for l in &d.labels {
            h.update(l.to_le_bytes());
        }
        hex(&h.finalize())
    };
    more.insert("train_data_sha256".into(), digest(&data.train).into());
    more.insert("test_data_sha256".into(), digest(&data.test).into());
    Provenance {
        command: options.command.clone(),
        config_toml: toml.to_string(),
        config_sha256: hex(&Sha256::digest(toml.as_bytes())),
        started: humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string(),
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        threads: std::thread::available_parallelism().map_or(1, |n| n.get()),
        api: info.api.clone(),
        driver: info.driver.clone(),
        more,
    }
}
