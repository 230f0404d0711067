//! Energy of the arrays: what driving the inputs of every layer takes on each chip.
//!
//! With columns at virtual ground a read dissipates `t sum over rows V^2 sum of G`. Fabrication adds the conductances that every
//! place of a layer's input map drives, over all output pixels ([`InputLoad`]); an image then costs one product and sum an
//! input of a layer ([`InputEnergy`]), little beside its crossbars.

use std::sync::Arc;

use super::inference::Inference;
use super::*;

/// Squared drives, relative to the highest one, times conductances relative to `G_max`, over the images of a run.
#[derive(Debug, Clone)]
pub struct InputEnergies {
    /// Sums, `Flat(layers)` per chip.
    pub sums: TensorId,
    /// Positions of the layers among the crossbar layers.
    pub layers: Vec<usize>,
}

/// Squared drives of every code over its steps, from the lowest code on.
pub(crate) fn squares(dac: &Dac) -> (i32, Arc<[f32]>) {
    let top = f64::from((1u32 << dac.dac_bits) - 1);
    let square = |code| {
        let steps = 0..dac.steps();
        let squares = steps.map(|t| (f64::from(dac.of_step(code, t)) / top).powi(2));
        squares.sum::<f64>() as f32
    };
    (*dac.codes().start(), dac.codes().map(square).collect())
}

/// The programming of a layer's cells themselves, without what is subtracted from them.
pub(crate) fn raw_cells(op: &ProgramCells, out: TensorId) -> ProgramCells {
    let mut spec = Programming {
        raw: true,
        reference_columns: 0,
        ..op.spec.clone()
    };
    if let Encoding::Offset { reference } = &mut spec.arrays.encoding {
        *reference = 0;
    }
    ProgramCells {
        out,
        variance: None,
        spec,
        ..op.clone()
    }
}

/// A layer that is read by arrays.
struct Read {
    layer: u32,
    geo: ConvGeometry,
    load: TensorId,
}

impl Inference {
    /// The program that adds up what driving the inputs of its layers on arrays takes, too.
    pub fn with_energy(mut self) -> Self {
        let (mut reads, mut values) = (vec![], vec![]);
        let evaluate = std::mem::take(&mut self.program.sections[self.evaluate.0].ops);
        let mut ops = Vec::with_capacity(evaluate.len());
        for op in evaluate {
            let read = match &op {
                Op::Crossbar(crossbar) => Some(self.drives(crossbar, &mut reads)),
                _ => None,
            };
            ops.push(op);
            if let Some(energy) = read {
                values.push(energy.y);
                ops.push(energy.into());
            }
        }
        if reads.is_empty() {
            self.program.sections[self.evaluate.0].ops = ops;
            return self;
        }
        let shape = Shape::Flat(values.len());
        let sums = self
            .program
            .tensor("energy", shape, Scope::PerChip, Role::State);
        self.program.read_in_flight(sums);
        let tally = sums;
        ops.push(Op::from(Tally { values, tally }));
        self.program.sections[self.evaluate.0].ops = ops;
        let clear = Op::from(Zero { t: sums });
        self.program.sections[self.clear.0].ops.push(clear);
        self.load(&reads);
        let layers = reads.iter().map(|read| read.layer as usize - 1).collect();
        self.energy = Some(InputEnergies { sums, layers });
        self
    }

    /// What driving the inputs of a read takes.
    fn drives(&mut self, crossbar: &Crossbar, reads: &mut Vec<Read>) -> InputEnergy {
        let (layer, geo) = (crossbar.spec.layer, crossbar.geo);
        let program = &mut self.program;
        let places = Shape::Flat(geo.c_in * geo.h_in * geo.w_in);
        let load = format!("layer {layer}.load");
        let load = program.tensor(load, places, Scope::PerChip, Role::State);
        reads.push(Read { layer, geo, load });
        let one = Shape::Image { c: 1, h: 1, w: 1 };
        let y = format!("layer {layer}.energy");
        let y = program.tensor(y, one, Scope::PerChip, Role::Temp);
        let (lo, table) = squares(&crossbar.spec.dac);
        let (x, x_step) = (crossbar.x, crossbar.x_step);
        InputEnergy {
            x,
            x_step,
            load,
            y,
            lo,
            table,
        }
    }

    /// Adds the loads to fabrication, each behind the cells that it adds up: with wires they are there.
    fn load(&mut self, reads: &[Read]) {
        let fabricate = std::mem::take(&mut self.program.sections[self.fabricate.0].ops);
        let programming = |op: &Op| match op {
            Op::ProgramCells(cells) => Some(cells.clone()),
            _ => None,
        };
        let has_raw: Vec<u32> = fabricate
            .iter()
            .filter_map(programming)
            .filter(|cells| cells.spec.raw)
            .map(|cells| cells.spec.layer)
            .collect();
        let mut ops = Vec::with_capacity(fabricate.len());
        for op in fabricate {
            let cells = programming(&op);
            ops.push(op);
            let Some(cells) = cells else { continue };
            let layer = cells.spec.layer;
            let read = reads.iter().find(|read| read.layer == layer);
            let Some(read) = read.filter(|_| cells.spec.raw || !has_raw.contains(&layer)) else {
                continue;
            };
            let mut g = cells.out;
            if !cells.spec.raw {
                let shape = Shape::Flat(cells.spec.arrays.cells());
                let name = format!("layer {layer}.raw");
                g = self.program.tensor(name, shape, Scope::PerChip, Role::Temp);
                ops.push(raw_cells(&cells, g).into());
            }
            ops.push(Op::from(InputLoad {
                g,
                out: read.load,
                arrays: cells.spec.arrays.clone(),
                geo: read.geo,
            }));
        }
        self.program.sections[self.fabricate.0].ops = ops;
    }
}
