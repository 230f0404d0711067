//! What the product of a matrix takes, vector by vector.

use std::sync::Arc;

use serde::Serialize;

use crate::backend::{Backend, Capacity, Pending, RunArgs};
use crate::chip::layer::CellLayer;
use crate::choice::Choice;
use crate::config::{Experiment, LayerSettings};
use crate::energy::{self, Interval, OnArrays, Part, Rates};
use crate::error::Result;
use crate::network::lower::energy::{raw_cells, squares};
use crate::program::{ConvGeometry, Program, ProgramCells, Role, Scope, Shape};
use crate::tuning::cells::CellLayerTuning;

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

/// A matrix on the arrays of chips.
pub(super) struct Read<'a> {
    pub layer: &'a CellLayer,
    pub weights: &'a Codes,
    pub matrix: &'a Matrix,
    /// What the arrays of every chip have in common.
    pub tuned: &'a [CellLayerTuning],
    /// What a code of the arrays stands for.
    pub step: f32,
}

/// The conductances of chips on their way, and what a unit of them takes.
pub(super) struct Meter {
    cells: Cells,
    /// Energy of a unit of squared drives times conductances.
    unit_pj: f64,
    others_pj: Interval,
    /// The lowest code, and the squared drives of all from it on.
    squares: (i32, Arc<[f32]>),
    inputs: usize,
}

/// Conductances relative to `G_max`, `[cell plane][output][input]`.
enum Cells {
    /// The same on all chips.
    Given(Vec<f32>),
    /// Of one chip after the other.
    Programmed(Pending),
}

impl Meter {
    /// Asks for the conductances; none without a section `[energy]`.
    ///
    /// # Errors
    /// A technology that cannot be read or knows no such converters; the device.
    pub fn submit(
        backend: &dyn Backend,
        experiment: &Experiment,
        read: &Read,
        geo: &ConvGeometry,
        args: &RunArgs,
    ) -> Result<Option<Self>> {
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
        let cells = match read.matrix {
            Matrix::Conductances(g) => Cells::Given(g.clone()),
            Matrix::Weights(_) => Cells::Programmed(programmed(backend, read, args)?),
        };
        Ok(Some(Self {
            cells,
            unit_pj: estimate.unit_pj,
            others_pj: others.map(|part| estimate.part(*part).energy_pj).sum(),
            squares: squares(&read.layer.reading.dac),
            inputs: geo.c_in,
        }))
    }

    /// Whether [`Meter::finish`] would return at once.
    ///
    /// # Errors
    /// The device.
    pub fn is_ready(&mut self) -> Result<bool> {
        match &mut self.cells {
            Cells::Given(_) => Ok(true),
            Cells::Programmed(pending) => pending.is_ready(),
        }
    }

    /// What products with vectors of these codes take on each of `chips` chips.
    ///
    /// # Errors
    /// The device.
    pub fn finish(self, codes: &[f32], chips: usize) -> Result<Vec<ProductEnergy>> {
        let (lowest, squares) = &self.squares;
        let square = |code: f32| {
            let at = (code.round_ties_even() as i32 - lowest).clamp(0, squares.len() as i32 - 1);
            f64::from(squares[at as usize])
        };
        let of_cells = |cells: &[f32]| {
            let loads = loads(cells, self.inputs);
            let of_vector = |codes: &[f32]| {
                let terms = codes.iter().zip(&loads);
                self.unit_pj * terms.map(|(code, load)| square(*code) * load).sum::<f64>()
            };
            ProductEnergy {
                arrays_pj: codes.chunks(self.inputs).map(of_vector).collect(),
                others_pj: self.others_pj,
            }
        };
        match self.cells {
            Cells::Given(cells) => Ok(vec![of_cells(&cells); chips]),
            Cells::Programmed(pending) => {
                let cells = pending.wait()?.concat();
                Ok(cells.chunks(cells.len() / chips).map(of_cells).collect())
            }
        }
    }
}

/// Conductances of all cells of all chips.
fn programmed(backend: &dyn Backend, read: &Read, args: &RunArgs) -> Result<Pending> {
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
        chips: read.tuned.len(),
        images: 1,
        chunk: 1,
    };
    let mut session = backend.prepare(&program, want)?;
    session.write(w, &read.weights.values)?;
    session.write(step, &[read.step])?;
    let arrays: Vec<f32> = read
        .tuned
        .iter()
        .flat_map(|t| t.arrays.iter().copied())
        .collect();
    session.write(array, &arrays)?;
    let args = RunArgs {
        images: 0..1,
        ..args.clone()
    };
    session.run(section, &args)?;
    session.submit(&[out])
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
