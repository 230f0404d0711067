//! From an experiment to a trained network.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::run::{Purpose, Run};
use crate::backend::Backend;
use crate::config::Recipe;
use crate::error::Result;
use crate::network::lower::Numerics;
use crate::network::{Graph, Parameters};
use crate::progress::{Moment, Observer};
use crate::setup::Point;

/// A trained network, ready for chips.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The architecture.
    pub graph: Graph,
    /// Number formats at inference.
    pub numerics: Numerics,
    /// Weights, batch norm, quantizer steps.
    pub parameters: Parameters,
    /// How the training went.
    pub record: TrainRecord,
}

/// How a training went; kept in the model's file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TrainRecord {
    /// Steps done; 0 for a network that was taken from a file as it is.
    pub steps: usize,
    /// Mean loss of the last epoch, as trained (under quantization and variation); 0 without one.
    pub loss: f64,
    /// Training accuracy of the last epoch, likewise.
    pub accuracy: f64,
    /// Wall time, seconds.
    pub elapsed_s: f64,
    /// Every epoch, in order.
    #[serde(default)]
    pub history: Vec<EpochRecord>,
}

/// How an epoch of a training went.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// From 1.
    pub epoch: usize,
    /// Mean loss over the epoch's training images, as trained.
    pub loss: f64,
    /// Training accuracy, likewise.
    pub accuracy: f64,
    /// What the held-out images say, where they were asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Validation>,
}

/// Accuracy on held-out training images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Images.
    pub images: usize,
    /// Without variation.
    pub ideal: f64,
    /// Mean over the chips.
    pub mean: f64,
    /// Standard deviation over the chips.
    pub std: f64,
    /// Chips, fabricated for this purpose: neither those of training nor those of a sweep.
    pub chips: usize,
}

/// One training to be done.
pub struct Job<'a> {
    /// Where it runs.
    pub backend: &'a dyn Backend,
    /// What to train; of its images only the training images are looked at.
    pub point: &'a Point<'a>,
    /// Name for progress reports.
    pub label: String,
    /// Where an unfinished training is saved, if anywhere.
    pub checkpoint: Option<PathBuf>,
    /// Continue from `checkpoint` if it exists.
    pub resume: bool,
    /// Who watches.
    pub observer: &'a dyn Observer,
}

/// Trains a network (or continues to). Only training images are used.
pub fn train(job: &Job) -> Result<Model> {
    let experiment = job.point.experiment();
    let held_out = job.point.inputs.held_out();
    let recipe = experiment.train.recipe;
    let numerics = super::trained_numerics(job.point);
    let full = &job.point.quantized;
    let (graph, file) = (&job.point.start.graph, &job.point.start.file);
    let started = Moment::now();
    let given = file.as_ref().map(|given| &given.loaded.parameters);
    let mut record = TrainRecord::default();
    let mut parameters = match given {
        Some(parameters) if experiment.train.epochs == 0 => {
            let mut parameters = parameters.clone();
            if !recipe.sees_quantizers() {
                parameters.drop_steps();
            }
            parameters
        }
        _ => {
            let mut run = Run::new(job, &numerics, &held_out, Purpose::Train)?;
            if let Some(parameters) = given {
                run.parameters.overwrite(parameters)?;
            }
            run.start()?;
            record = run.epochs()?;
            run.finish()?
        }
    };
    let mut model = Model {
        numerics,
        parameters: Parameters::default(),
        record: TrainRecord {
            elapsed_s: started.elapsed().as_secs_f64(),
            ..record
        },
        graph: graph.clone(),
    };
    if recipe.quantizes_afterwards() {
        parameters.drop_steps();
        // The reference refreshes batch norm under quantization and variation; plain post-training
        // quantization leaves the network as it is.
        let frozen_norm = recipe == Recipe::Ptq;
        let purpose = Purpose::Quantize { frozen_norm };
        let mut run = Run::new(job, full, &held_out, purpose)?;
        run.parameters = parameters;
        parameters = run.quantize_afterwards(frozen_norm)?;
        model.numerics = full.clone();
        model.record.elapsed_s = started.elapsed().as_secs_f64();
    }
    model.parameters = parameters;
    Ok(model)
}
