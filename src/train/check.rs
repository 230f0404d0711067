//! Whether a training can be, before its first step.

use super::run::Purpose;
use super::run::layout::Layout;
use super::{settings, validate};
use crate::backend::Backend;
use crate::config::{Experiment, Recipe};
use crate::data::Dataset;
use crate::error::Result;
use crate::network::lower::Numerics;
use crate::train::cells::CellSteps;

/// Builds every program that [`super::train()`] runs, and sees that it fits the backend. Nothing is
/// allocated for it.
///
/// # Errors
/// As [`super::train()`] before its first step.
pub fn check(backend: &dyn Backend, experiment: &Experiment, train: &Dataset) -> Result<()> {
    let start = settings::start(experiment, train)?;
    let (t, recipe) = (&experiment.train, experiment.train.recipe);
    let held_out = settings::n_held_out(experiment, train)?;
    let n = train.len() - held_out;
    let full = settings::numerics(experiment, train)?;
    let numerics = match recipe {
        Recipe::Float | Recipe::Ptq | Recipe::PtqVat => Numerics::FLOAT,
        Recipe::Qat | Recipe::Qavat => full,
    };
    let layout =
        |numerics, purpose| Layout::new(backend, experiment, &start.graph, numerics, n, purpose);
    if start.parameters.is_none() || t.epochs > 0 {
        let steps = layout(&numerics, Purpose::Train)?;
        if steps.cells.as_ref().is_some_and(CellSteps::follow_sums) {
            layout(&numerics, Purpose::Settle)?;
        }
        if t.evaluate_every > 0 && held_out > 0 {
            validate::check(backend, experiment, (&start.graph, &numerics), held_out)?;
        }
    }
    if recipe.quantizes_afterwards() {
        let frozen_norm = recipe == Recipe::Ptq;
        layout(&full, Purpose::Quantize { frozen_norm })?;
    }
    Ok(())
}
