//! Whether a training can be, before its first step.

use super::run::Purpose;
use super::run::layout::Layout;
use super::validate;
use crate::backend::Backend;
use crate::config::Recipe;
use crate::error::Result;
use crate::setup::Point;
use crate::train::cells::CellSteps;

/// Builds every program that [`super::train()`] runs, and sees that it fits the backend. Nothing is
/// allocated for it.
///
/// # Errors
/// As [`super::train()`] before its first step.
pub fn check(backend: &dyn Backend, point: &Point) -> Result<()> {
    let (t, recipe) = (&point.experiment().train, point.experiment().train.recipe);
    let numerics = super::trained_numerics(point);
    let layout = |numerics, purpose| Layout::new(backend, point, numerics, purpose);
    if point.start.file.is_none() || t.epochs > 0 {
        let steps = layout(&numerics, Purpose::Train)?;
        if steps.cells.as_ref().is_some_and(CellSteps::follow_sums) {
            layout(&numerics, Purpose::Settle)?;
        }
        if t.evaluate_every > 0 && point.inputs.n_held_out() > 0 {
            validate::check(backend, point, &numerics)?;
        }
    }
    if recipe.quantizes_afterwards() {
        let frozen_norm = recipe == Recipe::Ptq;
        layout(&point.quantized, Purpose::Quantize { frozen_norm })?;
    }
    Ok(())
}
