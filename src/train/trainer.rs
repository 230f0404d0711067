//! From an experiment to a trained network.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::checkpoint;
use super::identity::training_key;
use super::run::{Purpose, Resumed, Run, Whole};
use super::stages::{Stage, Stages};
use crate::backend::Backend;
use crate::column::columns;
use crate::config::parts::NormAfter;
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
    /// Names of the stages, in order; empty for a training without stages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<String>,
    /// Every epoch, in order.
    #[serde(default)]
    pub history: Vec<EpochRecord>,
}

columns! {
    /// How an epoch of a training went.
    #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
    pub struct EpochRecord {
        /// Number of the epoch, from 1.
        epoch: usize, whole;
        /// Mean loss over the epoch's training images, as trained: under quantization and variation.
        loss: f64, real, "nats", lower;
        /// Training accuracy, likewise.
        accuracy: f64, real, "", higher;
        =>
        /// What the held-out images say, where they were asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        validation: Option<Validation>;
    }
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
///
/// # Errors
/// What [`super::check()`] refuses; a checkpoint of another training; a training that diverges or is interrupted.
pub fn train(job: &Job) -> Result<Model> {
    let started = Moment::now();
    let held_out = job.point.inputs.held_out();
    let Stages { stages, course } = Stages::new(job.point)?;
    let whole = Whole {
        job,
        course: &course,
        held_out: &held_out,
        key: match &job.checkpoint {
            Some(_) => training_key(job.point, job.backend.products())?,
            // Nothing is saved.
            None => String::new(),
        },
    };
    let mut resumed = match &job.checkpoint {
        Some(path) if job.resume && path.exists() => {
            let (parameters, position) = checkpoint::load_position(path, &whole.key, &course)?;
            let path = path.clone();
            Some(Resumed {
                parameters,
                position,
                path,
            })
        }
        _ => None,
    };
    let file = job.point.start.file.as_ref();
    let mut network = Network {
        parameters: file.map(|given| given.loaded.parameters.clone()),
        history: vec![],
    };
    let first = resumed.as_ref().map_or(0, |r| r.position.stage);
    for stage in &stages[first..] {
        network = one_stage(&whole, stage, network, resumed.take())?;
    }
    let last = network.history.last();
    let names = stages.iter().map(|stage| stage.name.clone());
    let record = TrainRecord {
        steps: course.total(),
        loss: last.map_or(0.0, |e| e.loss),
        accuracy: last.map_or(0.0, |e| e.accuracy),
        elapsed_s: started.elapsed().as_secs_f64(),
        stages: names.filter(|name| !name.is_empty()).collect(),
        history: network.history.clone(),
    };
    let mut parameters = network.parameters.unwrap_or_default();
    parameters.take_heads(job.point.start.whole());
    Ok(Model {
        graph: job.point.start.graph.clone(),
        numerics: job.point.numerics.clone(),
        parameters,
        record,
    })
}

/// A network between two stages.
struct Network {
    /// None: it is yet to be initialised.
    parameters: Option<Parameters>,
    history: Vec<EpochRecord>,
}

/// Runs a stage, from its beginning or from a checkpoint.
fn one_stage(
    whole: &Whole,
    stage: &Stage,
    before: Network,
    resumed: Option<Resumed>,
) -> Result<Network> {
    let t = &stage.point.experiment().train;
    let parts = t.composition();
    let Network {
        parameters: given,
        mut history,
    } = before;
    let mut parameters = match given {
        Some(mut parameters) if t.epochs == 0 => {
            if !parts.sees_quantizers() {
                parameters.drop_steps();
            }
            parameters
        }
        given => {
            let numerics = stage.point.trained_numerics();
            let mut run = Run::new(whole, stage, &numerics, Purpose::Train)?;
            if let Some(parameters) = given {
                run.begin_with(&parameters)?;
            }
            run.history = history;
            run.start(resumed)?;
            run.epochs()?;
            history = std::mem::take(&mut run.history);
            run.finish()?
        }
    };
    if let Some(norm) = parts.quantizes_afterwards() {
        parameters.drop_steps();
        let frozen_norm = norm == NormAfter::Keep;
        let purpose = Purpose::Quantize { frozen_norm };
        let mut run = Run::new(whole, stage, &stage.point.quantized, purpose)?;
        run.parameters = parameters;
        parameters = run.quantize_afterwards(frozen_norm)?;
    }
    Ok(Network {
        parameters: Some(parameters),
        history,
    })
}
