//! What a training depends on: the one place that says it, for models, checkpoints and whoever asks
//! whether two points share a network.

use serde::Serialize;
use serde_json::Value;

use super::settings;
use crate::config::{Experiment, NetworkKind, Variation};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::network::file;

/// Grows whenever an experiment trains to other bits than it did before, so that no network of an
/// earlier program is taken for one of this.
const REVISION: u32 = 2;

/// The training images of a set as trainings see them: their content, wherever it came from.
///
/// The same for all points of a sweep, which have the same section `[data]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeenImages {
    /// [`Dataset::sha256`] of the training images, with those that are held out.
    sha256: String,
    images: usize,
    /// Channels, rows, columns.
    shape: [usize; 3],
    classes: usize,
    /// How many are held out ([`settings::hold_out`] says which).
    held_out: usize,
    /// Mean and standard deviation of every channel.
    normalisation: Vec<(f64, f64)>,
}

impl SeenImages {
    /// Of `train`, as `[data]` of the experiment uses it.
    ///
    /// # Errors
    /// Constants of the normalisation that do not fit the images.
    pub fn new(experiment: &Experiment, train: &Dataset) -> Result<Self> {
        let normalise = settings::normalise(experiment, train)?;
        Ok(Self {
            sha256: train.sha256(),
            images: train.len(),
            shape: [train.c, train.h, train.w],
            classes: train.classes,
            held_out: experiment.data.validation,
            normalisation: normalise.constants().to_vec(),
        })
    }

    /// Images that are trained on.
    pub fn trained_on(&self) -> usize {
        self.images.saturating_sub(self.held_out)
    }
}

/// Everything that decides a training.
#[derive(Serialize)]
struct Identity<'a> {
    revision: u32,
    images: &'a SeenImages,
    /// Content of the network's file, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    network_sha256: Option<String>,
    /// What held-out images are classified on, where they are: the record says how that went.
    #[serde(skip_serializing_if = "Option::is_none")]
    evaluated_on: Option<Variation>,
    settings: Value,
}

/// Sections of an experiment that [`Experiment::training`] leaves at their defaults.
const NOT_OF_TRAINING: [&str; 8] = [
    "name",
    "title",
    "about",
    "fidelity",
    "data",
    "tuning",
    "sweep",
    "worst_case",
];

/// Everything that decides the result of a training, as JSON: two experiments with the same key
/// share their model. What lies where does not matter; what is in it does.
///
/// The adapter is no part of it: adapters train to networks that differ in their last bits, and
/// whoever shares models between them says that either will do.
///
/// # Errors
/// The network's file cannot be read.
pub fn training_key(experiment: &Experiment, images: &SeenImages) -> Result<String> {
    let json = |e| Error::Internal(format!("experiment to JSON: {e}"));
    let mut settings = serde_json::to_value(experiment.training()).map_err(json)?;
    if let Some(sections) = settings.as_object_mut() {
        sections.retain(|name, _| !NOT_OF_TRAINING.contains(&name.as_str()));
    }
    let identity = Identity {
        revision: REVISION,
        images,
        network_sha256: network_sha256(experiment)?,
        evaluated_on: experiment.evaluated_on(),
        settings,
    };
    serde_json::to_string(&identity).map_err(json)
}

/// Content of the file that the experiment's network begins with; none for a network of the zoo.
///
/// # Errors
/// The file cannot be read.
pub fn network_sha256(experiment: &Experiment) -> Result<Option<String>> {
    let n = &experiment.network;
    let file = n.file.as_ref().filter(|_| n.kind == NetworkKind::File);
    let input = Some(n.input.as_slice()).filter(|sizes| !sizes.is_empty());
    file.map(|path| file::content_sha256(path, n.fold_batch_norm, input))
        .transpose()
}

/// Most differences that a message lists.
const LISTED: usize = 5;

/// What is different between two keys, as lines `place: there, now`.
pub(super) fn differences(there: &str, now: &str) -> String {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    let (Some(a), Some(b)) = (parsed(there), parsed(now)) else {
        return format!("\n  in the file: {there:.200}\n  wanted:      {now:.200}");
    };
    let mut lines = vec![];
    compare("", Some(&a), Some(&b), &mut lines);
    let more = lines.len().saturating_sub(LISTED);
    lines.truncate(LISTED);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines.iter().map(|line| format!("\n  {line}")).collect()
}

fn compare(place: &str, a: Option<&Value>, b: Option<&Value>, lines: &mut Vec<String>) {
    match (a, b) {
        (Some(Value::Object(x)), Some(Value::Object(y))) => {
            let added = y.keys().filter(|key| !x.contains_key(*key));
            for key in x.keys().chain(added) {
                let inner = match place {
                    "" => key.clone(),
                    _ => format!("{place}.{key}"),
                };
                compare(&inner, x.get(key), y.get(key), lines);
            }
        }
        _ if a == b => {}
        _ => {
            let text = |v: Option<&Value>| match v {
                Some(v) => format!("{:.200}", v.to_string()),
                None => "nothing".into(),
            };
            lines.push(format!("{place}: {} there, {} now", text(a), text(b)));
        }
    }
}

#[cfg(test)]
mod tests;
