//! Sweeps, trainings and what they leave.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use pimento::Error;
use pimento::cli::{self, images as named};
use pimento::files::{outputs, write_atomically};
use pimento::report::{combine::combine, html, summary, typed};
use pimento::sweep::models::training_label;
use pimento::sweep::outdir::Existing;
use pimento::sweep::until::UntilRule;
use pimento::sweep::{SweepOptions, run};
use pimento::train::{Job, save_model, train as trained, training_key};
use pimento::{report as results, setup};
use pyo3::prelude::*;
use serde_json::json;

use crate::data::{Data, images};
use crate::error::Raise;
use crate::experiment::Experiment;
use crate::machine::Machine;
use crate::table::Table;
use crate::watch::watched;

/// Files that an experiment names, and its own.
pub(crate) fn inputs(experiment: &Experiment) -> Vec<PathBuf> {
    let mut files = named::files(&experiment.inner);
    files.extend(experiment.file.clone());
    files
}

/// What is done about a directory that holds a run.
pub(crate) fn existing(word: &str) -> pimento::Result<Existing> {
    match word {
        "refuse" => Ok(Existing::Refuse),
        "replace" => Ok(Existing::Replace),
        "continue" => Ok(Existing::Continue),
        other => Err(Error::Internal(format!("no way to treat a run: {other}"))),
    }
}

/// Where a sweep writes: the directory, what is done about a run in it, trained networks, decoded images.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Places {
    pub(crate) out: PathBuf,
    pub(crate) existing: String,
    pub(crate) models: Option<PathBuf>,
    pub(crate) cache: Option<PathBuf>,
}

/// Runs a sweep into a directory.
#[pyfunction]
pub fn sweep(
    py: Python<'_>,
    experiment: &Experiment,
    machine: &Machine,
    data: Option<&Data>,
    places: Places,
    shard: Option<&str>,
    watch: Option<Py<PyAny>>,
) -> PyResult<()> {
    let split = data.map(|d| &d.split);
    watched(py, watch.as_ref(), |observer| {
        let inner = &experiment.inner;
        let shard = shard.map(|text| {
            let shard = text.parse();
            shard.map_err(|why| Error::input(format!("shard = {text:?}: {why}")))
        });
        let options = SweepOptions {
            existing: existing(&places.existing)?,
            shard: shard.transpose()?,
            models: places.models.clone(),
            stopping: inner
                .sweep
                .until
                .map(|goal| Arc::new(UntilRule { goal }) as _),
            inputs: inputs(experiment),
            ..SweepOptions::new(&places.out, "pimento.sweep (Python)", results::write)
        };
        let data = images(split, inner, places.cache.as_ref(), observer)?;
        run(&machine.all(), inner, &data, &options, observer).map(drop)
    })
}

/// Builds everything that a sweep needs, short of training: a JSON document, and a text for people.
#[pyfunction]
pub fn check(
    py: Python<'_>,
    experiment: &Experiment,
    machine: &Machine,
    data: Option<&Data>,
    cache: Option<PathBuf>,
) -> PyResult<(String, String)> {
    let split = data.map(|d| &d.split);
    watched(py, None, |observer| {
        let data = images(split, &experiment.inner, cache.as_ref(), observer)?;
        let found = cli::found(&machine.all(), &experiment.inner, &data)?;
        Ok((found.document.to_string(), found.plan))
    })
}

/// Trains the network of a point into a file; the record of the training as JSON.
#[pyfunction]
pub fn train(
    py: Python<'_>,
    experiment: &Experiment,
    machine: &Machine,
    data: Option<&Data>,
    point: usize,
    places: Places,
    watch: Option<Py<PyAny>>,
) -> PyResult<String> {
    let split = data.map(|d| &d.split);
    watched(py, watch.as_ref(), |observer| {
        let (out, resume) = (&places.out, places.existing == "continue");
        let files = inputs(experiment);
        outputs::check(out, &files, places.existing == "replace", "out")?;
        let partial = out.with_extension("partial");
        outputs::refuse_inputs(&partial, &files)?;
        let inner = &experiment.inner;
        let data = images(split, inner, places.cache.as_ref(), observer)?;
        let point = setup::point(inner, &data, point)?;
        let label = training_label(point.experiment());
        let model = trained(&Job {
            backend: machine.first(),
            point: &point,
            label: label.clone(),
            checkpoint: Some(partial.clone()),
            resume,
            observer,
        })?;
        let key = training_key(&point, machine.first().products())?;
        save_model(out, &model, &key)?;
        if partial.exists() {
            std::fs::remove_file(&partial).map_err(|e| Error::io(&partial, e))?;
        }
        Ok(json!({"training": label, "record": model.record}).to_string())
    })
}

/// What a run left: its summary as JSON, and the rows of its chips.
#[pyfunction]
pub fn read_run(py: Python<'_>, dir: PathBuf) -> PyResult<(String, Table)> {
    let read = py.detach(|| {
        let run = cli::load_runs(&[dir])?.remove(0);
        let columns = typed::columns(&run.result, &run.rows);
        Ok((summary::to_json(&run.result)?, columns))
    });
    let (summary, columns) = read.raise(py)?;
    Ok((summary, Table::new(columns)))
}

/// Writes a page of one or several runs.
#[pyfunction]
pub fn report(py: Python<'_>, dirs: Vec<PathBuf>, out: PathBuf, force: bool) -> PyResult<()> {
    let written = py.detach(|| {
        let (result, rows) = combine(cli::load_runs(&dirs)?)?;
        outputs::check::<PathBuf>(&out, &[], force, "path")?;
        write_atomically(&out, html::page(&result, &rows).as_bytes())
    });
    written.raise(py)
}

/// The command line; returns its exit code.
#[pyfunction]
pub fn command_line(py: Python<'_>, words: Vec<OsString>) -> u8 {
    py.detach(|| cli::run(words))
}
