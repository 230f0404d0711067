//! An experiment and its data become points, once: what training, sweeps, plans and the command line
//! work with.
//!
//! [`setup`] reads the network's file, measures the images, and resolves the grid. Points share what
//! they have in common: images, and networks whose section `[network]` is the same.
//!
//! # Examples
//! `examples/own_network.rs` makes a point, trains its network and puts it on chips.

mod cells;
mod energy;
mod heads;
mod inputs;
mod kept_kernels;
mod layers;
mod layouts;
mod masks;
mod numerics;
mod start;
mod teacher;

use std::sync::Arc;

pub use cells::cell_layers;
pub use energy::{ChipEstimate, OPERATIONS, estimate};
pub use inputs::{HeldOut, Images, Inputs};
pub use kept_kernels::KernelDirectory;
pub use layers::{layers, noises};
pub use layouts::{codes, lay_out, quantized};
pub use numerics::{numerics, trained};
pub use start::{Given, Start};
pub use teacher::Teacher;

use crate::chip::ChipVariation;
use crate::chip::layer::CellLayer;
use crate::config::{self, Experiment, LayerSettings};
use crate::data::Split;
use crate::error::{Error, Result};
use crate::network::Graph;
use crate::network::lower::Numerics;
use teacher::teachers;

/// An experiment with its data.
#[derive(Debug)]
pub struct Setup<'a> {
    /// The experiment.
    pub experiment: &'a Experiment,
    /// Its images.
    pub inputs: Arc<Inputs<'a>>,
    /// Its points, in order.
    pub points: Vec<Point<'a>>,
}

/// A point of an experiment with everything that depends neither on a chip nor on a training.
#[derive(Debug, Clone)]
pub struct Point<'a> {
    /// Its place in the sweep and its experiment, which has no design of its own.
    pub config: config::Point,
    /// The images.
    pub inputs: Arc<Inputs<'a>>,
    /// The network before training.
    pub start: Arc<Start>,
    /// Settings of its crossbar layers, in order.
    pub layers: Arc<[LayerSettings]>,
    /// The same with the layers of heads behind them.
    headed_layers: Arc<[LayerSettings]>,
    /// Networks from files that teach the stages of its training.
    teachers: Vec<Arc<Teacher>>,
    /// Number formats while training sees quantizers.
    pub quantized: Numerics,
    /// Number formats of the trained network on chips.
    pub numerics: Numerics,
}

/// The points of an experiment with its data.
///
/// # Errors
/// What [`Experiment::check`] refuses; images that do not fit; a network that does not fit the images, or its
/// training, with the point.
pub fn setup<'a>(experiment: &'a Experiment, data: &'a Split) -> Result<Setup<'a>> {
    experiment.check()?;
    check_metrics(experiment, data)?;
    let points = experiment.points()?;
    let inputs = Arc::new(Inputs::new(experiment, data)?);
    let mut starts: Vec<(config::Network, Arc<Start>)> = vec![];
    let mut teachers = vec![];
    let point = |config: config::Point| {
        let network = &config.experiment.network;
        let known = starts.iter().find(|(known, _)| known == network);
        let start = match known {
            Some((_, start)) => start.clone(),
            None => {
                let start = Start::new(network, &inputs).map_err(|e| at_point(e, &config))?;
                let start = Arc::new(start);
                starts.push((network.clone(), start.clone()));
                start
            }
        };
        Point::new(config, &inputs, start, &mut teachers)
    };
    let points = points.into_iter().map(point).collect::<Result<_>>()?;
    Ok(Setup {
        experiment,
        inputs,
        points,
    })
}

/// One point of an experiment alone.
///
/// # Errors
/// As [`setup`]; a point that does not exist.
pub fn point<'a>(experiment: &Experiment, data: &'a Split, index: usize) -> Result<Point<'a>> {
    experiment.check()?;
    check_metrics(experiment, data)?;
    let mut points = experiment.points()?;
    if index >= points.len() {
        return Err(no_point(index, points.len()));
    }
    let config = points.swap_remove(index);
    let inputs = Arc::new(Inputs::new(experiment, data)?);
    let start =
        Start::new(&config.experiment.network, &inputs).map_err(|e| at_point(e, &config))?;
    Point::new(config, &inputs, Arc::new(start), &mut vec![])
}

/// Refuses a metric that has the same value whatever a chip does with so few classes.
fn check_metrics(experiment: &Experiment, data: &Split) -> Result<()> {
    let classes = data.test.classes;
    let mut metrics = experiment.sweep.metrics.iter();
    match metrics.find(|metric| classes < metric.least_classes()) {
        None => Ok(()),
        Some(metric) => Err(Error::input(format!(
            "sweep.metrics = [\"{metric}\"] of `{}`, which has {classes} classes; allowed: with at least {} \
             classes",
            data.test.name,
            metric.least_classes()
        ))),
    }
}

/// The error of a point that an experiment with `n` points does not have.
pub(crate) fn no_point(index: usize, n: usize) -> Error {
    Error::input(format!(
        "point {index} does not exist; the experiment has points 0 to {}",
        n - 1
    ))
}

/// Names the point in an error of its experiment.
pub(crate) fn at_point(error: Error, point: &config::Point) -> Error {
    let Some(at) = point.place() else {
        return error;
    };
    match error {
        Error::Input(mut mistakes) => {
            mistakes.iter_mut().for_each(|m| m.at = Some(at.clone()));
            Error::Input(mistakes)
        }
        Error::Capacity(text) => Error::Capacity(format!("{text} ({at})")),
        other => other,
    }
}

impl<'a> Point<'a> {
    fn new(
        config: config::Point,
        inputs: &Arc<Inputs<'a>>,
        start: Arc<Start>,
        known: &mut Vec<Arc<Teacher>>,
    ) -> Result<Self> {
        let experiment = &config.experiment;
        let all = layers(experiment, start.whole()).map_err(|e| at_point(e, &config))?;
        let layers = all[..start.graph.crossbars().len()].to_vec();
        let teachers = teachers(experiment, inputs, &start, known);
        let teachers = teachers.map_err(|e| at_point(e, &config))?;
        let last = experiment.last_stage()?;
        start::check(&last, &layers, &start).map_err(|e| at_point(e, &config))?;
        masks::check(experiment, &layers, &start.graph).map_err(|e| at_point(e, &config))?;
        let quantized = numerics(experiment, &layers, inputs.signed);
        Ok(Self {
            numerics: numerics::deployed(&last.train.composition(), &quantized),
            quantized,
            layers: layers.into(),
            headed_layers: all.into(),
            teachers,
            inputs: inputs.clone(),
            start,
            config,
        })
    }

    /// The stages of its training, each with its name and the point whose `[train]` is that of the stage.
    ///
    /// # Errors
    /// As [`Experiment::stages`].
    pub fn stages(&self) -> Result<Vec<(String, Point<'a>)>> {
        let stages = self.experiment().stages()?.into_iter();
        let stage = |stage: config::Stage| {
            let parts = stage.experiment.train.composition();
            let mut point = self.clone();
            point.numerics = numerics::deployed(&parts, &point.quantized);
            point.config.experiment = stage.experiment;
            (stage.name, point)
        };
        Ok(stages.map(stage).collect())
    }

    /// The network as the steps of a stage see it: with heads, where a term of the loss reads them.
    pub(crate) fn trained_graph(&self) -> &Graph {
        match self.experiment().train.composition().has_heads() {
            true => self.start.whole(),
            false => &self.start.graph,
        }
    }

    /// Settings of the crossbar layers of [`Point::trained_graph`].
    pub(crate) fn trained_layers(&self) -> &[LayerSettings] {
        &self.headed_layers[..self.trained_graph().crossbars().len()]
    }

    /// Number formats that the steps of a stage see.
    pub(crate) fn trained_numerics(&self) -> Numerics {
        let parts = self.experiment().train.composition();
        match parts.has_heads() {
            true => {
                let (layers, signed) = (self.trained_layers(), self.inputs.signed);
                trained(&parts, &numerics(self.experiment(), layers, signed))
            }
            false => trained(&parts, &self.quantized),
        }
    }

    /// The network from a file that teaches a stage, where one does.
    pub fn teacher(&self) -> Option<&Teacher> {
        let parts = self.experiment().train.composition();
        let path = parts.distill()?.file.as_deref()?;
        let teacher = self.teachers.iter().find(|teacher| teacher.path == path);
        teacher.map(Arc::as_ref)
    }

    /// Contents of all teachers from files, by their SHA-256, in the order of the stages.
    pub(crate) fn teachers_sha256(&self) -> Vec<&str> {
        let teachers = self.teachers.iter();
        teachers.map(|teacher| teacher.sha256.as_str()).collect()
    }

    /// The experiment of this point.
    pub fn experiment(&self) -> &Experiment {
        &self.config.experiment
    }

    /// The point with one chip only: waves then take no memory for more.
    pub(crate) fn with_one_chip(&self) -> Self {
        let mut point = self.clone();
        let sweep = &mut point.config.experiment.sweep;
        (sweep.chips, sweep.until) = (1, None);
        point
    }

    /// What the chips have in common, and how it varies between them.
    ///
    /// # Errors
    /// An impossible wafer.
    pub fn chips(&self) -> Result<ChipVariation> {
        ChipVariation::new(&self.experiment().variation)
    }

    /// The layers on arrays, before any tuning.
    ///
    /// # Errors
    /// See [`cell_layers()`].
    pub fn cell_layers(&self) -> Result<Vec<CellLayer>> {
        cell_layers(&self.layers, &self.start.graph, &self.numerics)
    }

    /// The test images that every chip classifies.
    ///
    /// # Errors
    /// See [`Images::new`].
    pub fn test_images(&self) -> Result<Images> {
        let test = &self.inputs.data.test;
        match self.experiment().sweep.images {
            n if n > 0 && n < test.len() => Images::new(&test.limit(n), &self.inputs.normalise),
            _ => Images::new(test, &self.inputs.normalise),
        }
    }

    /// How many test images every chip classifies.
    pub fn n_test_images(&self) -> usize {
        let all = self.inputs.data.test.len();
        match self.experiment().sweep.images {
            0 => all,
            n => n.min(all),
        }
    }
}
