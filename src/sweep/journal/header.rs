//! What a journal says about itself: enough to know whether a run may continue it, and to make
//! every result without the data and the networks.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::columns::{Layout, StoredColumn};
use crate::backend::DeviceInfo;
use crate::column::Column;
use crate::config::{MAX_CHIPS, MAX_POINTS};
use crate::sweep::breakdown::Breakdown;
use crate::sweep::census::Basis;
use crate::sweep::columns;
use crate::sweep::result::{Axes, EpochRecord, Provenance, TuningCost};
use crate::sweep::shard::Shard;

/// Version of the file format, the only one there is: columns, points and facts are found by name.
pub const FORMAT: u32 = 2;

/// Raised when the chips of an experiment that exists become others. Runs of versions of Pimento
/// with one revision may be continued by each other.
pub const REVISION: u32 = 3;

/// What a journal is about. The first record is a header; another one follows where a run is
/// continued with another plan (more chips, other points) or by a version that stores other columns,
/// and counts from there on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Header {
    /// [`FORMAT`].
    pub format: u32,
    /// [`REVISION`] of the version that wrote it.
    pub revision: u32,
    /// Whether products of codes may be made by cooperative matrices
    /// ([`Backend::cooperative`](crate::backend::Backend::cooperative)).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cooperative: bool,
    /// Name of the [`Products`](crate::program::Products): how convolutions may be summed.
    pub products: String,
    /// Version of Pimento.
    pub pimento: String,
    /// Columns of the waves behind this header, in order.
    pub columns: Vec<StoredColumn>,
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
    /// Images that every chip classifies.
    pub images: u32,
    /// The fields that the sweep varies, by their paths in the experiment file.
    pub axes: Vec<String>,
    /// What is simulated, point by point.
    pub points: Vec<PlannedPoint>,
    /// SHA-256 of what was read beside the configuration, by name.
    pub inputs: serde_json::Map<String, serde_json::Value>,
    /// Directory of the trained networks.
    pub models: Option<PathBuf>,
    /// How the run was started, and the configuration as TOML.
    pub provenance: Provenance,
}

/// A point before it is simulated.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PlannedPoint {
    /// Hash of everything that its chips depend on: it names the point for ever, wherever it stands
    /// in an experiment.
    pub id: String,
    /// Its coordinates in words.
    pub label: String,
    /// Chips it has when it is complete, of all shards together.
    pub chips: u32,
    /// Accuracy a chip must reach to count as good.
    pub yield_limit: f64,
    /// What its intervals rest on beside its chips.
    pub basis: Basis,
    /// Coordinates.
    pub axes: Axes,
    /// Values of the fields that the sweep varies, by their paths.
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// Its training in words.
    pub training: String,
}

/// What a point needs beside its chips and the plan to be summarised; written before its first wave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PointFacts {
    /// Accuracy without variation.
    pub ideal: f64,
    /// Metrics without variation, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ideal_metrics: BTreeMap<String, f64>,
    /// What tuning costs.
    pub tuning_cost: Option<TuningCost>,
    /// What a chip costs, by name.
    #[serde(default)]
    pub costs: BTreeMap<String, f64>,
    /// Energy by layer and part, with a section `[energy]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy: Option<Breakdown>,
    /// Variance of the estimates' errors by the closed form.
    #[serde(default)]
    pub predicted_variance: Option<f64>,
    /// SHA-256 of the trained parameters.
    pub model_sha256: String,
    /// How they were trained, where no earlier point of the journal has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<EpochRecord>,
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
    /// The columns besides [`ChipRow::FIELDS`](crate::sweep::result::ChipRow::FIELDS) that its waves have and
    /// this version knows, in order.
    pub fn values(&self) -> Vec<&'static Column> {
        columns::named(self.columns.iter().map(|c| c.name.as_str()))
    }

    /// How its waves are read, or why it cannot be a header.
    pub(super) fn check(&self) -> Result<Layout, String> {
        if self.format != FORMAT {
            return Err(format!(
                "its format is {}, this version of Pimento reads {FORMAT}",
                self.format
            ));
        }
        if self.points.len() > MAX_POINTS {
            return Err(format!(
                "{} points; allowed: at most {MAX_POINTS}",
                self.points.len()
            ));
        }
        let mut ids = HashSet::new();
        for (i, point) in self.points.iter().enumerate() {
            if point.chips as usize > MAX_CHIPS {
                return Err(format!(
                    "point {i} of {} chips; allowed: at most {MAX_CHIPS}",
                    point.chips
                ));
            }
            if !(0.0..=1.0).contains(&point.yield_limit) {
                return Err(format!(
                    "the yield limit of point {i} is {}",
                    point.yield_limit
                ));
            }
            if !ids.insert(point.id.as_str()) {
                return Err(format!("point {i} is there twice"));
            }
        }
        if let Some(shard) = self.shard.filter(|s| !s.is_possible()) {
            return Err(format!("shard {shard} does not exist"));
        }
        Layout::new(&self.columns)
    }

    /// Why a run with `now` may not continue what this header began: results of the two must not be
    /// mixed. More or fewer chips, another stopping rule and other points are no reason, as long as
    /// they have one point in common: a point's hash says what its chips depend on.
    pub fn difference(&self, now: &Header) -> Option<String> {
        if let Some(difference) = self.other_origin(now) {
            return Some(difference);
        }
        if self.shard != now.shard {
            let shard = |s: Option<Shard>| s.map_or("all chips".into(), |s| format!("shard {s}"));
            return Some(format!(
                "`{}` there, `{}` now",
                shard(self.shard),
                shard(now.shard)
            ));
        }
        let there: HashSet<&str> = self.points.iter().map(|p| p.id.as_str()).collect();
        if now.points.iter().any(|p| there.contains(p.id.as_str())) {
            return None;
        }
        let may_change = [&MAY_CHANGE[..], &PLACES].concat();
        // Else the axes have no value in common.
        let axes = ["sweep.grid", "sweep.axes"];
        let mut but = may_change.clone();
        but.retain(|path| !axes.contains(path));
        first_difference(&self.config, &now.config, &may_change)
            .or_else(|| first_difference(&self.config, &now.config, &but))
            .or_else(|| Some("no point in common".into()))
    }

    /// Why shards with these headers are not parts of one sweep.
    pub fn difference_beside_shard(&self, other: &Header) -> Option<String> {
        if let Some(difference) = self.other_origin(other) {
            return Some(difference);
        }
        let plan = |h: &Header| -> Vec<(String, u32, u64)> {
            let point = |p: &PlannedPoint| (p.id.clone(), p.chips, p.yield_limit.to_bits());
            h.points.iter().map(point).collect()
        };
        if plan(self) != plan(other) {
            return first_difference(&self.config, &other.config, &PLACES)
                .or_else(|| Some("their points".into()));
        }
        if self.stopping != other.stopping {
            let rule = |s: &Option<String>| s.clone().unwrap_or("no stopping rule".into());
            return Some(format!(
                "{} there, {} now",
                rule(&self.stopping),
                rule(&other.stopping)
            ));
        }
        None
    }

    /// Another program, or other data.
    fn other_origin(&self, now: &Header) -> Option<String> {
        if self.revision != now.revision {
            return Some(format!(
                "Pimento {} there, {} now, which makes other chips",
                self.pimento, now.pimento
            ));
        }
        if self.cooperative != now.cooperative {
            let made = |by: bool| match by {
                true => "by cooperative matrices",
                false => "without cooperative matrices",
            };
            return Some(format!(
                "products {} there, {} now (--kernels cooperative or tiled)",
                made(self.cooperative),
                made(now.cooperative)
            ));
        }
        if self.products != now.products {
            return Some(format!(
                "convolutions summed as `{}` there, as `{}` now (--kernels)",
                self.products, now.products
            ));
        }
        // A new axis may read a network in another way, folded or not.
        for (name, a) in &self.inputs {
            if let Some(b) = now.inputs.get(name).filter(|b| *b != a) {
                return Some(format!("{name}: {a} there, {b} now"));
            }
        }
        if self.images != now.images {
            return Some(format!(
                "{} images a chip there, {} now",
                self.images, now.images
            ));
        }
        None
    }

    /// Whether `now` plans exactly the same.
    pub(super) fn same_plan(&self, now: &Header) -> bool {
        let plain = |h: &Header| Header {
            provenance: Provenance {
                config_toml: h.provenance.config_toml.clone(),
                ..Provenance::default()
            },
            ..h.clone()
        };
        plain(self) == plain(now)
    }
}

/// Where files lie does not matter to any chip.
const PLACES: [&str; 8] = [
    "data.dir",
    "data.file",
    "data.cache",
    "data.train_images",
    "data.train_labels",
    "data.test_images",
    "data.test_labels",
    "network.file",
];

/// What a run may change when it is continued, and [`PLACES`].
const MAY_CHANGE: [&str; 11] = [
    "name",
    "title",
    "about",
    "worst_case",
    "design",
    "sweep.chips",
    "sweep.max_chips",
    "sweep.until",
    "sweep.yield_limit",
    "sweep.grid",
    "sweep.axes",
];

/// Most characters of a value in a message.
const SHOWN: usize = 80;

/// The first field in which two configurations differ, but for some.
fn first_difference(
    old: &serde_json::Value,
    new: &serde_json::Value,
    but: &[&str],
) -> Option<String> {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    leaves(old, "", but, &mut a);
    leaves(new, "", but, &mut b);
    let paths: Vec<String> = a.iter().chain(&b).map(|(path, _)| path.clone()).collect();
    let (a, b): (HashMap<_, _>, HashMap<_, _>) = (a.into_iter().collect(), b.into_iter().collect());
    let shown = |path: &str, value: Option<&&serde_json::Value>| match value {
        Some(value) => {
            let mut text = value.to_string();
            if let Some((end, _)) = text.char_indices().nth(SHOWN) {
                text.truncate(end);
                text += "...";
            }
            format!("`{path} = {text}`")
        }
        None => format!("no `{path}`"),
    };
    let path = paths.into_iter().find(|path| a.get(path) != b.get(path))?;
    Some(format!(
        "{} there, {} now",
        shown(&path, a.get(&path)),
        shown(&path, b.get(&path))
    ))
}

/// All values that are not tables, with their paths, but for some fields.
fn leaves<'v>(
    value: &'v serde_json::Value,
    path: &str,
    but: &[&str],
    found: &mut Vec<(String, &'v serde_json::Value)>,
) {
    if but.contains(&path) {
        return;
    }
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                let path = match path {
                    "" => key.clone(),
                    path => format!("{path}.{key}"),
                };
                leaves(value, &path, but, found);
            }
        }
        other => found.push((path.to_string(), other)),
    }
}
