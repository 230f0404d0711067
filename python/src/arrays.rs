//! One matrix on one chip.

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pimento::Error;
use pimento::config::Fidelity;
use pimento::sweep::mvm::{Answer, Matrix, Problem, solve};
use pyo3::prelude::*;
use serde_json::json;

use crate::experiment::Experiment;
use crate::machine::Machine;
use crate::watch::watched;

/// A stage: its name, its sizes, its values.
type Stage<'py> = (&'static str, Vec<usize>, Bound<'py, PyArray1<f32>>);

/// What stands in the cells, and what is asked.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Asked<'py> {
    /// Weights, or conductances, flat.
    matrix: PyReadonlyArray1<'py, f32>,
    conductances: bool,
    outputs: usize,
    inputs: PyReadonlyArray1<'py, f32>,
    vectors: usize,
    weight_max: Option<f32>,
    input_max: Option<f32>,
    signed: Option<bool>,
    chip: u32,
}

/// Multiplies a matrix with vectors on a chip: every stage that there is, and numbers as JSON.
#[pyfunction]
pub fn mvm<'py>(
    py: Python<'py>,
    experiment: &Experiment,
    machine: &Machine,
    asked: Asked<'py>,
) -> PyResult<(Vec<Stage<'py>>, String)> {
    let matrix = asked.matrix.as_slice()?.to_vec();
    let inputs = asked.inputs.as_slice()?.to_vec();
    let (vectors, n_out) = (asked.vectors, asked.outputs);
    let n_in = inputs.len() / vectors.max(1);
    let problem = Problem {
        matrix: match asked.conductances {
            true => Matrix::Conductances(matrix),
            false => Matrix::Weights(matrix),
        },
        size: (n_out, n_in),
        inputs,
        weight_max: asked.weight_max,
        input_max: asked.input_max,
        signed: asked.signed,
    };
    let (chip, inner) = (asked.chip, &experiment.inner);
    let answer = watched(py, None, |_| {
        if inner.fidelity != Fidelity::Cell {
            return Err(Error::input(format!(
                "field `fidelity`: \"{}\" has no arrays; allowed for one matrix on a chip: \"cell\"",
                inner.fidelity
            )));
        }
        check_planes(inner, &problem)?;
        solve(machine.first(), inner, &problem, chip)
    })?;
    let about = json!({
        "weight_step": answer.steps.0,
        "input_step": answer.steps.1,
        "row_tiles": answer.arrays.row_tiles(),
        "column_tiles": answer.arrays.col_tiles(),
        "read_planes": answer.arrays.read_planes(),
        "cells": answer.arrays.cells(),
        "slice_bits": answer.arrays.slice_bits.to_vec(),
        "conversions": answer.conversions,
        "energy": answer.energy,
    });
    Ok((
        stages(py, answer, [vectors, n_out, n_in]),
        about.to_string(),
    ))
}

/// Refuses conductances that are not those of every cell.
fn check_planes(
    experiment: &pimento::config::Experiment,
    problem: &Problem,
) -> pimento::Result<()> {
    let Matrix::Conductances(g) = &problem.matrix else {
        return Ok(());
    };
    let cells = &experiment.chip.cells;
    let slices = cells.slices(experiment.quantize.weight_bits).len();
    let polarities = match cells.encoding {
        pimento::config::chip::CellEncoding::Differential => 2,
        pimento::config::chip::CellEncoding::Offset => 1,
    };
    let (n_out, n_in) = problem.size;
    match slices * polarities * n_out * n_in == g.len() {
        true => Ok(()),
        false => Err(Error::input(format!(
            "conductances: {} values; allowed: an array of shape ({}, {n_out}, {n_in}), cell planes, outputs, inputs",
            g.len(),
            slices * polarities
        ))),
    }
}

/// The stages that there are.
fn stages<'py>(py: Python<'py>, a: Answer, [b, n, k]: [usize; 3]) -> Vec<Stage<'py>> {
    let planes = a.arrays.read_planes();
    let sums = vec![b, planes, n, a.arrays.row_tiles(), a.conversions];
    let all = [
        ("outputs", vec![b, n], a.outputs),
        ("ideal", vec![b, n], a.ideal),
        ("input_codes", vec![b, k], a.input_codes),
        ("weight_codes", vec![n, k], a.weight_codes),
        ("conductances", vec![planes, n, k], a.planes),
        ("partial_sums", sums.clone(), a.sums),
        ("codes", sums, a.codes),
        ("ranges", vec![planes, n, 2], a.ranges),
        ("clipped", vec![b, n], a.clipped),
    ];
    let there = all.into_iter().filter(|(_, _, values)| !values.is_empty());
    there
        .map(|(name, shape, values)| (name, shape, values.into_pyarray(py)))
        .collect()
}
