//! From a journal to results: the same for a run, a resumed run and merged shards.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::census::Census;
use super::journal::{Adapter, Journal};
use super::result::{PointInputs, PointSummary, SweepResult, TrainingHistory};
use super::rows::Rows;
use crate::error::{Error, Result};

/// Writes results into a directory (`report::write`): the summary, and the rows of its points.
pub type Write = fn(&Path, &SweepResult, &dyn Rows) -> Result<()>;

/// What a sweep leaves.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What `summary.json` holds.
    pub result: SweepResult,
    /// The output directory.
    pub out: PathBuf,
}

/// The result of a sweep without its points.
pub(super) fn blank(journal: &Journal) -> SweepResult {
    let header = journal.header();
    SweepResult {
        pimento: header.pimento.clone(),
        experiment: header.experiment.clone(),
        title: header.title.clone(),
        seed: header.seed,
        backend: String::new(),
        adapter: String::new(),
        elapsed_s: 0.0,
        config: header.config.clone(),
        directory: journal.path().parent().map(Path::to_path_buf),
        axes: header.axes.clone(),
        points: vec![],
        comparisons: vec![],
        trainings: vec![],
        provenance: header.provenance.clone(),
    }
}

/// Names the adapters that took waves; `usual` where none did.
pub(super) fn name_adapters(result: &mut SweepResult, journal: &Journal, usual: &[Adapter]) {
    let chips = journal.chips_by_adapter();
    let of_journal = journal
        .adapters()
        .iter()
        .cloned()
        .zip(chips)
        .collect::<Vec<_>>();
    let mut used: Vec<(Adapter, u64)> = of_journal.into_iter().filter(|a| a.1 > 0).collect();
    if used.is_empty() {
        used = usual.iter().cloned().map(|a| (a, 0)).collect();
    }
    let joined = |of: fn(&Adapter) -> &str| {
        let mut names: Vec<&str> = used.iter().map(|(a, _)| of(a)).collect();
        names.dedup();
        names.join(" + ")
    };
    result.backend = joined(|a| &a.backend);
    result.adapter = joined(|a| &a.name);
    let more = &mut result.provenance.more;
    if let Some(shard) = journal.header().shard {
        more.insert("shard".into(), shard.to_string().into());
    }
    let list = used.iter().map(|(a, chips)| {
        json!({"backend": a.backend, "name": a.name, "api": a.api, "driver": a.driver, "chips": chips})
    });
    more.insert("adapters".into(), list.collect());
}

/// Adds a complete point, and its training where it is the first to have it.
pub(super) fn add(result: &mut SweepResult, journal: &Journal, point: usize) -> Result<()> {
    result.points.push(summary(journal, point)?);
    let model = |p: usize| journal.facts(p).map(|f| f.model_sha256.as_str());
    let own = model(point).unwrap_or_default();
    let Some(epochs) = journal.history(own) else {
        return Ok(());
    };
    if !(0..point).any(|p| model(p) == Some(own)) {
        result.trainings.push(TrainingHistory {
            label: journal.header().points[point].training.clone(),
            epochs: epochs.to_vec(),
        });
    }
    Ok(())
}

/// Summarises a complete point.
pub(super) fn summary(journal: &Journal, point: usize) -> Result<PointSummary> {
    let (Some(facts), Some(_)) = (journal.facts(point), journal.ended(point)) else {
        return Err(Error::Internal(format!("point {point} is not complete")));
    };
    let planned = &journal.header().points[point];
    let mut census = Census::default();
    for row in journal.of_point(point)? {
        census.push(&row?);
    }
    let inputs = PointInputs {
        ideal: facts.ideal,
        ideal_metrics: facts.ideal_metrics.clone(),
        yield_limit: planned.yield_limit,
        tuning_cost: facts.tuning_cost,
        costs: facts.costs.clone(),
        energy: facts.energy.clone(),
        basis: planned.basis,
        predicted_variance: facts.predicted_variance,
        elapsed_s: journal.seconds(point),
    };
    Ok(PointSummary {
        model_sha256: Some(facts.model_sha256.clone()),
        settings: planned.settings.clone(),
        ..PointSummary::new(planned.axes.clone(), &census, &inputs)
    })
}
