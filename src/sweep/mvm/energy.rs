//! What the product of a matrix takes, vector by vector.

use serde::Serialize;

use crate::backend::{Backend, Capacity, RunArgs};
use crate::chip::layer::CellLayer;
use crate::choice::Choice;
use crate::config::{Experiment, LayerSettings};
use crate::energy::{self, Interval, OnArrays, Part, Rates};
use crate::error::Result;
use crate::network::lower::energy::{raw_cells, squares};
use crate::program::{ConvGeometry, Program, ProgramCells, Role, Scope, Shape};

use super::Matrix;
use super::codes::Codes;

/// Energy of the products of a matrix, for a technology (`[energy]`; docs/energy.md).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProductEnergy {
    /// Energy of the arrays for every vector, from the conductances of this chip and the drives of the vector, in pJ. With wires
    /// that resist it is that on ideal lines, an upper bound.
    pub arrays_pj: Vec<f64>,
    /// Energy of everything else for a vector, in pJ.
    pub others_pj: Interval,
}

/// A matrix on its arrays, and what is multiplied.
pub(super) struct Read<'a> {
    pub layer: &'a CellLayer,
    pub weights: &'a Codes,
    pub inputs: &'a Codes,
    pub matrix: &'a Matrix,
    /// Common deviations of the arrays of the chip.
    pub arrays: &'a [f32],
    /// What a code of the arrays stands for.
    pub step: f32,
}

/// What the products take; none without a section `[energy]`.
///
/// # Errors
/// A technology that cannot be read or knows no such converters; the device.
pub(super) fn energy(
    backend: &dyn Backend,
    experiment: &Experiment,
    read: &Read,
    geo: &ConvGeometry,
    args: &RunArgs,
) -> Result<Option<ProductEnergy>> {
    let Some(wanted) = &experiment.energy else {
        return Ok(None);
    };
    let settings = LayerSettings::usual(experiment, "matrix");
    let on_arrays = OnArrays {
        arrays: &read.layer.reading.arrays,
        dac: &read.layer.reading.dac,
        geo,
        settings: &settings,
        bits: [experiment.quantize.activation_bits, 0],
    };
    let estimate = energy::on_arrays(&Rates::new(wanted)?, &on_arrays)?;
    let others = Part::ALL.iter().filter(|part| **part != Part::Arrays);
    let others_pj = others.map(|part| estimate.part(*part).energy_pj).sum();
    let loads = loads(&cells(backend, read, args)?, geo.c_in);
    let (lowest, squares) = squares(&read.layer.reading.dac);
    let square = |code: f32| {
        let at = (code.round_ties_even() as i32 - lowest).clamp(0, squares.len() as i32 - 1);
        f64::from(squares[at as usize])
    };
    let codes = read.inputs.codes();
    let of_vector = |codes: &[f32]| {
        let terms = codes.iter().zip(&loads);
        estimate.unit_pj * terms.map(|(code, load)| square(*code) * load).sum::<f64>()
    };
    Ok(Some(ProductEnergy {
        arrays_pj: codes.chunks(geo.c_in).map(of_vector).collect(),
        others_pj,
    }))
}

/// Conductances of all cells relative to `G_max`, `[cell plane][output][input]`.
fn cells(backend: &dyn Backend, read: &Read, args: &RunArgs) -> Result<Vec<f32>> {
    if let Matrix::Conductances(g) = read.matrix {
        return Ok(g.clone());
    }
    let a = &read.layer.programming.arrays;
    let mut program = Program::default();
    let mut flat = |name: &str, n, scope| program.tensor(name, Shape::Flat(n), scope, Role::State);
    let w = flat("weights", a.plane_len(), Scope::Shared);
    let step = flat("weight step", 1, Scope::Shared);
    let array = flat("arrays", a.cell_arrays(), Scope::PerChip);
    let out = flat("cells", a.cells(), Scope::PerChip);
    let cells = ProgramCells {
        w,
        step,
        array,
        out,
        variance: None,
        spec: read.layer.programming.clone(),
    };
    let section = program.section("program", vec![raw_cells(&cells, out).into()]);
    let want = Capacity {
        chips: 1,
        images: 1,
        chunk: 1,
    };
    let mut session = backend.prepare(&program, want)?;
    session.write(w, &read.weights.values)?;
    session.write(step, &[read.step])?;
    session.write(array, read.arrays)?;
    session.run(section, args)?;
    session.read(out)
}

/// Sum of the conductances that every input drives.
fn loads(cells: &[f32], inputs: usize) -> Vec<f64> {
    let mut loads = vec![0.0; inputs];
    for column in cells.chunks(inputs) {
        for (load, g) in loads.iter_mut().zip(column) {
            *load += f64::from(*g);
        }
    }
    loads
}
