//! What a sweep, a point and a running process are: what a journal notes about them.

use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::hex;
use super::journal::{self, FORMAT, Header, PlannedPoint, Run};
use super::result::{Axes, Provenance};
use super::runner::SweepOptions;
use crate::backend::{Backend, DeviceInfo};
use crate::config::{Experiment, Point};
use crate::data::Split;
use crate::error::{Error, Result};
use crate::train::{Model, network_sha256};

/// Coordinates of a point, and what its network was made with.
pub(super) fn axes(point: &Point, model: &Model) -> Axes {
    let e = &point.experiment;
    let n = &model.numerics;
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
    for (axis, value) in &point.axes {
        if !named.contains(&axis.as_str()) {
            let value = serde_json::to_value(value).unwrap_or_default();
            extra.insert(axis.clone(), value);
        }
    }
    let self_tuned = e.tuning.method == crate::config::TuningMethod::SelfTuning;
    let noisy = e.train.recipe.sees_variation();
    Axes {
        recipe: e.train.recipe.to_string(),
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
    experiment: &Experiment,
    points: &[Point],
    data: &Split,
    options: &SweepOptions,
) -> Result<Header> {
    let Some(backend) = backends.first() else {
        return Err(Error::Internal("a sweep without a backend".into()));
    };
    if let (Some(rule), Some(shard)) = (&options.stopping, options.shard) {
        return Err(Error::input(format!(
            "shard {shard} with the stopping rule {}: a shard does not know the others' chips; \
             allowed: one of the two",
            rule.name()
        )));
    }
    let planned = points.iter().map(|p| PlannedPoint {
        label: p.label(),
        chips: p.experiment.sweep.most_chips() as u32,
    });
    let planned: Vec<PlannedPoint> = planned.collect();
    let least = planned.iter().map(|p| p.chips).min().unwrap_or(0);
    if let Some(shard) = options.shard.filter(|s| s.count > least) {
        return Err(Error::input(format!(
            "shard {shard} of {least} chips: some shards would have none; allowed: at most {least} \
             shards"
        )));
    }
    let inputs = digests(points, data)?;
    let toml = experiment.to_toml()?;
    Ok(Header {
        format: FORMAT,
        pimento: env!("CARGO_PKG_VERSION").to_string(),
        columns: journal::columns(),
        experiment: experiment.name.clone(),
        title: experiment.title.clone(),
        seed: experiment.seed,
        config: serde_json::to_value(experiment)
            .map_err(|e| Error::Internal(format!("experiment to JSON: {e}")))?,
        shard: options.shard,
        stopping: options.stopping.as_ref().map(|rule| rule.name()),
        points: planned,
        provenance: provenance(options, toml, &backend.info(), inputs.clone()),
        inputs,
    })
}

/// SHA-256 of what a sweep reads: the images, and the networks that come from files, by name.
fn digests(points: &[Point], data: &Split) -> Result<serde_json::Map<String, serde_json::Value>> {
    let mut inputs = serde_json::Map::new();
    inputs.insert("train_data_sha256".into(), data.train.sha256().into());
    inputs.insert("test_data_sha256".into(), data.test.sha256().into());
    let mut networks: Vec<String> = vec![];
    for point in points {
        networks.extend(network_sha256(&point.experiment)?.filter(|n| !networks.contains(n)));
    }
    if !networks.is_empty() {
        inputs.insert("network_sha256".into(), networks.join(" ").into());
    }
    Ok(inputs)
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
