//! What a journal says about itself: enough to know whether a run may continue it, and to make
//! every result without the data and the networks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::backend::DeviceInfo;
use crate::sweep::census::Basis;
use crate::sweep::result::{Axes, Provenance, TrainingHistory, TuningCost};
use crate::sweep::shard::Shard;

/// Version of the file format.
pub const FORMAT: u32 = 1;

/// The first record of a journal.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: u32,
    /// Version of Pimento.
    pub pimento: String,
    /// Stored columns, in order.
    pub columns: Vec<String>,
    /// Name of the experiment.
    pub experiment: String,
    /// Its title.
    pub title: String,
    /// Seed of the chips.
    pub seed: u64,
    /// The configuration as JSON.
    pub config: serde_json::Value,
    /// Which chips; none: all.
    pub shard: Option<Shard>,
    /// When a point ends before its last chip; none: never.
    pub stopping: Option<String>,
    /// What is simulated, point by point.
    pub points: Vec<PlannedPoint>,
    /// SHA-256 of what was read beside the configuration, by name.
    pub inputs: serde_json::Map<String, serde_json::Value>,
    /// How the first run was started, and the configuration as TOML.
    pub provenance: Provenance,
}

/// A point before it is simulated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedPoint {
    /// Its coordinates in words.
    pub label: String,
    /// Chips it has when it is complete, of all shards together.
    pub chips: u32,
}

/// What a point needs beside its chips to be summarised; written before its first wave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PointFacts {
    /// Which point.
    pub point: usize,
    /// Coordinates.
    pub axes: Axes,
    /// Accuracy without variation.
    pub ideal: f64,
    /// Accuracy a chip must reach to count as good.
    pub yield_limit: f64,
    /// What tuning costs.
    pub tuning_cost: Option<TuningCost>,
    /// What a chip costs, by name.
    pub costs: BTreeMap<String, f64>,
    /// Whether the chips' eps_B is stratified.
    pub stratified: bool,
    /// Accuracy of a chip that guesses; absent where intervals leave out chips not yet seen.
    #[serde(default)]
    pub chance: Option<f64>,
    /// Variance of the estimates' errors by the closed form.
    pub predicted_variance: Option<f64>,
    /// SHA-256 of the trained parameters.
    pub model_sha256: String,
    /// How they were trained, where no earlier point has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<TrainingHistory>,
}

impl PointFacts {
    /// What the point's intervals rest on.
    pub fn basis(&self) -> Basis {
        Basis {
            stratified: self.stratified,
            chance: self.chance,
        }
    }
}

/// A process that writes the journal, so that another one can say who holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its number on its machine.
    pub pid: u32,
    /// Its machine.
    pub host: String,
    /// When it began, RFC 3339 in UTC.
    pub started: String,
    /// Its command line.
    pub command: String,
}

/// An adapter that took waves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Adapter {
    /// `cpu` or `gpu`.
    pub backend: String,
    /// Name of the adapter or processor.
    pub name: String,
    /// Graphics API or instruction set.
    pub api: String,
    /// Driver; empty for the CPU.
    pub driver: String,
}

impl From<DeviceInfo> for Adapter {
    fn from(info: DeviceInfo) -> Self {
        Self {
            backend: info.backend,
            name: info.name,
            api: info.api,
            driver: info.driver,
        }
    }
}

impl Header {
    /// What is different in `now`, if results of the two must not be mixed.
    pub fn difference(&self, now: &Header) -> Option<String> {
        self.difference_beside_shard(now).or_else(|| {
            let shard = |s: Option<Shard>| s.map_or("all chips".into(), |s| format!("shard {s}"));
            (self.shard != now.shard)
                .then(|| format!("`{}` there, `{}` now", shard(self.shard), shard(now.shard)))
        })
    }

    /// [`Header::difference`] but for which chips are simulated.
    pub fn difference_beside_shard(&self, now: &Header) -> Option<String> {
        let versions = |h: &Header| format!("Pimento {} (journal {})", h.pimento, h.format);
        let differ = |there: String, now: String| Some(format!("{there} there, {now} now"));
        if (self.format, &self.pimento, &self.columns) != (now.format, &now.pimento, &now.columns) {
            return differ(versions(self), versions(now));
        }
        let (a, b) = (&self.provenance.config_toml, &now.provenance.config_toml);
        if a != b {
            return Some(format!("configuration: {}", first_difference(a, b)));
        }
        if self.stopping != now.stopping {
            let rule = |s: &Option<String>| s.clone().unwrap_or("no stopping rule".into());
            return differ(rule(&self.stopping), rule(&now.stopping));
        }
        for (name, there) in &self.inputs {
            let here = now.inputs.get(name).unwrap_or(&serde_json::Value::Null);
            if there != here {
                return Some(format!("{name}: {there} there, {here} now"));
            }
        }
        None
    }
}

/// The first line in which two texts differ.
fn first_difference(old: &str, new: &str) -> String {
    let (mut a, mut b) = (old.lines(), new.lines());
    loop {
        match (a.next(), b.next()) {
            (Some(x), Some(y)) if x == y => {}
            (None, None) => return "line endings".into(),
            (x, y) => {
                let text = |l: Option<&str>| l.unwrap_or("(nothing)").to_string();
                return format!("`{}` there, `{}` now", text(x), text(y));
            }
        }
    }
}
