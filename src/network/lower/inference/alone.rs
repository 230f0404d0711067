//! One crossbar layer by itself, on many chips, for vectors of its inputs.

use super::super::cells::{CellTensors, Maps, Place, program_layer, read_layer};
use super::super::*;
use super::fabricate_layer;
use crate::chip::layer::CellLayer;

/// What makes the chips of the layer.
#[derive(Debug, Clone, Copy)]
pub enum Made<'a> {
    /// One deviation per weight.
    Weight(&'a CellNoise),
    /// Cells in arrays.
    Cell(&'a CellLayer),
}

/// How the weights of the layer are quantized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weights {
    /// Bits, 0 for none.
    pub bits: u32,
    /// Steps, and how many consecutive weights share one ([`Numerics::weight_steps`]).
    pub steps: (usize, usize),
}

/// The program of a layer.
#[derive(Debug, Clone)]
pub struct Alone {
    /// The program.
    pub program: Program,
    /// Weights, written by the host.
    pub weight: TensorId,
    /// Their steps, written by the host.
    pub weight_step: TensorId,
    /// Inputs, a map `(channels, 1, 1)`; multiples of `input_step` at cell level.
    pub x: TensorId,
    /// Step of the inputs, at cell level.
    pub input_step: Option<TensorId>,
    /// Outputs, a map `(columns, 1, 1)`.
    pub y: TensorId,
    /// Conversions beyond their range, a map like `y`, where there are converters.
    pub clipped: Option<TensorId>,
    /// Sums in front of the converters, where they are asked for.
    pub sums: Option<TensorId>,
    /// Weight level: `[e, gain, offset, 0]` of every chip.
    pub chip: Option<TensorId>,
    /// Cell level: what the host writes.
    pub cells: Option<CellTensors>,
    /// Section: make the chips, up to their wires where those are solved by themselves.
    pub fabricate: SectionId,
    /// Section: solve the wires of the chips, which leaves read planes ([`CellTensors::planes`]); none where there is nothing to
    /// solve, and where a layout does it with the rest. Planes that were read may be written in the place of a solve.
    pub wires: Option<SectionId>,
    /// Section: what follows from the planes.
    pub prepare: SectionId,
    /// Section: multiply.
    pub read: SectionId,
}

/// A map of `c` values a vector.
fn map(c: usize) -> Shape {
    Shape::Image { c, h: 1, w: 1 }
}

/// Builds the program of the crossbar layer at position `index` of its network. `geo` is that of its columns for one vector at a
/// time; the chips are those that the layer has in the network. At cell level `keep_sums` makes the sums in front of the converters
/// readable.
pub fn lower(
    (index, geo): (usize, &ConvGeometry),
    weights: Weights,
    made: Made,
    keep_sums: bool,
) -> Alone {
    let graph = Graph::new("layer", geo.c_in, 1, 1);
    let numerics = Numerics::FLOAT;
    let mut b = Builder::new(&graph, &numerics);
    let states = ConvStates {
        weight: b.state("weight".into(), vec![geo.weights()]),
        bias: None,
        bits: weights.bits,
        weight_step: b.state("weight step".into(), vec![weights.steps.0]),
        run: weights.steps.1,
        input: InputQuantizer::None,
    };
    let place = Place {
        name: "layer",
        index,
        geo,
        states,
    };
    let p = &mut b.program;
    let x = p.tensor("inputs", map(geo.c_in), Scope::Shared, Role::Input);
    let y = p.tensor("outputs", map(geo.c_out), Scope::PerChip, Role::Output);
    let mut alone = Alone {
        program: Program::default(),
        weight: states.weight,
        weight_step: states.weight_step,
        x,
        input_step: None,
        y,
        clipped: None,
        sums: None,
        chip: None,
        cells: None,
        fabricate: SectionId(0),
        wires: None,
        prepare: SectionId(0),
        read: SectionId(0),
    };
    let (fabricate, read) = match made {
        Made::Weight(noise) => alone.of_weights(&mut b, &place, noise),
        Made::Cell(layer) => alone.of_cells(&mut b, &place, layer, keep_sums),
    };
    let natural = matches!(made, Made::Cell(layer) if layer.layout.is_none());
    alone.add_sections(&mut b.program, fabricate, natural);
    alone.read = b.program.section("read", read);
    alone.program = b.program;
    alone
}

impl Alone {
    /// The sections that make chips; those of a layer in its natural order have wires by themselves.
    fn add_sections(&mut self, program: &mut Program, mut ops: Vec<Op>, natural: bool) {
        let wires = ops.iter().position(|op| matches!(op, Op::IrDrop(_)));
        let mut rest = vec![];
        if let Some(at) = wires.filter(|_| natural) {
            rest = ops.split_off(at);
            let solve = rest.remove(0);
            if let Op::IrDrop(wires) = &solve {
                // Made in one section, read in another.
                program.tensors[wires.g.index()].role = Role::State;
            }
            self.wires = Some(program.section("wires", vec![solve]));
        }
        self.fabricate = program.section("fabricate", ops);
        self.prepare = program.section("prepare", rest);
    }

    fn maps(&self) -> Maps {
        Maps {
            x: self.x,
            x_step: self.input_step,
            y: self.y,
            clipped: self.clipped,
            slope: None,
            codes: None,
        }
    }

    /// The operators that make a layer at weight level, and those that read it.
    fn of_weights(
        &mut self,
        b: &mut Builder,
        place: &Place,
        noise: &CellNoise,
    ) -> (Vec<Op>, Vec<Op>) {
        let mut fabricate = vec![];
        let (chip, w) = fabricate_layer(b, &mut fabricate, place, noise);
        self.chip = Some(chip);
        let Maps { x, y, codes, .. } = self.maps();
        let (geo, post) = (*place.geo, Post::NONE);
        let read = Conv2d {
            x,
            w,
            y,
            geo,
            post,
            codes,
        };
        (fabricate, vec![read.into()])
    }

    /// The same at cell level.
    fn of_cells(
        &mut self,
        b: &mut Builder,
        place: &Place,
        layer: &CellLayer,
        keep_sums: bool,
    ) -> (Vec<Op>, Vec<Op>) {
        let (mut fabricate, mut read) = (vec![], vec![]);
        // Planes are read and written by the host.
        let (found, product) = program_layer(b, &mut fabricate, place, (0, layer), true);
        let p = &mut b.program;
        let step = p.tensor("input step", Shape::Flat(1), Scope::Shared, Role::State);
        (self.input_step, self.cells) = (Some(step), Some(found));
        if layer.reading.adc.is_some() {
            let shape = map(place.geo.c_out);
            self.clipped = Some(p.tensor("clipped", shape, Scope::PerChip, Role::Output));
        }
        if keep_sums {
            let spec = layer.reading.without_converter();
            let shape = map(spec.arrays.converters() * spec.dac.conversions());
            let y = p.tensor("sums", shape, Scope::PerChip, Role::Output);
            read.push(Op::from(PartialSums {
                x: self.x,
                x_step: step,
                g: found.planes,
                variance: found.variance,
                y,
                geo: *place.geo,
                spec,
            }));
            self.sums = Some(y);
        }
        let reading = |_| &layer.reading;
        let last = read_layer(product, reading, self.maps(), *place.geo, Post::NONE);
        read.push(last);
        (fabricate, read)
    }
}
