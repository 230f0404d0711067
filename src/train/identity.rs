//! What a training depends on: the one place that says it, for models, checkpoints and whoever asks
//! whether two points share a network.

use serde::Serialize;
use serde_json::Value;

use crate::config::{Experiment, Layers, Variation};
#[cfg(doc)]
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::program::Products;
use crate::setup::{Inputs, Point};

/// Grows whenever an experiment trains to other bits than it did before, so that no network of an
/// earlier program is taken for one of this.
const REVISION: u32 = 4;

/// The training images of a set as trainings see them: their content, wherever it came from.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct SeenImages<'a> {
    /// [`Dataset::sha256`] of the training images, with those that are held out.
    sha256: &'a str,
    images: usize,
    /// Channels, rows, columns.
    shape: [usize; 3],
    classes: usize,
    /// How many are held out ([`Inputs::held_out`] says which).
    held_out: usize,
    /// Mean and standard deviation of every channel.
    normalisation: &'a [(f64, f64)],
}

impl<'a> SeenImages<'a> {
    fn new(inputs: &'a Inputs) -> Self {
        let train = &inputs.data.train;
        Self {
            sha256: inputs.sha256(),
            images: train.len(),
            shape: [train.c, train.h, train.w],
            classes: train.classes,
            held_out: inputs.n_held_out(),
            normalisation: inputs.normalise.constants(),
        }
    }
}

/// Everything that decides a training.
#[derive(Serialize)]
struct Identity<'a> {
    revision: u32,
    /// How the backend may sum convolutions.
    products: Products,
    images: SeenImages<'a>,
    /// Content of the network's file, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    network_sha256: Option<&'a str>,
    /// Contents of the files of teachers, stage by stage.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    teachers_sha256: Vec<&'a str>,
    /// What held-out images are classified on, where they are: the record says how that went.
    #[serde(skip_serializing_if = "Option::is_none")]
    evaluated_on: Option<Variation>,
    /// The same of single layers.
    #[serde(skip_serializing_if = "Layers::is_empty")]
    layers_evaluated_on: Layers,
    settings: Value,
}

/// Sections of an experiment that [`Experiment::training`] leaves at their defaults.
const NOT_OF_TRAINING: [&str; 9] = [
    "name",
    "title",
    "about",
    "fidelity",
    "data",
    "tuning",
    "sweep",
    "worst_case",
    "design",
];

/// Everything that decides the result of a training, as JSON: two experiments with the same key
/// share their model. What lies where does not matter; what is in it does.
///
/// The adapter is no part of it: adapters train to networks that differ in their last bits, and
/// whoever shares models between them says that either will do. How convolutions may be summed
/// ([`Backend::products`](crate::backend::Backend::products)) is one, as it is asked for.
///
/// # Errors
/// None that an experiment can cause.
pub fn training_key(point: &Point, products: Products) -> Result<String> {
    let experiment = point.experiment();
    let json = |e| Error::Internal(format!("experiment to JSON: {e}"));
    let of = |training: &Experiment| {
        let mut settings = serde_json::to_value(training).map_err(json)?;
        if let Some(sections) = settings.as_object_mut() {
            sections.retain(|name, _| !NOT_OF_TRAINING.contains(&name.as_str()));
        }
        Ok(settings)
    };
    // Names of stages do not matter.
    let settings = match &experiment.trainings()?[..] {
        [only] => of(only)?,
        stages => (1..)
            .zip(stages)
            .map(|(i, stage)| Ok((format!("stage {i}"), of(stage)?)))
            .collect::<Result<_>>()?,
    };
    let identity = Identity {
        revision: REVISION,
        products,
        images: SeenImages::new(&point.inputs),
        network_sha256: point.start.sha256(),
        teachers_sha256: point.teachers_sha256(),
        evaluated_on: experiment.evaluated_on(),
        layers_evaluated_on: experiment.layers_evaluated_on(),
        settings,
    };
    serde_json::to_string(&identity).map_err(json)
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
