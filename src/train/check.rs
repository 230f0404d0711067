//! Whether a training can be, before its first step.

use super::run::Purpose;
use super::run::layout::Layout;
use super::stages::Stages;
use super::validate;
use crate::backend::Backend;
use crate::config::parts::NormAfter;
use crate::error::Result;
use crate::setup::{Point, trained};
use crate::train::cells::CellSteps;

/// Builds every program that [`super::train()`] runs, and sees that it fits the backend. Nothing is
/// allocated for it.
///
/// # Errors
/// As [`super::train()`] before its first step.
pub fn check(backend: &dyn Backend, point: &Point) -> Result<()> {
    for stage in Stages::new(point)?.stages {
        check_stage(backend, &stage.point)?;
    }
    Ok(())
}

fn check_stage(backend: &dyn Backend, point: &Point) -> Result<()> {
    let t = &point.experiment().train;
    let parts = t.composition();
    let numerics = point.trained_numerics();
    let layout = |numerics, purpose| Layout::new(backend, point, numerics, purpose, 1.0);
    if point.start.file.is_none() || t.epochs > 0 {
        let steps = layout(&numerics, Purpose::Train)?;
        if steps.cells.as_ref().is_some_and(CellSteps::follow_sums) {
            layout(&numerics, Purpose::Settle)?;
        }
        if t.evaluate_every > 0 && point.inputs.n_held_out() > 0 {
            validate::check(backend, point, &trained(&parts, &point.quantized))?;
        }
    }
    if let Some(norm) = parts.quantizes_afterwards() {
        let frozen_norm = norm == NormAfter::Keep;
        layout(&point.quantized, Purpose::Quantize { frozen_norm })?;
    }
    Ok(())
}
