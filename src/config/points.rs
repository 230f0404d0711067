//! From an experiment to the points of its sweep.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use toml::de::DeTable;

use super::axes::{AxisValue, field_path};
use super::chip::ArraySize;
use super::documents::{insert, read_document};
use super::parts::{LossPart, NoisePart, WeightPart};
use super::train::{Train, TrainVariation};
use super::{Experiment, Layers, Profile, SHARED, Sampling, Variation, path};
use crate::error::{Code, Error, Mistake, Result};

/// One point of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Position in the sweep, from 0.
    pub index: usize,
    /// Path and value of every axis (`train.recipe`), in the order of the file.
    pub axes: Vec<(String, AxisValue)>,
    /// The experiment with these values in place and no design of its own.
    pub experiment: Experiment,
}

impl Point {
    /// `train.recipe = qat, variation.sigma_w = 0.2`; empty where nothing varies.
    pub fn label(&self) -> String {
        label(&self.axes)
    }

    /// `at the point train.recipe = qat`, for messages; none where nothing varies.
    pub fn place(&self) -> Option<String> {
        place(&self.axes)
    }

    /// Values of the fields with these paths: those of its axes, and what the experiment says of the
    /// others; null where a field is not set.
    ///
    /// # Errors
    /// None but those of the program.
    pub fn settings(&self, paths: &[String]) -> Result<serde_json::Map<String, serde_json::Value>> {
        let broken = |e| Error::Internal(format!("point to JSON: {e}"));
        let own = |path: &String| {
            let mut axes = self.axes.iter();
            axes.find(|(name, _)| field_path(name) == path)
        };
        let whole = match paths.iter().all(|path| own(path).is_some()) {
            true => serde_json::Value::Null,
            false => serde_json::to_value(&self.experiment).map_err(broken)?,
        };
        let mut settings = serde_json::Map::new();
        for path in paths {
            let value = match own(path) {
                Some((_, value)) => serde_json::to_value(value).map_err(broken)?,
                None => path::find(&whole, path).cloned().unwrap_or_default(),
            };
            settings.insert(path.clone(), value);
        }
        Ok(settings)
    }
}

impl Point {
    /// The value of a field as text; none where it is not set.
    pub(super) fn value(&self, path: &str) -> Result<Option<String>> {
        let values = self.settings(&[path.to_string()])?.into_iter();
        let mut texts = values.filter(|(_, v)| !v.is_null()).map(|(_, v)| match v {
            serde_json::Value::Object(_) => "a table".to_string(),
            serde_json::Value::Array(list) => format!("an array of {}", list.len()),
            plain => plain.to_string(),
        });
        Ok(texts.next())
    }
}

fn label(axes: &[(String, AxisValue)]) -> String {
    let parts = axes.iter().map(|(name, value)| format!("{name} = {value}"));
    parts.collect::<Vec<_>>().join(", ")
}

fn place(axes: &[(String, AxisValue)]) -> Option<String> {
    (!axes.is_empty()).then(|| format!("at the point {}", label(axes)))
}

/// Number of the design whose point cannot be read, and why.
pub(super) type Refusal = (usize, Mistake);

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
    /// has its default follows where another field decides what the default is. [`Error::Input`]
    /// says what a point's reader refuses, which [`Experiment::load`] has found out before.
    pub fn points(&self) -> Result<Vec<Point>> {
        let (points, refused) = self.try_points()?;
        match refused.is_empty() {
            true => Ok(points),
            false => Err(Error::Input(refused.into_iter().map(|(_, m)| m).collect())),
        }
    }

    /// The points that can be read, and why the others cannot.
    pub(super) fn try_points(&self) -> Result<(Vec<Point>, Vec<Refusal>)> {
        let mut base = self.clone();
        (base.sweep.grid, base.sweep.axes) = (Vec::new(), None);
        let designs = self.sweep.designs();
        let mut seen = Repeats::default();
        let mut refused = Vec::new();
        if designs.iter().all(|(_, design)| design.axes.is_empty()) {
            for (place, (_, design)) in designs.iter().enumerate() {
                for _ in 0..design.n_points() {
                    seen.point(place, &[]);
                }
            }
            seen.refuse(&mut refused);
            let only = Point {
                index: 0,
                axes: Vec::new(),
                experiment: base,
            };
            return Ok((vec![only], refused));
        }
        let broken = |e: String| Error::Internal(format!("experiment to TOML: {e}"));
        let text = toml::to_string(&base.document()?).map_err(|e| broken(e.to_string()))?;
        let document = DeTable::parse(&text).map_err(|e| broken(e.to_string()))?;
        let mut points = Vec::new();
        for (place, (_, design)) in designs.iter().enumerate() {
            let values = design.points(self.seed, place as u32);
            let text = rows(&values);
            let rows = DeTable::parse(&text).map_err(|e| broken(e.to_string()))?;
            let rows = rows
                .get_ref()
                .get("points")
                .and_then(|v| v.get_ref().as_array());
            let rows = rows.ok_or_else(|| broken("no points".into()))?;
            for (values, row) in values.into_iter().zip(rows.iter()) {
                let paths = design.axes.iter().map(|a| a.path.clone());
                let axes: Vec<_> = paths.zip(values).collect();
                seen.point(place, &axes);
                let mut document = document.get_ref().clone();
                let row = row.get_ref().as_array().into_iter().flatten();
                for ((path, _), value) in axes.iter().zip(row) {
                    if !insert(&mut document, path, value) {
                        return Err(broken(format!("no table for {path}")));
                    }
                }
                match base.shared(read_document(&document)) {
                    Ok(experiment) => points.push(Point {
                        index: points.len(),
                        axes,
                        experiment,
                    }),
                    Err(mistakes) => {
                        let at = self::place(&axes);
                        let at = |m| Mistake {
                            at: at.clone(),
                            ..m
                        };
                        refused.extend(mistakes.into_iter().map(|m| (place, at(m))));
                    }
                }
            }
        }
        seen.refuse(&mut refused);
        Ok((points, refused))
    }

    /// The experiment as a document without what all points share, and without the fields that
    /// would have the same value if they were absent.
    pub(super) fn document(&self) -> Result<toml::Table> {
        let mut whole = self.table()?;
        for shared in SHARED {
            whole.remove(shared);
        }
        let mut paths = Vec::new();
        leaves(&whole, "", &mut paths);
        for path in paths {
            let mut less = whole.clone();
            remove(&mut less, &path::split(&path).unwrap_or_default());
            if self.read_point(&less)?.is_ok_and(|e| e == *self) {
                whole = less;
            }
        }
        Ok(whole)
    }

    /// What the document says, with what all points share.
    fn read_point(
        &self,
        document: &toml::Table,
    ) -> Result<std::result::Result<Self, Vec<Mistake>>> {
        let broken = |e: String| Error::Internal(format!("experiment to TOML: {e}"));
        let text = toml::to_string(document).map_err(|e| broken(e.to_string()))?;
        let document = DeTable::parse(&text).map_err(|e| broken(e.to_string()))?;
        Ok(self.shared(read_document(document.get_ref())))
    }

    /// Puts in what all points share.
    fn shared(
        &self,
        read: std::result::Result<Self, Vec<Mistake>>,
    ) -> std::result::Result<Self, Vec<Mistake>> {
        read.map(|mut e| {
            e.name.clone_from(&self.name);
            e.title.clone_from(&self.title);
            e.about.clone_from(&self.about);
            e.data.clone_from(&self.data);
            e.network.file.clone_from(&self.network.file);
            e.layer.stand_as(&self.layer);
            e
        })
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

    /// The variation of a layer on the chips of training steps; their sigma_W is [`Experiment::training_sigma_w`], or
    /// the layer's own.
    pub fn in_training(&self, of_layer: &Variation) -> Variation {
        let c = self.train.composition();
        let mut own = match c.chips() {
            Some(chips) => chips.deviating(of_layer),
            None => of_layer.clone(),
        };
        own.sigma_w = self.train.sigma_w.unwrap_or(own.sigma_w);
        own
    }

    /// Seed of initialisation, shuffling and training chips.
    pub fn training_seed(&self) -> u64 {
        self.train.seed.unwrap_or(self.seed)
    }

    /// A copy in which everything that does not influence training has its default, and what
    /// training derives from the rest of the file is written out. The images are no part of it (all
    /// points have the same); [`crate::train::training_key`] adds their content.
    ///
    /// A training with stages has one such copy for every stage ([`Experiment::stages`]).
    pub fn training(&self) -> Experiment {
        let c = self.train.composition();
        let mut train = self.train.clone();
        // Said by the variation and the cells.
        for part in &mut train.noise {
            if let NoisePart::Chip(chips) = part {
                (chips.law, chips.sigma_profile, chips.time_s) = (None, None, None);
            }
        }
        let mut e = Experiment {
            seed: self.training_seed(),
            network: self.network.clone(),
            train: train.by_recipe(),
            ..Experiment::default()
        };
        // Its content says which file; where it lies does not matter.
        e.network.file = None;
        e.train.seed = None;
        e.train.sigma_w = None;
        e.train.variation = TrainVariation::Within;
        if self.evaluated_on().is_none() {
            let usual = Train::default();
            e.train.evaluate_every = usual.evaluate_every;
            e.train.evaluate_chips = usual.evaluate_chips;
        }
        if !c.is_float() {
            e.quantize = self.quantize.clone();
            // Only where the other fields' defaults come from.
            e.quantize.profile = Profile::Pimento;
        }
        if c.sees_variation() {
            e.variation = Variation {
                sigma_w: self.training_sigma_w(),
                sigma_b: self.training_sigma_b(),
                sigma_layer: 0.0,
                sigma_array: 0.0,
                sampling: Sampling::Independent,
                wafer: None,
                ..self.in_training(&self.variation)
            };
        }
        if self.train.level == super::Fidelity::Cell {
            e.chip = self.chip.clone();
            e.chip.drift.time_s = self.age_in_training();
            e.chip.preset = None;
            // Its content says which table.
            e.chip.cells.sampled = None;
            // A layout is made for weights that are done.
            let usual = ArraySize::default();
            (e.chip.array.rearrange, e.chip.array.compact) = (usual.rearrange, usual.compact);
        } else {
            e.train.rescale = true;
        }
        for part in &mut e.train.loss {
            match part {
                LossPart::GroupLasso(lasso) => lasso.segment = lasso.segment_in(self),
                // Its content says which teacher.
                LossPart::Distill(distill) => (distill.file, distill.file_sha256) = (None, None),
                LossPart::L1(_)
                | LossPart::SliceL1(_)
                | LossPart::Ovf(_)
                | LossPart::Irs(_)
                | LossPart::Heads(_) => {}
            }
        }
        for part in &mut e.train.weights {
            if let WeightPart::Mask(mask) = part {
                mask.segment = mask.segment_in(self);
            }
        }
        e.layer = self.layers_in_training();
        e
    }

    /// What decides the whole training: [`Experiment::training`] of every stage, in order.
    ///
    /// # Errors
    /// As [`Experiment::stages`].
    pub fn trainings(&self) -> Result<Vec<Experiment>> {
        let stages = self.stages()?;
        Ok(stages
            .iter()
            .map(|stage| stage.experiment.training())
            .collect())
    }

    /// What training sees of the settings of single layers.
    /// Age of the chips that training sees.
    pub fn age_in_training(&self) -> f64 {
        let c = self.train.composition();
        let own = c.chips().and_then(|chips| chips.time_s);
        own.unwrap_or(self.chip.drift.time_s)
    }

    fn layers_in_training(&self) -> Layers {
        let c = self.train.composition();
        let on_cells = self.train.level == super::Fidelity::Cell;
        let of_all = c.chips().is_some_and(|chips| chips.sigma_profile.is_some());
        self.layer.only(|field| match field.split_once('.') {
            Some(("chip", "array.rearrange" | "array.compact")) => false,
            Some(("chip", _)) => on_cells,
            // The training noise of all layers is given.
            Some(("variation", "sigma_w")) if self.train.sigma_w.is_some() => false,
            Some(("variation", "sigma_profile")) if of_all => false,
            Some(_) => c.sees_variation(),
            None if field == "tuned" => false,
            None if field == "digital" => on_cells || c.sees_variation() || c.mask().is_some(),
            None => !c.is_float(),
        })
    }

    fn evaluates(&self) -> bool {
        let held_out = self.data.validation > 0;
        held_out && self.any_stage(|t| t.evaluate_every > 0 && t.epochs > 0)
    }

    /// The variation of the chips that held-out images are classified on, where they are: not what
    /// training sees, and yet what its record tells.
    pub fn evaluated_on(&self) -> Option<Variation> {
        self.evaluates().then(|| Variation {
            // Their chips are independent, and on no wafer.
            sampling: Sampling::Independent,
            wafer: None,
            ..self.variation.clone()
        })
    }

    /// Settings of single layers of the same chips that decide how they deviate.
    pub fn layers_evaluated_on(&self) -> Layers {
        let deviates = |field: &str| field == "digital" || field.starts_with("variation.");
        match self.evaluates() {
            true => self.layer.only(deviates),
            false => Layers::default(),
        }
    }
}

/// Number of different networks that points need.
pub fn n_trainings(points: &[Point]) -> usize {
    let trainings: HashSet<String> = points
        .iter()
        .map(|point| {
            let e = &point.experiment;
            let evaluated = (e.evaluated_on(), e.layers_evaluated_on());
            format!("{:?}", (e.trainings().ok(), evaluated))
        })
        .collect();
    trainings.len()
}

/// The values of points as a document with one array of arrays, `points`.
fn rows(points: &[Vec<AxisValue>]) -> String {
    let row = |values: &Vec<AxisValue>| {
        let values: Vec<String> = values.iter().map(|v| v.toml().to_string()).collect();
        format!("[{}]", values.join(", "))
    };
    let rows: Vec<String> = points.iter().map(row).collect();
    format!("points = [{}]\n", rows.join(",\n"))
}

/// The points so far, to find those that come again: their chips would be counted as others.
#[derive(Default)]
struct Repeats {
    first: HashMap<Vec<(String, String)>, usize>,
    points: usize,
    /// By design: repeated points, and the first of them with the point that it repeats.
    found: BTreeMap<usize, (usize, usize, usize, String)>,
}

impl Repeats {
    fn point(&mut self, design: usize, axes: &[(String, AxisValue)]) {
        let index = self.points;
        self.points += 1;
        let mut key: Vec<_> = axes
            .iter()
            .map(|(path, v)| (path.clone(), v.key()))
            .collect();
        key.sort();
        match self.first.entry(key) {
            Entry::Vacant(place) => _ = place.insert(index),
            Entry::Occupied(earlier) => {
                let new = || (0, index, *earlier.get(), label(axes));
                self.found.entry(design).or_insert_with(new).0 += 1;
            }
        }
    }

    fn refuse(self, refused: &mut Vec<Refusal>) {
        for (design, (n, index, earlier, label)) in self.found {
            let label = match label.is_empty() {
                true => "no axis varies".into(),
                false => label,
            };
            let again = match n {
                1 => "a point is there twice: point".to_string(),
                _ => format!("{n} points are there twice, of which point"),
            };
            let message =
                format!("{again} {index} is point {earlier} ({label}); allowed: each point once");
            refused.push((design, Mistake::worded(Code::Repeated, &message)));
        }
    }
}

/// Paths of all values that are not tables.
fn leaves(table: &toml::Table, prefix: &str, paths: &mut Vec<String>) {
    for (key, value) in table {
        let path = format!("{prefix}{}", path::part(key));
        match value {
            toml::Value::Table(inner) => leaves(inner, &format!("{path}."), paths),
            _ => paths.push(path),
        }
    }
}

fn remove(table: &mut toml::Table, keys: &[&str]) {
    match keys {
        [] => {}
        [key] => _ = table.remove(*key),
        [key, rest @ ..] => {
            if let Some(inner) = table.get_mut(*key).and_then(toml::Value::as_table_mut) {
                remove(inner, rest);
            }
        }
    }
}
