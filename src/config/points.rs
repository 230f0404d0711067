//! From an experiment to the points of its sweep.

use super::axes::{AxisValue, Design, path_of};
use super::train::{Recipe, TrainVariation};
use super::{Experiment, Sampling, read_document};
use crate::error::{Error, Result};

/// One point of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Position in the sweep, from 0.
    pub index: usize,
    /// Name and value of every axis, in the order of the file.
    pub axes: Vec<(String, AxisValue)>,
    /// The experiment with these values in place and no design of its own.
    pub experiment: Experiment,
}

impl Point {
    /// `recipe = qat, sigma_w = 0.2`; empty where nothing varies.
    pub fn label(&self) -> String {
        label(&self.axes)
    }
}

impl Point {
    /// Values of the fields with these paths: those of its axes, and what the experiment says of the
    /// others; null where a field is not set.
    ///
    /// # Errors
    /// None but those of the program.
    pub fn settings(&self, paths: &[String]) -> Result<serde_json::Map<String, serde_json::Value>> {
        let broken = |e| Error::Internal(format!("point to JSON: {e}"));
        let own = |path: &String| {
            let mut axes = self.axes.iter();
            axes.find(|(name, _)| path_of(name) == path)
        };
        let whole = match paths.iter().all(|path| own(path).is_some()) {
            true => serde_json::Value::Null,
            false => serde_json::to_value(&self.experiment).map_err(broken)?,
        };
        let mut settings = serde_json::Map::new();
        for path in paths {
            let value = match own(path) {
                Some((_, value)) => serde_json::to_value(value).map_err(broken)?,
                None => path
                    .split('.')
                    .try_fold(&whole, |value, key| value.get(key))
                    .cloned()
                    .unwrap_or_default(),
            };
            settings.insert(path.clone(), value);
        }
        Ok(settings)
    }
}

fn label(axes: &[(String, AxisValue)]) -> String {
    let parts = axes.iter().map(|(name, value)| format!("{name} = {value}"));
    parts.collect::<Vec<_>>().join(", ")
}

/// Number of the design whose point cannot be read, and why.
pub(super) type Refusal = (usize, String);

impl Experiment {
    /// Paths of the fields that the sweep varies, in the order of the file, each once.
    pub fn axis_paths(&self) -> Vec<String> {
        let mut paths: Vec<String> = Vec::new();
        let designs = self.sweep.designs();
        for axis in designs.iter().flat_map(|(_, design)| &design.axes) {
            if !paths.contains(&axis.path) {
                paths.push(axis.path.clone());
            }
        }
        paths
    }

    /// All points of the sweep: the designs one after another.
    ///
    /// A point is this experiment's file with the fields of its axes set, read again. A field that
    /// has its default follows where another field decides what the default is. [`Error::Config`]
    /// says what a point's reader refuses, which [`Experiment::load`] has found out before.
    pub fn points(&self) -> Result<Vec<Point>> {
        let (points, refused) = self.try_points()?;
        match refused.is_empty() {
            true => Ok(points),
            false => Err(Error::Config(refused.into_iter().map(|(_, m)| m).collect())),
        }
    }

    /// The points that can be read, and why the others cannot.
    pub(super) fn try_points(&self) -> Result<(Vec<Point>, Vec<Refusal>)> {
        let mut base = self.clone();
        (base.sweep.grid, base.sweep.axes) = (Vec::new(), None);
        let designs = self.sweep.designs();
        if designs.iter().all(|(_, design)| design.axes.is_empty()) {
            // Designs without axes are one point each.
            let one = |index| Point {
                index,
                axes: Vec::new(),
                experiment: base.clone(),
            };
            return Ok(((0..designs.len().max(1)).map(one).collect(), Vec::new()));
        }
        let document = base.document()?;
        let (mut points, mut refused) = (Vec::new(), Vec::new());
        for (place, (_, design)) in designs.iter().enumerate() {
            for values in design.points(self.seed, place as u32) {
                let named = design.axes.iter().map(|a| a.name.clone());
                let axes: Vec<_> = named.zip(values.iter().cloned()).collect();
                match base.with(&document, design, &values)? {
                    Ok(experiment) => points.push(Point {
                        index: points.len(),
                        axes,
                        experiment,
                    }),
                    Err(messages) => {
                        let at = label(&axes);
                        let messages = messages.into_iter();
                        refused
                            .extend(messages.map(|m| (place, format!("{m} (at the point {at})"))));
                    }
                }
            }
        }
        Ok((points, refused))
    }

    /// The experiment as a document without what all points share, and without the fields that
    /// would have the same value if they were absent.
    fn document(&self) -> Result<toml::Table> {
        let broken = |e| Error::Internal(format!("experiment to TOML: {e}"));
        let mut whole = toml::Table::try_from(self).map_err(broken)?;
        for shared in ["name", "title", "about", "data"] {
            whole.remove(shared);
        }
        let mut paths = Vec::new();
        leaves(&whole, "", &mut paths);
        for path in paths {
            let mut less = whole.clone();
            remove(&mut less, &path);
            if self.read_point(&less)?.is_ok_and(|e| e == *self) {
                whole = less;
            }
        }
        Ok(whole)
    }

    /// What the document says, with what all points share.
    fn read_point(&self, document: &toml::Table) -> Result<std::result::Result<Self, Vec<String>>> {
        let text = toml::to_string(document)
            .map_err(|e| Error::Internal(format!("experiment to TOML: {e}")))?;
        Ok(read_document(&text).map(|mut e| {
            e.name.clone_from(&self.name);
            e.title.clone_from(&self.title);
            e.about.clone_from(&self.about);
            e.data.clone_from(&self.data);
            e.network.file.clone_from(&self.network.file);
            e
        }))
    }

    /// The experiment with the axes of a design set, or why it cannot be.
    fn with(
        &self,
        document: &toml::Table,
        design: &Design,
        values: &[AxisValue],
    ) -> Result<std::result::Result<Self, Vec<String>>> {
        let mut document = document.clone();
        for (axis, value) in design.axes.iter().zip(values) {
            set(&mut document, &axis.path, value.toml().clone());
        }
        self.read_point(&document)
    }

    /// sigma_W of the training noise.
    pub fn training_sigma_w(&self) -> f64 {
        self.train.sigma_w.unwrap_or(self.variation.sigma_w)
    }

    /// sigma_B of the training noise: 0 when training sees eps_W only.
    pub fn training_sigma_b(&self) -> f64 {
        match self.train.variation {
            TrainVariation::Within => 0.0,
            TrainVariation::Both => self.variation.sigma_b,
        }
    }

    /// Seed of initialisation, shuffling and training chips.
    pub fn training_seed(&self) -> u64 {
        self.train.seed.unwrap_or(self.seed)
    }

    /// A copy in which everything that does not influence training has its default, and what
    /// training derives from the rest of the file is written out. Points with equal values share
    /// one trained network; its JSON is the training part of a checkpoint's provenance.
    pub fn training(&self) -> Experiment {
        let mut e = Experiment {
            seed: self.training_seed(),
            data: self.data.clone(),
            network: self.network.clone(),
            train: self.train.clone(),
            ..Experiment::default()
        };
        e.data.test_limit = 0;
        // Its digest says which file; where it lies does not matter.
        e.network.file = None;
        e.data.cache = true;
        e.train.seed = None;
        e.train.sigma_w = None;
        e.train.variation = TrainVariation::Within;
        if self.train.recipe != Recipe::Float {
            e.quantize = self.quantize.clone();
        }
        if self.train.recipe.sees_variation() {
            e.variation = super::Variation {
                sigma_w: self.training_sigma_w(),
                sigma_b: self.training_sigma_b(),
                sigma_layer: 0.0,
                sigma_array: 0.0,
                sampling: Sampling::Independent,
                wafer: None,
                ..self.variation.clone()
            };
        } else {
            e.train.chips_per_batch = 1;
        }
        if self.train.level == super::Fidelity::Cell {
            e.chip = self.chip.clone();
        } else {
            e.train.rescale = true;
        }
        e
    }
}

/// Number of different networks that points need.
pub fn n_trainings(points: &[Point]) -> usize {
    let mut trainings: Vec<Experiment> = Vec::new();
    for point in points {
        let training = point.experiment.training();
        if !trainings.contains(&training) {
            trainings.push(training);
        }
    }
    trainings.len()
}

/// Paths of all values that are not tables.
fn leaves(table: &toml::Table, prefix: &str, paths: &mut Vec<String>) {
    for (key, value) in table {
        let path = format!("{prefix}{key}");
        match value {
            toml::Value::Table(inner) => leaves(inner, &format!("{path}."), paths),
            _ => paths.push(path),
        }
    }
}

fn remove(table: &mut toml::Table, path: &str) {
    match path.split_once('.') {
        None => _ = table.remove(path),
        Some((key, rest)) => {
            if let Some(inner) = table.get_mut(key).and_then(toml::Value::as_table_mut) {
                remove(inner, rest);
            }
        }
    }
}

/// Sets a field, making the tables around it.
fn set(table: &mut toml::Table, path: &str, value: toml::Value) {
    match path.split_once('.') {
        None => _ = table.insert(path.into(), value),
        Some((key, rest)) => {
            let inner = table
                .entry(key)
                .or_insert_with(|| toml::Table::new().into());
            if let Some(inner) = inner.as_table_mut() {
                set(inner, rest, value);
            }
        }
    }
}
