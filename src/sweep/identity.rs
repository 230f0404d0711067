//! What a sweep, a point and a running process are: what a journal notes about them.

use std::collections::HashMap;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::census::Basis;
use super::columns;
use super::hex;
use super::journal::{self, FORMAT, Header, PlannedPoint, REVISION, Run};
use super::models::training_of_point;
use super::outdir::MODELS;
use super::result::{Axes, Provenance};
use super::runner::SweepOptions;
use crate::backend::{Backend, DeviceInfo};
use crate::column::Column;
use crate::config::{Experiment, Sweep};
use crate::error::{Error, Result};
use crate::setup::{Inputs, Point, Setup};

/// Coordinates of a point, and what its network is made with.
pub(super) fn axes(point: &Point) -> Axes {
    let (e, n) = (point.experiment(), &point.numerics);
    let bits = |b: u32| if b == 0 { 32 } else { b };
    let mut extra = serde_json::Map::new();
    let named = [
        "train.recipe",
        "variation.law",
        "variation.mapping",
        "variation.distribution",
        "variation.sigma_w",
        "variation.sigma_b",
        "quantize.weight_bits",
        "quantize.activation_bits",
        "tuning.method",
        "tuning.test_cells",
        "train.variation",
        "train.seed",
    ];
    for (axis, value) in &point.config.axes {
        if !named.contains(&axis.as_str()) {
            let value = serde_json::to_value(value).unwrap_or_default();
            extra.insert(axis.clone(), value);
        }
    }
    let self_tuned = e.tuning.method == crate::config::TuningMethod::SelfTuning;
    let noisy = e.any_stage(|t| t.composition().sees_variation());
    Axes {
        recipe: e.training_name().to_string(),
        law: e.variation.law.to_string(),
        mapping: e.variation.mapping.to_string(),
        sigma_w: e.variation.sigma_w,
        sigma_b: e.variation.sigma_b,
        tuning: e.tuning.method.to_string(),
        weight_bits: bits(n.weight_bits),
        activation_bits: bits(n.act_bits),
        train_variation: if noisy {
            e.train.variation.to_string()
        } else {
            "none".into()
        },
        train_seed: e.training_seed(),
        distribution: e.variation.distribution.to_string(),
        test_cells: if self_tuned {
            e.tuning.test_cells as u32
        } else {
            0
        },
        extra,
    }
}

/// What a run of this sweep must have in common with every other one in the same directory.
pub(super) fn header(
    backends: &[&dyn Backend],
    setup: &Setup,
    options: &SweepOptions,
) -> Result<Header> {
    let (experiment, data) = (setup.experiment, setup.inputs.data);
    let Some(backend) = backends.first() else {
        return Err(Error::Internal("a sweep without a backend".into()));
    };
    if let Some(other) = backends.iter().find(|b| b.products() != backend.products()) {
        return Err(Error::input(format!(
            "convolutions summed by `{}` on one adapter, by `{}` on another; allowed: one way on all of them",
            backend.products(),
            other.products()
        )));
    }
    if let (Some(rule), Some(shard)) = (&options.stopping, options.shard) {
        return Err(Error::input(format!(
            "shard {shard} with the stopping rule {}: a shard does not know the others' chips; \
             allowed: one of the two",
            rule.name()
        )));
    }
    let (paths, planned) = planned(setup)?;
    let least = planned.iter().map(|p| p.chips).min().unwrap_or(0);
    if let Some(shard) = options.shard.filter(|s| s.count > least) {
        return Err(Error::input(format!(
            "shard {shard} of {least} chips: some shards would have none; allowed: at most {least} \
             shards"
        )));
    }
    let inputs = digests(setup);
    let mut settled = experiment.clone();
    settled.make_paths_absolute();
    let models = options.models.clone();
    let models = models.unwrap_or_else(|| options.out.join(MODELS));
    Ok(Header {
        format: FORMAT,
        revision: REVISION,
        cooperative: cooperative(backends)?,
        products: backend.products().to_string(),
        pimento: env!("CARGO_PKG_VERSION").to_string(),
        columns: journal::stored(&measured(setup)),
        experiment: experiment.name.clone(),
        title: experiment.title.clone(),
        seed: experiment.seed,
        config: json(&settled)?,
        shard: options.shard,
        stopping: options.stopping.as_ref().map(|rule| rule.name()),
        images: match experiment.sweep.images {
            0 => data.test.len() as u32,
            n => n.min(data.test.len()) as u32,
        },
        axes: paths,
        points: planned,
        models: std::path::absolute(&models).ok(),
        provenance: provenance(options, settled.to_toml()?, &backend.info(), inputs.clone()),
        inputs,
    })
}

/// Whether all adapters make products of codes by cooperative matrices.
///
/// # Errors
/// Some do and some do not: chips of one sweep are computed in one way.
fn cooperative(backends: &[&dyn Backend]) -> Result<bool> {
    let all: Result<Vec<bool>> = backends.iter().map(|b| b.cooperative()).collect();
    let all = all?;
    match (all.contains(&true), all.contains(&false)) {
        (true, true) => Err(Error::input(
            "products by cooperative matrices on one adapter, without them on another; allowed: one way on all of them \
             (--kernels portable or tiled)",
        )),
        (any, _) => Ok(any),
    }
}

/// The columns that any point has besides the fields of every row, in order.
fn measured(setup: &Setup) -> Vec<&'static Column> {
    let of_point = |point: &Point| columns::of(point.experiment());
    let all = setup.points.iter().flat_map(of_point);
    columns::named(all.map(|column| column.name))
}

/// The fields that vary, and all points with their hashes. Points with equal settings are told apart
/// by their order.
fn planned(setup: &Setup) -> Result<(Vec<String>, Vec<PlannedPoint>)> {
    let points = &setup.points;
    let paths = setup.experiment.axis_paths();
    let images = images(&setup.inputs);
    let mut seen: HashMap<String, u32> = HashMap::new();
    let mut planned = Vec::with_capacity(points.len());
    for point in points {
        let id = point_id(point, &images)?;
        let times = seen.entry(id.clone()).or_insert(0);
        *times += 1;
        planned.push(PlannedPoint {
            id: match times {
                1 => id,
                again => format!("{id}-{again}"),
            },
            label: point.config.label(),
            chips: point.experiment().sweep.most_chips() as u32,
            yield_limit: point.experiment().sweep.yield_limit,
            basis: Basis::new(point.experiment(), setup.inputs.data.test.classes),
            axes: axes(point),
            settings: point.config.settings(&paths)?,
            training: training_of_point(&point.config),
        });
    }
    Ok((paths, planned))
}

/// Hash of everything that the chips of a point depend on: its settings and the contents of the
/// images and of a network's files, not names, places, numbers of chips or limits that only count
/// them.
fn point_id(point: &Point, images: &serde_json::Map<String, serde_json::Value>) -> Result<String> {
    let mut e = point.experiment().clone();
    e.name.clear();
    e.title.clear();
    e.about.clear();
    e.data.make_placeless();
    (e.network.file, e.network.file_sha256) = Default::default();
    if let Some(energy) = &mut e.energy {
        // Its content says which file.
        energy.file = None;
    }
    e.chip.cells.sampled = None;
    // A seed or noise that training takes from elsewhere is the same as one that is written down.
    e.train.seed = Some(point.experiment().training_seed());
    e.train.sigma_w = Some(point.experiment().training_sigma_w());
    (e.worst_case, e.design) = (None, None);
    e.sweep = Sweep {
        images: e.sweep.images,
        metrics: columns::metrics(&e),
        ..Sweep::default()
    };
    let network = point.start.sha256();
    let settings = serde_json::json!({
        "revision": REVISION, "settings": json(&e)?, "images": images, "network": network,
    });
    let digest = hex(&Sha256::digest(settings.to_string()));
    Ok(digest[..32].to_string())
}

fn json(experiment: &Experiment) -> Result<serde_json::Value> {
    serde_json::to_value(experiment)
        .map_err(|e| Error::Internal(format!("experiment to JSON: {e}")))
}

/// SHA-256 of the images, by name.
fn images(inputs: &Inputs) -> serde_json::Map<String, serde_json::Value> {
    let mut images = serde_json::Map::new();
    images.insert("train_data_sha256".into(), inputs.sha256().into());
    images.insert("test_data_sha256".into(), inputs.data.test.sha256().into());
    images
}

/// SHA-256 of what a sweep reads: the images, and the networks that come from files, by name.
pub(super) fn digests(setup: &Setup) -> serde_json::Map<String, serde_json::Value> {
    let mut inputs = images(&setup.inputs);
    for point in &setup.points {
        let name = match point.experiment().network.fold_batch_norm {
            false => "network_sha256",
            true => "folded_network_sha256",
        };
        if !inputs.contains_key(name)
            && let Some(sha256) = point.start.sha256()
        {
            inputs.insert(name.into(), sha256.into());
        }
    }
    inputs
}

fn provenance(
    options: &SweepOptions,
    toml: String,
    info: &DeviceInfo,
    more: serde_json::Map<String, serde_json::Value>,
) -> Provenance {
    Provenance {
        command: options.command.clone(),
        config_sha256: hex(&Sha256::digest(toml.as_bytes())),
        config_toml: toml,
        started: now(),
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        threads: std::thread::available_parallelism().map_or(1, |n| n.get()),
        api: info.api.clone(),
        driver: info.driver.clone(),
        more,
    }
}

fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// This process, for whoever finds the directory locked.
pub(super) fn this_run(command: &str) -> Run {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let variable = |name: &str| std::env::var(name).ok();
    let host = kernel.or(variable("COMPUTERNAME")).or(variable("HOSTNAME"));
    Run {
        pid: std::process::id(),
        host: host.map_or("this machine".into(), |h| h.trim().to_string()),
        started: now(),
        command: command.to_string(),
    }
}
