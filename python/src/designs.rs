//! Searches of designs.

use pimento::config::Goal;
use pimento::report::designs;
use pimento::sweep::SweepOptions;
use pimento::{Error, design as search};
use pyo3::prelude::*;

use crate::data::{Data, images};
use crate::experiment::Experiment;
use crate::machine::Machine;
use crate::runs::{Places, existing, inputs};
use crate::watch::watched;

/// Searches the designs of a space into a directory; what was found, as JSON.
#[pyfunction]
pub fn design(
    py: Python<'_>,
    experiment: &Experiment,
    machine: &Machine,
    data: Option<&Data>,
    goal: Option<&str>,
    places: Places,
    watch: Option<Py<PyAny>>,
) -> PyResult<String> {
    let split = data.map(|d| &d.split);
    watched(py, watch.as_ref(), |observer| {
        let mut space = experiment.inner.clone();
        if let Some(text) = goal {
            let goal = text.parse::<Goal>();
            let goal = goal.map_err(|why| Error::input(format!("goal = {text:?}: {why}")))?;
            space.design.get_or_insert_default().goal = goal;
        }
        search::check(&space)?;
        space.check()?;
        let options = SweepOptions {
            existing: existing(&places.existing)?,
            models: places.models.clone(),
            inputs: inputs(experiment),
            ..SweepOptions::of_journal(&places.out, "pimento.design (Python)")
        };
        let data = images(split, &space, places.cache.as_ref(), observer)?;
        let backends = machine.all();
        let found = search::run(&backends, &space, &data, &options, designs::write, observer)?;
        designs::json(&found)
    })
}
