//! How trainings went, from what they are known by and their records, which `train::record_of` reads from files of `pimento train`.
//!
//! # Examples
//! ```
//! use pimento::report::trainings::Trained;
//! use pimento::train::TrainRecord;
//!
//! # fn main() -> pimento::Result<()> {
//! let key = r#"{"settings": {"seed": 3, "train": {"epochs": 2, "recipe": "qat"}}}"#;
//! let trained = Trained::new("mine", key, TrainRecord::default())?;
//! assert_eq!((trained.seed, trained.stages[0].epochs), (Some(3), 2));
//! # Ok(())
//! # }
//! ```

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::sweep::result::TrainRecord;

/// A trained network with its course.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// What it is called: the name of its file without ending.
    pub name: String,
    /// Seed of the training; `None` where its file does not tell.
    pub seed: Option<u64>,
    /// Its stages, at least one.
    pub stages: Vec<Stage>,
    /// How it went.
    pub record: TrainRecord,
    /// What decided it, by the paths of the fields; with stages behind the number of each.
    pub settings: BTreeMap<String, Value>,
}

/// A stage of a training.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Its name; its number where there is none.
    pub name: String,
    /// Its epochs.
    pub epochs: usize,
}

/// Sections of the settings that decide a training and say something of it.
const SECTIONS: [&str; 6] = ["seed", "network", "train", "quantize", "variation", "chip"];

impl Trained {
    /// From what the training is known by (`train::training_key`) and its record.
    ///
    /// # Errors
    /// A text that is no key of a training.
    pub fn new(name: impl Into<String>, key: &str, record: TrainRecord) -> Result<Self> {
        let name = name.into();
        let key: Value = serde_json::from_str(key)
            .map_err(|e| Error::input(format!("{name}: what the training is known by: {e}")))?;
        let settings = key["settings"].as_object().cloned().unwrap_or_default();
        let numbered: Vec<&Value> = (1..)
            .map_while(|i| settings.get(&format!("stage {i}")))
            .collect();
        let of_stages = match numbered.is_empty() {
            true => vec![&key["settings"]],
            false => numbered,
        };
        let stages = of_stages.iter().zip(1..).map(|(value, i)| Stage {
            name: match record.stages.len() == of_stages.len() {
                true => record.stages[i - 1].clone(),
                false => format!("stage {i}"),
            },
            epochs: value["train"]["epochs"]
                .as_u64()
                .map_or(record.history.len(), |n| n as usize),
        });
        let stages = stages.collect();
        let seed = of_stages[0]["seed"].as_u64();
        let mut found = merged(of_stages.into_iter().map(flatten).collect());
        let images = &key["images"];
        for (path, value) in [
            ("training images", &images["images"]),
            ("held-out images", &images["held_out"]),
            ("training images, SHA-256", &images["sha256"]),
        ] {
            if !value.is_null() {
                found.insert(path.into(), value.clone());
            }
        }
        Ok(Self {
            name,
            seed,
            stages,
            record,
            settings: found,
        })
    }
}

/// Fields that say something of a training, by their paths; empty ones are left out.
fn flatten(settings: &Value) -> BTreeMap<String, Value> {
    fn walk(path: String, value: &Value, found: &mut BTreeMap<String, Value>) {
        match value {
            Value::Null => {}
            Value::Object(fields) => {
                let fields = fields.iter();
                fields.for_each(|(name, v)| walk(format!("{path}.{name}"), v, found));
            }
            Value::Array(items) if items.is_empty() => {}
            _ => {
                found.insert(path, value.clone());
            }
        }
    }
    let mut found = BTreeMap::new();
    for section in SECTIONS {
        walk(section.into(), &settings[section], &mut found);
    }
    found
}

/// Settings of all stages: those that they share once, others behind the number of their stage.
fn merged(stages: Vec<BTreeMap<String, Value>>) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for (stage, i) in stages.iter().zip(1..) {
        for (path, value) in stage {
            match stages.iter().all(|other| other.get(path) == Some(value)) {
                true => found.insert(path.clone(), value.clone()),
                false => found.insert(format!("stage {i}: {path}"), value.clone()),
            };
        }
    }
    found
}

/// Trainings on one page.
#[derive(Debug, Clone, PartialEq)]
pub struct Trainings {
    /// Name of the experiment; empty where only files are known.
    pub experiment: String,
    /// Adapter that trained; empty where only files are known.
    pub adapter: String,
    /// The trainings.
    pub all: Vec<Trained>,
    /// The command line.
    pub command: String,
    /// The experiment as TOML; empty where only files are known.
    pub config_toml: String,
}
